"""What there is, and what each of it is: the texts of ``rtsched list``, ``rtsched show`` and ``rtsched import``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rtsched.cost.dataflow import DataflowCost
from rtsched.cost.moca import MocaPublishedCost
from rtsched.cost.systolic import SystolicCost
from rtsched.cost.table import CostTable, TableCost
from rtsched.documents import Document, hint
from rtsched.errors import InputError
from rtsched.interop.onnx import ImportedModel
from rtsched.library import YAML, load_model, load_platform, load_scenario, locate, models, platforms, scenarios
from rtsched.metrics import SCALARS
from rtsched.platform.platform import Accelerator, AnyCost, Memory, Platform, Reference
from rtsched.policies.registry import policy_names
from rtsched.policies.script import is_script
from rtsched.report.policies import describe_policy, list_of_policies
from rtsched.report.scenarios import describe_scenario
from rtsched.report.text import NOTHING, digits, facts, name, scale, scaled, seconds, table, title
from rtsched.workload.model import Model, Subnet

__all__ = ["describe", "describe_costs", "describe_import", "listing"]

DATAFLOWS = {"ws": "weight-stationary", "os": "output-stationary", "rs": "row-stationary"}


def listing(what: str | None = None) -> RenderableType:
    """List everything that is built in, and the policies that installed packages offer.

    Parameters
    ----------
    what : {"scenarios", "platforms", "policies", "models", "metrics"}, optional
        Default: all of them, one after the other.
    """
    lists: dict[str, Callable[[], Table]] = {
        "scenarios": _list_scenarios,
        "platforms": _list_platforms,
        "policies": list_of_policies,
        "models": _list_models,
        "metrics": _list_metrics,
    }
    if what is not None:
        return lists[what]()
    return Group(*(part for number, make in enumerate(lists.values()) for part in ([""] if number else []) + [make()]))


def _list_scenarios() -> Table:
    made = table(["scenario", "tasks", "platform", "description"], words=("scenario", "platform", "description"))
    for one in map(load_scenario, scenarios()):
        made.add_row(name(one.name), str(len(one.tasks)), name(one.platform or NOTHING), name(one.description))
    return made


def _list_platforms() -> Table:
    made = table(["platform", "DRAM GB/s", "description"], words=("platform", "description"))
    for one in map(load_platform, platforms()):
        made.add_row(name(one.name), f"{one.memory.peak_gb_per_s:g}", name(one.description))
    return made


def _list_models() -> Table:
    made = table(["model", "subnets", "layers", "GMACs", "parameters, M", "source"], words=("model", "source"))
    for one in map(load_model, models()):
        n_layers = len(one.variants[0].all_layers)
        size = (digits(one.macs * 1e-9), digits(one.parameters * 1e-6))
        made.add_row(name(one.name), str(len(one.variants)), str(n_layers), *size, name(one.source))
    return made


def _list_metrics() -> Table:
    made = table(["metric", "unit", "better", "meaning"], words=("metric", "unit", "better", "meaning"))
    for one in SCALARS.values():
        made.add_row(name(one.name), one.unit or NOTHING, one.better, one.meaning)
    return made


def describe(ref: str) -> RenderableType:
    """Describe a scenario, platform, policy, model or metric.

    Parameters
    ----------
    ref : str
        A name, a file as the loaders of `rtsched.library` take it (its content tells what it is), or ``FILE.py:NAME``.

    Raises
    ------
    rtsched.errors.InputError
        There is nothing of that name, or the file is faulty.
    """
    known: list[tuple[tuple[str, ...], Callable[[str], RenderableType]]] = [
        (scenarios(), describe_scenario),
        (platforms(), _platform),
        (policy_names(), describe_policy),
        (models(), _model),
        (tuple(SCALARS), _metric),
    ]
    if is_script(ref):
        return describe_policy(ref)
    path = locate(ref, (*YAML, ".onnx"))
    if path is not None:
        return _model(ref) if path.suffix.lower() == ".onnx" else _document(ref, Document.read(path, ref).value)
    found = [show(ref) for names, show in known if ref in names]
    if not found:
        everything = [one for names, _ in known for one in names]
        raise InputError(f"nothing is named {ref!r}{hint(ref, everything) or '; see rtsched list'}")
    return Group(*found)


def _document(ref: str, content: Any) -> RenderableType:
    kinds = {"tasks": describe_scenario, "accelerators": _platform, "layers": _model, "blocks": _model, "subnets": _model}
    for key, show in kinds.items():
        if isinstance(content, dict) and key in content:
            return show(ref)
    raise InputError(f"{ref}: is no scenario, platform or model: it has none of the keys {', '.join(kinds)}")


def _metric(ref: str) -> RenderableType:
    one = SCALARS[ref]
    rows = [("unit", one.unit or "none"), ("better", one.better)]
    return Group(title(one.name, "metric", one.meaning), Text(one.definition.replace("`", "")), "", facts(rows))


# Platforms


def _platform(ref: str) -> RenderableType:
    platform = load_platform(ref)
    columns = ["accelerator", "dataflow", "tiles", "PEs", "MHz", "buffer\nKiB", "NoC per\ncycle", "peak\nGMAC/s", "port\nGB/s", "idle\nmW"]
    made = table(columns, words=("accelerator", "dataflow"))
    for one in platform.accelerators:
        made.add_row(*_accelerator(one))
    arrays = [one.cost for one in platform.accelerators if isinstance(one.cost, DataflowCost)]
    has_energy = any(not isinstance(one.cost, TableCost) for one in platform.accelerators)
    energy = platform.energy
    per_mac = (("register access", energy.l1_per_mac), ("buffer element", energy.sram_per_mac), ("byte of DRAM", energy.dram_per_mac))
    spent = f"{energy.mac_pj:g} pJ per MAC" + "".join(f", {digits(energy.mac_pj * ratio)} pJ per {what}" for what, ratio in per_mac)
    rows = [
        *_legend(platform.accelerators, arrays),
        ("memory", _memory(platform.memory)),
        ("switch", _switch(platform)),
        ("energy", spent if has_energy else f"as measured; switches {digits(energy.dram_j_per_byte * 1e12)} pJ per byte"),
        *([("source", str(name(energy.source)))] if has_energy else []),
        *([("reference", _reference(platform.reference))] if platform.reference != Reference() else []),
    ]
    return Group(title(platform.name, "platform", platform.description), made, "", facts(rows))


def _legend(accelerators: Sequence[Accelerator], arrays: Sequence[DataflowCost]) -> list[tuple[str, str]]:
    """What the columns of the accelerators mean, as far as they are used."""
    rows = []
    if any(one.tiles > 1 for one in accelerators):
        rows.append(("tiles", "equal slices, each for one job at a time; a job may take several"))
    if arrays:
        flows = {one.dataflow for one in arrays}
        sizes = sorted({one.element_bytes for one in arrays})
        rows += [
            ("dataflow", ", ".join(f"{flow.upper()} {meaning}" for flow, meaning in DATAFLOWS.items() if flow in flows)),
            ("array", "PEs of one MAC per cycle; on-chip buffer; NoC elements per cycle from buffer to PEs, and as many back"),
            ("element", f"{' or '.join(map(str, sizes))} byte{'' if sizes == [1] else 's'} for a weight or an activation"),
        ]
    if any(isinstance(one.cost, SystolicCost) for one in accelerators):
        rows.append(("systolic", "tiles of 16 x 16 PEs with scratchpads (the buffer) and accumulators of their own"))
    if any(isinstance(one.cost, MocaPublishedCost) for one in accelerators):
        rows.append(("MoCA", "the same tiles, with the times that MoCA's runtime estimates"))
    measured: dict[str, list[str]] = {}
    for one in accelerators:
        if isinstance(one.cost, TableCost):
            measured.setdefault("rows in place" if one.cost.file is None else one.cost.file, []).append(one.name)
    rows += [("measured", f"{name(', '.join(names))}: times from {name(source)}") for source, names in measured.items()]
    if any(one.port_gb_per_s is not None for one in accelerators):
        rows.append(("port", f"the most that it draws from DRAM; {NOTHING}: what the DRAM gives to one"))
    return [*rows, ("idle", "power of each tile while nothing runs on it")]


def _switch(platform: Platform) -> str:
    moves = {"free": "moves nothing", "activations": "moves activations through DRAM"}[platform.switch]
    extra = [("another number of tiles than before", platform.regroup_ns), ("a layer on several tiles", platform.sync_ns)]
    return f"moving a job, or pushing one aside, {moves}" + "".join(f"; {what} costs {ns:,} ns" for what, ns in extra if ns)


def _kind(cost: AnyCost) -> str:
    match cost:
        case DataflowCost():
            return cost.dataflow.upper()
        case SystolicCost():
            return "systolic"
        case MocaPublishedCost():
            return "MoCA"
        case TableCost():
            return "measured"


def _accelerator(one: Accelerator) -> list[Text | str]:
    cost = one.cost
    array = [NOTHING] * 5
    if isinstance(cost, DataflowCost):
        peak = digits(cost.pes * cost.clock_mhz * 1e-3)
        array = [f"{cost.pes:,}", f"{cost.clock_mhz:g}", f"{cost.sram_kib:,}", f"{cost.noc_elements_per_cycle:,}", peak]
    if isinstance(cost, (SystolicCost, MocaPublishedCost)):
        pes = 256 * one.tiles
        peak = digits(pes * cost.clock_mhz * 1e-3)
        array = [f"{pes:,}", f"{cost.clock_mhz:g}", f"{cost.scratchpad_kib * one.tiles:,}", NOTHING, peak]
    port = NOTHING if one.port_gb_per_s is None else f"{one.port_gb_per_s:g}"
    return [name(one.name), _kind(cost), str(one.tiles), *array, port, digits(one.idle_power_w * 1e3)]


def _memory(memory: Memory) -> str:
    count = len(memory.efficiency)
    layers = [f"{n} or more layers" if n == count else f"{n} layer{'' if n == 1 else 's'}" for n in range(1, count + 1)]
    shares = [f"{share * 100:g} %" for share in memory.efficiency]
    delivered = shares[0] if count == 1 else ", ".join(f"{share} to {who}" for share, who in zip(shares, layers, strict=True))
    shared = {
        "proportional": "proportional: when layers ask for more, all get the same part of what they ask",
        "fair": "fair: when layers ask for more, they get max-min fair shares",
    }[memory.arbiter]
    l2 = "the shared L2 is no limit" if memory.l2_gb_per_s is None else f"shared L2 {memory.l2_gb_per_s:g} GB/s, likewise"
    return f"DRAM {memory.peak_gb_per_s:g} GB/s, of which it delivers {delivered}; arbiter {shared}; {l2}"


def _reference(reference: Reference) -> str:
    tiles = "any number of tiles" if reference.tiles is None else "1 tile" if reference.tiles == 1 else f"{reference.tiles} tiles"
    owner = "the fastest accelerator" if reference.accelerator is None else str(name(reference.accelerator))
    return f"{owner} with {tiles}: the time of a job alone"


# Models


def _model(ref: str) -> RenderableType:
    return _described(load_model(ref))


def describe_import(imported: ImportedModel) -> RenderableType:
    """Describe a model that was imported, and what was left out of it.

    Parameters
    ----------
    imported : rtsched.interop.onnx.ImportedModel
    """
    free = [("free" if i == 0 else "", str(name(str(one)))) for i, one in enumerate(imported.unknown)]
    parts: list[RenderableType] = ["", facts(free)] if free else []
    return Group(_described(imported.model), *parts)


def describe_costs(costs: CostTable) -> RenderableType:
    """Sum up a cost table of one model on one accelerator.

    Parameters
    ----------
    costs : CostTable
    """
    dram_bytes, energy_j = int(costs.dram_bytes.sum()), float(costs.energy_j.sum())
    rows = [
        ("layers", f"{len(costs)}, one after the other {seconds(float(costs.latency_ns.sum()))}"),
        ("DRAM", scaled(dram_bytes, "B") if dram_bytes else "no traffic is told"),
        ("energy", scaled(energy_j, "J") if energy_j else "none is told"),
    ]
    return Group(title(costs.model[0], f"costs on {costs.accelerator[0]}", costs.source), facts(rows))


def _described(model: Model) -> RenderableType:
    largest = model.variants[0]
    parts: list[RenderableType] = [title(model.name, "model", model.source)]
    if len(model.variants) > 1:
        parts += [_subnets(model), "", Text(f"Layers of the largest, {name(largest.name)}\n")]
    parts.append(_kinds(largest))
    blocks = largest.all_blocks
    skips, exits = sum(block.skip > 0 for block in blocks), sum(block.exit > 0 for block in blocks)
    if skips or exits:
        parts += ["", facts([("blocks", f"{len(blocks)}; {skips} may be skipped, after {exits} an inference may end")])]
    return Group(*parts)


def _subnets(model: Model) -> Table:
    macs, mega = scale(model.macs)
    parameters, prefix = scale(model.parameters)
    made = table(["subnet", "layers", f"MACs\n{mega}", f"parameters\n{prefix}", "accuracy\n%"], words=("subnet",))
    for one in model.variants:
        accuracy = NOTHING if one.accuracy is None else f"{one.accuracy:g}"
        size = (digits(one.macs / macs), digits(one.parameters / parameters))
        made.add_row(name(one.name), f"{len(one.all_layers):,}", *size, accuracy)
    return made


def _kinds(subnet: Subnet) -> Table:
    """Return a line for each kind of layer, in the order in which they first occur."""
    macs, mega = scale(subnet.macs)
    parameters, prefix = scale(subnet.parameters)
    totals = [f"{len(subnet.all_layers):,}", digits(subnet.macs / macs), digits(subnet.parameters / parameters)]
    made = table(["kind", "layers", f"MACs\n{mega}", f"parameters\n{prefix}"], words=("kind",), totals=["all layers", *totals])
    for kind in dict.fromkeys(layer.kind for layer in subnet.all_layers):
        own = [layer for layer in subnet.all_layers if layer.kind == kind]
        size = (digits(sum(one.macs for one in own) / macs), digits(sum(one.parameters for one in own) / parameters))
        made.add_row(kind + (" (free)" if own[0].is_free else ""), f"{len(own):,}", *size)
    return made
