"""Costs that were measured, or that another tool computed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, PlainSerializer, PlainValidator, PrivateAttr, ValidationInfo, WithJsonSchema, model_validator

from rtsched._files import outside_fault
from rtsched.cost.model import ENERGY_COMPONENTS, Costs, Energy, LayerTable
from rtsched.cost.rows import COLUMNS, SPLIT_ENERGY, read_csv, read_rows
from rtsched.errors import FaultsError, InputError, listed, plain, quoted

__all__ = ["CostTable", "TableCost"]


@dataclass(frozen=True, eq=False)
class CostTable:
    """Costs of layers as columns; one row is a layer on an accelerator, on a number of its tiles.

    Made by `from_csv`, `from_rows` or `from_columns`, which check everything.

    Attributes
    ----------
    source : str
        What messages call it: the file.
    model, layer, accelerator : tuple of str, length n
        `model` is ``model/subnet`` for a Supernet with several subnets, as in `rtsched.cost.model.LayerKey`.
    tiles : ndarray of int64, shape (n,)
    latency_ns : ndarray of int64, shape (n,)
        The layer alone, its memory traffic included.
    dram_bytes, l2_bytes : ndarray of int64, shape (n,)
    energy_j : ndarray of float64, shape (n, 4)
        By `rtsched.cost.model.ENERGY_COMPONENTS`. Energy that is not split counts as 'mac'.
    """

    source: str
    model: tuple[str, ...]
    layer: tuple[str, ...]
    accelerator: tuple[str, ...]
    tiles: NDArray[np.int64]
    latency_ns: NDArray[np.int64]
    dram_bytes: NDArray[np.int64]
    l2_bytes: NDArray[np.int64]
    energy_j: NDArray[np.float64]

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str]) -> CostTable:
        """Read a CSV file: UTF-8, separated by commas, no line breaks inside cells; the first line names the columns.

        Parameters
        ----------
        path : str or path
            Columns in any order: ``model, layer, accelerator, latency_ns``, and if wanted ``tiles`` (default 1),
            ``dram_bytes``, ``l2_bytes`` (default 0), and ``energy_j`` or its parts ``energy_mac_j, energy_sram_j,
            energy_l2_j, energy_dram_j`` (joule, default 0). Empty cells take the default. Times and bytes are rounded to
            the nearest integer.

        Raises
        ------
        rtsched.errors.InputError
            One message per fault, all at once, as ``costs.csv:7:30 latency_ns: message``: line, and column of the cell's
            first character.
        """
        return cls._of(read_csv(path), os.fspath(path))

    @classmethod
    def from_rows(cls, rows: Iterable[Mapping[str, Any]], *, source: str = "rows") -> CostTable:
        """Take rows from Python.

        Parameters
        ----------
        rows : iterable of mapping
            Keys as the columns of `from_csv`; None stands for an empty cell.
        source : str
            What messages call it.

        Raises
        ------
        rtsched.errors.InputError
            One message per fault, all at once, as ``rows[3].latency_ns: message``.
        """
        return cls._of(read_rows(rows, source), source)

    @classmethod
    def from_columns(cls, columns: Mapping[str, Iterable[Any]], *, source: str = "rows") -> CostTable:
        """Take arrays, a pandas DataFrame's columns for example.

        Parameters
        ----------
        columns : mapping of str to iterable
            Keys as the columns of `from_csv`; all values of one length.
        source : str
            What messages call it.

        Raises
        ------
        rtsched.errors.InputError
            One message per fault, all at once, as ``rows[3].latency_ns: message``.
        """
        lists = {name: list(columns[name]) for name in columns}
        if len({len(values) for values in lists.values()}) > 1:
            lengths = ", ".join(f"{name} has {len(values)}" for name, values in lists.items())
            raise InputError(f"{source}: columns must be equally long: {lengths}")
        return cls.from_rows([dict(zip(lists, cells, strict=True)) for cells in zip(*lists.values(), strict=True)], source=source)

    @classmethod
    def _of(cls, columns: dict[str, list[Any]], source: str) -> CostTable:
        energy_j = np.array([columns[name] for name in SPLIT_ENERGY], dtype=np.float64).T.copy()
        energy_j[:, ENERGY_COMPONENTS.index("mac")] += np.array(columns["energy_j"], dtype=np.float64)
        tiles, latency_ns, dram_bytes, l2_bytes = (
            np.array(columns[name], dtype=np.int64) for name in ("tiles", "latency_ns", "dram_bytes", "l2_bytes")
        )
        for array in (tiles, latency_ns, dram_bytes, l2_bytes, energy_j):
            array.setflags(write=False)
        model, layer, accelerator = (tuple(columns[name]) for name in ("model", "layer", "accelerator"))
        return cls(source, model, layer, accelerator, tiles, latency_ns, dram_bytes, l2_bytes, energy_j)

    def to_rows(self) -> list[dict[str, Any]]:
        """Rows as `from_rows` takes them."""
        cells = zip(
            *(self.model, self.layer, self.accelerator),
            *(column.tolist() for column in (self.tiles, self.latency_ns, self.dram_bytes, self.l2_bytes, *self.energy_j.T)),
            strict=True,
        )
        names = ("model", "layer", "accelerator", "tiles", "latency_ns", "dram_bytes", "l2_bytes", *SPLIT_ENERGY)
        return [dict(zip(names, row, strict=True)) for row in cells]

    def rows_of(self, accelerator: str, tiles: int, layers: LayerTable) -> NDArray[np.intp]:
        """Row of every layer on 1..tiles tiles.

        Parameters
        ----------
        accelerator : str
        tiles : int
        layers : LayerTable

        Returns
        -------
        ndarray of int, shape (n_layers, tiles)
            -1 where there is none.
        """
        rows = [[self._index.get((key.model, key.layer, accelerator, n), -1) for n in range(1, tiles + 1)] for key in layers.keys]
        return np.array(rows, dtype=np.intp).reshape(len(layers), tiles)

    @cached_property
    def _index(self) -> dict[tuple[str, str, str, int], int]:
        return {key: i for i, key in enumerate(zip(self.model, self.layer, self.accelerator, self.tiles.tolist(), strict=True))}

    def __len__(self) -> int:
        return len(self.model)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CostTable) and self.to_rows() == other.to_rows()

    def __hash__(self) -> int:
        return hash((self.model, self.layer, self.accelerator))


def _as_table(value: Any) -> CostTable:
    if isinstance(value, CostTable):
        return value
    if isinstance(value, (list, tuple)):
        return CostTable.from_rows(value)
    raise InputError(f"rows: must be a CostTable or a list of rows, got {value!r:.60}")


_ROW_SCHEMA = {
    "type": "object",
    "properties": {
        name: {"type": "string"} if name in ("model", "layer", "accelerator") else {"type": "number", "minimum": 0} for name in COLUMNS
    },
    "required": ["model", "layer", "accelerator", "latency_ns"],
    "additionalProperties": False,
}
_Rows = Annotated[
    CostTable,
    PlainValidator(_as_table),
    PlainSerializer(CostTable.to_rows),
    WithJsonSchema({"type": "array", "minItems": 1, "items": _ROW_SCHEMA}),
]


class TableCost(BaseModel):
    """Costs from a table of layers that were measured or that another tool computed.

    Give either `file` or `rows`. A latency is the layer's time alone on this accelerator, its memory traffic included, so
    that nothing is added to it; `fetch_bytes` and `keep_bytes` are 0, because a table does not say what stays on chip. Where
    the table has a layer for other accelerators or other numbers of tiles only, the layer cannot run there.

    Attributes
    ----------
    model : {'table'}
        Selects this cost model.
    file : str, optional
        A CSV file, see `CostTable.from_csv`. A relative path starts from the folder of the document that names it, below which
        it must be, else from the current one. Read at once.
    rows : CostTable or list of mapping, optional
        The same in memory, see `CostTable.from_rows`.

    Raises
    ------
    rtsched.errors.InputError
        As the ``error`` of a pydantic.ValidationError: every fault of the file or of the rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Literal["table"] = "table"
    file: str | None = None
    rows: _Rows | None = None

    _table: CostTable = PrivateAttr()

    @model_validator(mode="after")
    def _read(self, info: ValidationInfo) -> Any:
        if (self.file is None) == (self.rows is None):
            raise ValueError("must have either 'file' or 'rows'")
        if self.file is not None:
            base = (info.context or {}).get("base", Path())
            if (info.context or {}).get("is_confined") and (fault := outside_fault(base, self.file)):
                raise FaultsError((("file",), f"{plain(self.file)}: {fault}"))
            self._table = CostTable.from_csv(Path(base) / self.file)
        elif self.rows is not None:
            self._table = self.rows
        return self

    @property
    def table(self) -> CostTable:
        """What `file` or `rows` holds."""
        return self._table

    def estimate(self, accelerator: str, tiles: int, layers: LayerTable, energy: Energy) -> Costs:
        """Look every layer up.

        Parameters
        ----------
        accelerator : str
        tiles : int
            Rows for more tiles are left aside.
        layers : LayerTable
        energy : Energy
            Not used: energies are the table's own.

        Returns
        -------
        Costs
            `compute_ns` is the latency.

        Raises
        ------
        rtsched.errors.InputError
            When the table has no row for this accelerator, or none at all for some layers; lists all of those.
        """
        table = self.table
        known = set(zip(table.model, table.layer, strict=True))
        missing = [key for key in dict.fromkeys(layers.keys) if (key.model, key.layer) not in known]
        faults = [f"{table.source}: no row for layer {quoted(key.layer)} of model {quoted(key.model)}" for key in missing]
        if accelerator not in table.accelerator:
            names = listed(dict.fromkeys(table.accelerator))
            faults.append(f"{table.source}: no row for accelerator {quoted(accelerator)}; it has rows for {names}")
        if faults:
            raise InputError(faults)
        rows = table.rows_of(accelerator, tiles, layers)
        has_row = rows >= 0
        return Costs(
            compute_ns=np.where(has_row, table.latency_ns[rows], np.nan),
            dram_bytes=np.where(has_row, table.dram_bytes[rows], 0),
            l2_bytes=np.where(has_row, table.l2_bytes[rows], 0),
            fetch_bytes=np.zeros(rows.shape, dtype=np.int64),
            keep_bytes=np.zeros(rows.shape, dtype=np.int64),
            energy_j=np.where(has_row[..., np.newaxis], table.energy_j[rows], 0.0),
        )
