import numpy as np

class Window:
    start_ns: int
    end_ns: int
    n_ended: np.ndarray
    n_violated: np.ndarray
    energy_j: np.ndarray
    worst_energy_j: np.ndarray
