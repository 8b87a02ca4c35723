"""Native roles: the base classes, whose methods do nothing, their settings, and the lists that roles answer with."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport realloc

from rtsched._core.state cimport State

from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real


class ContractError(Exception):
    """A policy broke its contract; the message names the role, the job and what was expected."""


cdef int no_memory(int n) except -1 nogil:
    with gil:
        raise MemoryError(f"no memory for {n} answers of a role")


cdef int add_dispatch(DispatchList *d, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil:
    cdef int n = 2 * d.capacity + 16
    cdef void *items
    if d.n == d.capacity:
        items = realloc(d.items, n * sizeof(Dispatch))
        if items == NULL:
            return no_memory(n)
        d.items = <Dispatch *>items
        d.capacity = n
    d.items[d.n] = Dispatch(slot, accelerator, n_tiles, n_layers)
    d.n += 1
    return 0


cdef int add_row(RowList *r, int slot) except -1 nogil:
    cdef int n = 2 * r.capacity + 16
    cdef void *slots
    if r.n == r.capacity:
        slots = realloc(r.slots, n * sizeof(int))
        if slots == NULL:
            return no_memory(n)
        r.slots = <int *>slots
        r.capacity = n
    r.slots[r.n] = slot
    r.n += 1
    return 0


@dataclass(frozen=True)
class Setting:
    """A setting that a role declares: a keyword argument of its class, and an attribute of its objects.

    Parameters
    ----------
    name : str
    default : bool, int, float, str, tuple or None
        Its type is the type of every value: a tuple takes lists whose entries are like its first; None takes anything.
    meaning : str
        What it does, in one line.
    unit : str
    low, high : float, optional
        Least and largest value (of every entry, for a list). A float must be finite unless a bound is infinite.
    choices : tuple, optional
        The only values (entries, for a list).

    Raises
    ------
    ValueError
        The default is no value of the setting, or a name is no Python name.
    """

    name: str
    default: object
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple | None = None

    def __post_init__(self):
        if not (isinstance(self.name, str) and self.name.isidentifier()):
            raise ValueError(f"the name of a setting must be a Python name, got {self.name!r}")
        if self.choices is not None:
            object.__setattr__(self, "choices", tuple(self.choices))
        try:
            if isinstance(self.default, list):
                object.__setattr__(self, "default", tuple(self.default))
            object.__setattr__(self, "default", self.convert(self.default))
        except ValueError as error:
            raise ValueError(f"setting {self.name!r}: its default {error}") from None

    def convert(self, value):
        """Return a value as the role gets it: lists as tuples, whole numbers as int where the default is one.

        Raises
        ------
        ValueError
            It is of another type, out of range or none of the choices; the message says what it must be.
        """
        if self.default is None and value is None:
            return None
        if isinstance(self.default, tuple) or (self.default is None and isinstance(value, (list, tuple))):
            if not isinstance(value, (list, tuple)):
                raise ValueError(f"must be a list, got {value!r:.80}")
            return tuple([self._entry(one, self.default[0] if self.default else None) for one in value])
        return self._entry(value, self.default)

    def _entry(self, value, like):
        value = _typed(value, like, is_number=self.low is not None or self.high is not None)
        if isinstance(value, float) and not isfinite(value) and value not in (self.low, self.high):
            raise ValueError(f"must be a finite number, got {value!r}")
        if self.low is not None and value < self.low:
            raise ValueError(f"must be at least {self.low!r}, got {value!r}")
        if self.high is not None and value > self.high:
            raise ValueError(f"must be at most {self.high!r}, got {value!r}")
        if self.choices is not None and value not in self.choices:
            raise ValueError(f"must be one of {', '.join(map(str, self.choices))}, got {value!r:.80}")
        return value


def _typed(value, like, is_number):
    """A value of the type of `like`; where that is None, a number if it has to be, else anything."""
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    if isinstance(like, bool):
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, got {value!r:.80}")
    elif isinstance(like, Integral):
        if not is_real or not isfinite(value) or value != int(value):
            raise ValueError(f"must be a whole number, got {value!r:.80}")
        return int(value)
    elif isinstance(like, Real) or is_number:
        if not is_real:
            raise ValueError(f"must be a number, got {value!r:.80}")
        return int(value) if like is None and isinstance(value, Integral) else float(value)
    elif isinstance(like, str) and not isinstance(value, str):
        raise ValueError(f"must be text, got {value!r:.80}")
    return value


def take_settings(role_class, given):
    """Check the keyword arguments of a role's class against the settings that it declares.

    Returns
    -------
    values : dict
        A value for each setting, in the order of their declaration; the default where none is given or it is at fault.
    faults : list of str
    """
    settings = {one.name: one for one in role_class.settings}
    known = f"settings: {', '.join(settings)}" if settings else "it has no settings"
    faults = [f"{role_class.__name__}: unknown setting {name!r}; {known}" for name in given if name not in settings]
    values = {}
    for name, setting in settings.items():
        values[name] = setting.default
        try:
            if name in given:
                values[name] = setting.convert(given[name])
        except ValueError as error:
            faults.append(f"{role_class.__name__}: {name} {error}")
    return values, faults


cdef class NativeRole:
    """Base of the native roles. One with settings declares them in `settings` and takes them in its `__init__`.

    **Contract.** Each setting is a keyword argument of the class and a readable attribute of its objects. Together they
    are the role's configuration: they stand in its representation, which is part of a run's provenance.
    """

    settings = ()

    def __init__(self, **given):
        self.take(given)

    def __repr__(self):
        values = ", ".join([f"{one.name}={getattr(self, one.name)!r}" for one in self.settings])
        return f"{type(self).__module__}.{type(self).__qualname__}({values})"

    def take(self, given):
        """Return the values of all settings by name, those in `given` checked, the others as declared.

        Raises
        ------
        ValueError
            With a line for each value that is at fault, and each name that is no setting.
        """
        values, faults = take_settings(type(self), given)
        if faults:
            raise ValueError("\n".join(faults))
        return values

    cpdef object start(self, object problem):
        """Return the object that one run talks to; the role itself unless something changes during a run."""
        return self


cdef class NativeMapper(NativeRole):
    """Base of native mappers: one tile, one layer, no notes."""

    def __cinit__(self, *args, **kwargs):
        self.form = FORM_SCORE
        self.estimate_tiles = 1

    cdef int key(self, const State *s, int slot, int64_t *key) except -1 nogil:
        key[0] = 0
        return 0

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        cdef int row
        for row in range(s.n_ready):
            out[row] = 0.0
        return 0

    cdef int assign(self, const State *s, DispatchList *dispatches) except -1 nogil:
        return 0

    cdef int tiles(self, const State *s, int slot, int accelerator) except -1 nogil:
        return 1

    cdef int block(self, const State *s, int slot, int accelerator) except -1 nogil:
        return 1

    cdef int on_release(self, const State *s, int slot) except -1 nogil:
        return 0

    cdef int on_dispatch(self, const State *s, int slot) except -1 nogil:
        return 0

    cdef int on_layer_end(self, const State *s, int slot) except -1 nogil:
        return 0

    cdef int on_job_end(self, const State *s, int slot, int status) except -1 nogil:
        return 0

    cpdef object parameter_vector(self):
        """Return the float64 vector that a tuner may change, or None."""
        return None


cdef class NativeDropper(NativeRole):
    """Base of native droppers: drops nothing."""

    cdef int drop(self, const State *s, RowList *rows) except -1 nogil:
        return 0


cdef class NativeSelector(NativeRole):
    """Base of native selectors: the largest subnet."""

    cdef int select(self, const State *s, int slot) except -1 nogil:
        return 0


cdef class NativeRegulator(NativeRole):
    """Base of native regulators: no caps."""

    cdef int regulate(self, const State *s, double *caps) except -1 nogil:
        return 0

    cdef void counter(self, const State *s, int place, int32_t *window, int32_t *threshold) noexcept nogil:
        window[0] = threshold[0] = 0


cdef class NativeTuner(NativeRole):
    """Base of native tuners: changes nothing."""

    def __cinit__(self, *args, **kwargs):
        self.window_ns = 1_000_000_000

    def __repr__(self):
        names = dict.fromkeys(["window_ns", *[one.name for one in self.settings]])
        values = ", ".join([f"{name}={getattr(self, name)!r}" for name in names])
        return f"{type(self).__module__}.{type(self).__qualname__}({values})"

    cdef int tune(self, const WindowSums *window, double *parameters, int n_parameters) except -1 nogil:
        return 0
