"""Work of one tile of a systolic array cut into blocks that fit half of its memories: records.

Counts are elements and rows. A row is 16 bytes of the scratchpad or 16 accumulators; a block is 16 channels, or 16 rows of a matrix.
"""

from libc.stdint cimport int64_t


cdef enum:
    DIM = 16  # rows and columns of the array; bytes of a memory beat
    FUSED_CHANNEL_BLOCKS = 4  # output channels of one tile, in blocks, before its pixels are chosen
    LEVELS = 5  # loops around a block of work
    ACCUMULATED = 0b11000  # bits of the last two loops


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


cdef inline int64_t ceil_div(int64_t total, int64_t part) noexcept nogil:
    return (total - 1) // part + 1


cdef inline int64_t window(int64_t outputs, int64_t stride, int64_t kernel) noexcept nogil:
    # Inputs along one axis from the first to the last under neighbouring windows. Those between windows are loaded too.
    return (outputs - 1) * stride + kernel


cdef Tiling tile_matmul(const Work *work, const Machine *machine) noexcept nogil
cdef Tiling tile_conv(const Work *work, const Machine *machine) noexcept nogil
