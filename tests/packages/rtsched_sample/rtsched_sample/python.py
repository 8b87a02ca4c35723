"""The policy in Python."""

import numpy as np

import rtsched


class MostLayers(rtsched.Mapper):
    """Most layers left first."""

    settings = (rtsched.Setting("priority_layers", 1.5, "layers that a step of priority counts as", low=0.0),)

    def score(self, state):
        problem = state.problem
        first_subnet = problem.model_first_subnet[problem.task_model[state.task]]
        end_block = problem.subnet_first_block[first_subnet + np.maximum(state.subnet, 0) + 1]
        layers_left = problem.block_first_layer[end_block] - state.layer
        return layers_left + self.priority_layers * state.priority


def policy():
    """Most layers left first, on the free accelerator with the smallest estimated latency; in Python.

    Of a dynamic network all layers count, those of the largest subnet until one is chosen.
    """
    return rtsched.Policy(mapper=MostLayers())
