"""Damaged scenarios, platforms and models are read and compiled, or refused with one message per fault, within 2 s."""

import time

import pytest
from fuzz.mutations import tree_of, written
from fuzz.targets import TARGETS, Broken, Target, judge, mutant
from hypothesis import given
from hypothesis import strategies as st

from rtsched._yaml import compose
from rtsched.errors import InputError

DOCUMENTS = [name for name, one in TARGETS.items() if one.kind == "yaml"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_valid_documents_are_accepted(folder, name):
    """Else their damaged ones would be refused for nothing."""
    assert all(judge(TARGETS[name], files, folder)[0] for files in TARGETS[name].valid())


@pytest.mark.parametrize("name", DOCUMENTS)
@given(random=st.randoms(use_true_random=False))
def test_damaged_documents_are_accepted_or_refused(folder, name, random):
    judge(TARGETS[name], mutant(random, TARGETS[name]), folder)


texts = st.text('ab"\\: {}[]#&*!|>-,\n\t\x00\u20ac~1.', max_size=9)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**30), 10**30), st.floats(allow_nan=False), texts),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts, inner)),
)


@given(values)
def test_what_is_not_damaged_is_written_as_it_was(value):
    assert tree_of(compose(written(tree_of(value)).encode(), "t").value) == tree_of(value)


def raiser(error):
    def read(folder):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (raiser(KeyError("x")), "KeyError"),
        (raiser(InputError([])), "no message"),
        (raiser(InputError("a\nb")), "one short line"),
        (raiser(InputError("x" * 2_000)), "one short line"),
        (raiser(InputError(["a", "a"])), "a message stands twice"),
    ],
)
def test_the_judge_sees_what_must_not_be(folder, read, expected):
    with pytest.raises(Broken, match=expected):
        judge(Target("t", "yaml", "t", list, lambda random, data: data, read), {}, folder)


def test_the_judge_sees_what_takes_too_long(folder, monkeypatch):
    monkeypatch.setattr("fuzz.targets.MOST_S", 0.01)

    def read(folder):
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass

    with pytest.raises(Broken, match="took 0"):
        judge(Target("t", "yaml", "t", list, lambda random, data: data, read), {}, folder)
