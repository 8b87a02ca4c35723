"""Traces do not move unless somebody means it: regenerate with ``python tests/golden/traces.py`` and note it in the changelog."""

import importlib.util
from pathlib import Path

import pytest

from rtsched.policies.registry import POLICIES

FOLDER = Path(__file__).parent
spec = importlib.util.spec_from_file_location("traces", FOLDER / "traces.py")
traces = importlib.util.module_from_spec(spec)
spec.loader.exec_module(traces)


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_trace_is_unchanged(policy):
    assert traces.trace(policy) == (FOLDER / f"{policy}.txt").read_text(encoding="utf-8")
