"""The rule of `veltair` in plain Python."""

from rtsched.policies.roles import Mapper


class LayerBlocks(Mapper):
    waits = True

    def __init__(self, layers=20, margin=0.25):
        self.layers, self.margin = layers, margin

    def start(self, problem):
        run = LayerBlocks(self.layers, self.margin)
        run.ends, run.held = {}, {}  # by job: of the block that it runs, and on how many tiles
        p = run.p = problem
        run.subnet_of = {}
        for subnet in range(len(p.subnet_first_block) - 1):
            first, end = (int(p.block_first_layer[p.subnet_first_block[i]]) for i in (subnet, subnet + 1))
            run.subnet_of.update(dict.fromkeys(range(first, end), (first, end)))
        return run

    def on_dispatch(self, state, task, frame, accelerator, n_tiles):
        self.held[task, frame] = n_tiles

    def time(self, layers, option):
        return sum(int(self.p.costs["t_iso_ns"][layer, option]) for layer in layers)

    def end(self, layer, size, option=None):
        """The end of a block of so many layers: the subnet's, or at a layer that cannot run on the option."""
        layers = range(layer, min(layer + size, self.subnet_of[layer][1]))
        return next((one for one in layers if option is not None and self.time([one], option) == 0), layers[-1] + 1)

    def deadline(self, state, row, end):
        p, whole = self.p, max(0, int(state.deadline_ns[row] - state.release_ns[row]))
        first, _ = self.subnet_of[int(state.layer[row])]
        return int(state.deadline_ns[row]) - int(float(whole) * float(p.after_min_ns[end - 1, 0] / p.togo_min_ns[first, 0]))

    def assign(self, state, dispatches):
        p, now, running = self.p, int(state.now_ns), state.running
        n_active = state.n_ready + running.n
        size = min(self.layers, -(-self.layers * int(p.option_first[-1]) // n_active))
        # Per accelerator, when each tile is available, and whether that is not now.
        tiles = [[(now, False)] * int(n) for n in state.free_tiles]
        for i in range(running.n):
            layer, a, n = int(running.layer[i]), int(running.accelerator[i]), int(running.n_tiles[i])
            option = int(p.option_first[a]) + n - 1
            end = self.end(layer, self.ends[int(running.task[i]), int(running.frame[i])] - layer, option)
            tiles[a] += [(now + int(running.remaining_ns[i]) + self.time(range(layer + 1, end), option), True)] * n

        def order(row):
            block = self.deadline(state, row, self.end(int(state.layer[row]), size))
            return block, state.release_ns[row], state.task[row], state.frame[row]

        for row in sorted(range(state.n_ready), key=order):
            best = min(self.options(state, row, size, [sorted(one) for one in tiles]))
            _, a, n, end, until, is_free = best
            if is_free:
                dispatches.append(row, a, n, end - int(state.layer[row]))
                self.ends[int(state.task[row]), int(state.frame[row])] = end
            tiles[a] = sorted(tiles[a])[n:] + [(until, True)] * n

    def options(self, state, row, size, tiles):
        """(rank, accelerator, tiles, end of the block, its time, whether it can begin now) of each; the smallest is best."""
        layer, p = int(state.layer[row]), self.p
        held = self.held.get((int(state.task[row]), int(state.frame[row])))
        for a, one in enumerate(tiles):
            for n in range(1, len(one) + 1):
                option = int(p.option_first[a]) + n - 1
                end = self.end(layer, size, option)
                if end == layer:
                    continue
                start, is_busy = one[n - 1]
                if is_busy and not one[0][1]:
                    continue
                time = self.time(range(layer, end), option) + (p.regroup_ns if held not in (None, n) else 0)
                until = start + time
                late = until - self.deadline(state, row, end)
                rank = (2, late, is_busy, n) if is_busy or late > 0 else (1, late, 0, n)
                if not is_busy and late + int(self.margin * float(time)) <= 0:
                    rank = (0, n, late, 0)
                yield rank, a, n, end, until, not is_busy
