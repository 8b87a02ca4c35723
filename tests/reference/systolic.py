"""The systolic cost model in plain Python: every block of work, one after the other.

`machine` has scratchpad_rows and accumulator_rows (the halves that one buffer has) and the speeds of SystolicCost.
"""

from itertools import product
from math import ceil
from types import SimpleNamespace

from reference.cost import PASSES, ceil_div, nest


def estimate(kind, layer, tiles, machine):
    """Cycles, bytes between L2 and tiles, and accesses of one layer on 1..tiles tiles."""
    best = (float("inf"),)
    answers = []
    for n in range(1, tiles + 1):
        if kind in ("conv", "gemm", "recurrent"):
            candidates = [
                (cycles, used * moved, used * touched)
                for used, part in shared(kind, layer, n)
                for cycles, moved, touched in [run(part, machine)]
            ]
        else:
            candidates = [stream(kind, layer, n, machine)]
        best = min([best, *candidates], key=lambda one: one[0])
        answers.append((ceil(best[0]), *best[1:]))
    return answers


# ---- What one tile does


def work_of(kind, layer):
    w = nest(kind, layer)
    is_pooled = (layer.pool_r, layer.pool_s, layer.pool_stride_y, layer.pool_stride_x) != (1, 1, 1, 1)
    w.is_matmul, w.parts = True, w.groups * w.count * w.batch
    if kind == "conv":
        shape = (w.r, w.s, w.stride_y, w.stride_x, w.groups, w.yo, w.xo)
        if not is_pooled and shape == (1, 1, 1, 1, 1, layer.y, layer.x):
            w.parts, w.rows, w.columns = w.count, w.yo * w.xo * w.batch, 1
        else:
            w.is_matmul, w.parts = False, w.groups * w.batch
            w.rows, w.columns = (layer.po, layer.qo) if is_pooled else (w.yo, w.xo)
    else:
        w.rows, w.columns = w.yo * w.xo, 1
    w.conv_rows, w.conv_columns, w.is_pooled = w.yo, w.xo, is_pooled
    w.copies = max(1, min(w.s, 16 // w.c))
    return w


def shared(kind, layer, tiles):
    """(tiles used, work of one of them), for every way to share."""
    whole = work_of(kind, layer)
    units = {"k": 16, "rows": 16 if whole.is_matmul else 1, "parts": 1}
    for name in ("k", "rows", "parts"):
        total = getattr(whole, name)
        part = SimpleNamespace(**vars(whole))
        setattr(part, name, min(total, ceil_div(ceil_div(total, units[name]), tiles) * units[name]))
        if name == "rows" and not whole.is_matmul:
            part.conv_rows = min(whole.conv_rows, (part.rows - 1) * whole.pool_stride_y + whole.pool_r)
        if name == "k" or not (name == "parts" and kind == "recurrent"):
            yield ceil_div(total, getattr(part, name)), part


# ---- Blocks


def tile_matmul(w, m):
    i_most, j_most, k_most = ceil_div(w.rows, 16), ceil_div(w.k, 16), ceil_div(w.c, 16)
    edge = max(e for e in range(1, 1000) if e == 1 or e * e * 16 <= m.accumulator_rows)
    i, j, k = min(i_most, edge), min(j_most, edge), max(1, min(k_most, m.scratchpad_rows // 32 // edge))

    def fits(i, j, k):
        return i <= i_most and j <= j_most and k <= k_most and (i + j) * k * 16 <= m.scratchpad_rows and i * j * 16 <= m.accumulator_rows

    while True:
        before = i, j, k
        j += fits(i, j + 1, k)
        i += fits(i + 1, j, k)
        k += fits(i, j, k + 1)
        if before == (i, j, k):
            return 16 * i, 16 * j, 16 * k


def tile_conv(w, m):
    """Output channels, written rows and columns, kernel rows and columns, input channels of a block."""

    def conv_size(rows, columns):
        return (rows - 1) * w.pool_stride_y + w.pool_r, (columns - 1) * w.pool_stride_x + w.pool_s

    def fitting(rows, columns, blocks, r, s):
        y, x = conv_size(rows, columns)
        inputs = w.copies * ((y - 1) * w.stride_y + r) * ((x - 1) * w.stride_x + s)
        if inputs * ceil_div(w.c, 16) + blocks * r * s * w.c <= m.scratchpad_rows:
            return w.c
        return m.scratchpad_rows // (inputs + blocks * r * s * 16) * 16

    k_blocks = ceil_div(w.k, 16)
    most = 4 if w.c >= 16 else 1
    pixels = m.accumulator_rows // min(most, k_blocks)
    if w.is_pooled:
        rows = columns = 1
        while True:
            if columns < w.columns and columns <= rows and prod2(conv_size(rows, columns + 1)) <= pixels:
                columns += 1
            elif rows < w.rows and prod2(conv_size(rows + 1, columns)) <= pixels:
                rows += 1
            else:
                break
    else:
        columns = min(w.columns, 16)
        rows = min(w.rows, max(1, pixels // columns))
    blocks = max(1, min(k_blocks, m.accumulator_rows // prod2(conv_size(rows, columns))))
    r, s = w.r, w.s
    while blocks > most and fitting(rows, columns, blocks, r, s) < min(w.c, 16 * blocks):
        blocks -= 1
    while not (channels := fitting(rows, columns, blocks, r, s)):
        if rows * columns > 1:
            rows, columns = (rows - 1, columns) if rows >= columns else (rows, columns - 1)
        elif blocks > 1:
            blocks -= 1
        elif r > 1:
            r = ceil_div(r, 2)
        elif s > 1:
            s = ceil_div(s, 2)
        else:
            channels = 16
            break
    outs = 16 * blocks if w.c >= 16 else w.k
    while outs > 16 * blocks:
        outs = ceil_div(outs, 2)
    return outs, rows, columns, r, s, channels


def prod2(pair):
    return pair[0] * pair[1]


def pieces(total, size):
    return [min(size, total - start) for start in range(0, total, size)]


def chunk(rows, columns, m):
    """Passes of up to 16 pixels; the last of all is prolonged until the next weights are there."""
    passes = [min(16, columns - start) for start in range(0, columns, 16)] * rows
    return sum(max(one, 4) for one in passes[:-1]) + 16 + m.switch_stall * (16 - passes[-1])


def load(rows, row_bytes, pitch, m):
    each = row_bytes / m.load_bytes_per_cycle
    return rows * (each if pitch % 16 == 0 else max(each, (row_bytes + 15) / 16 * m.unaligned_beat_cycles))


def blocks_of(w, m):
    """(load, compute, store, bytes moved, elements read) of every block."""
    if w.is_matmul:
        i, j, k = tile_matmul(w, m)
        for rows, columns, (place, depth) in product(pieces(w.rows, i), pieces(w.k, j), enumerate(pieces(w.c, k))):
            is_last = (place + 1) * min(k, w.c) >= w.c
            yield (
                load(rows, depth, w.c, m) + depth * columns / m.load_bytes_per_cycle,
                ceil_div(columns, 16) * ceil_div(depth, 16) * chunk(1, rows, m),
                is_last * rows * ceil_div(columns, 16) * m.store_row_cycles,
                rows * depth + depth * columns + is_last * rows * columns,
                ceil_div(columns, 16) * rows * depth + depth * columns,
            )
        return
    k, rows, columns, r, s, c = tile_conv(w, m)
    taps = ceil_div(w.r, r) * ceil_div(w.s, s)
    for outs, a, b, tap, (place, ins) in product(
        pieces(w.k, k), pieces(w.rows, rows), pieces(w.columns, columns), range(taps), enumerate(pieces(w.c, c))
    ):
        is_last = tap == taps - 1 and (place + 1) * min(c, w.c) >= w.c
        y, x = min(w.conv_rows, (a - 1) * w.pool_stride_y + w.pool_r), min(w.conv_columns, (b - 1) * w.pool_stride_x + w.pool_s)
        inputs = min(w.y, (y - 1) * w.stride_y + r) * min(w.x, (x - 1) * w.stride_x + s)
        passes = ceil_div(outs, 16) * r * ceil_div(s, w.copies)
        window, weights, written = w.pool_r * w.pool_s, outs * ins * r * s, is_last * a * b * ceil_div(outs, 16)
        yield (
            load(inputs, ins * w.copies, w.c, m) + weights / m.load_bytes_per_cycle,
            passes * ceil_div(ins, 16) * chunk(y, x, m) + (written * window * m.pool_read_cycles if window > 1 else 0),
            0 if window > 1 else written * m.store_row_cycles,
            inputs * ins + weights + is_last * a * b * outs,
            passes * y * x * min(ins * w.copies, 16 * ceil_div(ins, 16)) + weights,
        )


def run(w, m):
    """Cycles, bytes and accesses; block n + 1 is loaded and block n - 1 stored while block n is computed."""
    blocks = list(blocks_of(w, m))
    nothing = (0,) * 5
    cycles = 0
    for stored, computed, loaded in zip([nothing, nothing, *blocks], [nothing, *blocks, nothing], [*blocks, nothing, nothing], strict=True):
        moving = loaded[0] + stored[2] if w.c % 16 else max(loaded[0], stored[2])
        cycles += max(moving, computed[1])
    moved = sum(one[3] for one in blocks)
    return m.layer_start_cycles + w.parts * cycles, w.parts * moved, w.parts * (moved + sum(one[4] for one in blocks))


# ---- Layers that stream


def stream(kind, layer, tiles, m):
    moved = PASSES.get(kind, 1) * layer.inputs + layer.weights + layer.outputs
    if layer.c == 1 or layer.c % 16 == 0:
        beats = ceil(moved / 16)
    else:
        row = sum((piece + 15) / 16 for piece in pieces(layer.c, 16))
        beats = ceil(moved / layer.c * row)
    cycles = ceil(beats / tiles) * m.stream_beat_cycles
    if kind == "pool":
        cycles += ceil(layer.outputs // layer.c * ceil_div(layer.c, 16) / tiles) * layer.r * layer.s * m.pool_read_cycles
    else:
        cycles += m.stream_start_cycles
    return m.layer_start_cycles + cycles, moved, moved
