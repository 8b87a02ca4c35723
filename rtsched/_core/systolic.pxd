"""What layers cost on tiles of a systolic array with software-managed memories (Gemmini): records.

Counts are elements, rows and cycles, kept in double where they are sums. Rows and blocks are those of `tiling.pxd`.
"""

from libc.stdint cimport int8_t, int64_t

from rtsched._core.cost cimport Layer
from rtsched._core.tiling cimport Machine, Work


cdef enum:
    LEAST_CHUNK = 4  # cycles of the shortest pass of rows through the array
    SHOWN = 4  # iterations of a loop that can differ: first, one in the middle, last but one, last


cdef struct Step:
    # One block of work.
    double load_cycles
    double compute_cycles
    double store_cycles
    double moved_bytes  # between L2 and tile
    double reads  # elements from the scratchpad to the array


cdef struct Phase:
    # The blocks before the one that is loaded.
    double repeats  # how often the one before occurs; 0: there is none
    double compute_cycles
    double store_cycles
    double stored_cycles  # of the one before that


cdef enum Limit:
    # What most cycles of a layer go to: places in rtsched.cost.model.LIMITS.
    LIMIT_COMPUTE
    LIMIT_NOC
    LIMIT_START


cdef struct Cost:
    double cycles
    double load_cycles  # of all blocks; of layers that stream, what goes in and out
    double compute_cycles
    double store_cycles
    double start_cycles
    double l2_bytes
    double accesses  # elements between the scratchpad or the accumulators and the array or L2


cdef Cost pipelined(const Work *work, const Machine *machine) noexcept nogil


cdef class Tiles:
    cdef Machine machine
    cdef void estimate_layer(
        self, const Layer *layer, double[:] cycles, double[:] accesses, int64_t[:, :] traffic, int8_t[:] limit
    ) noexcept nogil
