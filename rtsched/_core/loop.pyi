from typing import Any

from rtsched.problem import Problem

class Engine:
    is_done: bool
    now_ns: int
    end_ns: int
    n_layers: int
    def __init__(
        self,
        problem: Problem,
        seed: int,
        mapper: Any,
        dropper: Any = None,
        selector: Any = None,
        regulator: Any = None,
        tuner: Any = None,
        keeps_layers: bool = False,
        keeps_rates: bool = False,
    ) -> None: ...
    def advance(self, n_events: int) -> bool: ...
    def close(self) -> Engine: ...
    def results(self) -> dict[str, Any]: ...
