"""Declared settings of roles: their checks, what a role makes of them, and policies with other settings."""

import math

import numpy as np
import pytest
from builders import once, problem_of

import rtsched
from rtsched import InputError, Mapper, Policy, Regulator, Setting, Tuner
from rtsched._core.roles import NativeRole, NativeTuner
from rtsched.policies.registry import ROLES, configure, load_policy, policy_names
from rtsched.policies.roles import Role


class Weighted(Mapper):
    settings = (
        Setting("weight", 0.5, "share of the slack", low=0, high=1),
        Setting("count", 3, "how many", "layers", low=1),
        Setting("mode", "auto", "how", choices=("auto", "spatial")),
        Setting("is_eager", True, "at once"),
        Setting("lanes", (1, 2), "which", low=0),
        Setting("limit", math.inf, "the most", low=0, high=math.inf),
        Setting("bound", None, "nothing or a number", low=0),
    )

    def key(self, state, row):
        return 0


class Capped(Regulator):
    settings = (Setting("window_ns", 1000, "length", "ns", low=1),)

    def __init__(self, window_ns=1000):
        self.window_ns = window_ns

    def regulate(self, state):
        return np.full(state.running.n, np.inf)


class Both(Mapper, Regulator):
    settings = (Setting("alpha", 1.0, "strength"),)

    def key(self, state, row):
        return 0

    def regulate(self, state):
        return np.full(state.running.n, np.inf)


class OwnRule(Mapper):
    settings = (Setting("low", 1, "least"), Setting("high", 2, "most"))

    def __init__(self, low=1, high=2):
        if low > high:
            raise ValueError("low is above high")
        self.low, self.high = low, high

    def key(self, state, row):
        return 0


class NativeLike(NativeRole):
    settings = (Setting("alpha", 0.25, "strength", low=0.0),)

    def __init__(self, **given):
        self.alpha = self.take(given)["alpha"]


def faults_of(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return list(caught.value.faults)


def shown(role):
    """A role's representation without its module."""
    return repr(role).removeprefix(f"{type(role).__module__}.")


# One setting


@pytest.mark.parametrize(
    ("setting", "value", "converted"),
    [
        ("weight", 1, 1.0),
        ("weight", np.float64(0.25), 0.25),
        ("count", 2e6, 2_000_000),
        ("count", np.int32(7), 7),
        ("mode", "spatial", "spatial"),
        ("is_eager", False, False),
        ("lanes", [4.0, 5], (4, 5)),
        ("lanes", [], ()),
        ("limit", math.inf, math.inf),
        ("bound", None, None),
        ("bound", 2, 2),
        ("bound", 0.5, 0.5),
    ],
)
def test_values_are_converted(setting, value, converted):
    (one,) = (one for one in Weighted.settings if one.name == setting)
    found = one.convert(value)
    assert (found, type(found)) == (converted, type(converted))


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"weight": -0.1}, "weight must be at least 0, got -0.1"),
        ({"weight": 1.5}, "weight must be at most 1, got 1.5"),
        ({"weight": math.nan}, "weight must be a finite number, got nan"),
        ({"weight": "0.5"}, "weight must be a number, got '0.5'"),
        ({"weight": True}, "weight must be a number, got True"),
        ({"weight": None}, "weight must be a number, got None"),
        ({"count": 2.5}, "count must be a whole number, got 2.5"),
        ({"count": math.inf}, "count must be a whole number, got inf"),
        ({"count": False}, "count must be a whole number, got False"),
        ({"mode": "temporal"}, "mode must be one of auto, spatial, got 'temporal'"),
        ({"mode": 3}, "mode must be text, got 3"),
        ({"is_eager": 1}, "is_eager must be true or false, got 1"),
        ({"lanes": 3}, "lanes must be a list, got 3"),
        ({"lanes": [1, -2]}, "lanes must be at least 0, got -2"),
        ({"limit": -math.inf}, "limit must be a finite number, got -inf"),
        ({"bound": "x"}, "bound must be a number, got 'x'"),
        ({"wieght": 1}, "unknown setting 'wieght'; settings: weight, count, mode, is_eager, lanes, limit, bound"),
    ],
)
def test_values_are_checked(changes, fault):
    assert faults_of(Weighted, **changes) == [f"Weighted: {fault}"]


def test_all_faults_come_at_once():
    assert len(faults_of(Weighted, weight=2, count=0, other=1)) == 3


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("two words", 1, ""), {}, "the name of a setting must be a Python name, got 'two words'"),
        (("a", 1.0, ""), {"low": 2}, "setting 'a': its default must be at least 2, got 1.0"),
        (("a", "x", ""), {"choices": ["y", "z"]}, "setting 'a': its default must be one of y, z, got 'x'"),
    ],
)
def test_settings_that_contradict_themselves(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        Setting(*arguments, **options)


# Roles


def test_a_role_has_its_settings_as_attributes():
    role = Weighted(weight=0.75, lanes=[3])
    assert (role.weight, role.count, role.lanes) == (0.75, 3, (3,))
    assert shown(role) == "Weighted(bound=None, count=3, is_eager=True, lanes=(3,), limit=inf, mode='auto', weight=0.75)"


def test_roles_without_settings_take_none():
    assert faults_of(Role, weight=1) == ["Role: unknown setting 'weight'; it has no settings"]
    with pytest.raises(ValueError, match="EarliestDeadline: unknown setting 'weight'; it has no settings"):
        type(load_policy("edf").mapper)(weight=1)


@pytest.mark.parametrize("settings", [Setting("a", 1, ""), (Setting("a", 1, ""), Setting("a", 2, "")), ("a",)])
def test_what_is_no_declaration_is_found_with_the_class(settings):
    with pytest.raises(InputError, match=r"Wrong\.settings must be a tuple of Setting"):
        type("Wrong", (Mapper,), {"settings": settings})


def test_native_roles_show_their_settings():
    assert shown(NativeLike(alpha=2)) == "NativeLike(alpha=2.0)"
    with pytest.raises(ValueError, match=r"NativeLike: alpha must be at least 0\.0, got -1\.0"):
        NativeLike(alpha=-1)
    assert shown(NativeTuner()) == "NativeTuner(window_ns=1000000000)"


def test_settings_are_part_of_the_provenance():
    problem = problem_of([once("a", "m", 1, deadline_ns=500)], {"m": [[250]]})
    hashes = {rtsched.run(problem, Weighted(weight=weight)).provenance["inputs_sha256"] for weight in (0.5, 0.25, 0.5)}
    assert len(hashes) == 2


# Policies


def test_a_configured_policy_has_new_roles():
    policy = Policy(mapper=Weighted(count=7), regulator=Capped(), name="mine")
    changed = configure(policy, {"mapper.weight": 1, "regulator.window_ns": 5e3})
    assert (changed.mapper.weight, changed.mapper.count, changed.regulator.window_ns) == (1.0, 7, 5000)
    assert (policy.mapper.weight, policy.regulator.window_ns) == (0.5, 1000)
    assert changed.name == "mine"
    only = configure(policy, {"mapper.weight": 0})
    assert only.regulator is policy.regulator
    assert configure(policy, {}) == policy


def test_a_role_in_two_places_stays_one():
    role = Both()
    for changes in ({"mapper.alpha": 2}, {"regulator.alpha": 2}, {"mapper.alpha": 2, "regulator.alpha": 2.0}):
        changed = configure(Policy(mapper=role, regulator=role), changes)
        assert changed.mapper is changed.regulator
        assert changed.mapper.alpha == 2.0
    assert faults_of(configure, Policy(mapper=role, regulator=role), {"mapper.alpha": 2, "regulator.alpha": 3}) == [
        "mapper.alpha and regulator.alpha are one setting of one role; got 2.0 and 3.0"
    ]
    apart = configure(Policy(mapper=role, regulator=Both()), {"mapper.alpha": 2, "regulator.alpha": 3})
    assert (apart.mapper.alpha, apart.regulator.alpha) == (2.0, 3.0)


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("weight", 1, "must be ROLE.SETTING, such as mapper.weight"),
        ("maper.weight", 1, "unknown role 'maper'; did you mean 'mapper'?"),
        ("x.y", 1, "unknown role 'x'; roles: mapper, dropper, selector, regulator, tuner"),
        ("dropper.weight", 1, "policy 'mine' has no dropper"),
        ("tuner.weight", 1, "the tuner of policy 'mine', Plain, has no settings"),
        ("mapper.wieght", 1, "Weighted has no setting 'wieght'; did you mean 'weight'?"),
        ("regulator.x", 1, "Capped has no setting 'x'; settings: window_ns"),
        ("mapper.weight", 2, "must be at most 1, got 2.0"),
        ("regulator.window_ns", "long", "must be a whole number, got 'long'"),
    ],
)
def test_changes_are_checked(key, value, fault):
    plain = type("Plain", (Tuner,), {})()
    policy = Policy(mapper=Weighted(), regulator=Capped(), tuner=plain, name="mine")
    assert faults_of(configure, policy, {key: value}) == [f"setting {key!r}: {fault}"]


def test_all_faults_of_changes_come_at_once():
    assert len(faults_of(configure, load_policy("edf"), {"x": 1, "mapper.a": 1, "tuner.b": 2})) == 3


def test_rules_between_settings_are_reported():
    assert faults_of(configure, Policy(mapper=OwnRule()), {"mapper.low": 3}) == [
        "mapper: OwnRule cannot be made with these settings: low is above high"
    ]


def test_builtin_policies_take_their_settings():
    """The contract: each setting is a keyword argument and an attribute, with the declared default."""
    for name in policy_names():
        policy = load_policy(name)
        for place in ROLES:
            role = getattr(policy, place)
            settings = getattr(role, "settings", ())
            if settings:
                plain = type(role)()
                assert [getattr(plain, one.name) for one in settings] == [one.default for one in settings]
                assert repr(type(role)(**{one.name: getattr(role, one.name) for one in settings})) == repr(role)
