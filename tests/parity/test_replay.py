"""Recorded requests under each policy finish in the order and at the times of another simulator, with what it published."""

import csv

import numpy as np
import pytest
from measurements import FOLDER, needs
from program import invoke

from rtsched.policies.registry import ALIASES, POLICIES

REPLAY = FOLDER / "replay"
TABLES = {"att_light_s1": "att", "cnn_medium_s1": "cnn"}
POLICIES_OF_TABLES = ("fcfs", "sjf", "prema", "planaria", "sdrm3", "dysta", "dysta_naive")
TOLERANCE_S = 1e-6

pytestmark = needs(REPLAY / "finish_att_light_s1.csv")


def expected(table, policy):
    with (REPLAY / f"finish_{table}.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["scheduler"] == policy]


@pytest.mark.parametrize("policy", POLICIES_OF_TABLES)
@pytest.mark.parametrize("table", TABLES)
def test_requests_finish_as_elsewhere(table, policy, tmp_path):
    if ALIASES.get(policy, policy) not in POLICIES:
        pytest.skip(f"there is no policy {policy} yet")
    files = ("--requests", REPLAY / f"requests_{table}.csv", "--latencies", REPLAY / f"latencies_{TABLES[table]}.csv")
    estimates = ("--estimates", REPLAY / f"latencies_{TABLES[table]}_avg.csv")
    result = invoke("replay", *files, *estimates, "-P", policy, "-o", tmp_path / "finish.csv")
    assert result.exit_code == 0
    with (tmp_path / "finish.csv").open(newline="", encoding="utf-8") as file:
        found = {row["request_id"]: row for row in csv.DictReader(file)}
    rows = expected(table, policy)
    assert len(rows) == len(found) >= 300
    assert [found[row["request_id"]]["finish_rank"] for row in rows] == [row["finish_rank"] for row in rows]
    assert [found[row["request_id"]]["violated"] for row in rows] == [row["violated"] for row in rows]
    times_s = np.array([[float(row["finish_s"]), float(found[row["request_id"]]["finish_s"])] for row in rows])
    assert np.abs(times_s[:, 0] - times_s[:, 1]).max() < TOLERANCE_S
