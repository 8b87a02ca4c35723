from dataclasses import dataclass

@dataclass(frozen=True)
class CountedRun:
    cycles: int
    stalled: int
    n_windows: int

def count_accesses(n_loads: int, loads_per_cycle: float, window: int, threshold: int) -> CountedRun: ...
