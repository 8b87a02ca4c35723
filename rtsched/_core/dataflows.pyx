"""Where the loop nests of layers are placed on spatial arrays: one section for each dataflow.

A `Mapping` is one way to place a nest; `best_use` finds how many units it should use, and a function for each dataflow
(`best_weight_stationary` and so on) chooses among its mappings.
"""

from libc.math cimport INFINITY, ceil
from libc.stdint cimport int64_t


cdef inline double span(int64_t outputs, int64_t stride, int64_t kernel) noexcept nogil:
    # Inputs along one axis under `outputs` neighbouring windows; windows further apart than their width do not overlap.
    return min(<double>(outputs - 1) * stride + kernel, <double>outputs * kernel)


# ---- The best of many mappings

cdef inline void take_better(Spent *best, Spent other) noexcept nogil:
    if other.cycles < best.cycles or (other.cycles == best.cycles and other.accesses < best.accesses):
        best[0] = other


cdef inline int64_t fewest(int64_t total, int64_t parts) noexcept nogil:
    # As many rounds as with `parts` at a time, but no idle ones in the last round beyond what must be.
    return ceil_div(total, ceil_div(total, parts))


cdef Spent best_use(
    Mapping mapping, const Nest *nest, int64_t extent, int64_t batch, int64_t units, double noc
) noexcept nogil:
    # Fewest cycles, then fewest accesses, over every use of up to `units` units along an output axis of `extent`: a part
    # of the axis, or all of it for several of the `batch` images at a time. Of the uses with equally many steps the smallest moves
    # least, so only those are tried, widest first, until computation alone takes longer than the best.
    cdef int64_t along = min(extent, units), images = min(batch, units // extent)
    cdef Spent best, candidate
    best.compute_cycles = best.cycles = best.accesses = INFINITY
    while images > 1:
        images = fewest(batch, images)
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


cdef inline Spent steps_of(double steps, double taps, double ingress, double noc) noexcept nogil:
    # Each step reads its inputs and weights afresh, while the one before computes.
    cdef Spent spent
    spent.compute_cycles = steps * taps
    spent.cycles = steps * max(taps, ceil(ingress / noc))
    spent.accesses = steps * ingress
    return spent


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
    cdef Spent best = best_use(weight_stationary, nest, nest.xo, nest.batch, units, noc)
    cdef Nest folded
    if nest.c < WS_CHANNELS and nest.r * nest.s > 1:
        # Too few channels for the rows: every (channel, tap) is a row instead, as if the input were unfolded (im2col).
        folded = nest[0]
        folded.c, folded.r, folded.s = nest.c * nest.r * nest.s, 1, 1
        take_better(&best, best_use(weight_stationary, &folded, nest.xo, nest.batch, units, noc))
    return best


# ---- Output-stationary: 4 output columns by 16 input channels per unit, units along Y

cdef inline double window(const Nest *nest, int64_t along) noexcept nogil:
    # Inputs of one channel under `along` rows by 4 columns of outputs.
    return span(along, nest.stride_y, nest.r) * span(min(OS_COLUMNS, nest.xo), nest.stride_x, nest.s)


cdef inline double output_tiles(const Nest *nest, int64_t along, int64_t images) noexcept nogil:
    return <double>ceil_div(nest.batch, images) * ceil_div(nest.yo, along) * ceil_div(nest.xo, OS_COLUMNS) * nest.count


cdef Spent output_stationary(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil:
    # A step is one output channel and 16 input channels, which the array adds up.
    cdef double taps = <double>nest.r * nest.s
    cdef double lanes = min(OS_CHANNELS, nest.c)
    cdef double steps = output_tiles(nest, along, images) * nest.groups * nest.k * ceil_div(nest.c, OS_CHANNELS)
    return steps_of(steps, taps, lanes * (images * window(nest, along) + taps), noc)


cdef Spent output_stationary_lanes(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil:
    # A step is 16 output channels, of all groups in turn, and each PE adds up its group's inputs by itself.
    cdef double taps = <double>nest.c * nest.r * nest.s
    cdef int64_t channels = nest.groups * nest.k
    cdef int64_t lanes = min(OS_CHANNELS, channels)
    # A step that begins inside a group may reach one group further; that is not counted.
    cdef double planes = <double>nest.c * ceil_div(lanes, nest.k)
    cdef double steps = output_tiles(nest, along, images) * ceil_div(channels, OS_CHANNELS)
    return steps_of(steps, taps, planes * images * window(nest, along) + lanes * taps, noc)


cdef Spent output_stationary_neurons(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil:
    # Every PE of `along` units has an output of its own, as in ShiDianNao's classifier layers: in each cycle one input goes
    # to all of them, and one weight to each. One row of outputs after the other.
    cdef double taps = <double>nest.c * nest.r * nest.s
    cdef double steps = <double>nest.batch * nest.yo * nest.xo * nest.groups * nest.count
    cdef int64_t lanes = min(nest.k, along * OS_UNIT_PES)
    return steps_of(steps * ceil_div(nest.k, along * OS_UNIT_PES), taps, taps + lanes * taps, noc)


cdef Spent best_output_stationary(const Nest *nest, int64_t units, double noc) noexcept nogil:
    cdef Nest placed = nest[0]
    cdef Spent best
    if nest.is_flat:
        placed.yo, placed.xo = ceil_div(nest.xo, OS_COLUMNS), min(OS_COLUMNS, nest.xo)
    best = best_use(output_stationary, &placed, placed.yo, nest.batch, units, noc)
    if nest.c < OS_CHANNELS:
        # Too few channels to add up, as in depthwise layers: the axis holds output channels instead.
        take_better(&best, best_use(output_stationary_lanes, &placed, placed.yo, nest.batch, units, noc))
    if nest.is_flat or nest.yo * nest.xo == 1:
        take_better(&best, best_use(output_stationary_neurons, nest, ceil_div(nest.k, OS_UNIT_PES), 1, units, noc))
    return best


# ---- Row-stationary: 4 kernel rows by 16 output columns per unit, units along K

cdef Spent row_stationary(const Nest *nest, int64_t along, int64_t images, double noc) noexcept nogil:
    # A step is one row of 16 outputs over 4 input channels, for `along` output channels; `images` such rows, of the same
    # image and then of the next, have units of their own. A PE slides one kernel row over one row of inputs.
    cdef int64_t channels = nest.groups * nest.k, rows = nest.batch * nest.yo
    cdef int64_t columns = min(RS_COLUMNS, nest.xo), lanes = min(RS_CHANNELS, nest.c)
    # Kernels of one or two rows leave PEs for further channels, whose sums the array adds up.
    cdef int64_t sets = max(1, RS_ROWS // nest.r)
    cdef double taps = <double>ceil_div(lanes, sets) * nest.s * ceil_div(nest.r, RS_ROWS)
    # A step that begins inside a group may reach one group further; that is not counted.
    cdef double planes = <double>lanes * ceil_div(along, nest.k)
    cdef double under = images // nest.yo * span(nest.yo, nest.stride_y, nest.r)
    cdef double steps = <double>ceil_div(rows, images) * ceil_div(nest.xo, columns) * nest.count
    if images % nest.yo:
        under += span(images % nest.yo, nest.stride_y, nest.r)
    steps = steps * ceil_div(nest.c, RS_CHANNELS) * ceil_div(channels, along)
    return steps_of(
        steps, taps, planes * under * span(columns, nest.stride_x, nest.s) + <double>along * lanes * nest.r * nest.s, noc
    )


cdef Spent best_row_stationary(const Nest *nest, int64_t units, double noc) noexcept nogil:
    # Narrow outputs leave columns for further output channels.
    cdef int64_t filters = RS_COLUMNS // min(RS_COLUMNS, nest.xo)
    return best_use(row_stationary, nest, nest.groups * nest.k, nest.batch * nest.yo, units * filters, noc)
