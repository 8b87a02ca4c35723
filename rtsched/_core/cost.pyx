"""What layers cost on spatial accelerators: cycles, on-chip traffic and DRAM traffic in closed form.

A layer becomes a loop nest (`loop_nest`); a dataflow is one small function that places the nest on its array (`Mapping`)
and one that lists the mappings to choose from. Layers without multiply-accumulates stream (`streamed`). DRAM traffic
depends on the buffer alone (`dram_traffic`).
"""

from cython cimport final
from libc.math cimport INFINITY, NAN, ceil
from libc.stdint cimport int64_t

LAYER_COLUMNS = (
    "kind", "batch", "k", "c", "y", "x", "r", "s", "stride_y", "stride_x", "yo", "xo", "groups", "count", "transposed",
    "pool_r", "pool_s", "pool_stride_y", "pool_stride_x", "po", "qo", "weights", "inputs", "outputs",
)
UNIT_PES = {"ws": WS_UNIT_PES, "os": OS_UNIT_PES}

cdef enum:
    N_COLUMNS = sizeof(Layer) // sizeof(int64_t)

cdef double EXACT = 9007199254740992.0  # 2^53: above, doubles skip integers


cdef inline int64_t ceil_div(int64_t total, int64_t part) noexcept nogil:
    return (total - 1) // part + 1


cdef inline double span(int64_t outputs, int64_t stride, int64_t kernel) noexcept nogil:
    # Inputs along one axis under `outputs` neighbouring windows; windows further apart than their width do not overlap.
    return min(<double>(outputs - 1) * stride + kernel, <double>outputs * kernel)


# ---- From a layer to a loop nest

cdef Nest loop_nest(const Layer *layer) noexcept nogil:
    cdef Nest nest
    cdef int64_t phases_y, phases_x
    nest.groups, nest.count, nest.weight_sets = layer.groups, layer.count, layer.count
    nest.batch, nest.k, nest.c = layer.batch, layer.k // layer.groups, layer.c // layer.groups
    nest.yo, nest.xo, nest.r, nest.s = layer.yo, layer.xo, layer.r, layer.s
    nest.stride_y, nest.stride_x = layer.stride_y, layer.stride_x
    nest.is_flat = layer.kind != KIND_CONV
    if nest.is_flat:
        nest.yo, nest.xo = 1, layer.yo
    if layer.kind == KIND_RECURRENT:
        # `count` is steps x directions, and only directions differ in their weights.
        nest.weight_sets = layer.weights // (layer.k * layer.c)
    if layer.transposed:
        # Sub-pixel convolution: outputs at equal offset between two inputs see the same taps, so that each offset is
        # one more output channel of a convolution over the inputs. Outputs that padding cuts off are computed.
        phases_y, phases_x = min(layer.stride_y, layer.r), min(layer.stride_x, layer.s)
        nest.k *= phases_y * phases_x
        nest.r, nest.s = ceil_div(layer.r, layer.stride_y), ceil_div(layer.s, layer.stride_x)
        nest.yo = max(layer.y, ceil_div(layer.yo, layer.stride_y))
        nest.xo = max(layer.x, ceil_div(layer.xo, layer.stride_x))
        nest.stride_y = nest.stride_x = 1
    return nest


# ---- The best of many mappings

cdef inline void take_better(Spent *best, Spent other) noexcept nogil:
    if other.cycles < best.cycles or (other.cycles == best.cycles and other.accesses < best.accesses):
        best[0] = other


cdef inline int64_t fewest(int64_t total, int64_t parts) noexcept nogil:
    # As many rounds as with `parts` at a time, but no idle ones in the last round beyond what must be.
    return ceil_div(total, ceil_div(total, parts))


cdef Spent best_use(Mapping mapping, const Nest *nest, int64_t extent, int64_t units, double noc) noexcept nogil:
    # Fewest cycles, then fewest accesses, over every use of up to `units` units along an output axis of `extent`: a part
    # of the axis, or all of it for several images at a time. Of the uses with equally many steps the smallest moves
    # least, so only those are tried, widest first, until computation alone takes longer than the best.
    cdef int64_t along = min(extent, units), images = min(nest.batch, units // extent)
    cdef Spent best, candidate
    best.compute_cycles = best.cycles = best.accesses = INFINITY
    while images > 1:
        images = fewest(nest.batch, images)
        candidate = mapping(nest, extent, images, noc)
        if candidate.compute_cycles > best.cycles:
            return best
        take_better(&best, candidate)
        images -= 1
    while along > 0:
        along = fewest(extent, along)
        candidate = mapping(nest, along, 1, noc)
        if candidate.compute_cycles > best.cycles:
            return best
        take_better(&best, candidate)
        along -= 1
    return best


# ---- Weight-stationary: 16 input by 16 output channels per unit, units along X

cdef Spent weight_stationary(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil:
    # A block is 16 x 16 channels, whose weights stay while all outputs pass; a step is one tap after the other for
    # `along` x `images` outputs. Weights of the next block are loaded meanwhile.
    cdef double taps = <double>nest.r * nest.s
    cdef double lanes = min(WS_CHANNELS, nest.c)
    cdef double blocks = <double>ceil_div(nest.c, WS_CHANNELS) * ceil_div(nest.k, WS_CHANNELS)
    cdef double block_weights = lanes * min(WS_CHANNELS, nest.k) * taps
    cdef double steps = <double>ceil_div(nest.batch, images) * nest.yo * ceil_div(nest.xo, along)
    cdef double passes = nest.groups * blocks * nest.count
    # Whole rows of outputs leave most of their input rows in the array for the next row; parts of rows do not.
    cdef int64_t fresh_rows = min(nest.r, nest.stride_y) if along >= nest.xo else nest.r
    cdef double ingress = images * lanes * span(along, nest.stride_x, nest.s) * fresh_rows
    cdef double loads = passes
    cdef Spent spent
    if taps > WS_WEIGHTS_PER_PE:
        loads = passes * steps
    elif blocks * taps <= WS_WEIGHTS_PER_PE:
        loads = nest.groups * blocks * nest.weight_sets
    spent.compute_cycles = passes * steps * taps
    spent.accesses = passes * steps * ingress + loads * block_weights
    spent.cycles = max(passes * steps * max(taps, ceil(ingress / noc)), ceil(spent.accesses / noc))
    return spent


cdef Spent best_weight_stationary(const Nest *nest, int64_t units, double noc) noexcept nogil:
    cdef Spent best = best_use(weight_stationary, nest, nest.xo, units, noc)
    cdef Nest folded
    if nest.c < WS_CHANNELS and nest.r * nest.s > 1:
        # Too few channels for the rows: every (channel, tap) is a row instead, as if the input were unfolded (im2col).
        folded = nest[0]
        folded.c, folded.r, folded.s = nest.c * nest.r * nest.s, 1, 1
        take_better(&best, best_use(weight_stationary, &folded, nest.xo, units, noc))
    return best


# ---- Output-stationary: 4 output columns by 16 input channels per unit, units along Y

cdef inline double window(const Nest *nest, int64_t along) noexcept nogil:
    # Inputs of one channel under `along` rows by 4 columns of outputs.
    return span(along, nest.stride_y, nest.r) * span(min(OS_COLUMNS, nest.xo), nest.stride_x, nest.s)


cdef inline Spent output_steps(double steps, double taps, double ingress, double noc) noexcept nogil:
    # Each step reads its inputs and weights afresh: outputs stay, everything else passes.
    cdef Spent spent
    spent.compute_cycles = steps * taps
    spent.cycles = steps * max(taps, ceil(ingress / noc))
    spent.accesses = steps * ingress
    return spent


cdef inline double output_tiles(const Nest *nest, int64_t along, int64_t images) noexcept nogil:
    return <double>ceil_div(nest.batch, images) * ceil_div(nest.yo, along) * ceil_div(nest.xo, OS_COLUMNS) * nest.count


cdef Spent output_stationary(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil:
    # A step is one output channel and 16 input channels, which the array adds up.
    cdef double taps = <double>nest.r * nest.s
    cdef double lanes = min(OS_CHANNELS, nest.c)
    cdef double steps = output_tiles(nest, along, images) * nest.groups * nest.k * ceil_div(nest.c, OS_CHANNELS)
    return output_steps(steps, taps, lanes * (images * window(nest, along) + taps), noc)


cdef Spent output_stationary_lanes(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil:
    # A step is 16 output channels, of all groups in turn, and each PE adds up its group's inputs by itself.
    cdef double taps = <double>nest.c * nest.r * nest.s
    cdef int64_t channels = nest.groups * nest.k
    cdef int64_t lanes = min(OS_CHANNELS, channels)
    # A step that begins inside a group may reach one group further; that is not counted.
    cdef double planes = <double>nest.c * ceil_div(lanes, nest.k)
    cdef double steps = output_tiles(nest, along, images) * ceil_div(channels, OS_CHANNELS)
    return output_steps(steps, taps, planes * images * window(nest, along) + lanes * taps, noc)


cdef Spent best_output_stationary(const Nest *nest, int64_t units, double noc) noexcept nogil:
    cdef Nest placed = nest[0]
    cdef Spent best
    if nest.is_flat:
        placed.yo, placed.xo = ceil_div(nest.xo, OS_COLUMNS), min(OS_COLUMNS, nest.xo)
    best = best_use(output_stationary, &placed, placed.yo, units, noc)
    if nest.c < OS_CHANNELS:
        # Too few channels to add up, as in depthwise layers: the axis holds output channels instead.
        take_better(&best, best_use(output_stationary_lanes, &placed, placed.yo, units, noc))
    return best


# ---- Any layer

cdef Spent on_array(const Nest *nest, const Hardware *hardware) noexcept nogil:
    if hardware.dataflow == DATAFLOW_WS:
        return best_weight_stationary(nest, hardware.pes // WS_UNIT_PES, hardware.noc_elements_per_cycle)
    return best_output_stationary(nest, hardware.pes // OS_UNIT_PES, hardware.noc_elements_per_cycle)


cdef Spent streamed(const Layer *layer, const Hardware *hardware) noexcept nogil:
    # Elements arrive and leave at the NoC's rate, both ways at once; a PE does one operation per cycle: one per element,
    # or one per element of the window.
    cdef double passes = NORM_PASSES if layer.kind == KIND_NORM else SOFTMAX_PASSES if layer.kind == KIND_SOFTMAX else 1
    cdef double ingress = passes * layer.inputs + layer.weights
    cdef double operations = <double>layer.outputs * layer.r * layer.s if layer.kind == KIND_POOL else ingress
    cdef double busiest_link = max(ingress, <double>layer.outputs)
    cdef Spent spent
    spent.compute_cycles = ceil(operations / hardware.pes)
    spent.cycles = max(spent.compute_cycles, ceil(busiest_link / hardware.noc_elements_per_cycle))
    spent.accesses = ingress + layer.outputs
    return spent


# ---- DRAM

cdef inline double loop_order_bytes(double one, double other, double tile) noexcept nogil:
    # Two operands of a product, each needed against all of the other: the cheaper of keeping tiles of one on chip while
    # the other streams past each of them. An operand that fits makes both cross once; one that is there costs nothing.
    return min(one + other * max(1.0, ceil(one / tile)), other + one * max(1.0, ceil(other / tile)))


cdef inline double cold(double tensor, double limit) noexcept nogil:
    return tensor if tensor > limit else 0.0


cdef Traffic dram_traffic(const Layer *layer, const Hardware *hardware) noexcept nogil:
    cdef double element = hardware.element_bytes
    cdef double tile = hardware.sram_bytes // TILE_PART, limit = hardware.sram_bytes // TENSOR_PART
    cdef double weights = element * layer.weights, inputs = element * layer.inputs, outputs = element * layer.outputs
    cdef double cold_inputs = cold(inputs, limit), cold_outputs = cold(outputs, limit)
    cdef double step_weights, first, second, parts
    cdef Traffic traffic
    if layer.kind == KIND_CONV or (layer.kind == KIND_GEMM and layer.weights > 0):
        parts = layer.groups * layer.count
        traffic.dram_bytes = parts * loop_order_bytes(weights / parts, cold_inputs / parts, tile)
    elif layer.kind == KIND_GEMM:
        parts = layer.count
        first, second = element * parts * layer.yo * layer.c, element * parts * layer.k * layer.c
        cold_inputs = cold(first, limit) + cold(second, limit)
        traffic.dram_bytes = parts * loop_order_bytes(cold(first, limit) / parts, cold(second, limit) / parts, tile)
    elif layer.kind == KIND_RECURRENT:
        step_weights = element * layer.k * layer.c
        traffic.dram_bytes = (weights if step_weights <= tile else layer.count * step_weights) + cold_inputs
    else:
        if layer.kind == KIND_ELEMENTWISE:
            # Each operand is a tensor of its own, as large as the output.
            cold_inputs = inputs if cold_outputs > 0 else 0.0
        traffic.dram_bytes = weights + cold_inputs
    traffic.dram_bytes += cold_outputs
    traffic.fetch_bytes = inputs - cold_inputs
    traffic.keep_bytes = outputs - cold_outputs
    return traffic


# ---- The way in from Python

@final
cdef class Array:
    """The part of a spatial accelerator that layers run on.

    Parameters
    ----------
    dataflow : {'ws', 'os'}
    pes : int
        Processing elements, at least ``UNIT_PES[dataflow]``.
    noc_elements_per_cycle : int
        Between the on-chip buffer and the array, each way.
    sram_bytes : int
        On-chip buffer, at least 4.
    element_bytes : int
    """

    def __cinit__(
        self, str dataflow, *, int64_t pes, int64_t noc_elements_per_cycle, int64_t sram_bytes, int64_t element_bytes
    ):
        if dataflow not in UNIT_PES:
            raise ValueError(f"dataflow must be one of {', '.join(UNIT_PES)}, got {dataflow!r}")
        if pes < UNIT_PES[dataflow] or noc_elements_per_cycle < 1 or sram_bytes < TENSOR_PART or element_bytes < 1:
            raise ValueError(
                f"must be at least {UNIT_PES[dataflow]} PEs, 1 element per cycle, {TENSOR_PART} bytes of buffer and 1 byte per element,"
                f" got {pes}, {noc_elements_per_cycle}, {sram_bytes} and {element_bytes}"
            )
        self.hardware.dataflow = DATAFLOW_WS if dataflow == "ws" else DATAFLOW_OS
        self.hardware.pes = pes
        self.hardware.noc_elements_per_cycle = noc_elements_per_cycle
        self.hardware.sram_bytes = sram_bytes
        self.hardware.element_bytes = element_bytes

    def estimate(self, const int64_t[:, ::1] layers, double[:] cycles, double[:] accesses, int64_t[:, :] traffic):
        """Fill in what each layer costs.

        Parameters
        ----------
        layers : ndarray of int64, shape (n, len(LAYER_COLUMNS))
            Columns in the order of `LAYER_COLUMNS`, as in `rtsched.cost.model.LayerTable`.
        cycles : ndarray of float64, shape (n,)
            Written: whole cycles. NaN for a measured layer; infinite where cycles, accesses or bytes exceed 2^53.
        accesses : ndarray of float64, shape (n,)
            Written: elements moved between the on-chip buffer and the PEs.
        traffic : ndarray of int64, shape (n, 3)
            Written: bytes from and to DRAM, resident input bytes, resident output bytes; 0 where `cycles` is not finite.

        Raises
        ------
        ValueError
            When shapes do not agree.
        """
        cdef Py_ssize_t n = layers.shape[0], i
        cdef const Layer *layer
        cdef Spent spent
        cdef Traffic moved
        if layers.shape[1] != N_COLUMNS or cycles.shape[0] != n or accesses.shape[0] != n or traffic.shape[0] != n or traffic.shape[1] != 3:
            raise ValueError(f"expected {n} layers of {N_COLUMNS} columns and outputs of shape ({n},), ({n},) and ({n}, 3)")
        with nogil:
            for i in range(n):
                layer = <const Layer *>&layers[i, 0]
                cycles[i] = accesses[i] = NAN
                traffic[i, 0] = traffic[i, 1] = traffic[i, 2] = 0
                if layer.kind == KIND_MEASURED:
                    continue
                spent = self.spent(layer)
                moved = dram_traffic(layer, &self.hardware)
                if max(spent.cycles, spent.accesses, moved.dram_bytes, moved.fetch_bytes, moved.keep_bytes) > EXACT:
                    cycles[i] = INFINITY
                    continue
                cycles[i], accesses[i] = spent.cycles, spent.accesses
                traffic[i, 0], traffic[i, 1], traffic[i, 2] = (
                    <int64_t>moved.dram_bytes, <int64_t>moved.fetch_bytes, <int64_t>moved.keep_bytes
                )

    cdef Spent spent(self, const Layer *layer) noexcept nogil:
        cdef Nest nest
        cdef Spent spent
        if layer.kind > KIND_RECURRENT:
            return streamed(layer, &self.hardware)
        nest = loop_nest(layer)
        spent = on_array(&nest, &self.hardware)
        spent.accesses += layer.outputs
        return spent
