from typing import Self, final

import numpy as np
from numpy.typing import NDArray

@final
class Tiles:
    def __new__(
        cls,
        *,
        scratchpad_bytes: int,
        accumulator_bytes: int,
        l2_bytes: int,
        load_bytes_per_cycle: float,
        unaligned_beat_cycles: float,
        store_row_cycles: float,
        switch_stall: float,
        pool_read_cycles: float,
        stream_beat_cycles: float,
        stream_start_cycles: float,
        layer_start_cycles: float,
    ) -> Self: ...
    def estimate(
        self,
        layers: NDArray[np.int64],
        cycles: NDArray[np.float64],
        accesses: NDArray[np.float64],
        traffic: NDArray[np.int64],
        limit: NDArray[np.int8],
    ) -> None: ...
