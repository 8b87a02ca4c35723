"""The event loop of one run."""

from cython cimport final
from libc.stdint cimport int64_t

from rtsched._core.assign cimport Greedy
from rtsched._core.rates cimport Rates
from rtsched._core.record cimport Record
from rtsched._core.releases cimport Release, Releases
from rtsched._core.roles cimport (
    DispatchList,
    NativeDropper,
    NativeMapper,
    NativeRegulator,
    NativeSelector,
    NativeTuner,
    RowList,
)
from rtsched._core.state cimport State, TableOwner


@final
cdef class Engine:
    cdef State s
    cdef Record record
    cdef Rates rates
    cdef Greedy greedy
    cdef Releases releases
    cdef DispatchList dispatches
    cdef RowList rows
    cdef double *caps
    cdef double *parameters
    cdef int n_parameters
    cdef int64_t next_window_ns
    cdef bint is_one_by_one  # static keys, and each dispatch is one layer on one tile
    cdef int next_place  # that finishes first; -1 for none
    cdef bint is_alone  # no other place finishes then
    cdef bint has_changed  # the running set, since the last sharing
    cdef bint is_window_end
    cdef readonly bint is_done
    cdef readonly int64_t end_ns  # of the run; -1 until it is closed
    cdef TableOwner tables
    cdef NativeMapper mapper
    cdef NativeDropper dropper
    cdef NativeSelector selector
    cdef NativeRegulator regulator
    cdef NativeTuner tuner
    cdef object parameter_array

    cdef int step(self, int64_t n_events) except -1 nogil
    cdef int64_t next_time_ns(self) noexcept nogil
    cdef int events(self) except -1 nogil
    cdef int release_next(self) except -1 nogil
    cdef int admit(self, bint has_completed) except -1 nogil
    cdef int decide(self) except -1 nogil
    cdef int drop_jobs(self) except -1 nogil
    cdef int map_jobs(self) except -1 nogil
    cdef int map_by_key(self) except -1 nogil
    cdef int regulate(self) except -1 nogil
    cdef int release(self, const Release *next) except -1 nogil
    cdef int drop_oldest(self, int task) except -1 nogil
    cdef int make_ready(self, int slot) except -1 nogil
    cdef void remove_ready(self, int slot) noexcept nogil
    cdef int dispatch(self, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil
    cdef int begin(self, int slot, int accelerator, int n_tiles, int n_layers) except -1 nogil
    cdef int choose_subnet(self, int slot) except -1 nogil
    cdef int complete(self, int place) except -1 nogil
    cdef int end_job(self, int slot, int status, int64_t finish_ns) except -1 nogil
    cdef int end_window(self) except -1 nogil
    cdef int cut(self) except -1 nogil
