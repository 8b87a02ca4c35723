"""SCALE-Sim's reports: cycles per layer, and words moved from and to DRAM.

References
----------
Samajdar, Joseph, Zhu, Whatmough, Mattina, Krishna: A systematic methodology for characterizing scalability of DNN
accelerators using SCALE-Sim, ISPASS 2020. The formats are those of

- v2: github.com/scalesim-project/scale-sim-v2, ``scalesim/simulator.py`` at 1f53104f, an example in
  ``test/general/golden_trace_user_is/`` at 6c524ac0; words of one byte: ``scalesim/single_layer_sim.py`` at 187e81c0;
- v3: github.com/scalesim-project/scale-sim-v3, ``scalesim/simulator.py`` at 7e8359e7, an example in
  ``test/general/golden_trace_user_os/`` at 263e95b1.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from rtsched._csv import Row, csv_rows, read_text, shown
from rtsched.cost.table import CostTable
from rtsched.errors import InputError
from rtsched.interop.costs import LayerCost, Rows, Target, period_ns, quantity

__all__ = ["load_scalesim"]

ID = "LayerID"
CYCLES = "Total Cycles"
CYCLES_WITH_PREFETCH = "Total Cycles (incl. prefetch)"
WORDS = ("DRAM IFMAP Reads", "DRAM Filter Reads", "DRAM OFMAP Writes")

Path = str | os.PathLike[str]


def load_scalesim(
    report: Path,
    target: Target,
    *,
    clock_mhz: float,
    access: Path | None = None,
    topology: Path | None = None,
    word_bytes: float = 1.0,
) -> CostTable:
    """Read the reports of a run.

    A layer's latency is its total cycles, stalls included; where the report tells them with the first prefetch too (v3),
    that. SCALE-Sim knows layers by number.

    Parameters
    ----------
    report : str or path
        ``COMPUTE_REPORT.csv``.
    target : Target
    clock_mhz : float
        SCALE-Sim counts cycles only.
    access : str or path, optional
        ``DETAILED_ACCESS_REPORT.csv`` of the same run: the DRAM traffic.
    topology : str or path, optional
        The topology file of the run: its first column names the layers. Without it, they are called ``0``, ``1``, ...
    word_bytes : float
        Bytes of a word of DRAM traffic.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, as ``COMPUTE_REPORT.csv:3:4 Total Cycles: message``.
    """
    cycle_ns = period_ns(clock_mhz)
    if not 0 < word_bytes <= 1024:
        raise InputError(f"word_bytes: must be greater than 0 and at most 1024, got {word_bytes:g}")
    rows = Rows(os.fspath(report))
    names = None if topology is None else _names(os.fspath(topology), rows.faults)
    words = None if access is None else _words(os.fspath(access), rows.faults)
    rows.report()
    for layer, cells in _layers(os.fspath(report), rows):
        place = f"{os.fspath(report)}:{cells[0]}:1"
        cycles = _cycles(cells, rows.faults)
        if names is not None and not layer < len(names):
            rows.faults.append(f"{place}: {ID} {layer} is not in {topology}, which names {len(names)} layers")
        elif words is not None and layer not in words:
            rows.faults.append(f"{place}: {ID} {layer} is not in {access}")
        elif cycles is not None:
            name = str(layer) if names is None else names[layer]
            moved = None if words is None else words[layer] * word_bytes
            rows.add(LayerCost(name, cycles * cycle_ns, moved), place)
    return rows.table(target)


def _layers(file: str, rows: Rows, required: tuple[str, ...] = (CYCLES,)) -> Iterator[tuple[int, Row]]:
    """Lines by the number of their layer, each once."""
    for line in csv_rows(file, None, (ID, *required), rows.faults):
        line_number, cells, place = line
        text = (cells.get(ID) or "").strip()
        if ID not in cells:
            continue
        if not (text.isascii() and text.isdecimal() and len(text) <= 9):
            rows.faults.append(f"{place(ID)}: must be the number of a layer, got {shown(cells[ID])}")
        elif rows.claim(str(int(text)), f"{file}:{line_number}:1"):
            yield int(text), line


def _cycles(line: Row, faults: list[str]) -> float | None:
    _, cells, place = line
    column = CYCLES_WITH_PREFETCH if CYCLES_WITH_PREFETCH in cells else CYCLES
    if column not in cells:
        return None
    before = len(faults)
    cycles = quantity(cells[column], place(column), faults)
    if len(faults) == before and not cycles > 0:
        faults.append(f"{place(column)}: must be greater than 0, got {shown(cells[column])}")
    return cycles if len(faults) == before else None


def _words(file: str, faults: list[str]) -> dict[int, float]:
    """Words from and to DRAM, by the number of the layer."""
    rows = Rows(file)
    words = {
        layer: sum(quantity(cells.get(column, "0"), place(column), rows.faults) for column in WORDS)
        for layer, (_, cells, place) in _layers(file, rows, WORDS)
    }
    faults += rows.faults
    return words


def _names(file: str, faults: list[str]) -> list[str]:
    """Names of the layers: the first cell of every line after the first, as SCALE-Sim reads them."""
    names: list[str] = []
    rows = Rows(file)
    lines = enumerate(read_text(file).split("\n"), start=1)
    for line_number, line in islice(((i, line) for i, line in lines if line.strip()), 1, None):
        names.append(line.partition(",")[0].strip())
        if not names[-1]:
            rows.faults.append(f"{file}:{line_number}:1: must name a layer, got nothing")
        else:
            rows.claim(names[-1], f"{file}:{line_number}:1")
    faults += rows.faults
    return names
