"""Bounds on the optimum of a linear program that hold however inexact the solver was."""

from __future__ import annotations

import math

import numpy as np
from scipy.optimize import linprog

from rtsched.bounds.program import Program

__all__ = ["MARGIN", "optimum_at_most"]

MARGIN = 1e-6
"""Jobs that are added for rounding; the sums in `optimum_at_most` are exact to some 1e-9 of a job."""


def optimum_at_most(program: Program) -> float:
    """Return a number that the optimum does not exceed, and that is the optimum up to the solver's tolerance.

    Prices of the rows, whatever they are, bound the optimum by weak duality: what the limits cost, and what each variable, at most
    as large as it may be, gains beyond its cost. The solver's prices make this bound equal to the optimum but for its tolerance; its
    primal answer is not used, since it may be too small.

    Parameters
    ----------
    program : Program
    """
    if not len(program.gain):
        return 0.0
    found = linprog(
        -program.gain,
        A_ub=program.upper,
        b_ub=program.limit,
        A_eq=program.equal if program.equal.shape[0] else None,
        b_eq=np.zeros(program.equal.shape[0]) if program.equal.shape[0] else None,
        bounds=np.column_stack([np.zeros(len(program.most)), program.most]),
        method="highs",
    )
    price, equal_price = np.zeros(program.upper.shape[0]), np.zeros(program.equal.shape[0])
    if found.status == 0:  # else no price at all: what the variables may be bounds what they gain
        price = np.maximum(-found.ineqlin.marginals, 0.0)
        if len(equal_price):
            equal_price = -found.eqlin.marginals
    excess = program.gain - price @ program.upper - equal_price @ program.equal
    terms = np.concatenate([price * program.limit, np.maximum(excess, 0.0) * program.most])
    return math.fsum(terms.tolist())
