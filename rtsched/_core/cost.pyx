"""What layers cost on spatial accelerators: cycles, on-chip traffic and DRAM traffic in closed form.

A layer becomes a loop nest (`loop_nest`), which a dataflow places on its array (`rtsched._core.dataflows`). Layers without
multiply-accumulates stream (`streamed`). DRAM traffic depends on the buffer alone (`dram_traffic`).
"""

from cython cimport final
from libc.math cimport INFINITY, NAN, ceil
from libc.stdint cimport int64_t

from rtsched._core.dataflows cimport (
    OS_UNIT_PES, RS_UNIT_PES, WS_UNIT_PES, Nest, Spent, best_output_stationary, best_row_stationary, best_weight_stationary, ceil_div,
)

LAYER_COLUMNS = (
    "kind", "batch", "k", "c", "y", "x", "r", "s", "stride_y", "stride_x", "yo", "xo", "groups", "count", "transposed",
    "pool_r", "pool_s", "pool_stride_y", "pool_stride_x", "po", "qo", "weights", "inputs", "outputs",
)
UNIT_PES = {"ws": WS_UNIT_PES, "os": OS_UNIT_PES, "rs": RS_UNIT_PES}

cdef dict DATAFLOWS = {"ws": DATAFLOW_WS, "os": DATAFLOW_OS, "rs": DATAFLOW_RS}

cdef enum:
    N_COLUMNS = sizeof(Layer) // sizeof(int64_t)

cdef double EXACT = 9007199254740992.0  # 2^53: above, doubles skip integers


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


# ---- Any layer

cdef Spent on_array(const Nest *nest, const Hardware *hardware) noexcept nogil:
    if hardware.dataflow == DATAFLOW_WS:
        return best_weight_stationary(nest, hardware.pes // WS_UNIT_PES, hardware.noc_elements_per_cycle)
    if hardware.dataflow == DATAFLOW_RS:
        return best_row_stationary(nest, hardware.pes // RS_UNIT_PES, hardware.noc_elements_per_cycle)
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
    dataflow : {'ws', 'os', 'rs'}
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
        self.hardware.dataflow = DATAFLOWS[dataflow]
        self.hardware.pes = pes
        self.hardware.noc_elements_per_cycle = noc_elements_per_cycle
        self.hardware.sram_bytes = sram_bytes
        self.hardware.element_bytes = element_bytes

    def estimate(
        self, const int64_t[:, ::1] layers, double[:] cycles, double[:] compute_cycles, double[:] accesses, int64_t[:, :] traffic
    ):
        """Fill in what each layer costs.

        Parameters
        ----------
        layers : ndarray of int64, shape (n, len(LAYER_COLUMNS))
            Columns in the order of `LAYER_COLUMNS`, as in `rtsched.cost.model.LayerTable`.
        cycles : ndarray of float64, shape (n,)
            Written: whole cycles. NaN for a measured layer; infinite where cycles, accesses or bytes exceed 2^53.
        compute_cycles : ndarray of float64, shape (n,)
            Written: cycles that the same mapping would take if the NoC were infinitely fast; NaN where `cycles` is not finite.
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
        cdef bint is_sized = cycles.shape[0] == compute_cycles.shape[0] == accesses.shape[0] == traffic.shape[0] == n
        if layers.shape[1] != N_COLUMNS or not is_sized or traffic.shape[1] != 3:
            raise ValueError(f"expected {n} layers of {N_COLUMNS} columns and outputs of shape ({n},), ({n},), ({n},) and ({n}, 3)")
        with nogil:
            for i in range(n):
                layer = <const Layer *>&layers[i, 0]
                cycles[i] = compute_cycles[i] = accesses[i] = NAN
                traffic[i, 0] = traffic[i, 1] = traffic[i, 2] = 0
                if layer.kind == KIND_MEASURED:
                    continue
                spent = self.spent(layer)
                moved = dram_traffic(layer, &self.hardware)
                if max(spent.cycles, spent.accesses, moved.dram_bytes, moved.fetch_bytes, moved.keep_bytes) > EXACT:
                    cycles[i] = INFINITY
                    continue
                cycles[i], compute_cycles[i], accesses[i] = spent.cycles, spent.compute_cycles, spent.accesses
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
