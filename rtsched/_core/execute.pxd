"""The start of a layer: which tiles it takes, how long it will take alone, what it moves and what it costs."""

from libc.stdint cimport int64_t, uint64_t

from rtsched._core.record cimport Record
from rtsched._core.state cimport State
from rtsched._core.types cimport Job


cdef inline bint has_to_fetch(const Job *job, int accelerator) noexcept nogil:
    # Whether the activations of a job's next layer are not on the accelerator; a first layer has none.
    return job.start_ns >= 0 and not (job.is_resident and job.accelerator == accelerator)


# Activations of another job that one would displace from a tile, when switches are not free; slot -1: any job.
cdef int64_t flushed_bytes(const State *s, int slot, int accelerator, int tile) noexcept nogil
# Put the job's next layer into execution on tiles that are taken already; rates are stale until the next rerate.
cdef void start_layer(
    State *s, Record *record, int slot, int accelerator, uint64_t tiles, int n_tiles, int block_end
) noexcept nogil


cdef inline int move_lowest(uint64_t *source, uint64_t *target, uint64_t among, int n) noexcept nogil:
    # Move the n lowest bits of source & among, or all of them, to target; return their number.
    cdef uint64_t bits = source[0] & among
    cdef uint64_t bit
    cdef int moved = 0
    while moved < n and bits:
        bit = bits & (~bits + 1)
        bits ^= bit
        source[0] ^= bit
        target[0] |= bit
        moved += 1
    return moved


cdef inline uint64_t pick_tiles(const State *s, const Job *job, int accelerator, int n_tiles) noexcept nogil:
    # First the tiles that the job held last, then the lowest free ones; so many must be free.
    cdef uint64_t left = s.free_tiles[accelerator]
    cdef uint64_t tiles = 0
    cdef int n_held = 0
    if s.t.accelerator_tiles[accelerator] == 1:
        return 1
    if job.accelerator == accelerator:
        n_held = move_lowest(&left, &tiles, job.tiles, n_tiles)
    move_lowest(&left, &tiles, ~<uint64_t>0, n_tiles - n_held)
    return tiles
