"""Policies in a user's Python file, named ``path/to/file.py:NAME``.

The file is run, as ``python path/to/file.py`` would run it: whoever names a file trusts it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from inspect import Parameter, isfunction, signature
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import Any

from rtsched._files import open_regular
from rtsched.documents import hint
from rtsched.errors import InputError, reason_of
from rtsched.policies.installed import cause
from rtsched.policies.roles import Mapper, Policy

__all__ = ["is_script", "load_object", "path_of"]

SUFFIX = ".py"


def is_script(ref: str) -> bool:
    """Whether a reference means a Python file: only then it ends in .py, or has .py before its last colon."""
    return ref.endswith(SUFFIX) or ref.rpartition(":")[0].endswith(SUFFIX)


def path_of(ref: str) -> Path:
    """The file that a reference means."""
    return Path(ref if ref.endswith(SUFFIX) else ref.rpartition(":")[0])


def load_object(ref: str) -> tuple[Any, str, Any]:
    """Run a file and return what a name in it stands for.

    Returns
    -------
    found : object
        The name's value; of a class or a function what it returns without arguments.
    name : str
    maker : object
        The value itself.

    Raises
    ------
    InputError
        There is no such file or name, or the file fails; the message names the file's line.
    """
    path = path_of(ref)
    name = "" if ref.endswith(SUFFIX) else ref.rpartition(":")[2]
    code = _compiled(path)
    # The colon keeps it apart from whatever can be imported.
    module = ModuleType(f"file:{path.stem}")
    module.__file__ = str(path)
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    sys.modules[module.__name__] = module  # where dataclasses look for it
    try:
        with _told(path):
            exec(code, vars(module))
        maker = _named(path, name, module)
        with _told(path):
            return (maker() if _is_made(maker) else maker), name, maker
    finally:
        with suppress(ValueError):  # a file may change the path too
            sys.path.remove(folder)


def _is_made(value: Any) -> bool:
    """Whether a value is to be called: a class or function, as opposed to a policy or mapper."""
    return isinstance(value, type) or (callable(value) and not hasattr(value, "start"))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the user's code raises into a message that names the innermost line of the file that it passed."""
    try:
        yield
    except (Exception, SystemExit) as error:
        lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
        place = f"{path}:{lines[-1]}" if lines else str(path)
        faults = error.faults if isinstance(error, InputError) else [cause(error)]
        raise InputError([f"{place}: {fault}" for fault in faults]) from error


def _compiled(path: Path) -> Any:
    try:
        with open_regular(path) as file:
            source = file.read()
    except FileNotFoundError:
        siblings = [one.name for one in path.parent.glob(f"*{SUFFIX}")]
        raise InputError(f"{path}: no such file{hint(path.name, siblings)}") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        raise InputError(f"{path}: cannot be read: {reason_of(error)}") from error
    try:
        return compile(source, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise InputError(f"{path}:{error.lineno or 1}: {type(error).__name__}: {error.msg}") from error
    except ValueError as error:
        raise InputError(f"{path}: is no Python source: {error}") from error


def _named(path: Path, name: str, module: ModuleType) -> Any:
    known = [one for one, value in vars(module).items() if not one.startswith("_") and _is_policy(value, module)]
    if not name:
        names = f"; it has {', '.join(known)}" if known else ""
        raise InputError(f"{path}: must be named with what is meant, {path}:NAME{names}")
    if name not in vars(module):
        raise InputError(f"{path}: has no {name!r}{hint(name, known, 'it has') or '; it defines no policy'}")
    return vars(module)[name]


def _is_policy(value: Any, module: ModuleType) -> bool:
    """Whether a name of a file probably stands for a policy: what was imported does not."""
    if isinstance(value, type):
        return issubclass(value, Mapper) and value.__module__ == module.__name__
    if isfunction(value):
        parameters = signature(value).parameters.values()
        return value.__module__ == module.__name__ and all(one.default is not Parameter.empty for one in parameters)
    return isinstance(value, (Policy, Mapper))
