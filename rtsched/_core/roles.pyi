from typing import Any

import numpy as np

class ContractError(Exception): ...

class NativeRole:
    def start(self, problem: Any) -> Any: ...

class NativeMapper(NativeRole):
    is_rescored: bool
    waits: bool
    estimate_tiles: int
    def parameter_vector(self) -> np.ndarray | None: ...

class NativeDropper(NativeRole): ...
class NativeSelector(NativeRole): ...
class NativeRegulator(NativeRole): ...

class NativeTuner(NativeRole):
    window_ns: int
