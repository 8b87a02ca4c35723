"""Where the loop nests of layers are placed on spatial arrays: records, array sizes and the best mapping of each dataflow.

Counts are elements and cycles, kept in double: exact up to 2^53, and without overflow beyond.
"""

from libc.stdint cimport int64_t


cdef enum:
    # The arrays. A unit is the part that is repeated along an output axis: 16 x 16 PEs along X (WS), 4 x 16 PEs along Y (OS)
    # or along K (RS).
    WS_CHANNELS = 16  # C axis of a WS unit, and its K axis
    OS_COLUMNS = 4  # X axis of an OS unit
    OS_CHANNELS = 16  # C axis of an OS unit
    RS_ROWS = 4  # R axis of an RS unit
    RS_COLUMNS = 16  # X axis of an RS unit
    RS_CHANNELS = 4  # input channels that an RS PE adds up in one step
    WS_UNIT_PES = WS_CHANNELS * WS_CHANNELS
    OS_UNIT_PES = OS_COLUMNS * OS_CHANNELS
    RS_UNIT_PES = RS_ROWS * RS_COLUMNS
    # Weights that one WS PE holds: half of a register file of 512 elements (Eyeriss has 0.5 kB per PE; assumed here).
    WS_WEIGHTS_PER_PE = 256


cdef struct Nest:
    # A layer as a loop nest: `groups` x `count` times a stride-1-or-more convolution without further structure.
    int64_t groups
    int64_t count
    int64_t weight_sets  # how many of the `count` repetitions have weights of their own
    int64_t batch
    int64_t k  # per group
    int64_t c  # per group
    int64_t yo
    int64_t xo
    int64_t r
    int64_t s
    int64_t stride_y
    int64_t stride_x
    bint is_flat  # outputs along xo have no neighbours: rows of a matrix


cdef struct Spent:
    double compute_cycles  # if the NoC were infinitely fast
    double cycles
    double accesses  # elements between the on-chip buffer and the PEs


# One mapping of a nest: `along` outputs side by side on the axis of the units, for each of `images` images (RS: rows of images).
ctypedef Spent (*Mapping)(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil


cdef inline int64_t ceil_div(int64_t total, int64_t part) noexcept nogil:
    return (total - 1) // part + 1


# Fewest cycles, then fewest accesses, on up to `units` units with `noc` elements per cycle from the buffer to the array.
cdef Spent best_weight_stationary(const Nest *nest, int64_t units, double noc) noexcept nogil
cdef Spent best_output_stationary(const Nest *nest, int64_t units, double noc) noexcept nogil
cdef Spent best_row_stationary(const Nest *nest, int64_t units, double noc) noexcept nogil
