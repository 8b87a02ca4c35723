"""Many runs side by side: order, failures, interruption."""

import threading
from _thread import interrupt_main

import numpy as np
import pytest

import rtsched
from rtsched.errors import InputError, PolicyError
from rtsched.policies.roles import Mapper, Policy
from rtsched.study.many import ManyInterrupted, available_cpus, simulate_many


@pytest.fixture(scope="module")
def problem():
    return rtsched.compile("vr_gaming", duration_s=0.2)


class Failing(Mapper):
    """Answers well for 50 ms, then with the answer given."""

    def __init__(self, answer):
        self.answer = answer

    def score(self, state):
        if state.now_ns < 50_000_000:
            return np.zeros(state.n_ready)
        if self.answer is None:
            raise ValueError("no answer")
        return np.full(state.n_ready, self.answer)


@pytest.mark.parametrize("threads", [1, 3, None])
def test_results_come_in_the_order_of_the_jobs(problem, threads):
    jobs = [(policy, seed) for seed in (7, 3, 5) for policy in ("edf", "llf")]
    seen = []
    found = simulate_many(
        problem, jobs, lambda outcome: (outcome.policy, outcome.seed), threads=threads, progress=lambda *at: seen.append(at)
    )
    assert found == jobs
    assert seen[-1] == (6, 6)


def test_no_jobs(problem):
    assert simulate_many(problem, [], len) == []


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_failure_is_reported(problem, threads):
    broken = Policy(mapper=Failing(np.nan), name="broken")
    jobs = [("edf", 0), ("edf", 1), (broken, 11), (broken, 12), (broken, 13), ("edf", 2)]
    with pytest.raises(PolicyError, match=r"^policy 'broken': .* \(seed 11\)$") as caught:
        simulate_many(problem, jobs, lambda outcome: outcome.seed, threads=threads)
    assert caught.value.outcome.seed == 11


class Later(Mapper):
    """Begins when the other run has begun; fails after 50 ms if it is told to."""

    def __init__(self, mine, other):
        self.mine, self.other = mine, other

    def start(self, problem):
        self.mine.set()
        assert self.other.wait(10)
        return self

    def score(self, state):
        return np.full(state.n_ready, np.nan if state.now_ns > 50_000_000 and self.fails else 0.0)


def test_a_failure_stops_the_runs_after_it():
    one, other = threading.Event(), threading.Event()
    broken, sound = Later(one, other), Later(other, one)
    broken.fails, sound.fails = True, False
    reduced = []
    long = rtsched.compile("vr_gaming", duration_s=20)
    with pytest.raises(PolicyError, match=r"\(seed 5\)$"):
        simulate_many(long, [(Policy(mapper=broken), 5), (Policy(mapper=sound), 6), ("edf", 7)], reduced.append, threads=2)
    assert reduced == []


def test_an_exception_of_a_policy_says_where_it_comes_from(problem):
    broken = Policy(mapper=Failing(None), name="broken")
    with pytest.raises(ValueError, match="no answer") as caught:
        simulate_many(problem, [("edf", 0), (broken, 4)], lambda outcome: outcome.seed, threads=1)
    assert caught.value.__notes__ == ["in the run with policy 'broken' and seed 4"]


def test_ctrl_c_keeps_what_is_finished(problem):
    long = rtsched.compile("vr_gaming", duration_s=1e5)

    def reduce(outcome):
        return outcome.seed

    def interrupt(n_done, n_jobs):
        interrupt_main()

    def interrupt_later(n_done, n_jobs):
        if n_done:
            interrupt_main()

    with pytest.raises(ManyInterrupted) as caught:
        simulate_many(long, [("edf", 0), ("edf", 1), ("edf", 2)], reduce, threads=2, progress=interrupt)
    assert caught.value.results == [None, None, None]

    with pytest.raises(ManyInterrupted) as caught:
        simulate_many(problem, [("edf", seed) for seed in range(100_000)], reduce, threads=2, progress=interrupt_later)
    results = caught.value.results
    n_done = sum(one is not None for one in results)
    assert 0 < n_done < 100_000
    assert [one for one in results if one is not None] == [seed for seed, one in enumerate(results) if one is not None]


def test_what_progress_raises_stops_the_runs(problem):
    def progress(n_done, n_jobs):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        simulate_many(rtsched.compile("vr_gaming", duration_s=1e5), [("edf", 0)], len, progress=progress)


def test_threads():
    assert available_cpus() >= 1
    with pytest.raises(InputError, match="threads: must be at least 1, got 0"):
        simulate_many(None, [], len, threads=0)


class Stuck(Mapper):
    """Never answers until it is told to, so that tests leave no thread behind."""

    def __init__(self, released):
        self.released = released

    def score(self, state):
        self.released.wait()
        return np.zeros(state.n_ready)


def test_ctrl_c_leaves_a_policy_behind_that_never_answers(problem, monkeypatch):
    monkeypatch.setattr("rtsched.study.many.GRACE_S", 0.1)
    released = threading.Event()

    def progress(n_done, n_jobs):
        if n_done == 1:
            interrupt_main()

    stuck = Policy(mapper=Stuck(released), name="stuck")
    try:
        with pytest.raises(ManyInterrupted) as caught:
            simulate_many(problem, [("edf", 4), (stuck, 0)], lambda outcome: outcome.seed, threads=2, progress=progress)
        assert caught.value.results == [4, None]
        left = [thread for thread in threading.enumerate() if thread.name.startswith("rtsched-")]
        assert left
        assert all(thread.daemon for thread in left)
    finally:
        released.set()
        for thread in left:
            thread.join()
