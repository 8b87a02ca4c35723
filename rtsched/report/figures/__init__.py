"""Figures for papers: a function for each, which draws outcomes or a comparison and returns a matplotlib figure.

All take ``ax``, axes of a figure of yours, and ``width_inches``, one column or two. `save` writes a figure as journals want it.
docs/figures.md shows each. They need matplotlib: pip install 'rtsched[plot]'
"""

from rtsched.report.figures.causes import causes
from rtsched.report.figures.comparison import comparison
from rtsched.report.figures.latency import latency
from rtsched.report.figures.style import COLUMN_INCHES, PAGE_INCHES, SETTINGS, save
from rtsched.report.figures.timeline import timeline
from rtsched.report.figures.utilisation import utilisation
from rtsched.report.figures.uxcost import uxcost

__all__ = ["COLUMN_INCHES", "PAGE_INCHES", "SETTINGS", "causes", "comparison", "latency", "save", "timeline", "utilisation", "uxcost"]
