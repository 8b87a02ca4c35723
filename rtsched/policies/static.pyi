from collections.abc import Callable

from rtsched._core.roles import NativeMapper
from rtsched.policies.roles import Policy

LATE: tuple[str, ...]
QUEUES: tuple[str, ...]

class StaticPartition(NativeMapper):
    groups: int
    queue: str
    late: str
    patience: float
    def __init__(self, **given: object) -> None: ...

policy: Callable[[], Policy]
