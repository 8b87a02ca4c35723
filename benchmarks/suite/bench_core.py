"""The two pieces that every event passes through: the heap of ranked jobs, and the sharing of the memory. CPU ns per turn."""

import time
from typing import ClassVar

from rtsched._core._testing import RankedHandles, SharedMemory

TURNS = 200_000


def ns_per_turn(turn):
    """Best of five, since other programs only slow it down."""
    times = []
    for _ in range(5):
        began = time.process_time()
        turn(TURNS)
        times.append(1e9 * (time.process_time() - began) / TURNS)
    return min(times)


class Heap:
    """The first entry is popped and pushed again with a later key."""

    params: ClassVar = [8, 64, 1_000, 100_000]
    param_names = ("entries",)
    unit = "ns"

    def setup(self, entries):
        self.heap = RankedHandles()
        for handle in range(entries):
            self.heap.push(handle, 0, 0, 0, handle)

    def track_pop_and_push(self, entries):
        return ns_per_turn(lambda n: self.heap.hold(n, 2 * entries))


class Sharing:
    """A layer ends, another begins in its place, and the bandwidth is shared anew, with a demand of half of it on average."""

    params: ClassVar = ([1, 4, 16, 64], ["fair", "proportional"])
    param_names = ("layers", "arbiter")
    unit = "ns"

    def setup(self, layers, arbiter):
        self.memory = SharedMemory(layers, 100.0, [1.0], arbiter == "fair")
        for place in range(layers):
            self.memory.enter(place, 50_000 + 1_000 * place, 50.0)

    def track_exchange(self, layers, arbiter):
        return ns_per_turn(self.memory.exchange)
