from rtsched._core.roles import NativeDropper

class SmartDrop(NativeDropper):
    max_drops: int
    window: int
    lightest: bool
    def __init__(self, **given: object) -> None: ...
