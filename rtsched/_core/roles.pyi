from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

class ContractError(Exception): ...

@dataclass(frozen=True)
class Setting:
    name: str
    default: Any
    meaning: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] | None = None
    def convert(self, value: object) -> Any: ...

def take_settings(role_class: Any, given: Mapping[str, object]) -> tuple[dict[str, Any], list[str]]: ...

class NativeRole:
    settings: ClassVar[tuple[Setting, ...]]
    def __init__(self, **given: object) -> None: ...
    def take(self, given: Mapping[str, object]) -> dict[str, Any]: ...
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
