from rtsched.policies.static import StaticPartition

class MocaScheduler(StaticPartition):
    mix: bool
    memory_share: float
    def __init__(self, **given: object) -> None: ...
