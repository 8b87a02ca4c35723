r"""ZigZag's results per layer: cycles, energy, and accesses to the outermost memory.

References
----------
Mei, Houshmand, Jain, Giraldo, Verhelst: ZigZag: Enlarging joint architecture-mapping design space exploration for DNN
accelerators, IEEE Transactions on Computers 70 (8), 2021. The format is that of github.com/KULeuven-MICAS/zigzag:

- ``zigzag/stages/results/save.py`` at a73eb7fc writes ``LAYER_complete.json`` and ``LAYER_simple.json``, with a slash of the
  layer's name as ``_``; ``zigzag/stages/save_stages.py`` at 0d471057 also wrote the former as YAML, ``LAYER_complete/.yml``;
- ``zigzag/cost_model/cost_model.py``: ``__jsonrepr__`` and ``__simplejsonrepr__``; latencies in cycles, energies in pJ;
- ``out/TPU-custom-layer_LayerNode_0_complete.json`` at d1e8652e is an example.

Accesses are written as text, ``4waydatamoving (rd /\: 0, wr V: 0, rd V: 4.0, wr /\: 0)``; later versions have ``^`` and ``v``,
or arrows, for up and down, and version 3.9 maps: ``rd_out_to_low``, ``wr_in_by_low``. The last level of an operand is off chip; an access
moves as many bits as the narrowest (``mem_r_bw_min_dict``, ``mem_w_bw_min_dict``), which version 3.9 leaves empty.

Its pickles are not read: to unpickle is to run what is in the file.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rtsched._csv import shown
from rtsched.cost.table import CostTable
from rtsched.documents import Document
from rtsched.errors import InputError
from rtsched.interop.costs import LayerCost, Rows, Target, period_ns

__all__ = ["layer_name", "load_zigzag"]

SUFFIXES = (".json", ".yaml", ".yml")
JOULE_PER_PJ = 1e-12
MAX_ACCESS_BYTES = 2**20
PARTS = ("data_onloading", "computation", "data_offloading")

_UP, _DOWN = r"(?:/\\|\^|↑)", r"(?:V|v|↓)"
_COUNT = r"([0-9.eE+-]+)"
_ACCESSES = re.compile(
    rf"4way ?data ?moving ?\(rd {_UP}: {_COUNT}, wr {_DOWN}: {_COUNT}, rd {_DOWN}: {_COUNT}, wr {_UP}: {_COUNT}\)", re.IGNORECASE
)
Steps = tuple[str | int, ...]


def load_zigzag(
    files: Sequence[str | os.PathLike[str]],
    target: Target,
    *,
    clock_mhz: float,
    layers: Sequence[str] | None = None,
    access_bytes: float | None = None,
) -> CostTable:
    """Read what ZigZag saved, one layer per file.

    A layer's latency is that of loading, computing and writing back. The energy of the operations counts as ``mac``, that of
    the outermost memory as ``dram``, that of the others as ``sram``. A file that does not tell accesses and the widths of
    the memory leaves the DRAM bytes at 0.

    Parameters
    ----------
    files : sequence of str or path
        ``LAYER_complete.json``, its YAML, or ``LAYER_simple.json``, which has no more than latency and energy.
    target : Target
    clock_mhz : float
        ZigZag counts cycles only.
    layers : sequence of str, optional
        The layers' names, one per file. Default: `layer_name`.
    access_bytes : float, optional
        What an access to the outermost memory moves, where a file does not tell.

    Raises
    ------
    rtsched.errors.InputError
        One message per fault, as ``conv1_complete.json:45:27 outputs.latency.computation: message``.
    """
    cycle_ns = period_ns(clock_mhz)
    if layers is not None and len(layers) != len(files):
        raise InputError(f"layers: must name the layer of each file: {len(files)} files, {len(layers)} names")
    if access_bytes is not None and not 0 < access_bytes <= MAX_ACCESS_BYTES:
        raise InputError(f"access_bytes: must be greater than 0, at most 2^20, got {access_bytes!r}")
    width_bits = None if access_bytes is None else 8 * access_bytes
    rows = Rows("zigzag" if len(files) != 1 else os.fspath(files[0]))
    for file, name in zip([os.fspath(one) for one in files], layers or [layer_name(one) for one in files], strict=True):
        try:
            if not name.strip():
                raise InputError(f"{file}: the name of its layer is empty")
            if rows.claim(name.strip(), file):
                rows.add(_Result(file, width_bits).cost(name.strip(), cycle_ns), file)
        except InputError as error:
            rows.faults += error.faults
    return rows.table(target)


def layer_name(file: str | os.PathLike[str]) -> str:
    """The name of the layer in the name of a file.

    Examples
    --------
    >>> [layer_name(file) for file in ("out/conv1_complete.json", "out/conv1_complete/.yml", "fc_simple.json")]
    ['conv1', 'conv1', 'fc']
    """
    path = Path(file)
    stem = path.parent.name if path.name.startswith(".") else path.stem
    return stem.removesuffix("_complete").removesuffix("_simple")


class _Result:
    """What a file says of its layer."""

    def __init__(self, file: str, width_bits: float | None) -> None:
        if not file.lower().endswith(SUFFIXES):
            raise InputError(f"{file}: must be a file that ends in {', '.join(SUFFIXES)}; pickles are not read")
        self._document = Document.read(file)
        self._given_bits = width_bits
        self._is_broken = False

    def cost(self, layer: str, cycle_ns: float) -> LayerCost:
        """Costs of the layer.

        Raises
        ------
        rtsched.errors.InputError
        """
        made = self._complete(layer, cycle_ns) if self._find("outputs") is not None else self._simple(layer, cycle_ns)
        self._document.raise_faults()
        return made

    def _simple(self, layer: str, cycle_ns: float) -> LayerCost:
        cycles = self._positive(("latency",), self._number("latency"))
        return LayerCost(layer, cycles * cycle_ns, energy_j=self._number("energy") * JOULE_PER_PJ)

    def _complete(self, layer: str, cycle_ns: float) -> LayerCost:
        if isinstance(self._find("inputs", "layer"), (tuple, int)):
            self._document.fault(("inputs", "layer"), "must describe one layer; this file sums up several")
        latency: Steps = ("outputs", "latency")
        cycles = self._positive(latency, sum(self._number(*latency, part) for part in PARTS))
        mac_pj = self._number("outputs", "energy", "operational_energy")
        memory_pj, dram_pj = self._number("outputs", "energy", "memory_energy"), self._dram_pj()
        if dram_pj > memory_pj * (1 + 1e-9):
            self._document.fault(("outputs", "energy", "memory_energy"), f"must be at least {dram_pj:g}, the outermost memory's")
        return LayerCost(
            layer,
            cycles * cycle_ns,
            self._dram_bytes(),
            energy_mac_j=mac_pj * JOULE_PER_PJ,
            energy_sram_j=max(0.0, memory_pj - dram_pj) * JOULE_PER_PJ,
            energy_dram_j=dram_pj * JOULE_PER_PJ,
        )

    def _dram_pj(self) -> float:
        path: Steps = ("outputs", "energy", "memory_energy_breakdown_per_level")
        levels = self._find(*path)
        if not isinstance(levels, dict):
            return 0.0
        return sum(self._number(*path, operand, len(one) - 1) for operand, one in levels.items() if isinstance(one, tuple) and one)

    def _dram_bytes(self) -> float | None:
        """Bytes from and to the last level of every operand; None where something is not told."""
        accesses = self._find("outputs", "memory", "word_accesses")
        if not isinstance(accesses, dict):
            return None
        bits = 0.0
        for operand, levels in accesses.items():
            moved = _moved(levels[-1] if isinstance(levels, tuple) and levels else None)
            width = self._width_bits(operand)
            if moved is None or width is None:
                return None
            bits += moved[0] * width[0] + moved[1] * width[1]
        return bits / 8 if 0 <= bits < math.inf else None

    def _width_bits(self, operand: str) -> tuple[float, float] | None:
        """What an access to the last level of an operand writes, and reads."""
        memory = self._find("inputs", "layer", "memory_operand_links", operand)
        widths = [self._find("inputs", "accelerator", "cores", 0, name, memory, -1) for name in ("mem_w_bw_min_dict", "mem_r_bw_min_dict")]
        if not isinstance(memory, str) or not all(map(_is_number, widths)):
            return None if self._given_bits is None else (self._given_bits, self._given_bits)
        return float(widths[0]), float(widths[1])

    def _find(self, *path: str | int | None) -> Any:
        """The value at `path`, None where there is none."""
        value = self._document.value
        for step in path:
            try:
                value = value[step]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def _number(self, *path: str | int) -> float:
        value = self._find(*path)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1e300:
            self._document.fault(path, f"must be a number, 0 or greater, got {shown(value)}")
            self._is_broken = True
            return 0.0
        return value

    def _positive(self, path: Steps, cycles: float) -> float:
        if not (cycles > 0 or self._is_broken):
            self._document.fault(path, "must be more than 0 cycles")
        return cycles


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _moved(level: Any) -> tuple[float, float] | None:
    """Accesses of a level that write what comes from below, and that read what goes down; None where it does not tell."""
    if isinstance(level, dict):
        written, read = level.get("wr_in_by_low", ""), level.get("rd_out_to_low", "")
        return (float(written), float(read)) if _is_number(written) and _is_number(read) else None
    found = _ACCESSES.fullmatch(level) if isinstance(level, str) else None
    try:
        return None if found is None else (float(found[4]), float(found[3]))
    except ValueError:
        return None
