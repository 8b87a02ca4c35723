"""What layers cost on tiles of a systolic array with software-managed memories (Gemmini): cycles and traffic.

A layer becomes the work of one tile (`work_of`, `take_shared`); a compiler's rules cut it into blocks (`tiling.pyx`), which pass
through load, compute and store in lock step (`pipelined`). Layers without multiply-accumulates stream (`streamed`).
"""

from cython cimport final
from libc.math cimport INFINITY, NAN, ceil
from libc.stdint cimport int8_t, int64_t

from rtsched._core.cost cimport (
    KIND_CONV, KIND_MEASURED, KIND_NORM, KIND_POOL, KIND_RECURRENT, KIND_SOFTMAX, NORM_PASSES, SOFTMAX_PASSES, TENSOR_PART, Hardware, Layer,
    Nest, Traffic, dram_traffic, loop_nest,
)
from rtsched._core.tiling cimport ACCUMULATED, DIM, LEVELS, Machine, Tiling, Work, ceil_div, tile_conv, tile_matmul, window

cdef enum:
    N_COLUMNS = sizeof(Layer) // sizeof(int64_t)

cdef double EXACT = 9007199254740992.0  # 2^53: above, doubles skip integers


# ---- From a layer to the work of one tile

cdef Work work_of(const Layer *layer) noexcept nogil:
    cdef Nest nest = loop_nest(layer)
    cdef Work work
    cdef bint is_pooled = layer.pool_r * layer.pool_s > 1 or layer.pool_stride_y * layer.pool_stride_x > 1
    cdef bint is_pointwise = (
        layer.kind == KIND_CONV and nest.r * nest.s * nest.stride_y * nest.stride_x == 1 and nest.groups == 1 and not is_pooled
        and nest.yo == layer.y and nest.xo == layer.x
    )
    work.k, work.c = nest.k, nest.c
    work.y, work.x, work.r, work.s = layer.y, layer.x, nest.r, nest.s
    work.stride_y, work.stride_x = nest.stride_y, nest.stride_x
    work.pool_r, work.pool_s = layer.pool_r, layer.pool_s
    work.pool_stride_y, work.pool_stride_x = layer.pool_stride_y, layer.pool_stride_x
    work.conv_rows, work.conv_columns = nest.yo, nest.xo
    work.is_matmul = layer.kind != KIND_CONV or is_pointwise
    if work.is_matmul:
        work.parts = nest.groups * nest.count * (1 if is_pointwise else nest.batch)
        work.rows, work.columns = nest.yo * nest.xo * (nest.batch if is_pointwise else 1), 1
    else:
        work.parts = nest.groups * nest.batch
        work.rows = layer.po if is_pooled else nest.yo
        work.columns = layer.qo if is_pooled else nest.xo
    work.copies = max(1, min(nest.s, DIM // nest.c))
    return work


# ---- One block

cdef inline double chunk_cycles(int64_t rows, int64_t columns, const Machine *machine) noexcept nogil:
    # `rows` rows of pixels pass through the array, up to 16 columns at a time, with the same weights. The next weights
    # enter during the last pass and need 16 cycles, or more the shorter that pass is.
    cdef int64_t rest = columns % DIM
    cdef int64_t last = rest if rest > 0 else DIM
    cdef int64_t row_cycles = columns // DIM * DIM + (max(rest, LEAST_CHUNK) if rest > 0 else 0)
    return <double>rows * row_cycles - max(last, LEAST_CHUNK) + DIM + machine.switch_stall * (DIM - last)


cdef inline double load_cycles(double rows, int64_t row_bytes, int64_t pitch, const Machine *machine) noexcept nogil:
    # Rows that do not all begin at a beat of memory are fetched one after the other; n bytes touch (n + 15) / 16 beats.
    cdef double each = row_bytes / machine.load_bytes_per_cycle
    if pitch % DIM > 0:
        each = max(each, (row_bytes + DIM - 1.0) / DIM * machine.unaligned_beat_cycles)
    return rows * each


cdef Step matmul_step(const Work *work, int64_t rows, int64_t k, int64_t c, bint is_last, const Machine *machine) noexcept nogil:
    cdef Step step
    cdef double weights = <double>c * k
    step.compute_cycles = <double>ceil_div(k, DIM) * ceil_div(c, DIM) * chunk_cycles(1, rows, machine)
    step.load_cycles = load_cycles(rows, c, work.c, machine) + weights / machine.load_bytes_per_cycle
    step.store_cycles = <double>rows * ceil_div(k, DIM) * machine.store_row_cycles if is_last else 0.0
    step.moved_bytes = <double>rows * c + weights + (<double>rows * k if is_last else 0.0)
    step.reads = <double>ceil_div(k, DIM) * rows * c + weights
    return step


cdef Step conv_step(
    const Work *work, const Tiling *tiling, const int64_t *sizes, bint is_last, const Machine *machine
) noexcept nogil:
    # `sizes`: the block's output channels, rows, columns, one part of the kernel, input channels.
    cdef int64_t k = sizes[0], c = sizes[4], blocks = ceil_div(sizes[0], DIM)
    cdef int64_t rows = min(work.conv_rows, window(sizes[1], work.pool_stride_y, work.pool_r))
    cdef int64_t columns = min(work.conv_columns, window(sizes[2], work.pool_stride_x, work.pool_s))
    cdef double inputs = (
        <double>min(work.y, window(rows, work.stride_y, tiling.kernel_rows))
        * min(work.x, window(columns, work.stride_x, tiling.kernel_columns))
    )
    cdef double taps = tiling.kernel_rows * ceil_div(tiling.kernel_columns, work.copies)
    cdef double weights = <double>k * c * tiling.kernel_rows * tiling.kernel_columns
    cdef double written = <double>sizes[1] * sizes[2] * blocks
    cdef double window_reads = work.pool_r * work.pool_s
    cdef Step step
    step.compute_cycles = blocks * taps * ceil_div(c, DIM) * chunk_cycles(rows, columns, machine)
    step.load_cycles = load_cycles(inputs, c * work.copies, work.c, machine) + weights / machine.load_bytes_per_cycle
    step.store_cycles = 0.0
    step.moved_bytes = inputs * c + weights
    if is_last:
        step.moved_bytes += <double>sizes[1] * sizes[2] * k
        if window_reads > 1:
            # The pooling reads the accumulators, which the array then cannot use.
            step.compute_cycles += written * window_reads * machine.pool_read_cycles
        else:
            step.store_cycles = written * machine.store_row_cycles
    step.reads = blocks * taps * rows * columns * min(c * work.copies, ceil_div(c, DIM) * DIM) + weights
    return step


# ---- All blocks

cdef Step step_at(const Work *work, const Tiling *tiling, int which, const Machine *machine) noexcept nogil:
    # Bit l of `which`: the iteration of loop l is its last one.
    cdef int64_t sizes[LEVELS]
    cdef int level
    cdef bint is_last = (which & ACCUMULATED) == ACCUMULATED
    for level in range(LEVELS):
        sizes[level] = tiling.cuts[level].last if which >> level & 1 else tiling.cuts[level].size
    if work.is_matmul:
        return matmul_step(work, sizes[0], sizes[1], sizes[4], is_last, machine)
    return conv_step(work, tiling, sizes, is_last, machine)


cdef inline int lay_out(int64_t n, int level, int *bits, double *times) noexcept nogil:
    # The iterations of a loop that can differ, and how often each occurs: what happens in an iteration depends on its
    # size and on those before and after it.
    cdef int shown = <int>min(n, SHOWN), i
    for i in range(shown):
        bits[i], times[i] = 0, 1.0
    bits[shown - 1] = 1 << level
    if shown == SHOWN:
        times[1] = n - 3
    return shown


cdef inline void pass_step(const Step *step, double repeats, bint is_serial, Phase *phase, Cost *cost) noexcept nogil:
    # While the step is loaded, the one before is computed and the one before that is stored. Unaligned rows take the memory
    # port request by request, so that loads and stores wait for each other.
    cdef double moving_cycles
    if phase.repeats > 0:
        moving_cycles = step.load_cycles + phase.stored_cycles if is_serial else max(step.load_cycles, phase.stored_cycles)
        cost.cycles += phase.repeats * max(moving_cycles, phase.compute_cycles)
        phase.stored_cycles = phase.store_cycles
    else:
        cost.cycles = step.load_cycles
    cost.load_cycles += repeats * step.load_cycles
    cost.compute_cycles += repeats * step.compute_cycles
    cost.store_cycles += repeats * step.store_cycles
    phase.repeats, phase.compute_cycles, phase.store_cycles = repeats, step.compute_cycles, step.store_cycles
    cost.l2_bytes += repeats * step.moved_bytes
    cost.accesses += repeats * (step.reads + step.moved_bytes)


cdef Cost pipelined(const Work *work, const Machine *machine) noexcept nogil:
    cdef Tiling tiling = tile_matmul(work, machine) if work.is_matmul else tile_conv(work, machine)
    cdef Step steps[1 << LEVELS]
    cdef bint is_known[1 << LEVELS]
    cdef int bits[LEVELS][SHOWN]
    cdef double times[LEVELS][SHOWN]
    cdef int n[LEVELS]
    cdef int level, a, b, c, d, e, which
    cdef double pixels
    cdef Phase phase
    cdef Cost cost
    cost.cycles = cost.load_cycles = cost.compute_cycles = cost.store_cycles = cost.l2_bytes = cost.accesses = 0.0
    phase.repeats = phase.compute_cycles = phase.store_cycles = phase.stored_cycles = 0.0
    for which in range(1 << LEVELS):
        is_known[which] = False
    for level in range(LEVELS):
        n[level] = lay_out(tiling.cuts[level].n, level, bits[level], times[level])
    for a in range(n[0]):
        for b in range(n[1]):
            for c in range(n[2]):
                pixels = times[0][a] * times[1][b] * times[2][c]
                for d in range(n[3]):
                    for e in range(n[4]):
                        which = bits[0][a] | bits[1][b] | bits[2][c] | bits[3][d] | bits[4][e]
                        if not is_known[which]:
                            steps[which], is_known[which] = step_at(work, &tiling, which, machine), True
                        pass_step(&steps[which], pixels * times[3][d] * times[4][e], work.c % DIM > 0, &phase, &cost)
    cost.cycles += max(phase.compute_cycles, phase.stored_cycles) + phase.store_cycles
    cost.cycles = machine.layer_start_cycles + work.parts * cost.cycles
    cost.load_cycles *= work.parts
    cost.compute_cycles *= work.parts
    cost.store_cycles *= work.parts
    cost.start_cycles = machine.layer_start_cycles
    cost.l2_bytes *= work.parts
    cost.accesses *= work.parts
    return cost


# ---- Layers that stream

cdef inline double beats(double elements, int64_t channels) noexcept nogil:
    # 16 bytes each, when rows of `channels` are moved in pieces of 16. n bytes that begin anywhere touch (n + 15) / 16 of them.
    cdef int64_t rest = channels % DIM
    if channels == 1 or rest == 0:
        return ceil(elements / DIM)
    return ceil(elements / channels * (channels // DIM * (2.0 * DIM - 1.0) + rest + DIM - 1.0) / DIM)


cdef Cost streamed(const Layer *layer, int64_t tiles, const Machine *machine) noexcept nogil:
    cdef double passes = NORM_PASSES if layer.kind == KIND_NORM else SOFTMAX_PASSES if layer.kind == KIND_SOFTMAX else 1
    cdef double moved = passes * layer.inputs + layer.weights + layer.outputs
    cdef Cost cost
    cost.start_cycles = machine.layer_start_cycles
    cost.load_cycles, cost.compute_cycles, cost.store_cycles = ceil(beats(moved, layer.c) / tiles) * machine.stream_beat_cycles, 0.0, 0.0
    if layer.kind == KIND_POOL:
        cost.compute_cycles = (
            ceil(<double>layer.outputs / layer.c * ceil_div(layer.c, DIM) / tiles) * layer.r * layer.s * machine.pool_read_cycles
        )
    else:
        cost.start_cycles += machine.stream_start_cycles
    cost.cycles = cost.start_cycles + cost.load_cycles + cost.compute_cycles
    cost.l2_bytes = cost.accesses = moved
    return cost


# ---- Several tiles

cdef inline void take_faster(Cost *best, const Work *work, const Machine *machine, int64_t tiles) noexcept nogil:
    cdef Cost cost = pipelined(work, machine)
    if cost.cycles < best.cycles:
        cost.l2_bytes *= tiles
        cost.accesses *= tiles
        best[0] = cost


cdef inline int64_t share(int64_t total, int64_t unit, int64_t tiles) noexcept nogil:
    # Of the tile with most, in whole units.
    return min(total, ceil_div(ceil_div(total, unit), tiles) * unit)


cdef void take_shared(Cost *best, const Layer *layer, int64_t tiles, const Machine *machine) noexcept nogil:
    # Tiles share a layer by its output channels, its rows or its independent parts. `best` has what fewer tiles take: a
    # share that is as large as theirs cannot be faster.
    cdef Work whole = work_of(layer), part = whole
    cdef int64_t unit = DIM if whole.is_matmul else 1
    part.k = share(whole.k, DIM, tiles)
    if tiles == 1 or part.k < share(whole.k, DIM, tiles - 1):
        take_faster(best, &part, machine, ceil_div(whole.k, part.k))
    if tiles == 1:
        return
    part = whole
    part.rows = share(whole.rows, unit, tiles)
    if part.rows < share(whole.rows, unit, tiles - 1):
        part.conv_rows = min(whole.conv_rows, window(part.rows, whole.pool_stride_y, whole.pool_r))
        take_faster(best, &part, machine, ceil_div(whole.rows, part.rows))
    part = whole
    part.parts = share(whole.parts, 1, tiles)
    if layer.kind != KIND_RECURRENT and part.parts < share(whole.parts, 1, tiles - 1):
        take_faster(best, &part, machine, ceil_div(whole.parts, part.parts))


cdef void take_streamed(Cost *best, const Layer *layer, int64_t tiles, const Machine *machine) noexcept nogil:
    cdef Cost cost = streamed(layer, tiles, machine)
    if cost.cycles < best.cycles:
        best[0] = cost


cdef inline Limit limit_of(const Cost *cost) noexcept nogil:
    if cost.start_cycles > max(cost.compute_cycles, max(cost.load_cycles, cost.store_cycles)):
        return LIMIT_START
    return LIMIT_NOC if max(cost.load_cycles, cost.store_cycles) > cost.compute_cycles else LIMIT_COMPUTE


# ---- The way in from Python

@final
cdef class Tiles:
    """Tiles of a systolic array of 16 x 16 with scratchpad and accumulators, sharing an L2.

    Parameters
    ----------
    scratchpad_bytes, accumulator_bytes : int
        Of one tile, at least 1024 and 2048.
    l2_bytes : int
        At least 4.
    **speeds : float
        `load_bytes_per_cycle`, `unaligned_beat_cycles`, `store_row_cycles`, `switch_stall`, `pool_read_cycles`, `stream_beat_cycles`,
        `stream_start_cycles` and `layer_start_cycles`; see `rtsched.cost.systolic.SystolicCost`.
    """

    def __cinit__(self, *, int64_t scratchpad_bytes, int64_t accumulator_bytes, int64_t l2_bytes, **speeds):
        if scratchpad_bytes < 1024 or accumulator_bytes < 2048 or l2_bytes < TENSOR_PART:
            raise ValueError(
                "must be at least 1024 bytes of scratchpad, 2048 bytes of accumulators and 4 bytes of L2,"
                f" got {scratchpad_bytes}, {accumulator_bytes} and {l2_bytes}"
            )
        self.machine.scratchpad_rows = scratchpad_bytes // (2 * DIM)
        self.machine.accumulator_rows = accumulator_bytes // (2 * 4 * DIM)  # of 32 bits
        self.machine.l2_bytes = l2_bytes
        self.machine.load_bytes_per_cycle = speeds["load_bytes_per_cycle"]
        self.machine.unaligned_beat_cycles = speeds["unaligned_beat_cycles"]
        self.machine.store_row_cycles = speeds["store_row_cycles"]
        self.machine.switch_stall = speeds["switch_stall"]
        self.machine.pool_read_cycles = speeds["pool_read_cycles"]
        self.machine.stream_beat_cycles = speeds["stream_beat_cycles"]
        self.machine.stream_start_cycles = speeds["stream_start_cycles"]
        self.machine.layer_start_cycles = speeds["layer_start_cycles"]

    def estimate(
        self, const int64_t[:, ::1] layers, double[:, :] cycles, double[:, :] accesses, int64_t[:, :, :] traffic, int8_t[:, :] limit
    ):
        """Fill in what each layer costs on 1, 2, ... tiles. More tiles are never slower: some may stay idle.

        Parameters
        ----------
        layers : ndarray of int64, shape (n, len(LAYER_COLUMNS))
            Columns in the order of `rtsched._core.cost.LAYER_COLUMNS`.
        cycles : ndarray of float64, shape (n, tiles)
            Written: whole cycles. NaN for a measured layer; infinite where cycles, accesses or bytes exceed 2^53.
        accesses : ndarray of float64, shape (n, tiles)
            Written: elements moved between scratchpad or accumulators and the array or L2.
        traffic : ndarray of int64, shape (n, tiles, 3)
            Written: bytes from and to DRAM, resident input bytes, bytes between L2 and tiles; 0 where `cycles` is not finite.
        limit : ndarray of int8, shape (n, tiles)
            Written: what most cycles go to, as an index into `rtsched.cost.model.LIMITS`; 0 where `cycles` is not finite.

        Raises
        ------
        ValueError
            When shapes do not agree.
        """
        cdef Py_ssize_t n = layers.shape[0], tiles = cycles.shape[1], i
        if (
            layers.shape[1] != N_COLUMNS or cycles.shape[0] != n or accesses.shape[0] != n or accesses.shape[1] != tiles
            or traffic.shape[0] != n or traffic.shape[1] != tiles or traffic.shape[2] != 3
            or limit.shape[0] != n or limit.shape[1] != tiles
        ):
            raise ValueError(f"expected {n} layers of {N_COLUMNS} columns and outputs of shape 3 x ({n}, {tiles}) and ({n}, {tiles}, 3)")
        with nogil:
            for i in range(n):
                self.estimate_layer(<const Layer *>&layers[i, 0], cycles[i], accesses[i], traffic[i], limit[i])

    cdef void estimate_layer(
        self, const Layer *layer, double[:] cycles, double[:] accesses, int64_t[:, :] traffic, int8_t[:] limit
    ) noexcept nogil:
        cdef Hardware shared
        cdef Traffic moved
        cdef Cost best
        cdef Py_ssize_t t
        traffic[:, :] = 0
        limit[:] = LIMIT_COMPUTE
        if layer.kind == KIND_MEASURED:
            cycles[:] = NAN
            accesses[:] = NAN
            return
        shared.element_bytes = 1
        best.cycles, best.l2_bytes, best.accesses = INFINITY, 0.0, 0.0
        for t in range(cycles.shape[0]):
            # The others' jobs have the rest of the L2.
            shared.sram_bytes = max(TENSOR_PART, self.machine.l2_bytes * (t + 1) // cycles.shape[0])
            moved = dram_traffic(layer, &shared)
            # Results stay for the next layer, but a cache that writes back writes them all the same.
            moved.dram_bytes += moved.keep_bytes
            if layer.kind > KIND_RECURRENT:
                take_streamed(&best, layer, t + 1, &self.machine)
            else:
                take_shared(&best, layer, t + 1, &self.machine)
            cycles[t], accesses[t] = INFINITY, NAN
            if max(best.cycles, best.accesses, best.l2_bytes, moved.dram_bytes, moved.fetch_bytes) > EXACT:
                continue
            cycles[t], accesses[t] = ceil(best.cycles), best.accesses
            traffic[t, 0], traffic[t, 1], traffic[t, 2] = <int64_t>moved.dram_bytes, <int64_t>moved.fetch_bytes, <int64_t>best.l2_bytes
            limit[t] = limit_of(&best)
