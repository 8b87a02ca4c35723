"""The documentation site: `sphinx-build -W -n -b html docs build/site`. It needs no network, and neither do its pages."""

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer import Context
from typer.main import get_command

from rtsched import __version__
from rtsched.cli import app as program

project = "rtsched"
author = "The rtsched developers"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
highlight_language = "none"
default_role = "code"  # what docstrings have in single backticks

myst_heading_anchors = 4  # links to headings, as code hosts make them

autodoc_typehints = "none"  # docstrings have types, with units and shapes
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "furo"
html_title = f"rtsched {release}"
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_static_path = ["_static"]
html_css_files = ["site.css"]


class Commands(SphinxDirective):
    """What every command prints with ``--help``, a section for each, from the program that is installed."""

    def run(self) -> list[nodes.Node]:
        """Ask the program, then the commands of its groups."""
        self.env.note_reread()  # in every build, since no file tells when the program changes
        return list(sections(get_command(program), "rtsched", None))


def sections(command: Any, name: str, parent: Context | None) -> Iterator[nodes.Node]:
    """A command, and after a group its commands."""
    context = Context(command, parent=parent, info_name=name, terminal_width=80)
    text = command.get_help(context)
    made = nodes.section(ids=[nodes.make_id(context.command_path)], names=[context.command_path])
    made += [nodes.title(text=context.command_path), nodes.literal_block(text, text, language="none")]
    yield made
    for child_name, child in getattr(command, "commands", {}).items():
        yield from sections(child, child_name, context)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what is not in the extensions."""
    app.add_lexer("csv", TextLexer)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
