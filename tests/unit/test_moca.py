"""MoCA's scheduler and regulator on hand-worked examples."""

from dataclasses import replace

import pytest
from builders import once, problem_of

from rtsched.policies.moca import MocaRegulator, MocaScheduler
from rtsched.policies.moca_scheduler import NO_EXPRESS
from rtsched.policies.roles import Policy
from rtsched.policies.static import StaticPartition
from rtsched.run import run


def starts(outcome):
    names = outcome.problem.task_names
    return {names[task]: int(start) for task, start in zip(outcome.jobs["task"], outcome.jobs["start_ns"], strict=True)}


def four_jobs(last_deadline_ns=10**4):
    """Two groups of one tile. Two jobs run until 100; then two that ask for 0.9 of the bandwidth and two that ask for nothing wait."""
    tasks = [
        once("z0", "z", 1, deadline_ns=10**4),
        once("z1", "z", 1, deadline_ns=10**4),
        once("heavy", "heavy", 1, release_ns=5, deadline_ns=10**4, priority=9),
        once("heavy2", "heavy", 1, release_ns=5, deadline_ns=10**4, priority=8),
        once("light", "light", 1, release_ns=5, deadline_ns=10**4, priority=2),
        once("light2", "light", 1, release_ns=5, deadline_ns=last_deadline_ns, priority=1),
    ]
    rows = {"z": [[100]], "heavy": [[200]], "light": [[40]]}
    problem = problem_of(tasks, rows, tiles=(2,), dram_bytes=0)
    costs = problem.costs.copy()
    heavy = costs["t_iso_ns"] == 200
    costs["dram_bytes"][heavy], costs["demand_bytes_per_ns"][heavy] = 100, 0.5
    return replace(problem, costs=costs)


def test_a_memory_intensive_job_runs_beside_one_that_is_not():
    # At 100 no job runs, so the first of the queue is next: heavy (priority 9). Beside it the first that is not memory-intensive:
    # light (2 + 95 / 40), at 140 light2, at 180 heavy2, which alone is left.
    mapper = MocaScheduler(groups=2, memory_share=0.4)
    assert starts(run(four_jobs(), mapper)) == {"z0": 0, "z1": 0, "heavy": 100, "light": 100, "light2": 140, "heavy2": 180}


def test_without_mixing_the_queue_alone_decides():
    # 9 + 95 / 200 and 8 + 95 / 200 against 2 + 95 / 40 = 4.375 and 3.375.
    mapper = MocaScheduler(groups=2, mix=False)
    found = starts(run(four_jobs(), mapper))
    assert (found["heavy"], found["heavy2"], found["light"], found["light2"]) == (100, 100, 300, 300)


def test_nothing_is_memory_intensive_up_to_the_share():
    assert starts(run(four_jobs(), MocaScheduler(groups=2, memory_share=0.5))) == starts(
        run(four_jobs(), MocaScheduler(groups=2, mix=False))
    )


def test_what_would_be_late_anyway_comes_last():
    # light2 is due at 55. By waiting over time alone it would come before heavy from some instant on, but it waits for both.
    eager = {"groups": 2, "mix": False}
    assert starts(run(four_jobs(50), MocaScheduler(**eager)))["light2"] == 300
    lone = {"queue": "edf", **eager}
    assert starts(run(four_jobs(50), MocaScheduler(late="queue", **lone)))["light2"] == 100
    assert starts(run(four_jobs(50), MocaScheduler(late="last", **lone)))["light2"] > 140


def test_who_is_late_is_last_as_long_as_it_has_patience():
    # light2 (40 alone, due at 55) has waited 95 when the first two end: longer than twice its time alone, not than three times.
    mapper = {"groups": 2, "mix": False, "queue": "edf", "late": "last"}
    assert starts(run(four_jobs(50), MocaScheduler(patience=2.0, **mapper)))["light2"] == 100
    assert starts(run(four_jobs(50), MocaScheduler(patience=3.0, **mapper)))["light2"] > 140


def two_groups(*tasks, whole=(100, 60, 50, 40)):
    """Four tiles in two groups; "long" has three layers and "short" one, all as fast on 1 to 4 tiles as `whole` says."""
    problem = problem_of(tasks, {"long": [[100]] * 3, "short": [[100]]}, tiles=(4,))
    costs = problem.costs.copy()
    costs["t_iso_ns"] = whole
    return replace(problem, costs=costs)


def lots(outcome):
    """Of every layer: its task, when it begins, and its tiles, in order of time."""
    names = [outcome.problem.task_names[task] for task in outcome.jobs["task"]]
    found = [(int(one["start_ns"]), names[one["job"]], int(one["tiles"]).bit_count()) for one in outcome.layers]
    return [(name, start, n) for start, name, n in sorted(found)]


def test_tiles_that_nobody_waits_for_are_taken_for_a_layer():
    # a alone has four tiles (40 ns) until b comes at 50; from 80 on both have two (60 ns). a's last layer ends first, at 140; b then
    # has all four.
    tasks = [once("a", "long", 3, deadline_ns=10**4), once("b", "long", 3, release_ns=50, deadline_ns=10**4)]
    found = lots(run(two_groups(*tasks), MocaScheduler(groups=2), layers=True))
    assert found == [("a", 0, 4), ("a", 40, 4), ("a", 80, 2), ("b", 80, 2), ("b", 140, 4), ("b", 180, 4)]


def test_of_two_that_begin_a_layer_the_higher_priority_takes_the_idle_tiles():
    tasks = [once("a", "long", 3, deadline_ns=10**4), once("b", "long", 3, deadline_ns=10**4, priority=1)]
    assert lots(run(two_groups(*tasks), MocaScheduler(groups=3), layers=True))[:2] == [("a", 0, 1), ("b", 0, 3)]


def test_no_more_tiles_than_make_a_layer_faster():
    tasks = [once("a", "long", 3, deadline_ns=10**4)]
    for whole in ((100, 60, 50, 50), (100, 60, 50, 0)):  # 0: cannot run on so many
        assert lots(run(two_groups(*tasks, whole=whole), MocaScheduler(groups=2), layers=True))[0] == ("a", 0, 3)


def three_jobs(**express):
    """Two jobs with priority 8 begin at 0 on two groups; one of the highest comes at 10, due at 100."""
    tasks = [
        once("a", "long", 3, deadline_ns=10**4, priority=8),
        once("b", "long", 3, deadline_ns=10**4, priority=8),
        once("high", "short", 1, release_ns=10, deadline_ns=140, **express),
    ]
    return lots(run(two_groups(*tasks), MocaScheduler(groups=2, idle="leave"), layers=True))


def test_from_the_express_priority_on_a_job_waits_for_a_layers_end_only():
    # At 60 both layers end: high takes a group, and a goes on before b; b waits for high's end at 120, when a has one layer left.
    assert three_jobs(priority=9) == [
        ("a", 0, 2), ("b", 0, 2), ("a", 60, 2), ("high", 60, 2), ("a", 120, 2), ("b", 120, 2), ("b", 180, 2),
    ]  # fmt: skip


def test_a_job_that_was_stopped_goes_on_where_it_was():
    # Only the first accelerator runs anything; the second stays free.
    tasks = [once("a", "long", 3, deadline_ns=10**4), once("high", "short", 1, release_ns=10, deadline_ns=10**4, priority=9)]
    problem = problem_of(tasks, {"long": [[100, None]] * 3, "short": [[100, None]], "z": [[1, 1]]}, tiles=(1, 1))
    assert lots(run(problem, MocaScheduler(), layers=True)) == [("a", 0, 1), ("high", 100, 1), ("a", 200, 1), ("a", 300, 1)]


def test_below_it_a_job_waits_for_a_job_to_end():
    assert three_jobs(priority=8)[-1] == ("high", 180, 2)


def test_a_job_that_would_be_late_anyway_stops_nobody():
    # At 60 it has 30 ns less than it needs alone.
    tasks = [
        once("a", "long", 3, deadline_ns=10**4),
        once("b", "long", 3, deadline_ns=10**4),
        once("high", "short", 1, release_ns=10, deadline_ns=80, priority=11),
    ]
    assert lots(run(two_groups(*tasks), MocaScheduler(groups=2, idle="leave"), layers=True))[-1] == ("high", 180, 2)


def test_published_moca_runs_a_job_to_its_end():
    tasks = [once("a", "long", 3, deadline_ns=10**4), once("b", "long", 3, release_ns=10, deadline_ns=10**4, priority=11)]
    found = lots(run(two_groups(*tasks), MocaScheduler(groups=1, express=NO_EXPRESS, idle="leave"), layers=True))
    assert found == [("a", 0, 4), ("a", 40, 4), ("a", 80, 4), ("b", 120, 4), ("b", 160, 4), ("b", 200, 4)]


def two_layers(**regulator):
    """Ends of two layers that ask for 0.9 and 0.6 of a bandwidth of 1, with priorities 3 and 0: scores 1 and 1/4."""
    tasks = [once("a", "a", 1, deadline_ns=10**6, priority=3), once("b", "b", 1, deadline_ns=10**6)]
    problem = problem_of(tasks, {"a": [[1000, None]], "b": [[None, 1500]]}, dram_bytes=900)
    jobs = run(problem, Policy(StaticPartition(), regulator=MocaRegulator(urgency_weight=0.0, **regulator))).jobs
    return [int(jobs["finish_ns"][jobs["task"] == task][0]) for task in range(2)]


def test_max_min_by_score():
    # Shares by score are 0.8 and 0.2: 57 loads of 16 bytes per 1140 and per 4560 cycles. a ends at 900 / 0.8; b has 225 bytes by then,
    # and no cap any more.
    assert two_layers() == [1125, 1125 + 1500 - 375]


def test_a_floor_is_taken_from_the_other():
    # Half of what b asks is 0.3, more than its share: 57 loads in 3040 cycles. a has 0.7: 57 loads in 1303 cycles.
    first = -(-1303 * 900 // (57 * 16))
    left = 1500 * (1 - first * 0.3 / 900)
    assert two_layers(min_share=0.5) == [pytest.approx(first, abs=1), pytest.approx(first + left, abs=2)]


def test_by_inverse_weights():
    # The overflow of 0.5 goes by 0.9 / 1 and 0.6 / 0.25: a keeps 0.7636 (1195 cycles), b 0.2364 (3859 cycles).
    first = -(-1195 * 900 // (57 * 16))
    left = 1500 * (1 - first * (57 * 16 / 3859) / 900)
    assert two_layers(weight="inverse") == [pytest.approx(first, abs=1), pytest.approx(first + left, abs=2)]


def test_by_published_weights_until_the_layer_ends():
    # a gives up 0.5 * 0.15 / 1.05 and keeps 0.8286 (1101 cycles); b gives up 0.5 * 0.9 / 1.05 and keeps 0.1714 (5320 cycles).
    first, second = (-(-cycles * 900 // (57 * 16)) for cycles in (1101, 5320))
    assert two_layers(weight="published") == [pytest.approx(first, abs=1), pytest.approx(second, abs=1)]


def test_no_cap_without_contention():
    tasks = [once("a", "a", 1, deadline_ns=10**6), once("b", "b", 1, deadline_ns=10**6)]
    problem = problem_of(tasks, {"a": [[1000, None]], "b": [[None, 1000]]}, dram_bytes=500)
    assert run(problem, Policy(StaticPartition(), regulator=MocaRegulator())).jobs["finish_ns"].tolist() == [1000, 1000]
