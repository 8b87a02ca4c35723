"""PREMA: jobs earn tokens while they wait; of those with many tokens the shortest goes first, on all tiles of an accelerator.

Choi and Rhu, "PREMA: A predictive multi-task scheduling algorithm for preemptible neural processing units", HPCA 2020, algorithm 2.
A job of priority class p (1, 3 or 9: the largest one up to its priority, else the smallest) has p * (1 + idle / e0) tokens, with idle
the time since it was last served and e0 the estimated time of the whole job alone. The threshold is the largest class up to the most
tokens that a job has; of the jobs with at least that many the one with the smallest expected remaining time goes first, and those
below come after them in the same way. It preempts at layer boundaries, and a job takes all tiles of an accelerator.

`mode: replay` follows the implementation that was published with Dysta (Fan et al., MICRO 2023): tokens are never reset; p * idle / e0
is added at every decision, with the whole idle time each time; a job that is seen for the first time has p tokens, which do not
count for the threshold; and where nothing counts the threshold is the smallest class.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc

from rtsched._core.roles cimport NOTE_RELEASE, NativeMapper
from rtsched._core.state cimport State, latency_ns, togo, whole_job
from rtsched._core.types cimport Job

import numpy as np

from rtsched.policies.roles import Policy, Setting

MODES = ("auto", "replay")

cdef enum:
    ALL_TILES = 64  # more than any accelerator has count as all
    NOT_SEEN = -1


cdef class MostTokens(NativeMapper):
    """The shortest job among those with many tokens."""

    settings = (
        Setting("mode", "auto", "replay: tokens as in the simulator published with Dysta", choices=MODES),
        Setting("classes", (1.0, 3.0, 9.0), "classes of priorities, which are first tokens and thresholds, ascending", low=0.001, high=1e6),
    )

    cdef readonly str mode
    cdef readonly tuple classes
    cdef const double[::1] levels
    cdef int n_levels
    cdef bint is_replay
    cdef double *tokens  # [slot], in a replay; NOT_SEEN before the job's first decision
    cdef int n_tokens

    def __cinit__(self, *args, **kwargs):
        self.estimate_tiles = ALL_TILES
        self.has_tiles = True

    def __dealloc__(self):
        free(self.tokens)

    def __init__(self, **given):
        values = self.take(given)
        self.mode, self.classes = values["mode"], values["classes"]
        if not self.classes or list(self.classes) != sorted(set(self.classes)):
            raise ValueError(f"MostTokens: classes must ascend and must not be empty, got {list(self.classes)!r:.80}")
        self.levels = np.array(self.classes)
        self.n_levels = len(self.classes)
        self.is_replay = self.mode == "replay"
        self.notes = NOTE_RELEASE if self.is_replay else 0

    cpdef object start(self, object problem):
        return MostTokens(mode=self.mode, classes=self.classes) if self.is_replay else self

    cdef int reserve(self, int n_slots) except -1 nogil:
        cdef void *grown
        cdef int slot
        if n_slots > self.n_tokens:
            grown = realloc(self.tokens, n_slots * sizeof(double))
            if grown == NULL:
                with gil:
                    raise MemoryError(f"no memory for the tokens of {n_slots} jobs")
            self.tokens = <double *>grown
            for slot in range(self.n_tokens, n_slots):
                self.tokens[slot] = NOT_SEEN
            self.n_tokens = n_slots
        return 0

    cdef int on_release(self, const State *s, int slot) except -1 nogil:
        self.reserve(s.n_slots)
        self.tokens[slot] = NOT_SEEN
        return 0

    cdef int level_of(self, double tokens) noexcept nogil:
        # The largest class up to that many; else the smallest.
        cdef int level = self.n_levels - 1
        while level > 0 and self.levels[level] > tokens:
            level -= 1
        return level

    cdef int earn(self, const State *s, int slot, double *tokens) noexcept nogil:
        # What the job has at this decision, and the level that this makes as a threshold.
        cdef const Job *job = &s.jobs[slot]
        cdef double first = self.levels[self.level_of(job.priority)]
        cdef double slowdown = <double>(s.now_ns - job.last_end_ns) / <double>togo(s, s.t.togo_mean_ns, whole_job(s, job), ALL_TILES)
        if not self.is_replay:
            tokens[0] = first * (1.0 + slowdown)
        elif self.tokens[slot] == NOT_SEEN:
            tokens[0] = self.tokens[slot] = first
            return 0
        else:
            self.tokens[slot] += first * slowdown
            tokens[0] = self.tokens[slot]
        return self.level_of(tokens[0])

    cdef int score(self, const State *s, double *out, bint *is_pairs) except -1 nogil:
        # First the tokens, then, with the threshold known, each class behind the one above it, the shortest first.
        cdef int row, level, behind
        cdef int threshold = 0
        cdef int64_t left_ns
        cdef int64_t most_ns = 0
        for row in range(s.n_ready):
            level = self.earn(s, s.ready[row], &out[row])
            threshold = max(threshold, level)
            most_ns = max(most_ns, togo(s, s.t.togo_mean_ns, s.jobs[s.ready[row]].layer, ALL_TILES))
        for row in range(s.n_ready):
            left_ns = togo(s, s.t.togo_mean_ns, s.jobs[s.ready[row]].layer, ALL_TILES)
            behind = max(0, threshold - self.level_of(out[row]))
            out[row] = -(<double>behind * <double>(most_ns + 1) + <double>left_ns)
        return 0

    cdef int tiles(self, const State *s, int slot, int accelerator) except -1 nogil:
        # All; as many as the layer can run on where it cannot run on all.
        cdef int n = s.t.accelerator_tiles[accelerator]
        while n > 1 and latency_ns(s, s.jobs[slot].layer, accelerator, n) == 0:
            n -= 1
        return n


def policy():
    """Return the composition."""
    return Policy(mapper=MostTokens(), name="prema")
