"""`check_policy`: the built-in policies pass, and each way to break the contract is found and explained."""

import re
import time

import numpy as np
import pytest
from builders import once, problem_of
from reference import roles

import rtsched
from rtsched.outcome import STATUSES
from rtsched.policies.registry import policy_names
from rtsched.problem import ARRIVALS
from rtsched.testing import PolicyFault, check_policy, policy_faults, small_problems


class Deadline(rtsched.Mapper):
    def score(self, state):
        return -state.deadline_ns.astype(np.float64)


@pytest.mark.parametrize("name", policy_names())
def test_built_in_policies_keep_their_contract(name):
    check_policy(name)


@pytest.mark.parametrize(
    "mapper",
    [*(twin() for twin in roles.TWINS.values()), roles.HashedPairs(1), roles.RescoredPairs(2), roles.HashedJobs(3), roles.HashedAssign(4)],
    ids=lambda mapper: type(mapper).__name__,
)
def test_python_mappers_of_every_form_keep_it(mapper):
    check_policy(mapper)


def test_all_roles_together_keep_it():
    policy = rtsched.Policy(
        mapper=roles.HashedParameters(1),
        dropper=roles.HashedDropper(2),
        selector=roles.HashedSelector(3),
        regulator=roles.HashedRegulator(4),
        tuner=roles.HashedTuner(5, 10_000_000),
    )
    check_policy(policy)


class Both(rtsched.Mapper, rtsched.Regulator):
    """Mapper and regulator share the state of a run."""

    def start(self, problem):
        mine = Both()
        mine.n_calls = 0
        return mine

    def key(self, state, row):
        self.n_calls += 1
        return self.n_calls % 3

    def regulate(self, state):
        return np.full(state.running.n, 1.0 + self.n_calls % 2)


def test_a_role_in_two_places_keeps_it():
    both = Both()
    check_policy(rtsched.Policy(mapper=both, regulator=both))


class WrongShape(rtsched.Mapper):
    def score(self, state):
        return np.zeros(state.n_ready + 1)


class NotANumber(rtsched.Mapper):
    def score(self, state):
        return np.log(state.slack_ns * 0.0 - 1.0)


class Mask(rtsched.Mapper):
    def score(self, state):
        return state.slack_ns > 0


class SinglePrecision(rtsched.Mapper):
    def score(self, state):
        return (-state.deadline_ns).astype(np.float32)


class HugeIntegers(rtsched.Mapper):
    def score(self, state):
        return -state.deadline_ns * 2**30


class FloatKey(rtsched.Mapper):
    def key(self, state, row):
        return float(state.deadline_ns[row])


class WaitsInSecret(rtsched.Mapper):
    def score(self, state):
        return np.where(state.latency_ns > state.latency_ns.min(axis=1, keepdims=True), -np.inf, 0.0)


class OneAtATime(rtsched.Mapper):
    """Fills one accelerator per call."""

    def assign(self, state, dispatches):
        for a in np.flatnonzero(state.free_tiles == state.problem.accelerator_tiles):
            row = int(np.argmin(state.latency_ns[:, a]))
            if np.isfinite(state.latency_ns[row, a]):
                dispatches.append(row, int(a))
                return


class Idle(rtsched.Mapper):
    waits = True

    def score(self, state):
        return np.full(state.n_ready, -np.inf)


class Counts(rtsched.Mapper):
    def __init__(self):
        self.n_calls = 0

    def key(self, state, row):
        self.n_calls += 1
        return self.n_calls % 3


class Remembers(rtsched.Mapper):
    """A list of the class, which all its objects and runs share."""

    seen = []  # noqa: RUF012

    def key(self, state, row):
        self.seen.append(0)
        return len(self.seen) % 3


class Resets(rtsched.Mapper):
    """Would do in one thread."""

    def start(self, problem):
        self.n_calls = 0
        return self

    def key(self, state, row):
        self.n_calls += 1
        return self.n_calls % 3


GLOBAL = {"n_calls": 0}


class Global(rtsched.Mapper):
    def key(self, state, row):
        GLOBAL["n_calls"] += 1
        return GLOBAL["n_calls"] % 3


class GlobalPerRun(rtsched.Mapper):
    def start(self, problem):
        GLOBAL["n_calls"] = 0
        return self

    def key(self, state, row):
        GLOBAL["n_calls"] += 1
        return GLOBAL["n_calls"] % 3


RELEASED = {}


class GlobalTable(rtsched.Mapper):
    """Another run takes its entries away."""

    def start(self, problem):
        RELEASED.clear()
        return self

    def on_release(self, state, task, frame):
        RELEASED[task, frame] = state.now_ns

    def on_job_end(self, state, task, frame, status):
        RELEASED.pop((task, frame), None)

    def key(self, state, row):
        return RELEASED[int(state.task[row]), int(state.frame[row])]


class Clock(rtsched.Mapper):
    def key(self, state, row):
        return time.perf_counter_ns() // 100 % 7


class Dice(rtsched.Mapper):
    def score(self, state):
        return np.random.random(state.n_ready)


class Writes(rtsched.Mapper):
    def assign(self, state, dispatches):
        free = state.free_tiles
        for row in np.argsort(state.release_ns, kind="stable"):
            best = int(np.where(free > 0, state.latency_ns[row], np.inf).argmin())
            if free[best] and np.isfinite(state.latency_ns[row, best]):
                dispatches.append(int(row), best)
                free[best] -= 1


class Keeps(rtsched.Mapper):
    """Holds on to the buffer of the deadlines."""

    def start(self, problem):
        mine = Keeps()
        mine.last = np.zeros(1, dtype=np.int64)
        return mine

    def score(self, state):
        scores = -state.deadline_ns + 1e3 * (self.last[0] % 2)
        scores[0] += self.last[-1] % 3 * 1e6
        self.last = state.release_ns
        return scores


class KeepsRows(rtsched.Mapper):
    def start(self, problem):
        mine = KeepsRows()
        mine.tasks = None
        return mine

    def score(self, state):
        if self.tasks is None:
            self.tasks = state.task
        return -state.deadline_ns - 0.5 * state.problem.task_deadline_ns[self.tasks[0]]


class Twice(rtsched.Mapper):
    def assign(self, state, dispatches):
        for a in np.flatnonzero(state.free_tiles):
            if np.isfinite(state.latency_ns[0, a]):
                dispatches.append(0, int(a))


class Greedy(rtsched.Mapper):
    def tiles(self, state, row, accelerator):
        return 3

    def assign(self, state, dispatches):
        for row in range(state.n_ready):
            dispatches.append(row, int(state.latency_ns[row].argmin()))


class Everywhere(rtsched.Mapper):
    def assign(self, state, dispatches):
        for row, a in zip(range(state.n_ready), np.flatnonzero(state.free_tiles), strict=False):
            dispatches.append(row, int(a))


class Fails(rtsched.Mapper):
    def score(self, state):
        return 1.0 / [0.0][0] * state.slack_ns


class Unprintable(rtsched.Mapper):
    def __init__(self):
        self.rule = lambda deadline: -deadline

    def score(self, state):
        return self.rule(state.deadline_ns)


class TwoForms(Deadline):
    def key(self, state, row):
        return 0


class DropsMask(rtsched.Dropper):
    def drop(self, state):
        return state.slack_ns < 0


class DropsTwice(rtsched.Dropper):
    def drop(self, state):
        return [0, 0]


class DropsTasks(rtsched.Dropper):
    def drop(self, state):
        return 100 + state.task


class Stops(rtsched.Regulator):
    def regulate(self, state):
        return np.zeros(state.running.n)


class CapsTooMany(rtsched.Regulator):
    def regulate(self, state):
        return np.ones(state.problem.n_accelerators + 1)


class Smaller(rtsched.Selector):
    def select(self, state, row):
        return 3


class Climbs(rtsched.Tuner):
    window_ns = 100_000_000

    def tune(self, window, parameters):
        parameters[0] += 1


class Tuned(rtsched.Mapper):
    parameters = np.zeros(1)

    def key(self, state, row):
        return 0


def with_role(**roles):
    return rtsched.Policy(mapper=Deadline(), **roles, name="broken")


BROKEN = [
    (WrongShape(), "score must answer shape", "one score per ready job"),
    (NotANumber(), "is nan", "score -inf"),
    (Mask(), "Mask.score answered truth values", "np.where"),
    (SinglePrecision(), "answered float32", "use float64"),
    (HugeIntegers(), "answered integers beyond 2", "use a key"),
    (FloatKey(), "key must answer an integer", "return int"),
    (TwoForms(), "must define exactly one of score, key and assign", "it has score, key"),
    (WaitsInSecret(), "waited with layer 'l", "declare waits = True"),
    (OneAtATime(), "was free and could run it", "declare waits = True"),
    (Idle(), "nothing was ever dispatched, although 4", "must start a job"),
    (Counts(), "mapper Counts: n_calls was 0, is ", r"let start\(problem\) return a new object"),
    (Remembers(), "mapper Remembers: seen was ", "let start"),
    (Resets(), "mapper Resets: n_calls was not there, is ", "let start"),
    (Global(), "the same seed gave another result after other runs: task ", "no variable of a module"),
    (GlobalPerRun(), "gave another result while another run of the same policy was under way", "a new one each time"),
    (GlobalTable(), "while another run of the same policy was under way: KeyError: .* in key", "a new one each time"),
    (Clock(), "the same seed gave another result", "no clock"),
    (Dice(), "the same seed gave another result", "unseeded random numbers"),
    (Writes(), r"writes into an array of the view: ValueError: .*read-only \(.*test_testing_policy.py:\d+ in assign\)", "Copy it first"),
    (Keeps(), "keeps an array of the view", "keep a copy"),
    (KeepsRows(), "keeps an array of the view", "keep a copy"),
    (Twice(), "the job is not ready", "once per call"),
    (Greedy(), "0 tiles are free", "count what you have given away"),
    (Everywhere(), "cannot run there", "latency_ns is inf"),
    (Fails(), r"raised ZeroDivisionError: .*test_testing_policy.py:\d+ in score\)", "on 'plain', seed 0"),
    (Unprintable(), "repr holds <function Unprintable", "give it a __repr__"),
    (with_role(dropper=DropsMask()), "must answer row numbers", "np.flatnonzero"),
    (with_role(dropper=DropsTwice()), "named a job twice", "each once"),
    (with_role(dropper=DropsTasks()), "drop answered row 10", "the rows of this call"),
    (with_role(regulator=Stops()), "must be above 0 or inf", "np.inf is no cap"),
    (with_role(regulator=CapsTooMany()), "regulate must answer shape", "one cap per row of state.running"),
    (with_role(selector=Smaller()), "its model has 3", "among the subnets"),
    (with_role(tuner=Climbs()), "a tuner needs a mapper with parameters", "own float64 vector"),
    (rtsched.Policy(mapper=Tuned(), tuner=Climbs()), "the mapper's start must return an object of its own", "return a new mapper"),
]


@pytest.mark.parametrize(("policy", "what", "advice"), BROKEN, ids=lambda value: type(value).__name__ if not isinstance(value, str) else "")
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_broken_policies_are_found_and_explained(policy, what, advice):
    with pytest.raises(PolicyFault) as caught:
        check_policy(policy)
    assert re.search(what, str(caught.value))
    assert re.search(advice, str(caught.value))
    assert 1 <= len(caught.value.faults) <= 8


def test_what_is_no_policy():
    with pytest.raises(rtsched.InputError, match=r"pass Deadline\(\)"):
        check_policy(Deadline)
    with pytest.raises(rtsched.InputError, match="at least one of each"):
        check_policy("edf", seeds=())


def test_own_problems():
    """Two jobs at once on two accelerators: only on these does the mapper wait."""
    problem = problem_of([once(name, name, 1, deadline_ns=100) for name in "ab"], {name: [[10, 10]] for name in "ab"})

    class Second(rtsched.Mapper):
        def score(self, state):
            return np.where(np.arange(state.problem.n_accelerators) == 1, 0.0, -np.inf) + np.zeros((state.n_ready, 1))

    (fault,) = policy_faults(Second(), problems=[problem], seeds=[5])
    assert fault.startswith("on 'hand', seed 5: work conservation: task 'b' frame 0 waited with layer 'l0' between 0 and 10 ns while 'a0'")


def test_small_problems_have_what_they_are_for():
    problems = {problem.scenario_name: problem for problem in small_problems()}
    outcomes = {name: rtsched.run(problem, "edf", layers=True) for name, problem in problems.items()}
    assert small_problems() is small_problems()
    assert (problems["plain"].costs["t_iso_ns"] == 0).any()
    assert problems["tiles"].accelerator_tiles.max() > 1
    assert outcomes["overload"].metrics.total_violation_rate > 0.1
    assert outcomes["switching"].n_switches > 0
    assert outcomes["seconds"].end_ns > 3_000_000_000
    assert len(np.unique(outcomes["cascade"].jobs["priority"])) == 3
    assert np.diff(problems["dynamic"].model_first_subnet).max() == 3
    for name in ("contention", "fair"):
        layers = outcomes[name].layers
        alone = problems[name].costs["t_iso_ns"][layers["layer"], problems[name].option_first[layers["accelerator"]]]
        assert (layers["finish_ns"] - layers["start_ns"] > alone).sum() > 10
    assert (outcomes["loops"].jobs["status"] == STATUSES.index("dropped")).any()
    assert {law for problem in problems.values() for law in problem.task_arrival} == set(range(len(ARRIVALS)))
    assert all(40 <= len(outcome.jobs) <= 120 for outcome in outcomes.values())


def test_the_generator_never_changes():
    """Whoever names a problem and a seed in a report means the same one tomorrow."""
    problem = small_problems()[0]
    assert problem.costs["t_iso_ns"][0].tolist() == [27430, 18990, 10550]
