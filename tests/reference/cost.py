"""The dataflow cost model in plain Python: exact integers, and every mapping tried one by one."""

from types import SimpleNamespace

WS_UNIT, OS_UNIT, RS_UNIT = 16 * 16, 4 * 16, 4 * 16
WS_WEIGHTS_PER_PE = 256
PASSES = {"norm": 2, "softmax": 3}


def ceil_div(total, part):
    return -(-total // part)


def estimate(kind, layer, hardware):
    """Cycles, accesses, DRAM bytes, fetch bytes and keep bytes of one layer.

    `layer` has the columns of LayerTable as attributes, `hardware` has dataflow, pes, noc, sram_bytes and
    element_bytes.
    """
    if kind in ("conv", "gemm", "recurrent"):
        maps = {"ws": weight_stationary, "os": output_stationary, "rs": row_stationary}[hardware.dataflow]
        cycles, accesses = min(maps(nest(kind, layer), hardware))
        accesses += layer.outputs
    else:
        cycles, accesses = stream(kind, layer, hardware)
    return cycles, accesses, *dram(kind, layer, hardware)


def nest(kind, layer):
    """Groups and repetitions of a plain convolution, dimensions per group."""
    n = SimpleNamespace(**vars(layer), sets=layer.count, is_flat=kind != "conv")
    n.k, n.c = layer.k // layer.groups, layer.c // layer.groups
    if kind == "recurrent":
        n.sets = layer.weights // (layer.k * layer.c)
    if n.is_flat:
        n.yo, n.xo = 1, layer.yo
    if layer.transposed:
        n.k *= min(layer.stride_y, layer.r) * min(layer.stride_x, layer.s)
        n.r, n.s = ceil_div(layer.r, layer.stride_y), ceil_div(layer.s, layer.stride_x)
        n.yo, n.xo = max(layer.y, ceil_div(layer.yo, layer.stride_y)), max(layer.x, ceil_div(layer.xo, layer.stride_x))
        n.stride_y = n.stride_x = 1
    return n


def inputs_under(outputs, stride, kernel):
    """How many inputs along an axis `outputs` neighbouring windows cover."""
    return len({o * stride + tap for o in range(outputs) for tap in range(kernel)})


def uses(extent, batch, units):
    """Every (outputs of the axis side by side, images side by side) that `units` units can hold."""
    for along in range(1, min(extent, units) + 1):
        yield along, 1
    for images in range(2, min(batch, units // extent) + 1):
        yield extent, images


def weight_stationary(n, hardware):
    yield from weight_stationary_maps(n, hardware)
    if n.c < 16:
        unfolded = SimpleNamespace(**{**vars(n), "c": n.c * n.r * n.s, "r": 1, "s": 1})
        yield from weight_stationary_maps(unfolded, hardware)


def weight_stationary_maps(n, hardware):
    taps, lanes = n.r * n.s, min(16, n.c)
    blocks = ceil_div(n.c, 16) * ceil_div(n.k, 16)
    for along, images in uses(n.xo, n.batch, hardware.pes // WS_UNIT):
        steps = ceil_div(n.batch, images) * n.yo * ceil_div(n.xo, along)
        rows = min(n.r, n.stride_y) if along == n.xo else n.r
        ingress = images * lanes * inputs_under(along, n.stride_x, n.s) * rows
        if taps > WS_WEIGHTS_PER_PE:
            loads = n.count * steps
        elif blocks * taps <= WS_WEIGHTS_PER_PE:
            loads = n.sets
        else:
            loads = n.count
        all_steps = n.groups * n.count * blocks * steps
        traffic = all_steps * ingress + n.groups * blocks * loads * lanes * min(16, n.k) * taps
        yield (
            max(
                all_steps * max(taps, ceil_div(ingress, hardware.noc)),
                ceil_div(traffic, hardware.noc),
            ),
            traffic,
        )


def output_stationary(n, hardware):
    if n.is_flat or n.yo == n.xo == 1:
        yield from one_output_per_pe(n, hardware)
    if n.is_flat:
        n.yo, n.xo = ceil_div(n.xo, 4), min(4, n.xo)
    for along, images in uses(n.yo, n.batch, hardware.pes // OS_UNIT):
        tiles = n.count * ceil_div(n.batch, images) * ceil_div(n.yo, along) * ceil_div(n.xo, 4)
        window = images * inputs_under(along, n.stride_y, n.r) * inputs_under(min(4, n.xo), n.stride_x, n.s)
        steps, taps = tiles * n.groups * n.k * ceil_div(n.c, 16), n.r * n.s
        ingress = min(16, n.c) * (window + taps)
        yield steps * max(taps, ceil_div(ingress, hardware.noc)), steps * ingress
        if n.c < 16:
            channels = n.groups * n.k
            lanes = min(16, channels)
            steps, taps = tiles * ceil_div(channels, 16), n.c * n.r * n.s
            ingress = n.c * ceil_div(lanes, n.k) * window + lanes * taps
            yield steps * max(taps, ceil_div(ingress, hardware.noc)), steps * ingress


def one_output_per_pe(n, hardware):
    taps = n.c * n.r * n.s
    for units in range(1, hardware.pes // OS_UNIT + 1):
        steps = n.groups * n.count * n.batch * n.yo * n.xo * ceil_div(n.k, units * OS_UNIT)
        ingress = taps + min(n.k, units * OS_UNIT) * taps
        yield steps * max(taps, ceil_div(ingress, hardware.noc)), steps * ingress


def row_stationary(n, hardware):
    channels, columns, lanes = n.groups * n.k, min(16, n.xo), min(4, n.c)
    places = hardware.pes // RS_UNIT * (16 // columns)
    # An input row of one image is read once for all output rows under which it lies.
    input_rows = [{(image, y * n.stride_y + tap) for tap in range(n.r)} for image in range(n.batch) for y in range(n.yo)]
    for along, rows in uses(channels, n.batch * n.yo, places):
        steps = n.count * ceil_div(len(input_rows), rows) * ceil_div(n.xo, columns) * ceil_div(n.c, 4) * ceil_div(channels, along)
        cycles = ceil_div(lanes, max(1, 4 // n.r)) * n.s * ceil_div(n.r, 4)
        under = len(set().union(*input_rows[:rows])) * inputs_under(columns, n.stride_x, n.s)
        ingress = lanes * ceil_div(along, n.k) * under + along * lanes * n.r * n.s
        yield steps * max(cycles, ceil_div(ingress, hardware.noc)), steps * ingress


def stream(kind, layer, hardware):
    ingress = PASSES.get(kind, 1) * layer.inputs + layer.weights
    operations = layer.outputs * layer.r * layer.s if kind == "pool" else ingress
    cycles = max(
        ceil_div(ingress, hardware.noc),
        ceil_div(layer.outputs, hardware.noc),
        ceil_div(operations, hardware.pes),
    )
    return cycles, ingress + layer.outputs


def dram(kind, layer, hardware):
    """DRAM bytes, resident input bytes and resident output bytes."""
    tensors = {
        "elementwise": [layer.outputs] * (layer.inputs // layer.outputs),
        "gemm": [layer.inputs] if layer.weights else [layer.count * layer.yo * layer.c, layer.count * layer.k * layer.c],
    }.get(kind, [layer.inputs])
    tensors = [one * hardware.element_bytes for one in tensors]
    cold = [one if one > hardware.sram_bytes // 4 else 0 for one in tensors]
    weights, outputs = layer.weights * hardware.element_bytes, layer.outputs * hardware.element_bytes
    if kind == "recurrent":
        step = layer.k * layer.c * hardware.element_bytes
        read = sum(cold) + (weights if step <= hardware.sram_bytes // 2 else layer.count * step)
    elif kind in ("conv", "gemm"):
        parts = layer.groups * layer.count
        one, other = [part // parts for part in (cold if len(cold) == 2 else [weights, *cold])]
        read = parts * min(swept(one, other, hardware.sram_bytes // 2), swept(other, one, hardware.sram_bytes // 2))
    else:
        read = weights + sum(cold)
    keep = outputs if outputs <= hardware.sram_bytes // 4 else 0
    return read + outputs - keep, sum(tensors) - sum(cold), keep


def swept(kept, streamed, tile):
    """Bytes when tiles of one operand stay while all of the other streams past each."""
    return kept + streamed * max(1, ceil_div(kept, tile))
