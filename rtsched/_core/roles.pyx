"""Native roles: the base classes, whose methods do nothing, and the lists that roles answer with."""

from libc.stdint cimport int64_t
from libc.stdlib cimport realloc

from rtsched._core.state cimport State


class ContractError(Exception):
    """A policy broke its contract; the message names the role, the job and what was expected."""


cdef int no_memory(int n) except -1 nogil:
    with gil:
        raise MemoryError(f"no memory for {n} answers of a role")


cdef int add_dispatch(DispatchList *d, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil:
    cdef void *items
    if d.n == d.capacity:
        items = realloc(d.items, (2 * d.capacity + 16) * sizeof(Dispatch))
        if items == NULL:
            return no_memory(d.n)
        d.items = <Dispatch *>items
        d.capacity = 2 * d.capacity + 16
    d.items[d.n] = Dispatch(slot, accelerator, n_tiles, n_layers)
    d.n += 1
    return 0


cdef int add_row(RowList *r, int slot) except -1 nogil:
    cdef void *slots
    if r.n == r.capacity:
        slots = realloc(r.slots, (2 * r.capacity + 16) * sizeof(int))
        if slots == NULL:
            return no_memory(r.n)
        r.slots = <int *>slots
        r.capacity = 2 * r.capacity + 16
    r.slots[r.n] = slot
    r.n += 1
    return 0


cdef class NativeRole:
    """Base of the native roles. One with parameters shows them in its representation, which is part of a run's provenance."""

    def __repr__(self):
        return f"{type(self).__module__}.{type(self).__qualname__}()"

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


cdef class NativeTuner(NativeRole):
    """Base of native tuners: changes nothing."""

    def __cinit__(self, *args, **kwargs):
        self.window_ns = 1_000_000_000

    def __repr__(self):
        return f"{type(self).__module__}.{type(self).__qualname__}(window_ns={self.window_ns})"

    cdef int tune(self, const WindowSums *window, double *parameters, int n_parameters) except -1 nogil:
        return 0
