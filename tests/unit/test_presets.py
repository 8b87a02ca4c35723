"""The platforms that come with the package."""

from collections import Counter
from importlib.resources import files

import pytest
from ruamel.yaml import YAML

from rtsched.platform.platform import Platform

PRESETS = files("rtsched.platform") / "presets"
ARRAYS = {"1ws2os": ["ws", "os", "os"], "1os2ws": ["os", "ws", "ws"], "2ws": ["ws", "ws"], "2os": ["os", "os"]}
NAMES = [f"dream_{size}k_{arrays}" for size in (4, 8) for arrays in ARRAYS]


def load(name):
    return Platform.model_validate(YAML(typ="safe").load((PRESETS / f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_dream_platform_is_what_its_name_says(name):
    _, size, arrays = name.split("_")
    platform = load(name)
    assert platform.name == name
    total = int(size[0]) * 1024
    costs = [one.cost for one in platform.accelerators]
    assert [cost.dataflow for cost in costs] == ARRAYS[arrays]
    assert [cost.pes for cost in costs] == ([total // 2, total // 4, total // 4] if len(costs) == 3 else [total // 2] * 2)
    assert sum(cost.sram_kib for cost in costs) == 8 * 1024
    assert all(cost.sram_kib * total == cost.pes * 8 * 1024 for cost in costs)
    assert all(cost.noc_elements_per_cycle * 2048 == cost.pes * 512 for cost in costs)
    assert {cost.clock_mhz for cost in costs} == {700.0}


@pytest.mark.parametrize("name", NAMES)
def test_dream_platform_shares_one_dram_and_pays_for_switches(name):
    platform = load(name)
    assert platform.memory.peak_gb_per_s == 90.0
    assert platform.switch == "activations"
    for one in platform.accelerators:
        peak_mac_w = one.cost.pes * one.cost.clock_mhz * 1e6 * platform.energy.mac_pj * 1e-12
        assert one.tiles == 1
        assert one.idle_power_w == pytest.approx(0.1 * peak_mac_w, rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_accelerators_are_numbered_by_dataflow(name):
    seen = Counter()
    for one in load(name).accelerators:
        assert one.name == f"{one.cost.dataflow}{seen[one.cost.dataflow]}"
        seen[one.cost.dataflow] += 1


def test_moca_platform_is_the_published_soc():
    platform = load("moca_gemmini_8")
    (tiles,) = platform.accelerators
    assert (tiles.tiles, tiles.cost.model, tiles.cost.clock_mhz) == (8, "systolic", 1000.0)
    assert (tiles.cost.scratchpad_kib, tiles.cost.accumulator_kib, tiles.cost.l2_kib) == (128, 64, 2048)
    assert tiles.idle_power_w == pytest.approx(0.1 * 256 * 1e9 * platform.energy.mac_pj * 1e-12, rel=0.01)
    assert (platform.memory.peak_gb_per_s, platform.memory.l2_gb_per_s) == (16.0, 128.0)
    assert platform.memory.arbiter == "proportional"
    assert platform.reference.tiles == 2


def test_no_preset_is_untested():
    found = {one.name.removesuffix(".yaml") for one in PRESETS.iterdir() if one.name.endswith(".yaml")}
    assert found == {*NAMES, "moca_gemmini_8"}
