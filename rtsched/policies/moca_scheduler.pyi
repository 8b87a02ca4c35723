from rtsched.policies.static import StaticPartition

NO_EXPRESS: int

class MocaScheduler(StaticPartition):
    mix: bool
    express: int
    idle: str
    memory_share: float
    def __init__(self, **given: object) -> None: ...
