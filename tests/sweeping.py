"""Small studies, and policies that fail in them."""

from rtsched.study.sweep.model import Study


def made(**keys):
    given = {
        "name": "s",
        "scenarios": ["vr_gaming"],
        "platforms": ["dream_4k_1ws2os"],
        "policies": ["fcfs", "dream-fixed"],
        "duration_s": 0.1,
        "axes": [{"path": "scenario.load", "values": [1, 1.5]}, {"path": "mapper.alpha", "values": [0.5, 1.0]}],
        "seeds": 2,
    }
    return Study(**{**given, **keys})


FAILING = """
import os, signal
import numpy as np
import rtsched

class Nan(rtsched.Mapper):
    settings = (rtsched.Setting("when_s", 1.0, "from then on", low=0.0),)

    def score(self, state):
        return np.full(state.n_ready, np.nan if state.now_ns > 1e9 * self.when_s else 0.0)

class Raises(Nan):
    def score(self, state):
        if state.now_ns > 1e9 * self.when_s:
            raise KeyError("mine")
        return np.zeros(state.n_ready)

class Dies(Nan):
    def score(self, state):
        if state.now_ns > 1e9 * self.when_s:
            os.kill(os.getpid(), signal.SIGKILL)
        return np.zeros(state.n_ready)
"""


def failing(tmp_path, name, **keys):
    """A study whose last cell fails."""
    (tmp_path / "mine.py").write_text(FAILING)
    axes = [{"path": "mapper.when_s", "values": [1.0, 2.0, 0.05]}]
    return made(policies=["fcfs", f"{tmp_path}/mine.py:{name}"], axes=axes, **keys)
