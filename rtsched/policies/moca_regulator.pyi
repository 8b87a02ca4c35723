from rtsched._core.roles import NativeRegulator

class MocaRegulator(NativeRegulator):
    weight: str
    urgency_weight: float
    urgency_cap: float
    min_share: float
    clock_ghz: float
    def __init__(self, **given: object) -> None: ...
