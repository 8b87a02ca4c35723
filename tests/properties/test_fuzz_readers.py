"""Damaged tables, networks and saved outcomes are read, or refused with one message per fault, within 2 s."""

import pytest
from fuzz.targets import TARGETS, judge, mutant
from hypothesis import given
from hypothesis import strategies as st

READERS = [name for name, one in TARGETS.items() if one.kind != "yaml"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def target_of(name):
    if name == "onnx":
        pytest.importorskip("onnx")
    return TARGETS[name]


@pytest.mark.parametrize("name", READERS)
def test_valid_files_are_accepted(folder, name):
    """Else their damaged ones would be refused for nothing."""
    target = target_of(name)
    assert all(judge(target, files, folder)[0] for files in target.valid())


@pytest.mark.parametrize("name", READERS)
@given(random=st.randoms(use_true_random=False))
def test_damaged_files_are_accepted_or_refused(folder, name, random):
    target = target_of(name)
    judge(target, mutant(random, target), folder)
