"""docs/accuracy.md says what the cost models give now."""

from string import Template

import measurements
import pytest
from measurements import CORUN, FOLDER, LAYERS, ROOT, needs

pytestmark = [needs(LAYERS), needs(CORUN)]

REFIT = ("constants", "left_out")
"""Tables of fitted constants, whose last digits may depend on the solver."""


@pytest.fixture(scope="module")
def tables():
    script = measurements.script("accuracy")
    measured = script.fit_systolic.read(LAYERS)
    sets = {row.group for row in script.gemmini_corun.compare(CORUN)}
    if set(measured.networks) != set(script.fit_systolic.FITTED) or sets != {"A"}:
        pytest.skip("the folder has other measurements than those of the page")
    return script.tables(FOLDER)


def test_tables_of_the_page_are_up_to_date(tables):
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    names = Template(measurements.script("accuracy").TEMPLATE.read_text(encoding="utf-8")).get_identifiers()
    stale = [name for name in names if name not in REFIT and tables[name].strip("\n") not in page]
    assert not stale, "run benchmarks/accuracy.py"


def test_prose_of_the_page_is_that_of_its_template():
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    for paragraph in measurements.script("accuracy").TEMPLATE.read_text(encoding="utf-8").split("\n\n"):
        assert paragraph.startswith("$") or paragraph.strip() in page
