"""Bridges from the native contracts to Python roles; each call takes the GIL, hands over the view and checks the answer."""

from libc.stdint cimport INT64_MIN, int64_t

from rtsched._core.roles cimport (
    FORM_ASSIGN,
    FORM_KEY,
    FORM_SCORE,
    NOTE_DISPATCH,
    NOTE_JOB_END,
    NOTE_LAYER_END,
    NOTE_RELEASE,
    DispatchList,
    RowList,
    WindowSums,
    add_row,
)
from rtsched._core.types cimport Job
from rtsched._core.view cimport Dispatches, StateView, make_view

from operator import index

import numpy as np

from rtsched._core.roles import ContractError

FLOAT64, INT64 = np.dtype(np.float64), np.dtype(np.int64)


def _overrides(role, name):
    """Whether a Python role has its own `name`: neither missing nor inherited from the contract's base class."""
    method = getattr(type(role), name, None)
    if method is None:
        return False
    owner = next(one for one in type(role).__mro__ if name in vars(one))
    return not vars(owner).get("is_contract", False)


def _name(role):
    return type(role).__name__


def _check_started(place, role, *names):
    """What `start` returned must be an object that has what the engine asks for."""
    if isinstance(role, type) or not all(hasattr(role, name) for name in names):
        raise ContractError(f"the {place}'s start must return an object with {', '.join(names)}, got {role!r:.80}")


cdef int64_t _integer(role, str method, answer, int64_t least) except? -1:
    """An answer that must be an integer of at least `least`; numpy's count, floats and truth values do not."""
    try:
        value = index(answer) if not isinstance(answer, (bool, np.bool_)) else None
    except TypeError:
        value = None
    if value is None or not least <= value < 2**63:
        raise ContractError(f"{_name(role)}.{method} must answer an integer of at least {least}, got {answer!r}")
    return value


cdef int _count(role, str method, answer) except -1:
    """A number of tiles or layers: at least 1; what is more than any model or accelerator has is cut to int32."""
    return <int>min(_integer(role, method, answer, 1), 2**31 - 1)


def _array(role, method, answer, dtype):
    """An answer as an array of `dtype`, which must be able to hold it."""
    try:
        array = np.asarray(answer)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"dtype {array.dtype}")
        with np.errstate(over="ignore"):  # what is too large becomes inf, which is judged like any other
            return array.astype(dtype)
    except (TypeError, ValueError) as error:
        raise ContractError(f"{_name(role)}.{method} must answer an array of numbers, got {answer!r:.80}") from error


def _row_numbers(role, answer):
    """A dropper's answer as a list of integers."""
    try:
        rows = np.asarray(answer)
    except ValueError as error:  # lists of different lengths
        raise ContractError(f"{_name(role)}.drop must answer row numbers, got {answer!r:.80}") from error
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ContractError(
            f"{_name(role)}.drop must answer row numbers, such as np.flatnonzero(mask), got {rows.dtype} of shape {rows.shape}"
        )
    return rows.tolist()


cdef class PythonMapper(NativeMapper):
    cdef object role, parameters
    cdef object call_score, call_key, call_assign, call_tiles, call_block
    cdef StateView view
    cdef Dispatches dispatches
    cdef const State *s

    def __repr__(self):
        return repr(self.role)

    def __init__(self, role):
        _check_started("mapper", role, "tiles", "block", "is_rescored", "waits", "estimate_tiles")
        forms = [name for name in ("score", "key", "assign") if _overrides(role, name)]
        if len(forms) != 1:
            has = ", ".join(forms) or "none"
            raise ContractError(f"mapper {_name(role)} must define exactly one of score, key and assign; it has {has}")
        self.role = role
        self.form = {"score": FORM_SCORE, "key": FORM_KEY, "assign": FORM_ASSIGN}[forms[0]]
        self.call_score, self.call_key, self.call_assign = (getattr(role, name, None) for name in ("score", "key", "assign"))
        self.call_tiles, self.call_block = role.tiles, role.block
        self.is_rescored, self.waits = role.is_rescored, role.waits
        self.estimate_tiles = _count(role, "estimate_tiles", role.estimate_tiles)
        self.has_tiles, self.has_block = _overrides(role, "tiles"), _overrides(role, "block")
        hooks = {"release": NOTE_RELEASE, "dispatch": NOTE_DISPATCH, "layer_end": NOTE_LAYER_END, "job_end": NOTE_JOB_END}
        for name, bit in hooks.items():
            if _overrides(role, f"on_{name}"):
                self.notes |= <int>bit

    cpdef object parameter_vector(self):
        return self.role.parameters

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        with gil:
            key[0] = _integer(self.role, "key", self.call_key(self.view, s.jobs[slot].ready_row), INT64_MIN)
        return 0

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        with gil:
            return self.take_scores(s, out, is_pairs, self.call_score(self.view))

    cdef int take_scores(self, const State *s, double *out, bint *is_pairs, answer) except -1:
        # What most answer, a score per job in float64 or int64, needs no other array.
        cdef Py_ssize_t i
        cdef const double[:] reals
        cdef const int64_t[:] integers
        if type(answer) is np.ndarray and answer.ndim == 1:
            if answer.dtype is FLOAT64:
                reals = answer
                if reals.shape[0] == s.n_ready:
                    for i in range(s.n_ready):
                        out[i] = reals[i]
                    return 0
            elif answer.dtype is INT64:
                integers = answer
                if integers.shape[0] == s.n_ready:
                    for i in range(s.n_ready):
                        out[i] = <double>integers[i]
                    return 0
        return self.copy_scores(s, out, is_pairs, _array(self.role, "score", answer, np.float64))

    cdef int copy_scores(self, const State *s, double *out, bint *is_pairs, scores) except -1:
        cdef Py_ssize_t i
        cdef const double[::1] flat
        if scores.ndim == 2 and scores.shape[0] == s.n_ready and scores.shape[1] == s.t.n_accelerators:
            is_pairs[0] = True
        elif not (scores.ndim == 1 and scores.shape[0] == s.n_ready):
            raise ContractError(
                f"{_name(self.role)}.score must answer shape ({s.n_ready},) or ({s.n_ready}, {s.t.n_accelerators}), got {scores.shape}"
            )
        flat = scores if scores.ndim == 1 and scores.flags.c_contiguous else np.ascontiguousarray(scores).reshape(-1)
        for i in range(flat.shape[0]):
            out[i] = flat[i]
        return 0

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        with gil:
            self.dispatches.target = dispatches
            try:
                answer = self.call_assign(self.view, self.dispatches)
            finally:
                self.dispatches.target = NULL
            if answer is not None:
                raise ContractError(f"{_name(self.role)}.assign appends to `dispatches` and returns nothing, got {answer!r:.80}")
        return 0

    cdef int tiles(self, const State *s, int slot, int accelerator) except -1 nogil:
        with gil:
            return _count(self.role, "tiles", self.call_tiles(self.view, s.jobs[slot].ready_row, accelerator))

    cdef int block(self, const State *s, int slot, int accelerator) except -1 nogil:
        with gil:
            return _count(self.role, "block", self.call_block(self.view, s.jobs[slot].ready_row, accelerator))

    cdef int on_release(self, const State *s, int slot) except -1 nogil:
        with gil:
            self.role.on_release(self.view, s.jobs[slot].task, s.jobs[slot].frame)
        return 0

    cdef int on_dispatch(self, const State *s, int slot) except -1 nogil:
        cdef const Job *job = &s.jobs[slot]
        with gil:
            self.role.on_dispatch(self.view, job.task, job.frame, job.accelerator, job.n_tiles)
        return 0

    cdef int on_layer_end(self, const State *s, int slot) except -1 nogil:
        with gil:
            self.role.on_layer_end(self.view, s.jobs[slot].task, s.jobs[slot].frame)
        return 0

    cdef int on_job_end(self, const State *s, int slot, int status) except -1 nogil:
        with gil:
            self.role.on_job_end(self.view, s.jobs[slot].task, s.jobs[slot].frame, status)
        return 0


cdef class PythonDropper(NativeDropper):
    cdef object role
    cdef StateView view

    cdef int drop(self, const State *s, RowList *rows) except -1 nogil:
        with gil:
            for row in _row_numbers(self.role, self.role.drop(self.view)):
                if not 0 <= row < s.n_ready:
                    raise ContractError(f"{_name(self.role)}.drop answered row {row}; there are {s.n_ready} ready jobs")
                add_row(rows, s.ready[<int>row])
        return 0


cdef class PythonSelector(NativeSelector):
    cdef object role
    cdef StateView view

    cdef int select(self, const State *s, int slot) except -1 nogil:
        with gil:
            return <int>min(_integer(self.role, "select", self.role.select(self.view, s.jobs[slot].ready_row), 0), 2**31 - 1)


cdef class PythonRegulator(NativeRegulator):
    cdef object role
    cdef StateView view

    cdef int regulate(self, const State *s, double *caps) except -1 nogil:
        cdef int i
        cdef const double[::1] answer
        with gil:
            given = np.ascontiguousarray(_array(self.role, "regulate", self.role.regulate(self.view), np.float64))
            if given.shape != (s.memory.n_running,):
                raise ContractError(f"{_name(self.role)}.regulate must answer shape ({s.memory.n_running},), got {given.shape}")
            answer = given
            for i in range(s.memory.n_running):
                caps[i] = answer[i]
        return 0


class Window:
    """What happened in a tuning window.

    Attributes
    ----------
    start_ns, end_ns : int
    n_ended, n_violated : ndarray of int64, shape (n_tasks,)
        Jobs that ended in the window, suppressed ones included, and those of them that were late, dropped or suppressed.
    energy_j, worst_energy_j : ndarray of float64, shape (n_tasks,)
        Energy of the ended jobs, and of their layers each on its most energy-hungry option.
    """

    __slots__ = ("end_ns", "energy_j", "n_ended", "n_violated", "start_ns", "worst_energy_j")


cdef class PythonTuner(NativeTuner):
    cdef object role

    def __init__(self, role):
        _check_started("tuner", role, "tune", "window_ns")
        self.role = role
        self.window_ns = _integer(role, "window_ns", role.window_ns, 1)

    cdef int tune(self, const WindowSums *w, double *parameters, int n_parameters) except -1 nogil:
        cdef int i
        with gil:
            window = Window()
            window.start_ns, window.end_ns = w.start_ns, w.end_ns
            window.n_ended = np.array([w.n_ended[i] for i in range(w.n_tasks)], dtype=np.int64)
            window.n_violated = np.array([w.n_violated[i] for i in range(w.n_tasks)], dtype=np.int64)
            window.energy_j = np.array([w.energy_j[i] for i in range(w.n_tasks)])
            window.worst_energy_j = np.array([w.worst_energy_j[i] for i in range(w.n_tasks)])
            vector = np.array([parameters[i] for i in range(n_parameters)])
            self.role.tune(window, vector)
            if vector.shape != (n_parameters,) or vector.dtype is not FLOAT64 or not np.isfinite(vector).all():
                raise ContractError(f"{_name(self.role)}.tune must leave {n_parameters} finite parameters, got {vector!r:.80}")
            for i in range(n_parameters):
                parameters[i] = vector[i]
        return 0


cdef NativeMapper bridge_mapper(object role, const State *s, object owner, object problem):
    cdef PythonMapper bridge
    if isinstance(role, NativeMapper):
        return role
    bridge = PythonMapper(role)
    bridge.view = make_view(s, owner, problem, bridge.estimate_tiles)
    bridge.dispatches = Dispatches.__new__(Dispatches)
    bridge.dispatches.s = s
    return bridge


cdef NativeDropper bridge_dropper(object role, const State *s, object owner, object problem, int estimate_tiles):
    cdef PythonDropper bridge
    if role is None or isinstance(role, NativeDropper):
        return role
    _check_started("dropper", role, "drop")
    bridge = PythonDropper()
    bridge.role, bridge.view = role, make_view(s, owner, problem, estimate_tiles)
    return bridge


cdef NativeSelector bridge_selector(object role, const State *s, object owner, object problem, int estimate_tiles):
    cdef PythonSelector bridge
    if role is None or isinstance(role, NativeSelector):
        return role
    _check_started("selector", role, "select")
    bridge = PythonSelector()
    bridge.role, bridge.view = role, make_view(s, owner, problem, estimate_tiles)
    return bridge


cdef NativeRegulator bridge_regulator(object role, const State *s, object owner, object problem, int estimate_tiles):
    cdef PythonRegulator bridge
    if role is None or isinstance(role, NativeRegulator):
        return role
    _check_started("regulator", role, "regulate")
    bridge = PythonRegulator()
    bridge.role, bridge.view = role, make_view(s, owner, problem, estimate_tiles)
    return bridge


cdef NativeTuner bridge_tuner(object role):
    if role is None or isinstance(role, NativeTuner):
        return role
    return PythonTuner(role)
