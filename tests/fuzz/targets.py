"""The readers, what they may do with damaged files, and one judge for all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import rtsched
from fuzz import seeds
from fuzz.mutations import mutated_bytes, mutated_message, mutated_table, mutated_tree, mutated_words, tree_of, written
from rtsched._yaml import compose
from rtsched.cost.table import CostTable
from rtsched.documents import read_document
from rtsched.errors import InputError
from rtsched.interop.costs import Target as Names
from rtsched.interop.onnx import load_onnx
from rtsched.interop.onnxruntime import load_onnxruntime
from rtsched.interop.scalesim import load_scalesim
from rtsched.interop.xrbench import load_xrbench
from rtsched.interop.zigzag import load_zigzag
from rtsched.library import load_model
from rtsched.recorded.replay import load_recording
from rtsched.saved import load_outcome
from rtsched.study.sweep.model import Study
from rtsched.workload.scenario import Scenario

__all__ = ["MOST_S", "TARGETS", "Broken", "Target", "judge", "mutant"]

MOST_S = 2.0
"""CPU time within which a damaged file must be read and compiled, or refused."""

MAX_MESSAGE = 1_000
"""Characters of a message; what it quotes is shortened."""

NAMES = Names("net", "npu")


class Broken(AssertionError):  # noqa: N818
    """A reader did what it must not do."""


@dataclass(frozen=True)
class Target:
    """A reader.

    Attributes
    ----------
    name : str
    file : str
        The file that is damaged.
    seeds : callable
        Lists valid sets of files: mappings of name to bytes.
    change : callable
        Damages the bytes of a file: (random, bytes) to bytes.
    read : callable
        Reads the files in a folder.
    kind : str
        The argument of ``readers.py`` under which it stands.
    """

    name: str
    kind: str
    file: str
    seeds: Callable[[], list[dict[str, bytes]]]
    change: Callable[[Any, bytes], bytes]
    read: Callable[[Path], object]
    made: list = field(default_factory=list, compare=False)

    def valid(self):
        """The valid sets of files, made once."""
        if not self.made:
            self.made.extend(self.seeds())
        return self.made


def mutant(random, target):
    """Draw a valid set of files and damage one of them."""
    files = random.choice(target.valid())
    return files | {target.file: target.change(random, files[target.file])}


def judge(target, files, folder):
    """Read a set of files and say whether it was accepted, and the CPU time in s.

    Raises
    ------
    Broken
        Something else than an `InputError` came of it, its messages are no messages, or it took too long.
    """
    for name, data in files.items():
        (folder / name).write_bytes(data)
    begin = time.process_time()
    is_accepted = True
    try:
        target.read(folder)
    except InputError as error:
        is_accepted = False
        check_messages(error)
    except Exception as error:
        raise Broken(f"{target.name}: {type(error).__name__}: {str(error)[:200]}") from error
    seconds = time.process_time() - begin
    if seconds > MOST_S:
        raise Broken(f"{target.name}: took {seconds:.1f} s")
    return is_accepted, seconds


def check_messages(error):
    """Check that an error has messages, one line each, short and different."""
    faults = error.faults
    if not faults:
        raise Broken("no message") from error
    for one in faults:
        if not one.strip() or "\n" in one or len(one) > MAX_MESSAGE:
            raise Broken(f"no message of one short line: {one!r:.300}") from error
    if len(set(faults)) < len(faults):
        twice = next(one for one in faults if faults.count(one) > 1)
        raise Broken(f"a message stands twice: {twice!r:.300}") from error


# ---- Damage


@lru_cache(maxsize=200)
def _tree(data):
    return tree_of(compose(data, "seed").value)


def change_yaml(random, data):
    """Damage YAML or JSON: its values three times of four, else its bytes."""
    if random.random() < 0.75:
        try:
            return written(mutated_tree(random, _tree(data))).encode()
        except InputError:  # what was damaged before is no YAML any more
            pass
    return mutated_bytes(random, data)


def change_table(random, data):
    """Damage a CSV file: its cells three times of four, else its bytes."""
    if random.random() < 0.75 and data:
        return mutated_table(random, data.decode("utf-8", "replace") or ",").encode()
    return mutated_bytes(random, data)


def change_words(random, data):
    """Damage a text: its words three times of four, else its bytes."""
    return (mutated_words if random.random() < 0.75 else mutated_bytes)(random, data)


def change_onnx(random, data):
    """Damage an ONNX file: its fields four times of five, else its bytes."""
    import onnx

    if random.random() < 0.8:
        try:
            return mutated_message(random, onnx.ModelProto.FromString(data)).SerializeToString()
        except ValueError:  # what was damaged before is no ONNX any more
            pass
        except Exception as error:
            if type(error).__name__ != "DecodeError":
                raise
    return mutated_bytes(random, data)


# ---- Readers


def compiled(folder):
    """Compile the scenario on the platform."""
    return rtsched.compile(str(folder / "scenario.yaml"), str(folder / "platform.yaml"))


def series(key):
    """A reader of a scenario whose task takes numbers from a file."""

    def read(folder):
        law = {"fps": 60, key: {"values": "series.csv"}} if key == "time_factor" else {key: "series.csv", "deadline_ms": 5}
        text = seeds.yaml({"name": "s", "duration_s": 1, "tasks": [{"name": "t", "model": "rapid_rl", **law}]})
        (folder / "scenario.yaml").write_bytes(text)
        return rtsched.load_scenario(str(folder / "scenario.yaml"))

    return read


def recording(folder):
    """Compile a recording."""
    return load_recording(*(folder / f"{name}.csv" for name in ("requests", "latencies", "estimates"))).problem()


def scalesim(folder):
    """Read the reports of SCALE-Sim."""
    access, topology = folder / "access.csv", folder / "topology.csv"
    return load_scalesim(folder / "compute.csv", NAMES, clock_mhz=700, access=access, topology=topology)


def files_of(**texts):
    """One valid set of files."""
    return lambda: [{name.replace("__", "."): text.encode() if isinstance(text, str) else text for name, text in texts.items()}]


REPLAY = files_of(requests__csv=seeds.REQUESTS, latencies__csv=seeds.LATENCIES, estimates__csv=seeds.ESTIMATES)


def scalesim_seeds():
    """The reports of SCALE-Sim."""
    return [{name: text.encode() for name, text in seeds.SCALESIM.items()}]


def cost_seeds():
    """The examples' cost table."""
    return [{"costs.csv": (seeds.EXAMPLES / "costs.csv").read_bytes()}]


Table = partial(Target, kind="csv", change=change_table)
Yaml = partial(Target, kind="yaml", change=change_yaml)

TARGETS = {
    one.name: one
    for one in (
        Yaml("scenario", file="scenario.yaml", seeds=seeds.scenario_seeds, read=compiled),
        Yaml("platform", file="platform.yaml", seeds=seeds.platform_seeds, read=compiled),
        Yaml("model", file="model.yaml", seeds=seeds.model_seeds, read=lambda folder: load_model(folder / "model.yaml")),
        Yaml("study", file="study.yaml", seeds=seeds.study_seeds, read=lambda folder: Study.read(folder / "study.yaml").check()),
        Yaml(
            "zigzag",
            file="a_complete.json",
            seeds=lambda: [{"a_complete.json": seeds.yaml(seeds.zigzag())}],
            read=lambda folder: load_zigzag([folder / "a_complete.json"], NAMES, clock_mhz=1000),
        ),
        Yaml(
            "onnxruntime",
            file="profile.json",
            seeds=files_of(profile__json=seeds.profile()),
            read=lambda folder: load_onnxruntime(folder / "profile.json", NAMES),
        ),
        Target(
            "document",
            "document",
            "document.yaml",
            files_of(document__yaml=seeds.DOCUMENT),
            change_yaml,
            lambda folder: read_document(folder / "document.yaml", Scenario),
        ),
        Table("costs", file="costs.csv", seeds=cost_seeds, read=lambda folder: CostTable.from_csv(folder / "costs.csv")),
        Table("trace", file="series.csv", seeds=files_of(series__csv=seeds.TRACE), read=series("trace")),
        Table("factors", file="series.csv", seeds=files_of(series__csv=seeds.FACTORS), read=series("time_factor")),
        *(Table(f"replay {name}", file=f"{name}.csv", seeds=REPLAY, read=recording) for name in ("requests", "latencies", "estimates")),
        *(Table(f"scalesim {name}", file=f"{name}.csv", seeds=scalesim_seeds, read=scalesim) for name in ("compute", "access", "topology")),
        Target(
            "xrbench",
            "xrbench",
            "vr.m",
            files_of(vr__m=seeds.XRBENCH),
            change_words,
            lambda folder: load_xrbench(folder / "vr.m"),
        ),
        Target("onnx", "onnx", "net.onnx", seeds.onnx_models, change_onnx, lambda folder: load_onnx(folder / "net.onnx")),
        Target(
            "saved",
            "saved",
            "outcome.npz",
            lambda: [{"outcome.npz": seeds.saved()}],
            mutated_bytes,
            lambda folder: load_outcome(folder / "outcome.npz"),
        ),
    )
}
