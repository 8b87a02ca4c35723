"""Saved outcomes: one file that holds a run's tables, its sums, where it came from, and the whole problem.

The file is a zip archive of NumPy arrays and JSON texts, uncompressed, so that NumPy and any zip tool open it and the same
outcome gives the same bytes everywhere. docs/formats.md describes the members. Nothing in it is executed and no other file is
opened when it is read; what a reader would trip over is refused.
"""

from __future__ import annotations

import io
import json
import math
import os
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from typing import Annotated, Any, TypeVar, get_type_hints

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, create_model

from rtsched._files import open_regular
from rtsched.cost.table import TableCost
from rtsched.errors import InputError, reason_of
from rtsched.integrity import ARRAYS, FLOAT, HUGE, INT64, Shape, problem_faults, shape_fault
from rtsched.outcome import ENERGY_COMPONENTS, JOB_DTYPE, LAYER_DTYPE, RATE_DTYPE, STATUSES, Outcome
from rtsched.platform.platform import Platform
from rtsched.problem import MAX_TIME_NS, Problem
from rtsched.report import files
from rtsched.workload.scenario import Scenario

__all__ = ["FORMAT", "load_outcome", "save_outcome"]

FORMAT = "rtsched.saved/2"
"""Name and version. The version grows whenever a member is removed or changes its meaning, or one is added that every file has."""

HEADER, SCENARIO, PLATFORM = "header.json", "scenario.json", "platform.json"
PROBLEM = "problem/"
TABLES: Mapping[str, Shape] = {
    "jobs": Shape(JOB_DTYPE, ("jobs",)),
    "layers": Shape(LAYER_DTYPE, ("executed layers",)),
    "rates": Shape(RATE_DTYPE, ("changes of rates",)),
    "task_energy_j": Shape(FLOAT, ("tasks", "components")),
    "task_switches": Shape(INT64, ("tasks",)),
    "task_migrations": Shape(INT64, ("tasks",)),
    "busy_ns": Shape(INT64, ("options",)),
    "idle_energy_j": Shape(FLOAT, ("accelerators",)),
}
ON_DEMAND = ("layers", "rates")
"""Tables that are there only when they were recorded."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every member: the earliest that zip knows."""

NO_FILES = {"base": None}
"""Validation context in which names of files are refused."""

MAX_FAULTS = 5
"""Of a JSON text; more say nothing new about a damaged file."""

UNREADABLE = (zipfile.BadZipFile, EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError, struct.error)
"""What zipfile raises for a damaged archive; UnicodeError is a ValueError."""

Count = Annotated[int, Field(ge=0, lt=2**63)]
AnyModel = TypeVar("AnyModel", bound=BaseModel)

_PROBLEM_HINTS = get_type_hints(Problem)
_SCALARS = [one.name for one in fields(Problem) if _PROBLEM_HINTS[one.name] not in (np.ndarray, Scenario, Platform)]
_Scalars: Any = create_model(  # type: ignore[call-overload]
    "_Scalars", __config__=ConfigDict(extra="forbid"), **{name: (_PROBLEM_HINTS[name], ...) for name in _SCALARS}
)


def _written(settings: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """Refuse what could not be written again: JSON has no infinity, though 1e999 reads as one."""
    try:
        json.dumps(settings, allow_nan=False)
    except RecursionError:
        raise ValueError("must not be nested that deeply") from None
    return settings


_Settings = Annotated[dict[str, JsonValue], AfterValidator(_written)]


class _Header(BaseModel):
    """What stands in ``header.json``."""

    model_config = ConfigDict(extra="forbid")

    format: str
    provenance: dict[str, str | int | _Settings]
    policy: str
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    is_complete: bool
    end_ns: Annotated[int, Field(ge=0, le=MAX_TIME_NS)]
    served_bytes: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    n_layers: Count
    problem_sha256: str
    problem: Any


def save_outcome(outcome: Outcome, path: str | os.PathLike[str]) -> None:
    """Write an outcome; see `rtsched.Outcome.save`."""
    problem = outcome.problem
    header = {name: _plain(getattr(outcome, name)) for name in _Header.model_fields if hasattr(outcome, name)}
    header |= {"format": FORMAT, "problem_sha256": problem.digest, "problem": {name: _plain(getattr(problem, name)) for name in _SCALARS}}
    content = {
        HEADER: json.dumps({name: header[name] for name in _Header.model_fields}, indent=2, allow_nan=False).encode(),
        SCENARIO: problem.scenario.model_dump_json(indent=2).encode("utf-8", "backslashreplace"),
        PLATFORM: _self_contained(problem.platform).model_dump_json(indent=2).encode("utf-8", "backslashreplace"),
    }
    arrays = {name: getattr(outcome, name) for name in TABLES if getattr(outcome, name) is not None}
    arrays |= {PROBLEM + name: getattr(problem, name) for name in ARRAYS}
    content |= {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
    files.write(os.fspath(path), [buffer.getvalue()])


def _plain(value: Any) -> Any:
    """A scalar as JSON has it; infinity, which JSON has not, as a text."""
    if isinstance(value, np.generic):
        value = value.item()
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _self_contained(platform: Platform) -> Platform:
    """The platform with the rows of its cost tables in place of their files."""
    accelerators = tuple(
        one.model_copy(update={"cost": TableCost(rows=one.cost.table)}) if isinstance(one.cost, TableCost) else one
        for one in platform.accelerators
    )
    return platform.model_copy(update={"accelerators": accelerators})


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    np.lib.format.write_array(buffer, little, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def load_outcome(path: str | os.PathLike[str]) -> Outcome:
    """Read what `Outcome.save` wrote.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Outcome
        All arrays and numbers as they were. The platform's cost tables hold their rows and name no file.

    Raises
    ------
    InputError
        There is no such file, it is no saved outcome of this version, or it is damaged: names the file, the member, and what
        was expected. Whether the outcome is *right* is another question; `rtsched.testing.check_outcome` answers it.
    """
    members = _members(os.fspath(path))
    header = members.header()
    members.refuse_unknown()
    sizes = {"components": len(ENERGY_COMPONENTS)}
    scalars = members.validated(HEADER, _Scalars, header.problem, "problem.")
    for noun in ("task", "model", "subnet", "layer", "accelerator"):
        sizes[f"{noun}s"] = len(getattr(scalars, f"{noun}_names"))
    arrays: dict[str, Any] = {name: members.array(PROBLEM + name, expected, sizes) for name, expected in ARRAYS.items()}
    scenario = members.validated(SCENARIO, Scenario, members.json(SCENARIO))
    platform = members.platform()
    problem = Problem(**dict(scalars), **arrays, scenario=scenario, platform=platform)
    members.refuse(PROBLEM, *problem_faults(problem))
    tables: dict[str, Any] = {
        name: members.array(name, expected, sizes) for name, expected in TABLES.items() if name not in ON_DEMAND or members.has(name)
    }
    members.refuse("jobs.npy", *_job_faults(problem, tables["jobs"]))
    for name in ON_DEMAND:
        members.refuse(f"{name}.npy", *_layer_faults(problem, tables.get(name), len(tables["jobs"])))
    members.refuse("rates.npy", *_rate_faults(tables.get("rates")))
    if tuple(task.name for task in scenario.tasks) != problem.task_names:
        members.refuse(SCENARIO, "its tasks must be those of the problem")
    if tuple(one.name for one in platform.accelerators) != problem.accelerator_names:
        members.refuse(PLATFORM, "its accelerators must be those of the problem")
    if problem.digest != header.problem_sha256:
        members.refuse(HEADER, f"problem_sha256 must be that of the problem, {problem.digest}, got {header.problem_sha256!r:.80}")
    rest = {name: value for name, value in dict(header).items() if name not in ("format", "problem", "problem_sha256")}
    return Outcome(problem=problem, **{"layers": None, **tables}, **rest)


def _job_faults(problem: Problem, jobs: np.ndarray) -> list[str]:
    """Codes and indices that point nowhere."""
    faults = [*_outside("task", jobs["task"], problem.n_tasks), *_outside("status", jobs["status"], len(STATUSES))]
    if faults:
        return faults
    if (jobs["model"] != problem.task_model[jobs["task"]]).any():
        return ["model: must be the task's"]
    n_subnets = np.diff(problem.model_first_subnet)[jobs["model"]]
    return ["subnet: must be -1 or one of the model's"] if ((jobs["subnet"] < -1) | (jobs["subnet"] >= n_subnets)).any() else []


def _layer_faults(problem: Problem, layers: np.ndarray | None, n_jobs: int) -> list[str]:
    """Indices that point nowhere, of executed layers or of their rates."""
    if layers is None:
        return []
    bounds = {"job": n_jobs, "layer": problem.n_layers, "accelerator": problem.n_accelerators}
    return [fault for name, bound in bounds.items() for fault in _outside(name, layers[name], bound)]


def _rate_faults(rates: np.ndarray | None) -> list[str]:
    """What a reader that draws or sums would trip over."""
    if rates is None:
        return []
    faults = [] if (np.diff(rates["time_ns"]) >= 0).all() else ["time_ns: must ascend"]
    for name, also in (("demand_bytes_per_ns", " and finite"), ("allocation_bytes_per_ns", " and finite"), ("cap_bytes_per_ns", "")):
        wrong = rates[name][~((rates[name] >= 0) & (rates[name] <= (HUGE if also else np.inf)))]
        faults += [f"{name}: must be at least 0{also}, got {wrong[0]}"] if len(wrong) else []
    if (rates["tiles"] == 0).any():
        faults.append("tiles: must not be empty")
    return faults


def _outside(name: str, codes: np.ndarray, bound: int) -> list[str]:
    wrong = codes[(codes < 0) | (codes >= bound)]
    return [f"{name}: must be from 0 to {bound - 1}, got {wrong[0]}"] if len(wrong) else []


def _members(path: str) -> _Members:
    """Read the archive whole; its members together are never larger than the file, which keeps zip bombs out."""
    try:
        with open_regular(path) as file:
            n_bytes = os.fstat(file.fileno()).st_size
            with zipfile.ZipFile(file) as archive:
                listed = archive.infolist()
                _check_list(path, listed, n_bytes)
                return _Members(path, {one.filename: archive.read(one) for one in listed})
    except OSError as error:
        raise InputError(f"{path or repr('')}: cannot be read: {reason_of(error)}") from error
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(f"{path}: must be a saved outcome, a whole zip archive: {error!s:.200}") from error


def _check_list(path: str, listed: list[zipfile.ZipInfo], n_bytes: int) -> None:
    names = [one.filename for one in listed]
    faults = []
    if HEADER not in names:
        raise InputError(f"{path}: must be a saved outcome; it has no member {HEADER}")
    if len(set(names)) < len(names):
        faults.append(f"{path}: every member must stand in it once")
    faults += [f"{path}: {one.filename}: must be stored uncompressed" for one in listed if one.compress_type != zipfile.ZIP_STORED]
    if not faults and sum(one.file_size for one in listed) > n_bytes:
        faults.append(f"{path}: its members must not be larger than the file, {n_bytes} bytes")
    if faults:
        raise InputError(faults[:MAX_FAULTS])


class _Members:
    """The members of one archive, and messages that name it."""

    def __init__(self, path: str, content: dict[str, bytes]) -> None:
        self.path, self.content = path, content

    def has(self, table: str) -> bool:
        return f"{table}.npy" in self.content

    def refuse(self, member: str, *faults: str) -> None:
        """Raise an InputError if there is a fault."""
        if faults:
            raise InputError([f"{self.path}: {member}{'' if member == PROBLEM else ': '}{fault}" for fault in faults[:MAX_FAULTS]])

    def refuse_unknown(self) -> None:
        known = {HEADER, SCENARIO, PLATFORM, *(f"{name}.npy" for name in TABLES), *(f"{PROBLEM}{name}.npy" for name in ARRAYS)}
        for name in self.content.keys() - known:
            self.refuse(repr(name[:80]), f"there is no such member in {FORMAT}")

    def data(self, member: str) -> bytes:
        if member not in self.content:
            self.refuse(member, "the file must have this member")
        return self.content[member]

    def json(self, member: str) -> Any:
        data = self.data(member)
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            self.refuse(member, f"must be JSON: {error}")

    def header(self) -> _Header:
        content = self.json(HEADER)
        written = content.get("format") if isinstance(content, dict) else None
        if written != FORMAT:
            by = content.get("provenance") if isinstance(content, dict) else None
            version = by.get("version") if isinstance(by, dict) else None
            hint = f"; written by rtsched {version!r:.40}" if isinstance(version, str) else ""
            self.refuse(HEADER, f"format must be {FORMAT!r}, got {written!r:.60}{hint}")
        return self.validated(HEADER, _Header, content)

    def platform(self) -> Platform:
        content = self.json(PLATFORM)
        accelerators = content.get("accelerators") if isinstance(content, dict) else None
        for i, one in enumerate(accelerators if isinstance(accelerators, list) else ()):
            cost = one.get("cost") if isinstance(one, dict) else None
            if isinstance(cost, dict) and cost.get("file") is not None:  # it would be opened
                self.refuse(PLATFORM, f"accelerators.{i}.cost: must hold rows, not the name of a file")
        return self.validated(PLATFORM, Platform, content)

    def validated(self, member: str, kind: type[AnyModel], content: Any, prefix: str = "") -> AnyModel:
        try:
            return kind.model_validate(content, context=NO_FILES)
        except ValidationError as error:
            self.refuse(member, *(f"{prefix}{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()))
            raise

    def array(self, name: str, expected: Shape, sizes: dict[str, int]) -> np.ndarray:
        """Read an array after comparing what its header promises with the bytes that there are."""
        member = f"{name}.npy"
        data = self.data(member)
        stream = io.BytesIO(data)
        try:
            if np.lib.format.read_magic(stream) != (1, 0):
                raise ValueError("version of the array format must be 1.0")
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError) as error:
            self.refuse(member, f"must be a NumPy array: {str(error).splitlines()[0][:200]}")
        if dtype == expected.dtype.newbyteorder("<"):
            dtype = expected.dtype
        fault = shape_fault(expected, dtype, shape, sizes)
        if fault is not None:
            self.refuse(member, fault)
        first = stream.tell()
        n_bytes = math.prod(shape) * dtype.itemsize
        if len(data) - first != n_bytes:
            self.refuse(member, f"must hold {n_bytes} bytes after its header for shape {shape}, got {len(data) - first}")
        flat = np.frombuffer(data, dtype=expected.dtype.newbyteorder("<"), offset=first).astype(expected.dtype)
        return flat.reshape(shape, order="F" if is_fortran else "C").copy(order="C")
