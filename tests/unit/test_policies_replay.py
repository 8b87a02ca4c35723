"""prema, sdrm3 and dysta on hand-worked examples, and their replay rules; other names of policies."""

from dataclasses import replace

import numpy as np
import pytest
from builders import chain, once, platform_of, problem_of, rows_of

from rtsched.compiler import compile_problem
from rtsched.errors import InputError
from rtsched.policies.registry import ALIASES, configure, find_policy, load_policy, policy_names
from rtsched.run import run
from rtsched.workload.scenario import Scenario, Task


def order(outcome):
    """Tasks in the order in which their layers start."""
    rows = outcome.layers[np.argsort(outcome.layers["start_ns"], kind="stable")]
    return " ".join(outcome.problem.task_names[outcome.jobs["task"][job]] for job in rows["job"])


def under(name, **settings):
    return configure(load_policy(name), {f"mapper.{key}": value for key, value in settings.items()})


def ordered(problem, name, **settings):
    return order(run(problem, under(name, **settings), layers=True))


def waiting(jobs, hold=100, **options):
    """`jobs`: name to (release, times of layers, deadline, priority), after a job that holds the accelerator until `hold`."""
    tasks = [once("hold", "hold", 1, deadline_ns=10_000)]
    tasks += [
        once(name, name, len(times), release_ns=release, deadline_ns=deadline - release, priority=priority)
        for name, (release, times, deadline, priority) in jobs.items()
    ]
    return problem_of(tasks, {"hold": [[hold]]} | {name: [[t] for t in times] for name, (_, times, *_) in jobs.items()}, **options)


def test_prema_takes_the_shortest_of_those_with_most_tokens():
    # At 100 `important` (class 9) has waited 99 for its 400: 9 * (1 + 99 / 400) = 11.2 tokens. `patient` (class 3) has waited 90 for its
    # 40: 3 * (1 + 90 / 40) = 9.75, and is the shorter of the two at or above 9. `newcomer` (class 3) has 3 * (1 + 1 / 38) = 3.1, and at
    # 140 6.2; it comes last although it is the shortest.
    jobs = {"important": (1, [400], 9_000, 9), "patient": (10, [40], 9_000, 4), "newcomer": (99, [38], 9_000, 4)}
    assert ordered(waiting(jobs), "prema") == "hold patient important newcomer"
    # With classes up to 12 only `important`, 1 * (1 + 0.2475), and all others are in the same, smallest class.
    assert ordered(waiting(jobs), "prema", classes=[1.0, 100.0]) == "hold newcomer patient important"


def test_prema_forgets_tokens_when_it_serves_and_a_replay_does_not():
    # `long` (class 1): layers of 10 and 90, waits from 1 on: 1 * (1 + 899 / 100) = 9.99 tokens at 900. Afterwards it has 1 again, and
    # `short` (class 3) with 3 * (1 + 10 / 200) goes before its second layer.
    jobs = {"long": (1, [10, 90], 9_000, 0), "short": (890, [200], 9_000, 3)}
    assert ordered(waiting(jobs, hold=900), "prema") == "hold long short long"
    # In a replay both are new at 900, nothing counts, and the shorter one starts: `long`. Its token stays 1, but at 910 that of `short` is
    # 3 + 3 * 20 / 200 = 3.3, which makes 3 the threshold.
    assert ordered(waiting(jobs, hold=900), "prema", mode="replay") == "hold long short long"
    # `tired` is seen at 0 with 1 token; it waits for `hold` and gets 1 * 100 / 10 at 100. So 9 is the threshold, and `fresh`, shorter but
    # new with 1, waits. Of two new jobs the shorter one would go first.
    tasks = [once("first", "first", 1, deadline_ns=9_000), once("tired", "tired", 1, deadline_ns=9_000)]
    tasks += [once("fresh", "fresh", 1, release_ns=99, deadline_ns=9_000, priority=2)]
    problem = problem_of(tasks, {"first": [[9]], "tired": [[10]], "fresh": [[3]]})
    assert ordered(problem, "prema", mode="replay") == "first tired fresh"


def test_prema_adds_the_whole_idle_time_at_every_decision_of_a_replay():
    # Layers of `busy` end at 10, 20, 30, ... `idle` (e0 = 100, class 1) comes at 0: at 10 it has 1 + 0.1, at 20 1.1 + 0.2, at 30 1.3 + 0.3,
    # at 40 1.6 + 0.4, at 50 2.0 + 0.5, at 60 2.5 + 0.6: class 3, and it runs at 60. Once each would make 1.6.
    tasks = [once("busy", "busy", 8, deadline_ns=9_000), once("idle", "idle", 1, deadline_ns=9_000)]
    problem = problem_of(tasks, {"busy": [[10]] * 8, "idle": [[100]]})
    assert ordered(problem, "prema", mode="replay") == "busy " * 6 + "idle busy busy"
    assert ordered(problem, "prema") == "busy " * 8 + "idle"


def test_prema_gives_a_job_all_tiles():
    rows = [
        {"model": name, "layer": f"l{i}", "accelerator": "a0", "tiles": n, "latency_ns": 100 // n}
        for name, widest in (("wide", 4), ("narrow", 2))
        for i in range(2)
        for n in range(1, widest + 1)
    ]
    tasks = tuple(once(name, name, 2, deadline_ns=9_000) for name in ("wide", "narrow"))
    outcome = run(compile_problem(Scenario(name="hand", tasks=tasks, duration_s=1e-6), platform_of(rows, (4,))), "prema", layers=True)
    # Four tiles at once for `wide`, 25 per layer; `narrow` runs on two at most.
    assert outcome.layers["start_ns"].tolist() == [0, 25, 50, 100]
    assert [int(tiles).bit_count() for tiles in outcome.layers["tiles"]] == [4, 4, 2, 2]


@pytest.mark.parametrize("classes", [[], [3.0, 1.0], [1.0, 1.0], [0.0]])
def test_classes_of_prema_that_cannot_be(classes):
    with pytest.raises(InputError, match="classes"):
        under("prema", classes=classes)


def test_sdrm3_adds_starvation_to_capped_urgency():
    # At 100: `urgent` 900 / 200 counts as 1, + 50 / 900 = 1.06; `starved` 50 / 1,900 + 99 / 50 = 2.0; `late` 20 / -50 + 90 / 20 = 4.1.
    jobs = {"urgent": (50, [900], 300, 0), "starved": (1, [50], 2_000, 0), "late": (10, [20], 50, 0)}
    assert ordered(waiting(jobs), "sdrm3") == "hold late starved urgent"
    # Without starvation urgent 1, starved 0.03, late -0.4; at 1,000 all are late but `starved`.
    assert ordered(waiting(jobs), "sdrm3", alpha=0.0) == "hold urgent starved late"


def test_sdrm3_replays_a_search_that_does_not_hold_on_to_negative_scores():
    # All are late at 100: -10 / 50, -10 / 40 and -10 / 20 with alpha 0. The largest is a's; a replay takes the one that came last.
    jobs = {"a": (1, [10], 50, 0), "c": (5, [10], 80, 0), "b": (3, [10], 60, 0)}
    assert ordered(waiting(jobs), "sdrm3", alpha=0.0) == "hold a b c"
    assert ordered(waiting(jobs), "sdrm3", alpha=0.0, late="replay") == "hold c b a"
    # One that is not late goes first under both.
    jobs["early"] = (1, [10], 900, 0)
    assert ordered(waiting(jobs), "sdrm3", alpha=0.0, late="replay") == "hold early c b a"


def sparse(problem, frames):
    """Give every task one recorded frame: name to its layers' (time, sparsity, average sparsity)."""
    rows = [row for name in problem.task_names for row in frames[name]]
    sizes = [len(frames[name]) for name in problem.task_names]
    return replace(
        problem,
        recorded_first=np.arange(len(sizes) + 1, dtype=np.int32),
        recorded_place=np.cumsum([0, *sizes])[:-1].astype(np.int32),
        recorded_ns=np.array([row[0] for row in rows]),
        recorded_sparsity=np.array([row[1] for row in rows], dtype=np.float64),
        layer_sparsity=np.array([row[2] for row in rows], dtype=np.float64),
    )


def test_dysta_corrects_remaining_times_by_measured_sparsity():
    tasks = [once("x", "x", 2, deadline_ns=9_000), once("y", "y", 2, deadline_ns=9_000)]
    problem = problem_of(tasks, {"x": [[100], [99]], "y": [[50], [100]]})
    measured = sparse(problem, {"x": [(100, 0.2, 0.6), (99, 0.5, 0.5)], "y": [(50, 0.9, 0.6), (100, 0.5, 0.5)]})
    # y is the shorter one, 150 against 199. Its first layer turned out sparse, 0.1 / 0.4 = 0.25: 25 to go against 199.
    assert ordered(measured, "dysta", beta=0.0) == "y y x x"
    # Dense, 0.8 / 0.4 = 2: 200 to go against 199 of x, whose first layer turns out dense too: 99 * 2 = 198.
    dense = sparse(problem, {"x": [(100, 0.2, 0.6), (99, 0.5, 0.5)], "y": [(50, 0.2, 0.6), (100, 0.5, 0.5)]})
    assert ordered(dense, "dysta", beta=0.0) == "y x x y"
    assert ordered(dense, "dysta-naive", beta=0.0) == "y y x x"
    # Where nothing was measured, the ratio is 1.
    assert ordered(problem, "dysta", beta=0.0) == "y y x x"


def test_dysta_averages_the_ratios_of_executed_layers():
    # x: ratios 2 and 0.5, mean 1.25, 100 * 1.25 = 125 to go after two layers; y has 130 to go. With the last ratio alone it would be 50,
    # with the first 200.
    tasks = [once("x", "x", 3, deadline_ns=9_000), once("y", "y", 1, deadline_ns=9_000)]
    problem = problem_of(tasks, {"x": [[10], [10], [100]], "y": [[130]]})
    frames = {"x": [(10, 0.0, 0.5), (10, 0.75, 0.5), (100, 0.5, 0.5)], "y": [(130, 0.5, 0.5)]}
    # 120 * 1 at 0; (110 * 2 = 220) at 10, so y goes; then the rest of x.
    assert ordered(sparse(problem, frames), "dysta", beta=0.0) == "x y x x"
    frames["x"][0] = (10, 0.25, 0.5)  # 1.5: 165 at 10
    frames["y"] = [(130, 0.5, 0.5)]
    longer = problem_of(tasks, {"x": [[10], [10], [100]], "y": [[170]]})
    # 165 at 10; (1.5 + 0.5) / 2 = 1 at 20: 100.
    assert ordered(sparse(longer, frames), "dysta", beta=0.0) == "x x x y"
    frames = {"x": [(10, 0.5, 0.5), (10, 0.1, 0.5), (100, 0.5, 0.5)], "y": [(130, 0.5, 0.5)]}
    # 110 at 10; (1 + 1.8) / 2 = 1.4 at 20: 140 against 130.
    assert ordered(sparse(problem, frames), "dysta", beta=0.0) == "x x y x"


def test_dysta_weighs_slack_and_waiting():
    # At 100, in ns: near 50 + beta * (1000 - 100 - 50), far 40 + beta * (5000 - 100 - 40). Waiting counts in seconds: 100 / 50 / 2 of them
    # would be a billion ns, so the jobs come when `hold` ends.
    jobs = {"near": (100, [50], 1_000, 0), "far": (100, [40], 5_000, 0)}
    assert ordered(waiting(jobs), "dysta", beta=0.0) == "hold far near"
    assert ordered(waiting(jobs), "dysta", beta=0.01) == "hold near far"  # 58.5 against 88.6
    assert ordered(waiting(jobs), "dysta", beta=0.002) == "hold far near"  # 51.7 against 49.72
    # What has waited long for its size is put off: the paper's penalty of switching.
    jobs = {"waited": (1, [50], 1_000, 0), "came": (100, [51], 1_000, 0)}
    assert ordered(waiting(jobs), "dysta") == "hold came waited"


def test_requests_come_in_between_layers():
    # `a` (layers of 10) starts at 0. At its first end, 10, `b` of just that instant is not seen yet, but `c` of before is.
    tasks = [
        Task(name="a", model=chain("a", 2), trace=[0.0], deadline_ms=1, in_order=False),
        Task(name="b", model=chain("b", 1), trace=[1e-5], deadline_ms=1, in_order=False),
        Task(name="c", model=chain("c", 1), trace=[0.9e-5], deadline_ms=1, in_order=False, priority=1),
    ]
    rows = [row for name, n in (("a", 2), ("b", 1), ("c", 1)) for row in rows_of(name, [[10]] * n)]
    problem = compile_problem(Scenario(name="hand", tasks=tuple(tasks), duration_s=1e-6), platform_of(rows))
    tasks[1] = tasks[1].model_copy(update={"priority": 2})
    ranked = compile_problem(Scenario(name="hand", tasks=tuple(tasks), duration_s=1e-6), platform_of(rows))
    strict = run(replace(ranked, is_strict=True), "priority", layers=True)
    assert order(strict) == "a c b a"
    assert strict.jobs["release_ns"].tolist() == [0, 10, 9]
    assert order(run(ranked, "priority", layers=True)) == "a b c a"
    assert order(run(replace(problem, is_strict=True), "fcfs", layers=True)) == "a a c b"


def test_an_empty_accelerator_takes_one_request():
    # `a` runs alone from 5 to 25. `long` (at 7) and `short` (at 8) come meanwhile: at 25 only the first of them is seen.
    tasks = [
        Task(name=name, model=chain(name, n), trace=[at * 1e-6], deadline_ms=1, in_order=False)
        for name, n, at in (("a", 1, 5), ("long", 2, 7), ("short", 1, 8))
    ]
    rows = [row for name, times in (("a", [[20]]), ("long", [[30], [30]]), ("short", [[10]])) for row in rows_of(name, times)]
    problem = compile_problem(Scenario(name="hand", tasks=tuple(tasks), duration_s=1e-6), platform_of(rows))
    strict = run(replace(problem, is_strict=True), "srpt", layers=True)
    assert order(strict) == "a long short long"
    assert strict.layers["start_ns"].tolist() == [5, 25, 65, 55]
    assert order(run(problem, "srpt", layers=True)) == "a short long long"


def test_recorded_times_are_what_layers_take():
    tasks = [once("x", "x", 2, deadline_ns=200, period_ns=500)]
    problem = sparse(problem_of(tasks, {"x": [[100], [100]]}), {"x": [(70, 0.5, 0.5), (160, 0.5, 0.5)]})
    outcome = run(problem, "fcfs", layers=True)
    # Both frames take the one that was recorded.
    assert outcome.layers["start_ns"].tolist() == [0, 70, 500, 570]
    assert outcome.layers["finish_ns"].tolist() == [70, 230, 570, 730]
    assert outcome.jobs["isolated_ns"].tolist() == [230, 230]


def test_aliases_are_the_same_policies_and_are_not_listed():
    assert ALIASES == {"sjf": "srpt", "dysta_naive": "dysta-naive"}
    for alias, name in ALIASES.items():
        assert load_policy(alias).name == name
        assert repr(load_policy(alias)) == repr(load_policy(name))
        assert find_policy(alias).source == find_policy(name).source
        assert alias not in policy_names()
