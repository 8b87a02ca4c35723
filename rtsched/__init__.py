"""Simulator and policy lab for real-time multi-model DNN workloads on multi-accelerator systems."""

from importlib import import_module as _import_module
from importlib.util import find_spec as _find_spec
from typing import TYPE_CHECKING

if _find_spec("rtsched._core.loop") is None:
    raise ImportError(
        "this is the source folder of rtsched, whose core is not compiled here: start Python in another folder to use the "
        "installed package, or install with 'pip install -e .'"
    )

from rtsched._version import __version__
from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.moca import MocaPublishedCost
from rtsched.cost.model import Energy
from rtsched.cost.systolic import SystolicCost
from rtsched.cost.table import CostTable, TableCost
from rtsched.errors import InputError, PolicyError, RtschedError
from rtsched.library import load_model, load_platform, load_scenario
from rtsched.outcome import Outcome
from rtsched.platform.platform import Accelerator, Memory, Platform, Reference
from rtsched.policies.registry import load_policy
from rtsched.policies.roles import Dropper, Mapper, Policy, Regulator, Selector, Setting, Tuner
from rtsched.problem import Problem
from rtsched.run import Interrupted, compile, run, simulate
from rtsched.workload.layer import (
    Conv,
    Elementwise,
    Embedding,
    FusedPool,
    Gemm,
    Layer,
    Measured,
    Norm,
    Pool,
    Recurrent,
    Reshape,
    Softmax,
)
from rtsched.workload.model import Block, Model, Subnet
from rtsched.workload.scenario import Capacity, Scenario, Task, TimeFactor, WeightedPriority

if TYPE_CHECKING:
    from rtsched.attribution import Attribution, attribute
    from rtsched.bounds.bounding import Bound, bound
    from rtsched.recorded.replay import replay
    from rtsched.saved import load_outcome
    from rtsched.study.compare import Comparison, ComparisonInterrupted, compare
    from rtsched.study.explore.exploration import Exploration, ExplorationInterrupted, explore
    from rtsched.study.sweep.model import Study
    from rtsched.study.sweep.results import StudyRuns
    from rtsched.study.sweep.run import SweepInterrupted
    from rtsched.study.task_sets import uunifast
    from rtsched.study.tune.tuning import Tuning, TuningInterrupted, tune

# Imported when they are first used: 50 of the 350 ms that `import rtsched` would take otherwise.
_LATE = {
    "Attribution": "rtsched.attribution",
    "Bound": "rtsched.bounds.bounding",
    "Comparison": "rtsched.study.compare",
    "ComparisonInterrupted": "rtsched.study.compare",
    "Exploration": "rtsched.study.explore.exploration",
    "ExplorationInterrupted": "rtsched.study.explore.exploration",
    "Study": "rtsched.study.sweep.model",
    "StudyRuns": "rtsched.study.sweep.results",
    "SweepInterrupted": "rtsched.study.sweep.run",
    "Tuning": "rtsched.study.tune.tuning",
    "TuningInterrupted": "rtsched.study.tune.tuning",
    "attribute": "rtsched.attribution",
    "bound": "rtsched.bounds.bounding",
    "compare": "rtsched.study.compare",
    "explore": "rtsched.study.explore.exploration",
    "load_outcome": "rtsched.saved",
    "replay": "rtsched.recorded.replay",
    "tune": "rtsched.study.tune.tuning",
    "uunifast": "rtsched.study.task_sets",
}

__all__ = [
    "Accelerator",
    "Attribution",
    "Block",
    "Bound",
    "Capacity",
    "Comparison",
    "ComparisonInterrupted",
    "Conv",
    "CostTable",
    "DataflowCost",
    "Dropper",
    "Elementwise",
    "Embedding",
    "Energy",
    "Exploration",
    "ExplorationInterrupted",
    "FusedPool",
    "Gemm",
    "InputError",
    "Interrupted",
    "Layer",
    "Mapper",
    "Measured",
    "Memory",
    "MocaPublishedCost",
    "Model",
    "Norm",
    "Outcome",
    "Platform",
    "Policy",
    "PolicyError",
    "Pool",
    "Problem",
    "Recurrent",
    "Reference",
    "Regulator",
    "Reshape",
    "RtschedError",
    "Scenario",
    "Selector",
    "Setting",
    "Softmax",
    "Study",
    "StudyRuns",
    "Subnet",
    "SweepInterrupted",
    "SystolicCost",
    "TableCost",
    "Task",
    "TimeFactor",
    "Tuner",
    "Tuning",
    "TuningInterrupted",
    "WeightedPriority",
    "__version__",
    "attribute",
    "bound",
    "compare",
    "compile",
    "explore",
    "load_model",
    "load_outcome",
    "load_platform",
    "load_policy",
    "load_scenario",
    "replay",
    "run",
    "simulate",
    "tune",
    "uunifast",
]


def __getattr__(name: str) -> object:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(_import_module(_LATE[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
