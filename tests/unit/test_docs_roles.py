"""What docs/roles.md shows beyond its examples that only run (test_docs_inputs.py)."""

import re

import pytest
from pages import DOCS, ROOT, python, python_examples

PRINTING = [(code, printed) for code, printed in python_examples("roles.md") if printed is not None]
PAGE = (DOCS / "roles.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("code", "printed"), PRINTING)
def test_examples_print_what_the_page_shows(code, printed, tmp_path):
    assert python(code, tmp_path) == printed


def test_every_role_has_an_example_that_is_checked():
    checked = [code for code, _ in python_examples("roles.md") if "check_policy(" in code]
    roles = {role for code in checked for role in re.findall(r"\(rtsched\.(\w+)\):", code)}
    assert roles == {"Mapper", "Dropper", "Selector", "Regulator", "Tuner"}


def test_compiled_roles_are_declared_as_the_page_says():
    declared = (ROOT / "rtsched" / "_core" / "roles.pxd").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:`(\w*)`)? ?\| `(int .*)` \|$", PAGE, flags=re.MULTILINE)
    assert [name for name, _ in rows if name] == ["NativeMapper", "NativeDropper", "NativeSelector", "NativeRegulator", "NativeTuner"]
    of = dict(re.findall(r"^cdef class (\w+)\(NativeRole\):\n((?:    .*\n)+)", declared, flags=re.MULTILINE))
    name = ""
    for role, signature in rows:
        name = role or name
        assert f"    cdef {signature}\n" in of[name]
