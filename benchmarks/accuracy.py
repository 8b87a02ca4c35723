"""How far the cost models are from what others measured: writes docs/accuracy.md and the picture in it.

::

    pip install '.[plot]'
    python benchmarks/accuracy.py FOLDER

FOLDER holds the measurements, which are not part of the project: ``gemmini_layers.csv`` (layers on one Gemmini tile, see fit_systolic.py)
and ``gemmini_corun_service.csv`` (jobs that share the memory, see gemmini_corun.py). ZigZag's figures are in ``data/``.
Prose stands in ``accuracy.md.in``; every table is computed. The results are the same on every machine.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from string import Template

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import fit_systolic
import gemmini_corun
import zigzag_accuracy
from fit_systolic import IN_TOTAL, Measured

from rtsched.cost.systolic import SystolicCost

HERE = Path(__file__).parent
TEMPLATE = HERE / "accuracy.md.in"
PAGE = HERE.parent / "docs" / "accuracy.md"
PICTURE = PAGE.with_suffix(".svg")

MARKERS = {"conv": "o", "matmul": "s", "resadd": "^", "pool": "D"}
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""One per network, told apart by the colour-blind too (Okabe and Ito)."""


def draw(measured: Measured, path: Path) -> None:
    """Draw predicted over measured cycles of every layer, with a band of 10 %."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    predicted = fit_systolic.cycles(SystolicCost(), measured)
    # Text stays text; element names and date do not change from run to run.
    with pyplot.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rtsched", "font.size": 9}):
        figure, axes = pyplot.subplots(figsize=(5.2, 4.6), layout="constrained")
        mask = measured.part((*IN_TOTAL, "pool"))
        ends = np.array([measured.cycles[mask].min() * 0.7, measured.cycles[mask].max() * 1.4])
        axes.fill_between(ends, ends * 0.9, ends * 1.1, color="#bbbbbb", alpha=0.5, linewidth=0, label="within 10 %")
        axes.plot(ends, ends, color="#666666", linewidth=0.8)
        for network, colour in zip(measured.networks, COLOURS, strict=False):
            for kind, marker in MARKERS.items():
                one = measured.part((kind,), network)
                if one.any():
                    style = {"marker": marker, "color": colour, "label": f"{network}, {kind}"}
                    axes.scatter(measured.cycles[one], predicted[one], s=16, alpha=0.7, linewidths=0, **style)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, xlabel="measured cycles", ylabel="predicted cycles")
        axes.legend(fontsize=7, frameon=False)
        figure.savefig(path, metadata={"Date": None})
        pyplot.close(figure)


def tables(folder: Path) -> dict[str, str]:
    """The tables of the page, by their names in the template."""
    measured = fit_systolic.read(folder / "gemmini_layers.csv")
    corun = folder / "gemmini_corun_service.csv"
    jobs = gemmini_corun.compare(corun)
    model = SystolicCost()
    return {
        "constants": fit_systolic.constants_table(measured),
        "errors": fit_systolic.errors_table(model, measured),
        "left_out": fit_systolic.left_out_table(measured),
        "worst": fit_systolic.worst_table(model, measured),
        "published": fit_systolic.published_table(measured),
        "corun": gemmini_corun.table([*jobs, *gemmini_corun.over_runs(jobs)]),
        "corun_spread": gemmini_corun.spread(jobs),
        "corun_sensitivity": gemmini_corun.sensitivity(corun),
        **zigzag_tables(),
    }


def zigzag_tables() -> dict[str, str]:
    """Tables and summaries of the comparison with ZigZag, by their names in the template."""
    rows = zigzag_accuracy.read()
    compared = {hardware.replace("-", "_"): zigzag_accuracy.compare(rows, hardware) for hardware in zigzag_accuracy.HARDWARE}
    found = {f"zigzag_{name}": zigzag_accuracy.table(one) for name, one in compared.items()}
    return found | {f"zigzag_{name}_summary": zigzag_accuracy.summary(one) for name, one in compared.items()}


def page(folder: Path) -> str:
    """The whole page."""
    filled = {name: text.strip("\n") for name, text in tables(folder).items()}
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(filled)


def main() -> None:
    """Write the page and the picture."""
    arguments = argparse.ArgumentParser(description="Write docs/accuracy.md: how far the cost models are from measurements.")
    arguments.add_argument("folder", type=Path, help="with gemmini_layers.csv and gemmini_corun_service.csv")
    folder = arguments.parse_args().folder
    PAGE.write_text(page(folder), encoding="utf-8")
    draw(fit_systolic.read(folder / "gemmini_layers.csv"), PICTURE)


if __name__ == "__main__":
    main()
