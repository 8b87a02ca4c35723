from rtsched._core.roles import NativeSelector

class SupernetSwitch(NativeSelector):
    backlog_weight: float
    def __init__(self, **given: object) -> None: ...
