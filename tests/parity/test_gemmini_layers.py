"""The systolic cost model against cycles measured on one Gemmini tile.

The measurements are not part of the project: RTSCHED_MEASUREMENTS names their folder, or it is ``../shared/data`` beside the
repository.
"""

import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from rtsched.cost.systolic import SystolicCost

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("RTSCHED_MEASUREMENTS", ROOT.parent / "shared" / "data"))
FILE = FOLDER / "gemmini_layers.csv"
SCRIPT = ROOT / "benchmarks" / "fit_systolic.py"

pytestmark = pytest.mark.skipif(
    not (FILE.is_file() and SCRIPT.is_file()), reason=f"no measurements at {FILE} (set RTSCHED_MEASUREMENTS to their folder)"
)


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("fit_systolic", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def measured(script):
    return script.read(FILE)


@pytest.fixture(scope="module")
def predicted(script, measured):
    model = SystolicCost()
    print(f"\n{script.tables(model, measured)}")
    return script.cycles(model, measured)


def test_convolutions_and_matmuls(script, measured, predicted):
    assert script.mean_error(predicted, measured, measured.part(script.PRODUCTS)) <= 0.08
    for network in measured.networks:
        assert script.mean_error(predicted, measured, measured.part(script.PRODUCTS, network)) <= 0.12, network


def test_network_totals(script, measured, predicted):
    for network in measured.networks:
        assert abs(script.total_error(predicted, measured, network)) <= 0.08, network


def test_residual_additions(script, measured, predicted):
    for network in measured.networks:
        adds = measured.part(("resadd",), network)
        if adds.any():
            assert script.mean_error(predicted, measured, adds) <= 0.20, network


def test_ours_is_closer_than_the_published_estimate(script, measured, predicted):
    products = measured.part(script.PRODUCTS)
    assert script.mean_error(predicted, measured, products) < script.mean_error(measured.published, measured, products)


def test_networks_that_the_constants_were_not_fitted_to(script, measured):
    rows = script.left_out(measured)
    print(f"\n{script.markdown(['left out', 'error', 'total'], rows)}")
    assert float(rows[-1][1].removesuffix(" %")) <= 10.0


def test_default_constants_are_the_fitted_ones(script, measured):
    fitted = script.fit(measured, np.isfinite(measured.cycles))
    for name in script.CONSTANTS:
        assert getattr(SystolicCost(), name) == pytest.approx(getattr(fitted, name), rel=0.02), name
