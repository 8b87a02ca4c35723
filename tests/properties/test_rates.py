"""Recorded rates: the reference simulator's rows, and what must hold of them for any workload."""

import math
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from reference import roles
from reference.compare import assert_equal_runs, run_reference
from strategies import policies, problems, seeds

from rtsched.run import run


@st.composite
def regulated(draw):
    return replace(draw(policies()), regulator=roles.HashedRegulator(draw(st.integers(0, 100))))


@given(problem=problems(), policy=regulated(), seed=seeds, is_fair=st.booleans())
def test_rows_equal_the_reference_simulator_s(problem, policy, seed, is_fair):
    problem = replace(problem, is_fair=is_fair)
    assert_equal_runs(run(problem, policy, seed=seed, layers=True, rates=True), run_reference(problem, policy, seed))


@given(problems(), st.one_of(policies(), regulated()), seeds)
def test_recording_changes_nothing_else(problem, policy, seed):
    plain, recorded = run(problem, policy, seed=seed, layers=True), run(problem, policy, seed=seed, layers=True, rates=True)
    assert plain.rates is None
    assert plain.jobs.tobytes() == recorded.jobs.tobytes()
    assert plain.layers.tobytes() == recorded.layers.tobytes()
    assert (plain.served_bytes, plain.end_ns) == (recorded.served_bytes, recorded.end_ns)


@given(problems(), regulated(), seeds)
def test_rows_are_the_same_bytes_in_many_threads(problem, policy, seed):
    expected = run(problem, policy, seed=seed, rates=True).rates.tobytes()
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: run(problem, policy, seed=seed, rates=True).rates.tobytes(), range(4))
    assert set(found) == {expected}


@given(problems(), st.one_of(policies(), regulated()), seeds, st.booleans())
def test_nobody_is_given_more_than_it_may_have(problem, policy, seed, is_fair):
    outcome = run(replace(problem, is_fair=is_fair), policy, seed=seed, rates=True)
    running, rows = {}, outcome.rates.tolist()
    for i, (time, job, layer, *_, demand, allocation, cap, _, _) in enumerate(rows):
        running[job, layer] = demand, allocation
        assert 0 <= allocation <= min(demand, cap) * (1 + 1e-9)
        if i + 1 == len(rows) or rows[i + 1][0] > time:
            n = sum(one > 0 for one, _ in running.values())
            delivered = problem.peak_bytes_per_ns * problem.efficiency[min(max(n, 1), len(problem.efficiency)) - 1]
            assert sum(given for _, given in running.values()) <= delivered * (1 + 1e-9)


@given(problems(), st.one_of(policies(), regulated()), seeds)
def test_rows_follow_each_layer_from_start_to_end(problem, policy, seed):
    outcome = run(problem, policy, seed=seed, layers=True, rates=True)
    rows = defaultdict(list)
    for row in outcome.rates:
        rows[int(row["job"]), int(row["layer"])].append(row)
    for one in outcome.layers:
        own = rows.pop((int(one["job"]), int(one["layer"])), None)
        end = int(one["finish_ns"]) if one["finish_ns"] >= 0 else outcome.end_ns
        if own is None:  # it began at the last instant, when nothing is shared any more
            assert int(one["start_ns"]) == outcome.end_ns
            continue
        assert (int(own[0]["time_ns"]), int(own[-1]["time_ns"])) == (int(one["start_ns"]), end)
        assert {(int(row["accelerator"]), int(row["tiles"])) for row in own} == {(int(one["accelerator"]), int(one["tiles"]))}
        assert tuple(own[-1])[5:] == (0.0, 0.0, math.inf, 0, 0)
        given = [(row["allocation_bytes_per_ns"], row["cap_bytes_per_ns"]) for row in own[:-1]]
        assert all(before != after for before, after in pairwise(given))
        moved = sum(float(row["allocation_bytes_per_ns"]) * int(later["time_ns"] - row["time_ns"]) for row, later in pairwise(own))
        if one["finish_ns"] >= 0:
            option = problem.option_first[one["accelerator"]] + int(one["tiles"]).bit_count() - 1
            n_bytes = int(problem.costs["dram_bytes"][one["layer"], option] + one["switch_bytes"])
            # A finish is a whole ns, and rounded up only from a millionth on.
            demand = own[0]["demand_bytes_per_ns"]
            assert -1e-9 * n_bytes - 1e-6 * demand <= moved - n_bytes <= 1e-9 * n_bytes + demand
    assert not rows
