"""The most jobs that any scheduler can meet: jobs and their windows, what they need, the linear program, its optimum."""

from rtsched.bounds.bounding import Bound, bound, bound_problem, bounds_of, check_no_roles

__all__ = ["Bound", "bound", "bound_problem", "bounds_of", "check_no_roles"]
