"""Policies that break their contracts: a role that works until a call, and then answers what it must not.

Each wrong answer has a name, so that a failing example can be read: ``Wrong("score", "nan", 3)`` is a mapper whose fourth call
of `score` and all later ones answer NaN.
"""

import numpy as np
from reference import roles

from rtsched.policies.roles import Policy


class OwnError(Exception):
    """What a policy raises by itself."""


class Odd:
    """An object that is like a number only until it is asked."""

    def __index__(self):
        raise OwnError("index")

    def __float__(self):
        raise OwnError("float")

    def __array__(self, dtype=None, copy=None):
        raise OwnError("array")


def _raise(error):
    def answer(good, state):
        raise error

    return answer


def _deep(good, state):
    return _deep(good, state)


def _filled(value):
    """An answer of the right shape with a value in its last place."""

    def answer(good, state):
        made = np.array(good, dtype=np.float64)
        made.reshape(-1)[-1:] = value
        return made

    return answer


RAISED = {
    "raises": _raise(OwnError("own")),
    "raises MemoryError": _raise(MemoryError("own")),
    "raises StopIteration": _raise(StopIteration("own")),
    "recurses": _deep,
}
ANYTHING = {
    **RAISED,
    "None": lambda good, state: None,
    "text": lambda good, state: "text",
    "a mapping": lambda good, state: {0: 1},
    "odd": lambda good, state: Odd(),
    "a generator": lambda good, state: (one for one in [1, 2]),
    "the view": lambda good, state: state,
    "a huge integer": lambda good, state: 10**400,
    "-1": lambda good, state: -1,
    "nan": lambda good, state: float("nan"),
    "complex": lambda good, state: np.ones(3, complex),
    "dates": lambda good, state: np.array(["2024-01-01"], "datetime64[D]"),
    "ragged": lambda good, state: [[1], [1, 2]],
    "records": lambda good, state: np.zeros(2, [("a", int)]),
}
NUMBERS = {
    str(one): (lambda good, state, one=one: one)
    for one in (0, 1, 2, 63, 64, 65, 1000, -(2**31) - 1, 2**31 - 1, 2**31, 2**63 - 1, -(2**63), 2**63, -(2**63) - 1, 2**64, 1.5, True)
} | {
    "int8": lambda good, state: np.int8(-1),
    "float64": lambda good, state: np.float64(1),
    "array of one": lambda good, state: np.array([1]),
    "array": lambda good, state: np.array(1),
}
ARRAYS = {
    "one nan": _filled(np.nan),
    "one inf": _filled(np.inf),
    "one -inf": _filled(-np.inf),
    "one 0": _filled(0),
    "one -1": _filled(-1),
    "one denormal": _filled(5e-324),
    "one small": _filled(1e-300),
    "one large": _filled(1e308),
    "empty": lambda good, state: np.empty(0),
    "0-d": lambda good, state: np.array(1.0),
    "one longer": lambda good, state: np.append(good, 1.0),
    "one shorter": lambda good, state: np.asarray(good, dtype=float).reshape(-1)[:-1],
    "transposed": lambda good, state: np.asarray(good, dtype=float).reshape(1, -1),
    "3-d": lambda good, state: np.asarray(good, dtype=float)[..., None, None],
    "pairs": lambda good, state: np.ones((state.n_ready, state.problem.n_accelerators + 1)),
    "strided": lambda good, state: np.repeat(np.asarray(good, dtype=float), 2)[::2],
    "swapped": lambda good, state: np.asarray(good, dtype=">f8"),
    "long": lambda good, state: np.asarray(good, dtype=np.longdouble) * np.longdouble("1e4000"),
    "half": lambda good, state: np.asarray(good, dtype=np.float32).astype(">f4"),
    "uint64": lambda good, state: np.full(np.shape(good), 2**64 - 1, dtype=np.uint64),
    "truth": lambda good, state: np.ones(np.shape(good), dtype=bool),
    "objects": lambda good, state: np.array([Odd()] * max(1, np.size(good)), dtype=object),
    "masked": lambda good, state: np.ma.masked_all(np.shape(good)),
    "the view's": lambda good, state: state.deadline_ns,
    "infinite list": lambda good, state: [10**400] * np.size(good),
}
ROWS = {
    "twice": lambda good, state: [0, 0],
    "n": lambda good, state: [state.n_ready],
    "all": lambda good, state: list(range(state.n_ready)),
    "all and one": lambda good, state: [*range(state.n_ready), 0],
    "negative": lambda good, state: [-1],
    "large": lambda good, state: np.array([2**63], dtype=np.uint64),
    "floats": lambda good, state: [0.0],
    "mask": lambda good, state: np.ones(state.n_ready, bool),
}


def _dispatches(*rows):
    """An `assign` that appends rows; a function stands for what depends on the state."""

    def answer(good, state, dispatches):
        for row in rows:
            dispatches.append(*(one(state) if callable(one) else one for one in row))

    return answer


def _spoil(good, state, dispatches):
    """Write to every array of the view."""
    for name in ("task", "frame", "layer", "deadline_ns", "free_tiles", "latency_ns", "subnet"):
        getattr(state, name)[...] = -1
        getattr(state.running, name, state.task)[...] = 2**40
    dispatches.append(0, 0)


def _n_accelerators(state):
    return state.problem.n_accelerators


def _last_busy(state):
    running = state.running.accelerator
    return int(running[-1]) if len(running) else 0


def _unable(state):
    return int(np.argmax(np.isinf(state.latency_ns[0])))


ASSIGNMENTS = {
    "same job twice": _dispatches((0, 0), (0, 0)),
    "row n": _dispatches((lambda state: state.n_ready, 0)),
    "row -1": _dispatches((-1, 0)),
    "row 2^40": _dispatches((2**40, 0)),
    "accelerator n": _dispatches((0, _n_accelerators)),
    "accelerator -1": _dispatches((0, -1)),
    "busy": _dispatches((0, _last_busy, 1), (0, _last_busy, 1)),
    "all tiles": _dispatches((0, _last_busy, lambda state: int(state.free_tiles[_last_busy(state)]) + 1)),
    "cannot run": _dispatches((0, _unable)),
    "tiles 0": _dispatches((0, 0, 0)),
    "tiles -1": _dispatches((0, 0, -1)),
    "tiles 2^31 - 1": _dispatches((0, 0, 2**31 - 1)),
    "tiles 2^31": _dispatches((0, 0, 2**31)),
    "layers 0": _dispatches((0, 0, 1, 0)),
    "layers -1": _dispatches((0, 0, 1, -1)),
    "layers 2^31 - 1": _dispatches((0, 0, 1, 2**31 - 1)),
    "text": _dispatches(("0", 0)),
    "float": _dispatches((0.5, 0)),
    "nothing": lambda good, state, dispatches: None,
    "many": lambda good, state, dispatches: [dispatches.append(0, 0) for _ in range(1000)] and None,
    "answers": lambda good, state, dispatches: 1,
    "spoils the view": _spoil,
    **{name: (lambda good, state, dispatches, one=one: one(good, state)) for name, one in RAISED.items()},
}


def _written(value):
    def answer(good, window, parameters):
        parameters[:] = value

    return answer


TUNINGS = {
    **{str(one): _written(one) for one in (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0)},
    "text": _written("text"),
    "reshapes": lambda good, window, parameters: setattr(parameters, "shape", (1, -1)),
    "resizes": lambda good, window, parameters: parameters.resize(100, refcheck=False),
    "retypes": lambda good, window, parameters: setattr(parameters, "dtype", np.dtype("S8")),
    "as objects": lambda good, window, parameters: setattr(parameters, "dtype", np.dtype("V8")),
    "spoils the window": lambda good, window, parameters: setattr(window, "end_ns", None),
    **{name: (lambda good, window, parameters, one=one: one(good, window)) for name, one in RAISED.items()},
}
HOOKS = {**RAISED, "answers": lambda good, state: 1}
PARAMETERS = {
    "None": None,
    "a list": [0.5],
    "empty": np.empty(0),
    "2-d": np.ones((1, 1)),
    "float32": np.ones(1, np.float32),
    "strided": np.ones(4)[::2],
    "swapped": np.ones(1, ">f8"),
    "read-only": np.frombuffer(np.ones(1).tobytes()),
    "nan": np.array([np.nan]),
}
STARTS = {"None": lambda role: None, "an object": lambda role: object(), "its class": type, "itself": lambda role: role, "text": str}
ATTRIBUTES = {str(one): one for one in (0, -1, 1, 2, 64, 65, 2**31, 2**40, 2**64, 1.5, float("nan"), "x", None, True)}

METHODS = {
    "score": (roles.HashedPairs, "mapper", ANYTHING | NUMBERS | ARRAYS),
    "score per job": (roles.HashedJobs, "mapper", ANYTHING | NUMBERS | ARRAYS),
    "key": (roles.HashedKeys, "mapper", ANYTHING | NUMBERS),
    "tiles": (roles.HashedPairs, "mapper", ANYTHING | NUMBERS),
    "block": (roles.HashedPairs, "mapper", ANYTHING | NUMBERS),
    "tiles by key": (roles.HashedKeys, "mapper", ANYTHING | NUMBERS),
    "assign": (roles.HashedAssign, "mapper", ASSIGNMENTS),
    "on_release": (roles.HashedKeys, "mapper", HOOKS),
    "on_dispatch": (roles.HashedJobs, "mapper", HOOKS),
    "on_layer_end": (roles.HashedPairs, "mapper", HOOKS),
    "on_job_end": (roles.HashedKeys, "mapper", HOOKS),
    "drop": (roles.HashedDropper, "dropper", ANYTHING | NUMBERS | ARRAYS | ROWS),
    "select": (roles.HashedSelector, "selector", ANYTHING | NUMBERS),
    "regulate": (roles.HashedRegulator, "regulator", ANYTHING | NUMBERS | ARRAYS),
    "tune": (roles.HashedTuner, "tuner", TUNINGS),
    "start": (roles.HashedPairs, "mapper", STARTS),
    "start dropper": (roles.HashedDropper, "dropper", STARTS),
    "start regulator": (roles.HashedRegulator, "regulator", STARTS),
    "start selector": (roles.HashedSelector, "selector", STARTS),
    "start tuner": (roles.HashedTuner, "tuner", STARTS),
    "parameters": (roles.HashedParameters, "mapper", PARAMETERS),
    "estimate_tiles": (roles.HashedPairs, "mapper", ATTRIBUTES),
    "is_rescored": (roles.HashedJobs, "mapper", ATTRIBUTES),
    "waits": (roles.HashedKeys, "mapper", ATTRIBUTES),
    "window_ns": (roles.HashedTuner, "tuner", ATTRIBUTES),
}


def wrong(method, answer, first_call, salt):
    """A role that does what `method` must not do, from its call number `first_call` on; and its place in a policy.

    Parameters
    ----------
    method : str
        A key of `METHODS`.
    answer : str
        A key of its answers.
    first_call, salt : int
    """
    base, place, answers = METHODS[method]
    name, bad = method.split()[0], answers[answer]
    given = (salt, 500) if place == "tuner" else (salt,)
    if name == "start":
        return place, type("Wrong", (base,), {"start": lambda self, problem: bad(self)})(*given)
    if name in ("estimate_tiles", "is_rescored", "waits", "parameters"):

        def init(self, salt):
            base.__init__(self, salt)
            setattr(self, name, bad)

        return place, type("Wrong", (base,), {"__init__": init})(*given)
    if name == "window_ns":
        return place, base(salt, bad)
    return place, _late(base, name, bad, first_call)(*given)


def _late(base, name, bad, first_call):
    """A class like `base` whose `name` turns bad in the run that `start` begins."""

    def start(self, problem):
        made = type(self)(*self.given)
        made.n_calls = 0
        return made

    def init(self, *given):
        base.__init__(self, *given)
        self.given = given

    def method(self, *arguments):
        good = getattr(super(made, self), name)
        state = arguments[0]
        self.n_calls += 1
        if self.n_calls <= first_call:
            return good(*arguments)
        if name == "assign":
            return bad(None, *arguments)
        if name == "tune":
            return bad(None, *arguments)
        return bad(good(*arguments) if name in ("score", "regulate") else None, state)

    made = type("Wrong", (base,), {"__init__": init, "start": start, name: method})
    return made


def policy_of(choices, salt):
    """A policy of decent roles, but for those that `choices` names: (method, answer, first_call) each."""
    places = {"mapper": roles.HashedPairs(salt)}
    for method, answer, first_call in choices:
        place, role = wrong(method, answer, first_call, salt)
        places[place] = role
    if "tuner" in places and not any(method == "parameters" for method, _, _ in choices):
        places["mapper"] = roles.HashedParameters(salt)
    return Policy(**places)
