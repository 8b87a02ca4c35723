"""The documentation site: `sphinx-build -W -n -b html docs build/site`. It needs no network, and neither do its pages."""

from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command
from typer.testing import CliRunner

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


def command_paths(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command of the program, those of groups after their group."""
    yield path
    for name, child in getattr(command, "commands", {}).items():
        yield from command_paths(child, (*path, name))


class Commands(SphinxDirective):
    """What every command prints with ``--help``, a section for each."""

    option_spec: ClassVar = {}

    def run(self) -> list[nodes.Node]:
        """Ask the program that is installed, so that nothing here can be older than it."""
        return [self.section(path) for path in command_paths(get_command(program))]

    def section(self, path: tuple[str, ...]) -> nodes.section:
        """One command."""
        asked = CliRunner(env={"COLUMNS": "90"}).invoke(program, [*path, "--help"], prog_name="rtsched")
        if asked.exit_code != 0:
            raise self.error(f"rtsched {' '.join(path)} --help failed: {asked.output}")
        title = " ".join(("rtsched", *path))
        made = nodes.section(ids=[nodes.make_id(title)], names=[title])
        made += [nodes.title(title, title), nodes.literal_block(asked.stdout, asked.stdout, language="none")]
        return made


def setup(app: Sphinx) -> dict[str, bool]:
    """Register what is not in the extensions."""
    app.add_lexer("csv", TextLexer)
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}
