"""Policies by name: built in, offered by installed packages (made up here as metadata on the path), and in a user's file."""

import subprocess
import sys
from pathlib import Path

import pytest
from builders import once, problem_of

import rtsched
from rtsched import InputError, load_policy
from rtsched.policies import installed
from rtsched.policies.registry import POLICIES, Unavailable, find_policy, list_policies, policy_names, policy_summary
from rtsched.report.catalogue import describe, listing
from rtsched.report.console import console

MODULE = '''
"""The module."""

import rtsched


class Latest(rtsched.Mapper):
    """Latest release first."""

    settings = (rtsched.Setting("weight", 0.5, "a weight", low=0),)

    def key(self, state, row):
        return -int(state.release_ns[row])


def latest():
    """Last come, first served.

    Nobody, "A paper", 2020.
    """
    return rtsched.Policy(mapper=Latest())


def undescribed():
    return rtsched.Policy(mapper=Latest(weight=2))


def needy(argument):
    return rtsched.Policy(mapper=Latest())


def wrong():
    return Latest()


def faulty():
    return rtsched.Policy(mapper=rtsched.Dropper())


def raising():
    raise RuntimeError("over\\n two lines")


def leaving():
    raise SystemExit(3)


number = 3
'''


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Offer policies: ``offer(package, version, name=target, ...)``."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "lab_policies.py").write_text(MODULE)
    (folder / "half_policies.py").write_text("import not_there_at_all\n")
    monkeypatch.syspath_prepend(str(folder))

    def make(package="lab-policies", version="1.2", **targets):
        info = folder / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        lines = [f"{name} = {target}\n" for name, target in targets.items()]
        (info / "entry_points.txt").write_text("".join([f"[{installed.GROUP}]\n", *lines]))

    yield make
    for name in ("lab_policies", "half_policies"):
        sys.modules.pop(name, None)


def faults_of(call, *arguments):
    with pytest.raises(InputError) as caught:
        call(*arguments)
    return list(caught.value.faults)


def text_of(renderable):
    shown = console(pipe_columns=1000)
    with shown.capture() as captured:
        shown.print(renderable)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


# Installed packages


def test_policies_of_packages_are_used_by_name(offer):
    offer(latest="lab_policies:latest")
    assert policy_names() == tuple(sorted([*POLICIES, "latest"]))
    assert load_policy("latest").name == "latest"
    assert policy_summary("latest") == "Last come, first served."
    assert find_policy("latest").source == "lab-policies 1.2, lab_policies:latest"
    problem = problem_of([once("a", "m", 1, deadline_ns=500)], {"m": [[250]]})
    outcome = rtsched.run(problem, "latest")
    assert (outcome.policy, outcome.jobs["finish_ns"].tolist()) == ("latest", [250])


def test_names_do_not_import_packages(offer):
    offer(latest="lab_policies:latest", half="half_policies:policy")
    assert "half" in policy_names()
    assert not {"lab_policies", "half_policies"} & set(sys.modules)


def test_lists_name_packages(offer):
    assert "from" not in text_of(listing("policies")).splitlines()[0].split()
    offer(latest="lab_policies:latest", plain="lab_policies:undescribed")
    rows = {line.split()[0]: line for line in text_of(listing("policies")).splitlines()}
    assert rows["policy"].split()[-1] == "from"
    assert rows["latest"].split(maxsplit=1)[1].split("  ")[0] == "Last come, first served."
    assert rows["latest"].endswith(" lab-policies 1.2")
    assert "Latest release first." in rows["plain"]
    assert rows["edf"].endswith(f" rtsched {rtsched.__version__}")


def test_policies_of_packages_are_shown(offer):
    offer(latest="lab_policies:latest")
    text = text_of(describe("latest"))
    assert text.startswith('latest  policy\n\nLast come, first served.\n\nNobody, "A paper", 2020.\n')
    assert "source  lab-policies 1.2, lab_policies:latest" in text
    assert [line.split() for line in text.splitlines() if line.startswith("mapper.")] == [
        ["mapper.weight", "0.5", "-", "at", "least", "0", "a", "weight"]
    ]


def test_built_in_names_win(offer):
    offer(edf="lab_policies:latest")
    assert type(load_policy("edf").mapper).__name__ == "EarliestDeadline"
    rows = [line for line in text_of(listing("policies")).splitlines() if line.startswith("edf ")]
    assert len(rows) == 2
    assert "not available: the name is also that of a built-in policy" in rows[1]
    assert rows[1].endswith("lab-policies 1.2")
    assert "lab_policies" not in sys.modules


def test_names_of_two_packages_are_nobodys(offer):
    offer(latest="lab_policies:latest")
    offer("other-lab", "3", latest="lab_policies:latest")
    assert faults_of(load_policy, "latest") == ["policy 'latest' is offered by lab-policies 1.2 and by other-lab 3; uninstall all but one"]
    assert faults_of(describe, "latest") == faults_of(load_policy, "latest")
    reasons = [one.reason for name, one in list_policies() if name == "latest"]
    assert reasons == ["the name is also that of other-lab 3", "the name is also that of lab-policies 1.2"]


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("half_policies:policy", "ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("no_such_module:policy", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("lab_policies:absent", "AttributeError: module 'lab_policies' has no attribute 'absent'"),
        ("lab_policies:number", "must be a function that returns a Policy, got 3"),
        ("lab_policies:needy", "TypeError: needy() missing 1 required positional argument: 'argument'"),
        ("lab_policies:wrong", "must return a Policy, got lab_policies.Latest(weight=0.5)"),
        ("lab_policies:raising", "RuntimeError: over two lines"),
        ("lab_policies:leaving", "SystemExit: 3"),
    ],
)
def test_broken_entry_points(offer, target, cause):
    offer(broken=target, latest="lab_policies:latest")
    fault = f"policy 'broken' of package lab-policies 1.2, entry point {target}: {cause}"
    assert faults_of(load_policy, "broken") == [fault]
    found = dict(list_policies())
    assert found["broken"] == Unavailable("lab-policies 1.2", fault)
    assert found["latest"].summary == "Last come, first served."
    (row,) = (line for line in text_of(listing("policies")).splitlines() if line.startswith("broken"))
    assert f"not available: {fault}" in row


def test_faults_of_roles_name_the_package(offer):
    offer(faulty="lab_policies:faulty")
    (fault,) = faults_of(load_policy, "faulty")
    assert fault.startswith("policy 'faulty': mapper must have one of score, key and assign, got Dropper")
    assert fault.endswith("(package lab-policies 1.2)")


def test_unknown_names_are_compared_with_those_of_packages(offer):
    offer(latest="lab_policies:latest")
    assert faults_of(load_policy, "lattest") == ["unknown policy 'lattest'; did you mean 'latest'?"]


def test_built_in_policies_do_not_look_for_packages(monkeypatch):
    def refuse(**options):
        raise AssertionError("looked for entry points")

    monkeypatch.setattr(installed, "entry_points", refuse)
    for name in POLICIES:
        assert load_policy(name).name == name
    code = "import sys, rtsched; rtsched.load_policy('edf'); assert 'rtsched.policies.installed' not in sys.modules"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0


# Files

FILE = '''"""The file."""
from helper_of_mine import LEAST

import rtsched
from rtsched import Mapper, Policy
from dataclasses import dataclass


@dataclass
class Config:
    weight: "float" = 0.5


class Latest(Mapper):
    """Latest release first."""

    settings = (rtsched.Setting("weight", 0.5, "a weight", low=LEAST),)

    def key(self, state, row):
        return -int(state.release_ns[row])


class Needy(Mapper):
    def __init__(self, weight):
        pass


heavy = Latest(weight=2)
composed = Policy(mapper=Latest())
named = Policy(mapper=Latest(), name="my own")


def made():
    """Made."""
    return Policy(mapper=Latest())


def mapper():
    return Latest()


def raising():
    raise RuntimeError("no")


def refused():
    return Latest(weight=-1)


number = 3
dropper = rtsched.Dropper()
'''


@pytest.fixture
def file(tmp_path, monkeypatch):
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "helper_of_mine.py").write_text("LEAST = 0\n")
    path = tmp_path / "lab" / "mine.py"
    path.write_text(FILE)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield Path("lab/mine.py")
    assert sys.path == before
    sys.modules.pop("helper_of_mine", None)


@pytest.mark.parametrize(
    ("name", "policy", "weight", "summary"),
    [
        ("Latest", "Latest", 0.5, "Latest release first."),
        ("heavy", "heavy", 2.0, "Latest release first."),
        ("composed", "composed", 0.5, "Latest release first."),
        ("named", "my own", 0.5, "Latest release first."),
        ("made", "made", 0.5, "Made."),
        ("mapper", "mapper", 0.5, "Latest release first."),
    ],
)
def test_policies_in_files(file, name, policy, weight, summary):
    found = find_policy(f"{file}:{name}")
    assert (found.policy.name, found.policy.mapper.weight) == (policy, weight)
    assert (found.summary, found.source) == (summary, "lab/mine.py")
    assert repr(found.policy.mapper) == f"file:mine.Latest(weight={weight})"
    text = text_of(describe(f"{file}:{name}"))
    assert text.startswith(f"{policy}  policy\n\n{summary}")
    assert "mapper.weight" in text


def test_files_run_as_they_are_now(file):
    assert load_policy(f"{file}:heavy").mapper.weight == 2.0
    file.write_text(FILE.replace("weight=2", "weight=3"))
    assert load_policy(f"{file}:heavy").mapper.weight == 3.0
    assert sorted(one.name for one in file.parent.iterdir() if one.name != "__pycache__") == ["helper_of_mine.py", "mine.py"]


@pytest.mark.parametrize(
    ("ref", "fault"),
    [
        ("lab/mine.py", "lab/mine.py: must be named with what is meant, lab/mine.py:NAME; it has Latest, Needy, heavy, composed, named, "
         "made, mapper, raising, refused"),
        ("lab/mine.py:", "lab/mine.py: must be named with what is meant, lab/mine.py:NAME; it has Latest, Needy, heavy, composed, named, "
         "made, mapper, raising, refused"),
        ("lab/mime.py:Latest", "lab/mime.py: no such file; did you mean 'mine.py'?"),
        ("lab/mine.py:Lattest", "lab/mine.py: has no 'Lattest'; did you mean 'Latest'?"),
        ("lab/mine.py:number", "lab/mine.py: number must be a Policy, a mapper or its class, or a function that returns one, got 3"),
        ("lab/mine.py:Needy", "lab/mine.py: TypeError: Needy.__init__() missing 1 required positional argument: 'weight'"),
        ("lab/mine.py:raising", "lab/mine.py:43: RuntimeError: no"),
        ("lab/mine.py:refused", "lab/mine.py:47: Latest: weight must be at least 0, got -1.0"),
        ("lab/mine.py:dropper", "lab/mine.py: policy 'dropper': mapper must have one of score, key and assign, got Dropper; "
         "other roles go into Policy(mapper=..., dropper=..., ...)"),
        ("lab.py:x", "lab.py: no such file"),
    ],
)  # fmt: skip
def test_faults_of_references(file, ref, fault):
    assert faults_of(load_policy, ref) == [fault]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("x = 1\nimport not_there_at_all\n", "lab/mine.py:2: ModuleNotFoundError: No module named 'not_there_at_all'"),
        ("x = 1\n\ny = (\n", "lab/mine.py:3: SyntaxError: '(' was never closed"),
        ("import sys\nsys.exit(4)\n", "lab/mine.py:2: SystemExit: 4"),
        ("def f():\n    raise ValueError('two\\n lines')\nf()\n", "lab/mine.py:2: ValueError: two lines"),
        ("x = 1\n", "lab/mine.py: has no 'Latest'; it defines no policy"),
        ("\0", None),
    ],
)
def test_faults_of_files(file, text, fault):
    file.write_text(text)
    (found,) = faults_of(load_policy, f"{file}:Latest")
    assert found == fault or (fault is None and found.startswith("lab/mine.py"))


def test_a_folder_is_no_file(file):
    Path("folder.py").mkdir()
    assert faults_of(load_policy, "folder.py:X") == ["folder.py: cannot be read: is a directory"]


def test_faults_of_a_file_come_with_those_of_other_inputs(file):
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from rtsched.cli import main; main()", "run", "vr_gamin", "-P", f"{file}:Lattest"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "unknown scenario 'vr_gamin'; did you mean 'vr_gaming'?",
        "lab/mine.py: has no 'Lattest'; did you mean 'Latest'?",
    ]


def test_a_file_is_not_overwritten(file):
    done = subprocess.run(
        [sys.executable, "-P", "-c", "from rtsched.cli import main; main()", "run", "vr_gaming", "-P", f"{file}:made", "--json", file],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, "--json lab/mine.py: would overwrite the file of the policy\n")
    assert file.read_text() == FILE
