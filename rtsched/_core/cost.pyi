from typing import Final, Self, final

import numpy as np
from numpy.typing import NDArray

LAYER_COLUMNS: Final[tuple[str, ...]]
UNIT_PES: Final[dict[str, int]]

@final
class Array:
    def __new__(cls, dataflow: str, *, pes: int, noc_elements_per_cycle: int, sram_bytes: int, element_bytes: int) -> Self: ...
    def estimate(
        self,
        layers: NDArray[np.int64],
        cycles: NDArray[np.float64],
        compute_cycles: NDArray[np.float64],
        accesses: NDArray[np.float64],
        traffic: NDArray[np.int64],
    ) -> None: ...
