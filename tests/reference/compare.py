"""The reference simulator's result in the form of an Outcome's arrays, and the comparison of the two."""

import numpy as np

from reference.engine import Simulator
from rtsched.outcome import JOB_DTYPE, LAYER_DTYPE, RATE_DTYPE


def job_table(sim):
    done = sorted(sim.jobs, key=lambda job: (job.task, job.frame))
    rows = np.zeros(len(done), dtype=JOB_DTYPE)
    for i, job in enumerate(done):
        job.row = i
        subnet = -1 if job.subnet is None else job.subnet
        rows[i] = (
            *(i, job.task, job.frame, sim.problem.task_model[job.task], subnet, job.priority, job.release, job.start),
            *(job.finish, job.deadline, job.status, job.energy, job.preemptions, job.worst_energy, job.isolated),
        )
    return rows


def layer_table(sim):
    rows = [
        (job.row, layer, a, sum(1 << tile for tile in tiles), start, finish, switch_bytes)
        for job, layer, start, finish, a, tiles, switch_bytes in sim.layers
    ]
    table = np.array(rows, dtype=LAYER_DTYPE)
    return table[np.lexsort((table["start_ns"], table["job"]))]


def rate_table(sim):
    rows = [(time, r.job.row, r.layer, r.accelerator, sum(1 << tile for tile in r.tiles), *given) for time, r, *given in sim.rates]
    return np.array(rows, dtype=RATE_DTYPE)


def assert_equal_runs(outcome, sim):
    """Every array and every sum of both simulators, to the last bit."""
    np.testing.assert_array_equal(outcome.jobs, job_table(sim))
    if outcome.layers is not None:
        np.testing.assert_array_equal(outcome.layers, layer_table(sim))
    if outcome.rates is not None:
        np.testing.assert_array_equal(outcome.rates, rate_table(sim))
    np.testing.assert_array_equal(outcome.task_energy_j, sim.task_energy)
    np.testing.assert_array_equal(outcome.busy_ns, np.concatenate([np.array(one, dtype=np.int64) for one in sim.busy]))
    assert outcome.end_ns == sim.end
    assert outcome.served_bytes == sim.served_bytes + sim.partial_bytes
    assert outcome.n_layers == sim.n_layers
    assert outcome.task_switches.tolist() == sim.switches
    assert outcome.task_migrations.tolist() == sim.migrations


def run_reference(problem, policy, seed):
    return Simulator(problem, policy, seed).run()
