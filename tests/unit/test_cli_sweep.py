"""rtsched sweep and rtsched study: what they print, write and refuse."""

import csv
import io
import json
import re
import sqlite3
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from program import invoke, messages
from sweeping import failing, made

from rtsched.metrics import SCALARS
from rtsched.study.sweep.model import Study

EXAMPLE = Path(__file__).parents[2] / "examples" / "study.yaml"
FORMATS = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
TEXT = """name: loads
description: Two loads
scenarios: [vr_gaming]
policies: [fcfs, edf, dream-fixed]
duration_s: 0.2
axes: [{path: scenario.load, values: [1, 1.5]}]
points: [{}, {mapper.alpha: 2, platform.memory.efficiency: [1.0, 0.5]}]
seeds: 4
metrics: [uxcost, violation_rate]
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A folder with a study that was run; only to be read."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "s.yaml").write_text(TEXT)
    result = invoke("sweep", folder / "s.yaml", "-o", folder / "out", "--workers", 1)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{folder}/out/runs.sqlite has all 48 runs of loads; 48 are new\n"
    return folder


def test_the_same_command_finds_nothing_to_do(swept):
    result = invoke("sweep", swept / "s.yaml", "-o", swept / "out/runs.sqlite", "--workers", 1)
    assert result.stderr == f"{swept}/out/runs.sqlite has all 48 runs of loads; 0 are new\n"


def test_a_store_beside_nothing(tmp_path, monkeypatch):
    """Without -o it is in the current folder, under the name of the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(TEXT.replace("seeds: 4", "seeds: 1"))
    assert messages("study", "show", "mine.yaml") == ["mine.sqlite: no such file; rtsched sweep mine.yaml makes it"]
    assert invoke("sweep", "mine.yaml", "--workers", 1).stderr == "mine.sqlite has all 12 runs of loads; 12 are new\n"
    shown = invoke("study", "show", "mine.yaml")
    assert shown.exit_code == 0
    assert "One seed: there is no interval" in shown.stdout


def test_ls(swept):
    result = invoke("study", "ls", swept / "out")
    assert re.search(r"loads\s+48\s+48\s+vr_gaming\s+fcfs, edf,", result.stdout)


def test_show(swept):
    result = invoke("study", "show", swept / "out", "--baseline", "fcfs")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[:3] == ["loads: 4 cells x 3 policies x 4 seeds", "Two loads", "Only 4 seeds: intervals of fewer than 10 are too narrow"]
    assert "uxcost over all cells, as a ratio to fcfs" in lines
    assert "violation_rate over all cells, as a ratio to fcfs" in lines
    heading = next(line for line in lines if line.startswith("load "))
    assert heading.split() == ["load", "alpha", "efficiency", "fcfs", "edf", "dream-fixed"]
    assert sum(bool(re.match(r"1(\.5)? ", line)) for line in lines) == 4


def test_more_policies_than_there_is_room_for(swept):
    from typer.testing import CliRunner

    from rtsched.cli import app

    result = CliRunner(env={"COLUMNS": "50"}).invoke(app, ["study", "show", str(swept / "out")])
    assert "ranking" in result.stdout
    assert re.search(r"(fcfs|edf|dream-fixed) [123]=?, ", result.stdout)


def test_json_agrees_with_the_runs(swept):
    result = invoke("study", "show", swept / "out", "--json", "-", "--metric", "energy_j,sla", "--precision", 0.02)
    assert "energy_j" in result.stderr
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    runs = Study.read(swept / "s.yaml").run(swept / "out/runs.sqlite", workers=1)
    assert found["format"] == "rtsched.study/1"
    assert found["run"] == {"complete": True, "runs": 48, "of": 48, "whole_cells": 4}
    assert (found["precision"], [one["metric"] for one in found["metrics"]]) == (0.02, ["energy_j", "sla"])
    assert [one["settings"] for one in found["cells"]] == [
        {"scenario.load": load, **more} for load in (1, 1.5) for more in ({}, {"mapper.alpha": 2, "platform.memory.efficiency": [1.0, 0.5]})
    ]
    energy = runs.values[runs.metrics.index("energy_j")]
    base = runs.study.policies.index(found["baseline"])
    for number, cell in enumerate(found["cells"]):
        for i, policy in enumerate(cell["metrics"][0]["policies"]):
            assert policy["mean"] == pytest.approx(energy[number, i].mean())
            assert policy["minus_baseline"]["mean"] == pytest.approx((energy[number, i] - energy[number, base]).mean(), abs=1e-12)
            assert (policy["seeds_needed"] is None) == (i == base)
    for i, policy in enumerate(found["metrics"][0]["policies"]):
        assert policy["ratio"] == pytest.approx(np.exp(np.log(energy[:, i] / energy[:, base]).mean()))
    best = [found["metrics"][0]["policies"][i]["ratio"] for i in range(3)]
    assert min(best) == best[base] == 1


def keys_in(value):
    if isinstance(value, dict):
        return {*value, *(key for name, inner in value.items() if name not in ("study", "settings") for key in keys_in(inner))}
    return {key for inner in value for key in keys_in(inner)} if isinstance(value, list) else set()


def test_keys_and_columns_are_documented(swept):
    found = json.loads(invoke("study", "show", swept / "out", "--json", "-").stdout)
    section = FORMATS[FORMATS.index("## JSON of a study") : FORMATS.index("## Runs of a study")]
    assert keys_in(found) - set(re.findall(r"`(\w+)`", section)) == set()


@pytest.mark.parametrize(
    "suffix", ["csv", pytest.param("parquet", marks=pytest.mark.skipif(not find_spec("polars"), reason="needs polars"))]
)
def test_export(swept, tmp_path, suffix):
    path = tmp_path / f"runs.{suffix}"
    result = invoke("study", "export", swept / "out", "-o", path)
    assert (result.exit_code, result.output) == (0, "")
    columns = Study.read(swept / "s.yaml").run(swept / "out/runs.sqlite", workers=1).columns()
    assert list(columns) == [
        *("scenario", "platform", "policy", "scenario.load", "mapper.alpha", "platform.memory.efficiency", "seed"),
        *SCALARS,
    ]
    if suffix == "csv":
        rows = list(csv.DictReader(io.StringIO(path.read_text())))
        read = {name: [row[name] for row in rows] for name in rows[0]}
        for name in SCALARS:
            assert [float(one) if one else np.nan for one in read[name]] == pytest.approx(columns[name].tolist(), nan_ok=True, abs=0)
        assert set(read["platform.memory.efficiency"]) == {"", "[1.0, 0.5]"}
        assert set(read["mapper.alpha"]) == {"", "2"}
        assert (invoke("study", "export", swept / "out", "-o", "-").stdout) == path.read_text()
    else:
        import polars

        frame = polars.read_parquet(path)
        assert frame.columns == list(columns)
        assert frame["uxcost"].to_list() == pytest.approx(columns["uxcost"].tolist())
        assert frame["scenario.load"].to_list() == columns["scenario.load"].tolist()


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_data_frames(swept, library):
    pytest.importorskip(library)
    runs = Study.read(swept / "s.yaml").run(swept / "out/runs.sqlite", workers=1)
    frame = getattr(runs, f"to_{library}")()
    assert list(frame.columns) == list(runs.columns())
    assert frame["uxcost"].to_numpy().tolist() == runs.columns()["uxcost"].tolist()


# What is refused


def test_faults_of_the_file_and_of_options_come_together(tmp_path):
    (tmp_path / "s.yaml").write_text(TEXT.replace("seeds: 4", "seeds: 0"))
    found = messages("sweep", tmp_path / "s.yaml", "--backend", "dsk", "--workers", 0, "-o", " ")
    assert found == [
        "workers: must be at least 1, got 0",
        "backend: must be one of loky, dask, ray, got 'dsk'; did you mean 'dask'?",
        "-o: must be the name of a file or a folder, got nothing",
        f"{tmp_path}/s.yaml:8:8 seeds: must be at least 1, got 0",
    ]
    assert [one.name for one in tmp_path.iterdir()] == ["s.yaml"]


def test_questions_that_cannot_be_answered(swept, tmp_path, monkeypatch):
    out = swept / "out"
    assert messages("study", "show", out, "--metric", "uxcos", "--baseline", "ed", "--precision", 0) == [
        "unknown metric 'uxcos'; did you mean 'uxcost'?",
        "baseline: must be one of the study's policies, got 'ed'; did you mean 'edf'?",
        "precision: must be greater than 0 and less than 1, got 0",
    ]
    assert messages("study", "show", out, "--study", "load") == [f"{out}/runs.sqlite: holds no study 'load'; did you mean 'loads'?"]
    assert messages("study", "show", tmp_path / "no.sqlite") == [f"{tmp_path}/no.sqlite: no such file"]
    assert messages("study", "export", out, "-o", "x.txt") == ["-o x.txt: must end in .csv or .parquet"]
    assert messages("study", "show", out / "runs.sqlite", "--json", out / "runs.sqlite") == [
        f"--json {out}/runs.sqlite: would overwrite the store"
    ]
    monkeypatch.setattr("rtsched.report.study_export.find_spec", lambda name: None)
    assert messages("study", "export", out, "-o", "x.parquet") == [
        "-o x.parquet: needs polars, which is not installed: pip install 'rtsched[tables]'"
    ]


def test_a_store_of_several_studies_and_one_of_none(tmp_path):
    path = tmp_path / "s.sqlite"
    for name in ("b", "a"):
        made(name=name, seeds=1).run(path, workers=1)
    assert messages("study", "show", path) == [f"{path}: holds several studies; choose one with --study: a, b"]
    assert invoke("study", "show", path, "--study", "a").exit_code == 0
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE studies")
    db.close()
    assert messages("study", "show", path) == [f"{path}: holds no study; rtsched sweep runs one"]
    assert invoke("study", "ls", path).stdout == "no study; 6 runs\n"


def test_a_study_of_another_version(tmp_path):
    path = tmp_path / "s.sqlite"
    made(seeds=1).run(path, workers=1)
    with sqlite3.connect(path) as db:
        db.execute("""UPDATE studies SET definition = '{"name": "s", "later": 1}'""")
    db.close()
    assert messages("study", "show", path) == [f"{path}: a study in it cannot be read; another version of rtsched wrote it"]


def test_a_partial_study_says_so(tmp_path):
    from rtsched.errors import PolicyError

    with pytest.raises(PolicyError):
        failing(tmp_path, "Nan").run(tmp_path / "s.sqlite", workers=1)
    result = invoke("study", "show", tmp_path / "s.sqlite")
    assert "PARTIAL: 10 of 12 runs are there; 2 of 3 cells have all of theirs and are shown" in result.stdout
    assert json.loads(invoke("study", "show", tmp_path / "s.sqlite", "--json", "-").stdout)["run"]["complete"] is False


def test_a_failing_policy_ends_with_code_1(tmp_path):
    failing(tmp_path, "Nan")
    text = TEXT.replace("[fcfs, edf, dream-fixed]", "['mine.py:Nan']").replace("mapper.alpha: 2", "mapper.when_s: 0.05")
    (tmp_path / "s.yaml").write_text(text)
    result = invoke("sweep", tmp_path / "s.yaml", "-o", tmp_path, "--workers", 1)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "score of task 0 frame" in result.stderr
    assert "with scenario.load=1, platform.memory.efficiency=(1.0, 0.5), mapper.when_s=0.05, policy" in result.stderr


def test_the_example(tmp_path):
    """It does what its comments say."""
    study = Study.read(EXAMPLE)
    assert study.n_runs == 4 * 3 * 2 * 4 * 10
    result = invoke("sweep", EXAMPLE, "-o", tmp_path, "--workers", 1)
    assert result.stderr == f"{tmp_path}/runs.sqlite has all 960 runs of vr_gaming_under_load; {3 * 60 + 240} are new\n"
    assert "0 are new" in invoke("sweep", EXAMPLE, "-o", tmp_path, "--workers", 1).stderr
