"""DREAM's roles: equal to their rules in plain Python, and what must hold of any run and any state."""

from itertools import pairwise

import numpy as np
import pytest
from builders import once, problem_of
from hypothesis import given
from hypothesis import strategies as st
from reference import dream as twins
from reference import roles
from reference.compare import assert_equal_runs, run_reference
from strategies import problems, seeds

from rtsched.errors import PolicyError
from rtsched.outcome import STATUSES
from rtsched.policies.dream import MapScore, ScoreTuner, SmartDrop, SupernetSwitch
from rtsched.policies.moca import MocaScheduler
from rtsched.policies.registry import configure, load_policy
from rtsched.policies.roles import Mapper, Policy, Tuner
from rtsched.run import run

DROPPED = STATUSES.index("dropped")

weights = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0])
mappers = st.fixed_dictionaries(
    {
        "alpha": weights,
        "beta": weights,
        "urgency_cap": st.sampled_from([0.0, 0.5, 1.0, 4.0]),
        "late_urgency": st.sampled_from(["cap", "infinite", "negative"]),
        "preference": st.sampled_from(["sum", "best"]),
        "starvation": st.sampled_from(["layer", "job"]),
    }
)
droppers = st.fixed_dictionaries({"max_drops": st.integers(1, 3), "window": st.integers(1, 5), "lightest": st.booleans()})
selectors = st.fixed_dictionaries({"backlog_weight": st.sampled_from([0.0, 0.5, 1.0, 3.0])})


@given(problems(), mappers, droppers, selectors, seeds)
def test_roles_equal_their_twins(problem, mapper, dropper, selector, seed):
    native = Policy(MapScore(**mapper), SmartDrop(**dropper), SupernetSwitch(**selector))
    twin = Policy(twins.MapScore(**mapper), twins.SmartDrop(**dropper), twins.SupernetSwitch(**selector))
    assert_equal_runs(run(problem, native, seed=seed, layers=True), run_reference(problem, twin, seed))


def crowd():
    """While one long layer runs, frames come and are dropped for newer ones more often than there are slots; then more tasks."""
    tasks = [
        once("long", "long", 3, deadline_ns=10**6, period_ns=10**6),
        *(
            once(f"b{i}", f"b{i}", 2, release_ns=7 * i + 20_000 * (i > 2), deadline_ns=10**5, period_ns=100 + i, max_backlog=2, priority=i)
            for i in range(5)
        ),
    ]
    times_ns = {"long": [[30_000]] * 3, **{f"b{i}": [[400 + i], [300]] for i in range(5)}}
    return problem_of(tasks, times_ns, duration_s=1e-4)


@pytest.mark.parametrize(
    ("native", "twin"), [(MapScore(), twins.MapScore()), (MocaScheduler(express=3), roles.MocaScheduler(express=3))], ids=["dream", "moca"]
)
def test_what_is_kept_of_ready_jobs_survives_a_crowd(native, twin):
    outcome = run(crowd(), native, layers=True)
    assert int((outcome.jobs["status"] == DROPPED).sum()) > 1000
    assert_equal_runs(outcome, run_reference(crowd(), Policy(twin), 0))


@pytest.mark.parametrize("settings", [{}, {"late_urgency": "infinite"}, {"alpha": 0.0, "urgency_cap": 0.0}], ids=str)
@pytest.mark.parametrize("n", [129, 260])
def test_the_best_of_many_ready_jobs_is_the_best_of_all(n, settings):
    """Scores are looked at block by block; some are equal to others, or all, in their block and beyond."""
    tasks = [once(f"t{i}", f"m{i % 7}", 2, deadline_ns=10**5 + i // 60, period_ns=10**6, release_ns=i // 90) for i in range(n)]
    times_ns = {f"m{i}": [[400 + 10 * (i // 3), 300], [200, None if i == 5 else 250]] for i in range(7)}
    problem = problem_of(tasks, times_ns, duration_s=3e-6, drain_s=0.0, dram_bytes=50)
    outcome = run(problem, MapScore(**settings), layers=True)
    assert_equal_runs(outcome, run_reference(problem, Policy(twins.MapScore(**settings)), 0))


class Heavy(Tuner):
    """Sets weights under which scores would overflow."""

    window_ns = 1000

    def tune(self, window, parameters):
        parameters[:] = [-1e308, 1.0]


def test_weights_under_which_scores_overflow_are_refused():
    with pytest.raises(PolicyError, match=r"the weights are -1e\+308 and 1\.0; they must be numbers up to 1e\+100"):
        run(crowd(), Policy(MapScore(), tuner=Heavy()))


# ---- MapScore

times = st.integers(1, 10**6)


class Looks(Mapper):
    """Dispatches as its twin does, and keeps the scores of the first decision among certain tasks."""

    def __init__(self, wanted, **settings):
        self.wanted, self.twin, self.scores = wanted, twins.MapScore(**settings), None

    def start(self, problem):
        self.twin = self.twin.start(problem)
        return self

    def score(self, state):
        scores = self.twin.score(state)
        rows = {int(task): row for row, task in enumerate(state.task)}
        if self.scores is None and rows.keys() >= set(self.wanted):
            self.scores = [scores[rows[task]].tolist() for task in self.wanted]
        return scores


def scores_of(jobs, times_ns, **settings):
    """Scores of jobs when they have waited until 2000: (release, deadline) each, and {model: [[time on each accelerator]]}."""
    tasks = [once(name, name, 1, release_ns=release, deadline_ns=deadline) for name, (release, deadline) in jobs.items()]
    blocked = [once(f"z{a}", f"z{a}", 1, deadline_ns=10**6, release_ns=0) for a in range(len(next(iter(times_ns.values()))[0]))]
    table = {f"z{a}": [[None] * a + [2000] + [None] * (len(blocked) - a - 1)] for a in range(len(blocked))}
    looks = Looks(range(len(blocked), len(blocked) + len(jobs)), **settings)
    run(problem_of([*blocked, *tasks], {**times_ns, **table}, duration_s=2e-6), looks)
    return looks.scores


@given(st.integers(2001, 10**5), st.integers(1, 10**5), times, st.sampled_from([0.0, 1.0]))
def test_the_more_urgent_of_two_equal_jobs_scores_no_less(deadline, later, takes, alpha):
    jobs = {"a": (1, deadline), "b": (1, deadline + later)}
    (urgent,), (other,) = scores_of(jobs, {"a": [[takes]], "b": [[takes]]}, alpha=alpha, urgency_cap=1e9)
    assert urgent > other


@given(st.integers(1, 1000), st.integers(1, 900), times)
def test_the_job_that_has_waited_longer_scores_more(release, longer, takes):
    jobs = {"a": (release, 10**6), "b": (release + longer, 10**6 - longer)}  # the same deadline
    (first,), (second,) = scores_of(jobs, {"a": [[takes]], "b": [[takes]]})
    assert first > second


@given(st.integers(1, 10**5), st.integers(1, 10**5))
def test_the_faster_accelerator_scores_more(fast, slower):
    scores = scores_of({"a": (1, 10**5), "b": (1, 10**5)}, {"a": [[fast, fast + slower]], "b": [[fast + slower, fast]]}, beta=0.0)
    assert scores[0][0] > scores[0][1]
    assert scores[1][0] < scores[1][1]


@given(st.integers(1, 1000), st.integers(1, 1000), st.integers(1, 1000), st.integers(0, 1000), st.sampled_from([0.0, 1.0]))
def test_equally_urgent_jobs_score_alike_on_their_best_accelerators(fast, slower, other, more, beta):
    """With balanced terms, however much more one of them prefers its accelerator."""
    urgent = {"a": (1, 2500), "b": (1, 2500)}
    settings = {"urgency_cap": 0.0, "alpha": 0.0, "beta": beta, "preference": "best"}
    a, b = scores_of(urgent, {"a": [[fast, fast + slower]], "b": [[other, other + more]]}, **settings)
    assert max(a) == max(b)
    balanced = {**settings, "urgency_cap": 1.0}
    a, b = scores_of({"a": (1, 1), "b": (1, 1)}, {"a": [[fast, fast + slower]], "b": [[other, other + more]]}, **balanced)
    assert max(a) == max(b)


@given(problems(max_tiles=1), seeds)
def test_without_weights_one_accelerator_serves_by_urgency(problem, seed):
    class ByUrgency(Mapper):
        def score(self, state):
            slack, togo = state.slack_ns.astype(float), state.togo_mean_ns.astype(float)
            return np.where(slack > 0, np.minimum(togo / np.where(slack > 0, slack, 1.0), 1.0), 1.0)

    if problem.n_accelerators > 1:
        return
    outcomes = [run(problem, mapper, seed=seed) for mapper in (MapScore(alpha=0.0, beta=0.0), ByUrgency())]
    np.testing.assert_array_equal(outcomes[0].jobs, outcomes[1].jobs)


# ---- SmartDrop


class WatchedDrop(twins.SmartDrop):
    """Checks each decision of the rule against the state at that moment."""

    def drop(self, state):
        rows = super().drop(state)
        late = state.togo_min_ns > state.slack_ns
        for row in rows:
            task = state.task[row]
            assert late[row]
            assert late.sum() + (state.running.togo_min_ns > state.running.slack_ns).sum() >= 2
            assert state.problem.child_first[task] == state.problem.child_first[task + 1]
        return rows


@given(problems(), droppers, seeds)
def test_drops_stay_within_their_bounds(problem, dropper, seed):
    outcome = run(problem, Policy(MapScore(), SmartDrop(**dropper)), seed=seed)
    watched = run(problem, Policy(MapScore(), WatchedDrop(**dropper)), seed=seed)
    np.testing.assert_array_equal(outcome.jobs, watched.jobs)
    # Drops by a full backlog are the engine's, so they are left out.
    for task in np.flatnonzero(problem.task_max_backlog == 0):
        mine = outcome.jobs[outcome.jobs["task"] == task]
        dropped = np.sort(mine["frame"][mine["status"] == DROPPED])
        if problem.child_first[task] < problem.child_first[task + 1]:
            assert len(dropped) == 0
        for frame in dropped:
            assert ((dropped > frame - dropper["window"]) & (dropped <= frame)).sum() <= dropper["max_drops"]


# ---- SupernetSwitch


class WatchedSwitch(twins.SupernetSwitch):
    def select(self, state, row):
        choice = super().select(state, row)
        p = state.problem
        first = p.model_first_subnet[p.task_model[state.task[row]]]
        others = state.togo_min_ns.sum() - state.togo_min_ns[row] + state.running.togo_min_ns.sum()
        for subnet in range(choice):  # larger ones
            layer = p.block_first_layer[p.subnet_first_block[first + subnet]]
            share_ns = self.backlog_weight * others / p.accelerator_tiles.sum()
            assert p.togo_min_ns[layer, 0] + share_ns > state.slack_ns[row] - 1e-3
        return choice


@given(problems(), seeds)
def test_no_larger_subnet_would_fit(problem, seed):
    native = run(problem, Policy(MapScore(), selector=SupernetSwitch()), seed=seed)
    watched = run(problem, Policy(MapScore(), selector=WatchedSwitch()), seed=seed)
    np.testing.assert_array_equal(native.jobs, watched.jobs)


# ---- ScoreTuner


class Objective:
    """Windows whose UXCost is a function of the weights."""

    def __init__(self, function):
        self.function = function

    def window(self, i, weights):
        value = self.function(*weights)
        window = type("Window", (), {})()
        window.start_ns, window.end_ns = i * 10**9, (i + 1) * 10**9
        # One task: half of the jobs late, energy as wanted.
        window.n_ended, window.n_violated = np.array([2]), np.array([1])
        window.energy_j, window.worst_energy_j = np.array([2.0 * value]), np.array([1.0])
        return window


def search(function, n_windows=60, **settings):
    """Tune a function; return the search and its centre after each window."""
    tuner = ScoreTuner(**settings).start(None)
    parameters, objective, centres = np.array([1.0, 1.0]), Objective(function), []
    for i in range(n_windows):
        tuner.tune(objective.window(i, parameters), parameters)
        assert (parameters >= 0).all()
        assert (parameters <= 2).all()
        centres.append((tuner.centre, tuner.best, len(tuner.n_moves)))
    return tuner, centres


places = st.floats(-1.0, 3.0)


@given(places, places, st.floats(0.0, 1.0), st.floats(0.0, 6.0))
def test_the_tuner_stays_in_its_box_and_never_gives_up_a_better_centre(alpha, beta, roughness, phase):
    def function(a, b):
        return 1.0 + (a - alpha) ** 2 + (b - beta) ** 2 + roughness * np.sin(7 * a + phase) * np.cos(5 * b)

    tuner, centres = search(function)
    for (_, before, restarts), (_, after, later) in pairwise(centres):
        assert after <= before or later > restarts
    assert len(tuner.n_moves) == 1  # the same function all the time


@given(places, places)
def test_on_a_bowl_the_tuner_ends_near_its_lowest_point(alpha, beta):
    tuner, _ = search(lambda a, b: 1.0 + (a - alpha) ** 2 + (b - beta) ** 2, least_gain=0.0)
    assert not tuner.waiting
    for weight, best in zip(tuner.centre, (alpha, beta), strict=True):
        assert abs(weight - min(max(best, 0.0), 2.0)) <= 0.0625


@given(st.floats(0.0, 0.02), st.integers(0, 2**32))
def test_noise_below_the_least_gain_moves_nothing(noise, seed):
    rng = np.random.default_rng(seed)
    tuner, _ = search(lambda a, b: 1.0 + noise * rng.random())
    assert (tuner.n_moves, tuner.centre) == ([0], (1.0, 1.0))


def test_after_a_change_the_tuner_starts_again():
    n = [0]

    def function(a, b):
        n[0] += 1
        return 1.0 + (a - 2.0) ** 2 + b if n[0] <= 60 else 5.0 + 4 * (a - 0.0) ** 2 + b

    tuner, centres = search(function, 120)
    assert centres[59][2] == 1
    assert abs(centres[59][0][0] - 2.0) < 0.1
    assert len(tuner.n_moves) > 1
    assert abs(tuner.centre[0]) < 0.1


class Follows(Tuner):
    """Sets the weights that it is told, and checks that the mapper got them."""

    def __init__(self, weights):
        self.weights, self.window_ns = weights, 10_000

    def tune(self, window, parameters):
        parameters[:] = self.weights


@given(problems(), seeds, weights, weights)
def test_the_engine_uses_tuned_weights(problem, seed, alpha, beta):
    """A tuner that sets the weights after an instant gives the same run as its twin."""
    native = run(problem, Policy(MapScore(), tuner=Follows((alpha, beta))), seed=seed, layers=True)
    assert_equal_runs(native, run_reference(problem, Policy(twins.MapScore(), tuner=Follows((alpha, beta))), seed))


@pytest.mark.parametrize("name", ["dream", "dream-balanced", "dream-fixed", "dream-smartdrop", "dream-mapscore"])
def test_named_policies_take_settings(name):
    policy = configure(load_policy(name), {"mapper.alpha": 0.25, "mapper.late_urgency": "negative"})
    assert (policy.mapper.alpha, policy.mapper.late_urgency) == (0.25, "negative")
