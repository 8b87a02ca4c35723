"""How a compiler cuts the work of one tile into blocks that fit half of its scratchpad and accumulators."""

from libc.stdint cimport int64_t


cdef inline Cut cut(int64_t total, int64_t size) noexcept nogil:
    cdef Cut pieces
    pieces.size = min(size, total)
    pieces.n = ceil_div(total, pieces.size)
    pieces.last = total - (pieces.n - 1) * pieces.size
    return pieces


cdef inline bint matmul_fits(int64_t i, int64_t j, int64_t k, const Machine *machine) noexcept nogil:
    return (i + j) * k * DIM <= machine.scratchpad_rows and i * j * DIM <= machine.accumulator_rows


cdef Tiling tile_matmul(const Work *work, const Machine *machine) noexcept nogil:
    # As Gemmini's library: begin with a square of accumulators and half of the scratchpad, then let columns, rows and
    # depth grow by turns while the block fits.
    cdef int64_t i_most = ceil_div(work.rows, DIM), j_most = ceil_div(work.k, DIM), k_most = ceil_div(work.c, DIM)
    cdef int64_t edge = 1, i, j, k
    cdef bint has_grown = True
    cdef Tiling tiling
    while (edge + 1) * (edge + 1) * DIM <= machine.accumulator_rows:
        edge += 1
    i, j, k = min(i_most, edge), min(j_most, edge), max(1, min(k_most, machine.scratchpad_rows // (2 * DIM * edge)))
    while has_grown:
        has_grown = False
        if j < j_most and matmul_fits(i, j + 1, k, machine):
            j += 1
            has_grown = True
        if i < i_most and matmul_fits(i + 1, j, k, machine):
            i += 1
            has_grown = True
        if k < k_most and matmul_fits(i, j, k + 1, machine):
            k += 1
            has_grown = True
    tiling.cuts[0], tiling.cuts[1] = cut(work.rows, i * DIM), cut(work.k, j * DIM)
    tiling.cuts[2] = tiling.cuts[3] = cut(1, 1)
    tiling.cuts[4] = cut(work.c, k * DIM)
    tiling.kernel_rows = tiling.kernel_columns = 1
    return tiling


cdef inline int64_t accumulators(const Work *work, int64_t rows, int64_t columns) noexcept nogil:
    # Per block of output channels, for written rows and columns.
    return window(rows, work.pool_stride_y, work.pool_r) * window(columns, work.pool_stride_x, work.pool_s)


cdef inline int64_t input_rows(const Work *work, int64_t rows, int64_t columns, const Tiling *tiling) noexcept nogil:
    # Scratchpad rows per block of input channels.
    cdef int64_t y = window(window(rows, work.pool_stride_y, work.pool_r), work.stride_y, tiling.kernel_rows)
    cdef int64_t x = window(window(columns, work.pool_stride_x, work.pool_s), work.stride_x, tiling.kernel_columns)
    return work.copies * y * x


cdef int64_t input_channels(const Work *work, int64_t inputs, int64_t blocks, const Tiling *tiling, const Machine *machine) noexcept nogil:
    # As many as fit with their weights, in blocks; 0 if not even one block (or all of fewer channels) does.
    cdef int64_t weights = blocks * tiling.kernel_rows * tiling.kernel_columns  # rows per input channel
    if inputs * ceil_div(work.c, DIM) + weights * work.c <= machine.scratchpad_rows:
        return work.c
    return machine.scratchpad_rows // (inputs + weights * DIM) * DIM


cdef int64_t output_channels(const Work *work, int64_t blocks) noexcept nogil:
    # Of one tile that may have so many blocks. Where input channels are few, the compiler halves them until they fit.
    cdef int64_t channels = work.k
    if work.c >= DIM:
        return blocks * DIM
    while channels > blocks * DIM:
        channels = ceil_div(channels, 2)
    return channels


cdef Tiling tile_conv(const Work *work, const Machine *machine) noexcept nogil:
    # Pixels first, for up to four blocks of output channels (one where input channels are few): a row of 16 columns, or a
    # square where windows of a pooling overlap at the edges. Then output channels, then input channels; what does not fit
    # shrinks.
    cdef int64_t most = FUSED_CHANNEL_BLOCKS if work.c >= DIM else 1
    cdef int64_t pixels = machine.accumulator_rows // min(most, ceil_div(work.k, DIM))
    cdef int64_t rows = 1, columns = 1, blocks, channels
    cdef Tiling tiling
    tiling.kernel_rows, tiling.kernel_columns = work.r, work.s
    if work.pool_r * work.pool_s == 1 and work.pool_stride_y * work.pool_stride_x == 1:
        columns = min(work.columns, DIM)
        rows = min(work.rows, max(1, pixels // columns))
    else:
        while True:
            if columns < work.columns and columns <= rows and accumulators(work, rows, columns + 1) <= pixels:
                columns += 1
            elif rows < work.rows and accumulators(work, rows + 1, columns) <= pixels:
                rows += 1
            else:
                break
    blocks = max(1, min(ceil_div(work.k, DIM), machine.accumulator_rows // accumulators(work, rows, columns)))
    channels = input_channels(work, input_rows(work, rows, columns, &tiling), blocks, &tiling, machine)
    while blocks > most and channels < min(work.c, blocks * DIM):
        blocks -= 1
        channels = input_channels(work, input_rows(work, rows, columns, &tiling), blocks, &tiling, machine)
    while channels == 0:
        if rows * columns > 1:
            if rows >= columns:
                rows -= 1
            else:
                columns -= 1
        elif blocks > 1:
            blocks -= 1
        elif tiling.kernel_rows > 1:
            tiling.kernel_rows = ceil_div(tiling.kernel_rows, 2)
        elif tiling.kernel_columns > 1:
            tiling.kernel_columns = ceil_div(tiling.kernel_columns, 2)
        else:
            channels = DIM
            break
        channels = input_channels(work, input_rows(work, rows, columns, &tiling), blocks, &tiling, machine)
    tiling.cuts[0] = cut(work.k, output_channels(work, blocks))
    tiling.cuts[1], tiling.cuts[2] = cut(work.rows, rows), cut(work.columns, columns)
    tiling.cuts[3] = cut(ceil_div(work.r, tiling.kernel_rows) * ceil_div(work.s, tiling.kernel_columns), 1)
    tiling.cuts[4] = cut(work.c, channels)
    return tiling
