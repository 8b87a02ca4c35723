"""Names to objects: scenarios, platforms and models, built in or from files.

A reference is one of

- the name of a built-in one, such as ``vr_gaming``;
- the path of a YAML file, or for models of an ONNX file;
- ``package:NAME/path/inside``, a file inside an installed package, which is not imported;
- the object itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from rtsched._files import outside_fault
from rtsched.documents import Document, hint, path_text
from rtsched.errors import Fault, FaultsError, InputError, plain, short
from rtsched.platform.platform import Platform
from rtsched.workload import zoo
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario

__all__ = [
    "folder_of",
    "load_model",
    "load_platform",
    "load_scenario",
    "locate",
    "models",
    "platform_reference",
    "platforms",
    "resolve_models",
    "scenario_fault",
    "scenarios",
]

YAML = (".yaml", ".yml")
PACKAGE = "package:"

Reference = str | os.PathLike[str]


def scenarios() -> tuple[str, ...]:
    """Names of the built-in scenarios, in alphabetical order."""
    return tuple(_built_in("rtsched.workload", "scenarios"))


def platforms() -> tuple[str, ...]:
    """Names of the built-in platforms, in alphabetical order."""
    return tuple(_built_in("rtsched.platform", "presets"))


def models() -> tuple[str, ...]:
    """Names of the built-in models, in alphabetical order."""
    return zoo.names()


def load_scenario(ref: Reference | Scenario) -> Scenario:
    """Load a scenario and the models of its tasks.

    Parameters
    ----------
    ref : str, path or Scenario
        Relative paths inside a file start from the file's folder; inside an object from the current one.

    Returns
    -------
    Scenario
        Every task's model is a `Model`. A platform that was given as a relative path is one from the current folder.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, those of the models included, all at once.
    """
    if isinstance(ref, Scenario):
        try:
            return resolve_models(ref)
        except FaultsError as error:
            raise InputError([f"tasks[{path[1]}].model: {fault}" for path, fault in error.faults]) from None
    document = _document(ref, "scenario", _built_in("rtsched.workload", "scenarios"))
    # Names are resolved before the document is validated, so that the faults of both are reported together.
    named = _named_models(document.value)
    load = partial(load_model, base=document.folder, is_confined=True)
    found = _load_models(named, load, lambda index, fault: document.fault(("tasks", index, "model"), fault))
    platform = _platform_of(document)
    scenario = document.validate(Scenario)
    return _with_models(scenario, found).model_copy(update={"platform": platform})


def scenario_fault(ref: Reference | Scenario, path: tuple[str | int, ...], message: str) -> str:
    """Write a fault of the value at `path` of a scenario that could be loaded, with file, line and column where it has them."""
    if isinstance(ref, Scenario):
        return f"{path_text(path)}: {message}"
    return _document(ref, "scenario", _built_in("rtsched.workload", "scenarios")).placed(path, message)


def model_files(ref: Reference) -> dict[Path, str]:
    """Files of the models that a scenario's tasks name, each with the reference.

    Raises
    ------
    rtsched.errors.InputError
        As `load_scenario`, of the scenario or of a reference.
    """
    document = _document(ref, "scenario", _built_in("rtsched.workload", "scenarios"))
    found = {name: locate(name, (*YAML, ".onnx"), document.folder) for name in _named_models(document.value).values() if name}
    return {path: name for name, path in found.items() if path is not None}


def resolve_models(scenario: Scenario, base: Reference | None = None) -> Scenario:
    """Load the models that tasks name.

    Parameters
    ----------
    scenario : Scenario
    base : path, optional
        Where relative paths start. Default: the current folder.

    Raises
    ------
    rtsched.errors.FaultsError
        One fault per model that cannot be loaded.
    """
    faults: list[Fault] = []
    named = {index: task.model for index, task in enumerate(scenario.tasks) if isinstance(task.model, str)}
    found = _load_models(named, partial(load_model, base=base), lambda index, fault: faults.append((("tasks", index, "model"), fault)))
    if faults:
        raise FaultsError(*faults)
    return _with_models(scenario, found)


def load_platform(ref: Reference | Platform) -> Platform:
    """Load a platform.

    Parameters
    ----------
    ref : str, path or Platform

    Raises
    ------
    rtsched.errors.InputError
        One message per fault.
    """
    if isinstance(ref, Platform):
        return ref
    return _document(ref, "platform", _built_in("rtsched.platform", "presets")).validate(Platform)


def load_model(ref: Reference | Model, base: Reference | None = None, *, is_confined: bool = False) -> Model:
    """Load a model.

    Parameters
    ----------
    ref : str, path or Model
    base : path, optional
        Where relative paths start. Default: the current folder.
    is_confined : bool
        Whether a file must lie below `base`, because another file names it.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault.
    """
    if isinstance(ref, Model):
        return ref
    path = locate(ref, (*YAML, ".onnx"), base, is_confined=is_confined)
    if path is None:
        return zoo.load(_known("model", os.fspath(ref), {name: name for name in zoo.names()}))
    if path.suffix.lower() == ".onnx":
        from rtsched.interop.onnx import load_onnx

        return load_onnx(path).model
    is_as_written = base is None or os.fspath(ref).startswith(PACKAGE)
    return Document.read(path, os.fspath(ref) if is_as_written else None).validate(Model)


def _built_in(package: str, folder: str) -> dict[str, Path]:
    """The YAML files of one of this package's folders, by name."""
    found = (Path(str(one)) for one in files(package).joinpath(folder).iterdir())
    return {path.stem: path for path in sorted(found) if path.suffix == ".yaml"}


def _document(ref: Reference, noun: str, built_in: Mapping[str, Path]) -> Document:
    path = locate(ref, YAML)
    if path is None:
        return Document.read(_known(noun, os.fspath(ref), built_in))
    return Document.read(path, os.fspath(ref))


def _known(noun: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise InputError(f"unknown {noun} {short(repr(name))}{hint(name, known, f'known {noun}s')}")
    return known[name]


def locate(ref: Reference, suffixes: Iterable[str], base: Reference | None = None, *, is_confined: bool = False) -> Path | None:
    """Find the file that a reference means, which need not exist; None when it is a name.

    Parameters
    ----------
    ref : str or path
    suffixes : iterable of str
        What the files may end in, in small letters.
    base : path, optional
        Where relative paths start. Default: the current folder.
    is_confined : bool
        Whether a file must lie below `base`, because another file names it.

    Raises
    ------
    rtsched.errors.InputError
        It ends in something else, is in no installed package, or lies where it must not.
    """
    text = os.fspath(ref)
    is_packaged = isinstance(ref, str) and text.startswith(PACKAGE)
    path = Path(base or "", text)
    if path.suffix.lower() == ".npz":
        raise InputError(f"{text}: is a saved outcome; rtsched check examines it, rtsched.load_outcome reads it in Python")
    if isinstance(ref, str) and not is_packaged and os.sep not in text and path.suffix.lower() not in suffixes:
        return None
    if path.suffix.lower() not in suffixes:
        raise InputError(f"{plain(text)}: must be a file that ends in {' or '.join(suffixes)}")
    if is_packaged:
        return _packaged(text)
    if is_confined and (fault := outside_fault(base or "", text)):
        raise InputError(f"{plain(text)}: {fault}")
    return path


def folder_of(ref: Reference | Scenario | Platform) -> Path:
    """Return the folder from which relative paths in a scenario or a platform start; the current one unless it is a file.

    Parameters
    ----------
    ref : str, path, Scenario or Platform
        One that can be loaded.
    """
    path = None if isinstance(ref, (Scenario, Platform)) else locate(ref, YAML)
    return Path() if path is None else path.parent


def _packaged(text: str) -> Path:
    """The file that ``package:NAME/path/inside`` means, found without importing the package."""
    name, _, inside = text.removeprefix(PACKAGE).partition("/")
    # The finder would import the parents of a dotted name.
    if not name.isidentifier() or not inside or inside.startswith("/") or ".." in PurePosixPath(inside).parts:
        raise InputError(f"{text}: must be package:NAME/path/inside, without '..'")
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):  # ValueError: a module without a spec, such as __main__
        spec = None
    if spec is None or spec.submodule_search_locations is None:
        remedy = "; pip install 'rtsched[onnx]'" if name == "onnx" else ""
        raise InputError(f"{text}: there is no installed package {name!r}{remedy}")
    candidates = [Path(folder, inside) for folder in spec.submodule_search_locations]
    for candidate in candidates:
        if _is_file(candidate):
            return candidate
    raise InputError(f"{text}: no such file in package {name!r}")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be entered
        return False


def _named_models(content: Any) -> dict[int, str]:
    """The models that tasks name, by task, in a document that may be faulty anywhere."""
    tasks = content.get("tasks") if isinstance(content, dict) else None
    rows = enumerate(tasks) if isinstance(tasks, tuple) else ()
    return {index: task["model"] for index, task in rows if isinstance(task, dict) and isinstance(task.get("model"), str)}


def _load_models(named: Mapping[int, str], load: Callable[[str], Model], report: Callable[[int, str], None]) -> dict[str, Model]:
    """The models by reference; those that cannot be loaded are reported with the index of their task."""
    found: dict[str, Model] = {}
    for index, ref in named.items():
        if not ref or ref in found:
            continue  # the empty name is refused with the document
        try:
            found[ref] = load(ref)
        except InputError as error:
            for fault in error.faults:
                report(index, fault)
    return found


def _with_models(scenario: Scenario, found: Mapping[str, Model]) -> Scenario:
    tasks = [task.model_copy(update={"model": found[task.model]}) if isinstance(task.model, str) else task for task in scenario.tasks]
    return scenario.model_copy(update={"tasks": tuple(tasks)})


def _platform_of(document: Document) -> str | None:
    """The platform that a scenario's document names, as a reference that does not depend on the document's folder."""
    ref = document.value.get("platform") if isinstance(document.value, dict) else None
    if not isinstance(ref, str) or not ref:
        return None
    try:
        return platform_reference(ref, document.folder, is_confined=True)
    except InputError as error:
        document.fault(("platform",), str(error))
        return None


def platform_reference(ref: str, base: Reference, *, is_confined: bool = False) -> str:
    """Turn the platform that a scenario names into a reference that does not depend on the scenario's folder.

    Parameters
    ----------
    ref : str
        A built-in name, a file or ``package:...``.
    base : path
        Where a relative path starts.
    is_confined : bool
        Whether a file must lie below `base`.

    Raises
    ------
    rtsched.errors.InputError
        There is no such platform, or it lies where it must not.
    """
    path = locate(ref, YAML, base, is_confined=is_confined)
    if path is None:
        _known("platform", ref, _built_in("rtsched.platform", "presets"))
    elif not _is_file(path):
        raise InputError(f"{path}: no such file")
    return ref if path is None or ref.startswith(PACKAGE) else str(path)
