"""Named policies: ready-made compositions of roles, built in, of installed packages, or in a user's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import cleandoc
from typing import Any

from rtsched._version import __version__
from rtsched.documents import hint
from rtsched.errors import InputError, short
from rtsched.policies.roles import Policy

__all__ = [
    "ALIASES",
    "POLICIES",
    "ROLES",
    "NamedPolicy",
    "Unavailable",
    "class_doc",
    "configure",
    "find_policy",
    "list_policies",
    "load_policy",
    "policy_names",
    "policy_summary",
    "setting_paths",
]

POLICIES = {
    "dream": "rtsched.policies.dream:dream",
    "dream+moca": "rtsched.policies.moca:dream_moca",
    "dream-balanced": "rtsched.policies.dream:dream_balanced",
    "dream-fixed": "rtsched.policies.dream:dream_fixed",
    "dream-mapscore": "rtsched.policies.dream:dream_mapscore",
    "dream-smartdrop": "rtsched.policies.dream:dream_smartdrop",
    "dysta": "rtsched.policies.dysta",
    "dysta-naive": "rtsched.policies.dysta_naive",
    "edf": "rtsched.policies.edf",
    "eft": "rtsched.policies.eft",
    "fcfs": "rtsched.policies.fcfs",
    "fcfs-static": "rtsched.policies.fcfs_static",
    "herald": "rtsched.policies.herald",
    "llf": "rtsched.policies.llf",
    "moca": "rtsched.policies.moca:moca",
    "moca-edf": "rtsched.policies.moca:moca_edf",
    "moca-fair": "rtsched.policies.moca:moca_fair",
    "moca-published": "rtsched.policies.moca:moca_published",
    "moca-regulator-only": "rtsched.policies.moca:moca_regulator_only",
    "moca-scheduler-only": "rtsched.policies.moca:moca_scheduler_only",
    "planaria": "rtsched.policies.planaria",
    "prema": "rtsched.policies.prema",
    "priority": "rtsched.policies.priority",
    "rm": "rtsched.policies.rm",
    "rr": "rtsched.policies.rr",
    "sdrm3": "rtsched.policies.sdrm3",
    "srpt": "rtsched.policies.srpt",
    "static": "rtsched.policies.static",
    "static-moca-queue": "rtsched.policies.static_moca_queue",
    "veltair": "rtsched.policies.veltair",
}
"""Name to module; the module's ``policy()``, or the function after a colon, makes the composition, and the docstrings tell what it does."""

ALIASES = {"dysta_naive": "dysta-naive", "sjf": "srpt"}
"""Other names of built-in policies, under which papers and other tools know them; they are not listed."""

ROLES = ("mapper", "dropper", "selector", "regulator", "tuner")

BUILT_IN = f"rtsched {__version__}"


@dataclass(frozen=True)
class NamedPolicy:
    """A policy that was found by its name.

    Attributes
    ----------
    policy : Policy
    about : str
        What it does: the docstring of its module, function or class.
    source : str
        Where it comes from: a package and its version, or a file.
    """

    policy: Policy
    about: str
    source: str

    @property
    def summary(self) -> str:
        """First line of its description; its roles when it has none."""
        return next(iter(self.about.splitlines()), "") or f"{type(self.policy.mapper).__name__}; not described"


@dataclass(frozen=True)
class Unavailable:
    """A policy of an installed package that cannot be used.

    Attributes
    ----------
    source : str
        The package and its version.
    reason : str
    """

    source: str
    reason: str


def policy_names() -> tuple[str, ...]:
    """Names of the policies that are built in or offered by installed packages, sorted; no package is imported."""
    from rtsched.policies.installed import offers

    return tuple(sorted({*POLICIES, *(one.name for one in offers(_taken()))}))


def _taken() -> tuple[str, ...]:
    """Names that no package can give a meaning."""
    return (*POLICIES, *ALIASES)


def policy_summary(name: str) -> str:
    """First line of a policy's description."""
    return find_policy(name).summary


def list_policies() -> list[tuple[str, NamedPolicy | Unavailable]]:
    """Load every policy that is built in or offered by an installed package, by name.

    Returns
    -------
    list of (name, policy)
        What cannot be loaded, or has a name that is taken, is `Unavailable`.
    """
    from rtsched.policies.installed import offers

    found: list[tuple[str, NamedPolicy | Unavailable]] = [(name, find_policy(name)) for name in POLICIES]
    for one in offers(_taken()):
        try:
            found.append((one.name, Unavailable(one.source, one.fault) if one.rivals else find_policy(one.name)))
        except InputError as error:
            found.append((one.name, Unavailable(one.source, "; ".join(error.faults))))
    return sorted(found, key=lambda entry: entry[0])


def find_policy(ref: str) -> NamedPolicy:
    """Find a policy by its name, or as ``path/to/file.py:NAME``.

    Built-in names win, `ALIASES` among them. An installed package is looked for, and imported, only when the name is not built in. A
    file is run: NAME in it is a `Policy`, a mapper or its class, or a function without arguments that returns one of these.

    Raises
    ------
    InputError
        The name is unknown or taken twice, or what it means cannot be loaded.
    """
    name = ALIASES.get(ref, ref)
    if name in POLICIES:
        return _built_in(POLICIES[name])
    from rtsched.policies import script

    return _of_file(ref) if script.is_script(ref) else _of_package(ref)


def _built_in(target: str) -> NamedPolicy:
    path, _, function = target.partition(":")
    module = import_module(path)
    maker = getattr(module, function or "policy")
    about = f"{_doc(maker)}\n\n{_doc(module)}" if function else _doc(module)
    return NamedPolicy(maker(), about, f"{BUILT_IN}, {target}")


def _of_package(name: str) -> NamedPolicy:
    from rtsched.policies.installed import offers

    found = [one for one in offers(_taken()) if one.name == name]
    if not found:
        raise InputError(
            f"unknown policy {short(repr(name))}{hint(name, policy_names()) or '; rtsched list policies shows those that there are'}"
        )
    if len(found) > 1:
        raise InputError(f"policy {name!r} is offered by {' and by '.join(one.source for one in found)}; uninstall all but one")
    policy, function = found[0].load()
    if faults := _faults(policy):
        raise InputError([f"{fault} (package {found[0].source})" for fault in faults])
    return NamedPolicy(policy, _doc(function, policy.mapper), f"{found[0].source}, {found[0].target}")


def _of_file(ref: str) -> NamedPolicy:
    from rtsched.policies import script

    found, name, maker = script.load_object(ref)
    path = script.path_of(ref)
    if not isinstance(found, Policy) and not hasattr(found, "start"):
        raise InputError(f"{path}: {name} must be a Policy, a mapper or its class, or a function that returns one, got {found!r:.60}")
    policy = found if isinstance(found, Policy) else Policy(mapper=found)
    if policy.name == Policy.name:
        policy = replace(policy, name=name)
    if faults := _faults(policy):
        raise InputError([f"{path}: {fault}" for fault in faults])
    return NamedPolicy(policy, _doc(maker, policy.mapper), str(path))


def _doc(*described: Any) -> str:
    """Docstring of the first that has one of its own: a module, a function, a class or an object's class."""
    for one in described:
        owner = one if isinstance(one, type) or hasattr(one, "__name__") else type(one)
        text = class_doc(owner) if isinstance(owner, type) else cleandoc(owner.__doc__ or "")
        if text and owner is not Policy:
            return text
    return ""


def class_doc(one: type) -> str:
    """A class's own docstring, without the signature that Cython puts before it; empty when there is none."""
    text = cleandoc(vars(one).get("__doc__") or "")
    first, _, rest = text.partition("\n")
    return rest.strip() if first.startswith(f"{one.__name__}(") and first.endswith(")") else text


def setting_paths(policy: Policy) -> tuple[str, ...]:
    """What `configure` can change of a policy, as ``ROLE.SETTING``."""
    roles = [(place, getattr(policy, place)) for place in ROLES]
    return tuple(f"{place}.{one.name}" for place, role in roles for one in getattr(role, "settings", ()))


def load_policy(policy: str | Policy | object) -> Policy:
    """Return a policy by name; a `Policy` as it is; a mapper alone as a policy of that mapper.

    Parameters
    ----------
    policy : str, Policy or mapper
        A name that `policy_names` has, or ``path/to/file.py:NAME``, as for `find_policy`.

    Raises
    ------
    InputError
        The name is unknown or what it means cannot be loaded, or a role is none.
    """
    if isinstance(policy, str):
        return find_policy(policy).policy
    if isinstance(policy, type):
        raise InputError(f"a policy is a name, a Policy or a mapper; got the class {policy.__name__}: pass {policy.__name__}()")
    if not isinstance(policy, Policy):
        if not hasattr(policy, "start"):
            raise InputError(f"a policy is a name, a Policy or a mapper; got {policy!r:.60}")
        policy = Policy(mapper=policy, name=type(policy).__name__)
    if faults := _faults(policy):
        raise InputError(faults)
    return policy


def configure(policy: Policy, changes: Mapping[str, object]) -> Policy:
    """Return a policy with other settings.

    Parameters
    ----------
    policy : Policy
    changes : mapping of str to value
        By ``ROLE.SETTING``, such as ``mapper.alpha``: bools, numbers, text or lists.

    Returns
    -------
    Policy
        Each role with a changed setting is a new one of the same class; one that takes several places still does.

    Raises
    ------
    InputError
        One message per fault: a role or setting that is not there, a value of another type or out of range.
    """
    faults: list[str] = []
    given: dict[int, dict[str, tuple[str, Any]]] = {}
    for key, value in changes.items():
        try:
            place, name, converted = _change(policy, key, value)
        except ValueError as error:
            faults.append(str(error))
            continue
        # A role that takes several places may be named by any of them.
        before = given.setdefault(id(getattr(policy, place)), {}).setdefault(name, (key, converted))
        if before[1] != converted:
            faults.append(f"{before[0]} and {key} are one setting of one role; got {before[1]!r} and {converted!r}")
    if faults:
        raise InputError(faults)
    made: dict[int, Any] = {}
    for place in ROLES:
        role = getattr(policy, place)
        if id(role) in given and id(role) not in made:
            made[id(role)] = _remade(place, role, {name: value for name, (_, value) in given[id(role)].items()})
    return replace(policy, **{place: made.get(id(getattr(policy, place)), getattr(policy, place)) for place in ROLES})


def _change(policy: Policy, key: str, value: object) -> tuple[str, str, Any]:
    """Split a key into place and setting, and convert the value; ValueError says what is wrong."""
    place, dot, name = key.partition(".")
    if not dot:
        raise ValueError(f"setting {key!r}: must be ROLE.SETTING, such as mapper.{key}")
    if place not in ROLES:
        raise ValueError(f"setting {key!r}: unknown role {place!r}{hint(place, ROLES, 'roles')}")
    role = getattr(policy, place)
    if role is None:
        raise ValueError(f"setting {key!r}: policy {policy.name!r} has no {place}")
    settings = {one.name: one for one in getattr(role, "settings", ())}
    if not settings:
        raise ValueError(f"setting {key!r}: the {place} of policy {policy.name!r}, {type(role).__name__}, has no settings")
    if name not in settings:
        raise ValueError(f"setting {key!r}: {type(role).__name__} has no setting {name!r}{hint(name, settings, 'settings')}")
    try:
        return place, name, settings[name].convert(value)
    except ValueError as error:
        raise ValueError(f"setting {key!r}: {error}") from None


def _remade(place: str, role: Any, changes: dict[str, Any]) -> Any:
    """A role of the same class, with the same settings but for the changed ones."""
    try:
        return type(role)(**{one.name: getattr(role, one.name) for one in role.settings} | changes)
    except InputError as error:
        raise InputError([f"{place}: {fault}" for fault in error.faults]) from None
    except (
        AttributeError,
        OverflowError,
        TypeError,
        ValueError,
    ) as error:  # a class that does not keep the contract, or a rule between settings
        raise InputError(f"{place}: {type(role).__name__} cannot be made with these settings: {error}") from error


def _faults(policy: Policy) -> list[str]:
    """Faults of the roles: what is none, and a mapper that is another role."""
    faults = []
    for place in ROLES:
        role = getattr(policy, place)
        if role is None and place != "mapper":
            continue
        if isinstance(role, type):
            faults.append(f"policy {policy.name!r}: {place} must be an object, got the class {role.__name__}: pass {role.__name__}()")
        elif not hasattr(role, "start"):
            named = f"; a policy of that name is loaded with load_policy({role!r})" if isinstance(role, str) and role in _taken() else ""
            faults.append(f"policy {policy.name!r}: {place} must be a {place} object, got {role!r:.60}{named}")
        elif place == "mapper" and not _is_mapper(role):
            faults.append(
                f"policy {policy.name!r}: mapper must have one of score, key and assign, got {type(role).__name__}; "
                "other roles go into Policy(mapper=..., dropper=..., ...)"
            )
    return faults


def _is_mapper(role: object) -> bool:
    from rtsched._core.roles import NativeMapper

    return isinstance(role, NativeMapper) or any(hasattr(role, form) for form in ("score", "key", "assign"))
