"""What layers cost on tiles of a systolic array with software-managed memories (Gemmini): records.

Counts are elements, rows and cycles, kept in double where they are sums. A row is 16 bytes of the scratchpad or 16
accumulators; a block is 16 channels, or 16 rows of a matrix.
"""

from libc.stdint cimport int8_t, int64_t

from rtsched._core.cost cimport Layer


cdef enum:
    DIM = 16  # rows and columns of the array; bytes of a memory beat
    LEAST_CHUNK = 4  # cycles of the shortest pass of rows through the array
    FUSED_CHANNEL_BLOCKS = 4  # output channels of one tile, in blocks, before its pixels are chosen
    LEVELS = 5  # loops around a block of work
    ACCUMULATED = 0b11000  # bits of the last two loops
    SHOWN = 4  # iterations of a loop that can differ: first, one in the middle, last but one, last


cdef struct Machine:
    # One tile, and what is known of its speed (rtsched.cost.systolic.SystolicCost has the meanings).
    int64_t scratchpad_rows  # the half that one buffer has
    int64_t accumulator_rows  # the half that one buffer has
    int64_t l2_bytes
    double load_bytes_per_cycle
    double unaligned_beat_cycles
    double store_row_cycles
    double switch_stall
    double pool_read_cycles
    double stream_beat_cycles
    double stream_start_cycles
    double layer_start_cycles


cdef struct Work:
    # What one tile does for a layer, `parts` times one after the other: a product of matrices (rows x depth) (depth x k)
    # when is_matmul, otherwise a convolution of one image without groups.
    bint is_matmul
    int64_t parts
    int64_t k
    int64_t c  # depth of a matmul
    int64_t rows  # of a matmul; else rows that are written, after pooling
    int64_t columns  # that are written, after pooling; 1 for a matmul
    int64_t conv_rows  # before pooling
    int64_t conv_columns
    int64_t y
    int64_t x
    int64_t r
    int64_t s
    int64_t stride_y
    int64_t stride_x
    int64_t pool_r
    int64_t pool_s
    int64_t pool_stride_y
    int64_t pool_stride_x
    int64_t copies  # of a pixel, side by side with those of its neighbours, in a row of the scratchpad


cdef struct Cut:
    # A dimension in `n` pieces of `size`, of which the last may be smaller.
    int64_t n
    int64_t size
    int64_t last


cdef struct Tiling:
    # Loops from the outermost. Matmul: rows, columns, -, -, depth. Convolution: output channels, rows, columns, parts of
    # the kernel, input channels. The last two accumulate.
    Cut cuts[LEVELS]
    int64_t kernel_rows
    int64_t kernel_columns


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


cdef Tiling tile_matmul(const Work *work, const Machine *machine) noexcept nogil
cdef Tiling tile_conv(const Work *work, const Machine *machine) noexcept nogil
cdef Cost pipelined(const Work *work, const Machine *machine) noexcept nogil


cdef class Tiles:
    cdef Machine machine
    cdef void estimate_layer(
        self, const Layer *layer, double[:] cycles, double[:] accesses, int64_t[:, :] traffic, int8_t[:] limit
    ) noexcept nogil
