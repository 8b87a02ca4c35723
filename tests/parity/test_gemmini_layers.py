"""The systolic cost model against cycles measured on one Gemmini tile."""

import measurements
import numpy as np
import pytest
from measurements import LAYERS, needs

from rtsched.cost.systolic import SystolicCost

pytestmark = needs(LAYERS)


@pytest.fixture(scope="module")
def script():
    return measurements.script("fit_systolic")


@pytest.fixture(scope="module")
def measured(script):
    return script.read(LAYERS)


@pytest.fixture(scope="module")
def predicted(script, measured, show_table):
    model = SystolicCost()
    show_table("Layers on one Gemmini tile, against measured cycles", script.errors_table(model, measured))
    show_table("The layers that are furthest off", script.worst_table(model, measured))
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
    products = measured.part(script.PRODUCTS) & np.isfinite(measured.published)
    assert script.mean_error(predicted, measured, products) < script.mean_error(measured.published, measured, products)


def test_networks_that_the_constants_were_not_fitted_to(script, measured, show_table):
    show_table("Networks that the constants were not fitted to", script.left_out_table(measured))
    assert float(script.left_out(measured)[-1][1].removesuffix(" %")) <= 10.0


def test_default_constants_are_the_fitted_ones(script, measured):
    fitted = script.fit(measured)
    for name in script.CONSTANTS:
        assert getattr(SystolicCost(), name) == pytest.approx(getattr(fitted, name), rel=0.02), name
