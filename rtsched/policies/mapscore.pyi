import numpy as np

from rtsched._core.roles import NativeMapper

class MapScore(NativeMapper):
    alpha: float
    beta: float
    urgency_cap: float
    late_urgency: str
    parameters: np.ndarray | None
    parameter_names: tuple[str, ...]
    def __init__(self, **given: object) -> None: ...
