import numpy as np

from rtsched.problem import Problem

class RunningView:
    n: int
    task: np.ndarray
    frame: np.ndarray
    layer: np.ndarray
    accelerator: np.ndarray
    n_tiles: np.ndarray
    priority: np.ndarray
    start_ns: np.ndarray
    deadline_ns: np.ndarray
    slack_ns: np.ndarray
    remaining_ns: np.ndarray
    togo_mean_ns: np.ndarray
    togo_min_ns: np.ndarray
    demand_bytes_per_ns: np.ndarray
    allocation_bytes_per_ns: np.ndarray
    cap_bytes_per_ns: np.ndarray

class StateView:
    problem: Problem
    running: RunningView
    now_ns: int
    n_ready: int
    task: np.ndarray
    frame: np.ndarray
    priority: np.ndarray
    release_ns: np.ndarray
    deadline_ns: np.ndarray
    slack_ns: np.ndarray
    start_ns: np.ndarray
    last_end_ns: np.ndarray
    layer: np.ndarray
    subnet: np.ndarray
    togo_mean_ns: np.ndarray
    togo_min_ns: np.ndarray
    sparsity: np.ndarray
    latency_ns: np.ndarray
    free_tiles: np.ndarray

class Dispatches:
    def append(self, row: int, accelerator: int, n_tiles: int = 1, n_layers: int = 1) -> None: ...
