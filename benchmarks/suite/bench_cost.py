"""Speed of the analytical cost model: layers costed per CPU second, for each dataflow."""

import time
from typing import ClassVar

from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.model import Energy, LayerKey, LayerTable
from rtsched.library import load_model, models

N_LAYERS = 3000
N_ACCELERATORS = 8


def cpu_ms(call, repeats=7):
    """Best of several, since other programs only slow it down."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return 1e3 * min(times)


class Costs:
    """3,000 layers of the built-in models, equally many of each, on eight arrays of one dataflow."""

    params: ClassVar = ["ws", "os", "rs"]
    param_names = ("dataflow",)
    unit = "ms of CPU"

    def setup(self, dataflow):
        networks = [[layer for layer in load_model(name).variants[0].all_layers if not layer.is_free] for name in models()]
        each = N_LAYERS // len(networks)
        self.layers = [layers[i % len(layers)] for layers in networks for i in range(each)]
        self.keys = [LayerKey("m", layer.name) for layer in self.layers]
        self.table = LayerTable.of(self.keys, self.layers)
        self.arrays = [
            DataflowCost(dataflow=dataflow, pes=512 << (i % 4), clock_mhz=700.0, sram_kib=2048, noc_elements_per_cycle=128 << (i % 3))
            for i in range(N_ACCELERATORS)
        ]

    def cost(self):
        for array in self.arrays:
            array.estimate("a", 1, self.table, Energy())

    def track_estimate(self, dataflow):
        return cpu_ms(self.cost)

    def track_layer_table(self, dataflow):
        return cpu_ms(lambda: LayerTable.of(self.keys, self.layers))
