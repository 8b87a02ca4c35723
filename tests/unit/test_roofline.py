"""Rooflines as pictures: what is drawn, where, and what the command refuses."""

import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from builders import chain, platform_of, rows_of
from typer.testing import CliRunner

from rtsched.cli import app
from rtsched.errors import InputError
from rtsched.layer_costs import layer_costs
from rtsched.report.roofline import SUFFIXES, _free_box, _limits, _panels, draw_rooflines, suffix_of
from rtsched.workload.layer import Elementwise
from rtsched.workload.model import Model

PLATFORM = "dream_4k_1ws2os"
BEGINNINGS = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def costs(model="fbnet_c"):
    return [layer_costs(model, PLATFORM, name) for name in ("ws0", "os0", "os1")]


def draw(*arguments):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    return draw_rooflines(*arguments)


def words(svg):
    return ["".join(node.itertext()).strip() for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_are_what_their_suffix_says_and_the_same_every_time(suffix):
    first = draw(costs(), suffix)
    assert first.startswith(BEGINNINGS[suffix])
    assert first == draw(costs(), suffix)


def test_a_picture_names_accelerators_roofs_and_layers():
    shown = words(draw(costs("gnmt"), ".svg"))
    for text in ("gnmt on dream_4k_1ws2os", "ws0", "os0, os1", "1,434 GMAC/s, 90.0 GB/s", "717 GMAC/s, 90.0 GB/s"):
        assert text in shown
    for text in ("gemm", "recurrent", "DRAM-bound", "NoC-bound", "MACs per byte of DRAM", "GMAC/s"):
        assert text in shown
    assert "conv" not in shown
    assert any(text.startswith("encoder.lstm1 +") for text in shown)


def test_names_are_no_formulas():
    model = Model(name="$x_1$", layers=[layer.model_copy(update={"name": f"$_{i}"}) for i, layer in enumerate(costs("kws_res8")[0].layers)])
    assert "$x_1$ on dream_4k_1ws2os" in words(draw([layer_costs(model, PLATFORM)], ".svg"))


def test_measured_layers_have_no_peak():
    with pytest.raises(InputError, match="no layer that runs there has multiply-accumulates"):
        draw([layer_costs(chain("net", 1), platform_of(rows_of("net", [[5]])))], ".svg")
    measured = Model(name="net", layers=[layer.model_copy(update={"name": f"l{i}"}) for i, layer in enumerate(costs("kws_res8")[0].layers)])
    rows = rows_of("net", [[10**6]] * len(measured.variants[0].all_layers), dram_bytes=100)
    shown = words(draw([layer_costs(measured, platform_of(rows))], ".svg"))
    assert "1.00 GB/s" in shown
    assert "measured" in shown


def test_without_macs_there_is_nothing_to_draw():
    model = Model(name="sums", layers=(Elementwise(name="l", elements=9),))
    with pytest.raises(InputError, match="model 'sums': no layer"):
        draw([layer_costs(model, PLATFORM)], ".png")


def test_without_matplotlib_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r"pictures need matplotlib: pip install 'rtsched\[plot\]'"):
        draw_rooflines(costs(), ".png")


def test_accelerators_that_cost_the_same_share_a_panel():
    assert [names for _, names in _panels(costs())] == [["ws0"], ["os0", "os1"]]


def test_axes_hold_every_dot_and_every_roof():
    found = costs("hand_pose")
    (left, right), (bottom, top) = _limits(found)
    for one in found:
        drawn = one.macs > 0
        intensity, rate = one.macs_per_dram_byte[drawn], one.macs[drawn] / one.latency_ns[drawn]
        finite = np.isfinite(intensity)
        assert (left < intensity[finite]).all()
        assert (intensity[finite] < right).all()
        assert bottom < rate.min()
        assert one.peak_macs_per_ns < top
        # No dot is above its roof.
        assert (rate <= np.minimum(intensity * one.dram_bytes_per_ns, one.peak_macs_per_ns) * (1 + 1e-12)).all()


def test_names_cover_neither_dots_nor_names():
    dots = np.array([[1.0, 1.0], [1.2, 0.9]])
    first = _free_box(0.5, (1.0, 1.0), [], dots)
    second = _free_box(0.5, (1.2, 0.9), [first], dots)
    for box in (first, second):
        assert not ((dots > box[0]) & (dots < box[1])).all(axis=1).any()
    assert (first[0] >= second[1]).any() or (second[0] >= first[1]).any()
    assert _free_box(9.0, (1.0, 1.0), [], dots) is None


# The command


def invoke(*arguments):
    result = CliRunner().invoke(app, ["roofline", *map(str, arguments)], prog_name="rtsched")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_writes_the_picture(tmp_path):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    path = tmp_path / "roof.PNG"
    result = invoke("kws_res8", "-p", PLATFORM, "-o", path, "--tiles", 3)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert path.read_bytes() == draw_rooflines(costs("kws_res8"), ".png")


def test_faults_are_reported_together_and_nothing_is_written(tmp_path):
    result = invoke("kws_res9", "-p", "dream_4k_3ws", "-o", tmp_path / "roof.gif")
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 3
    assert f"{tmp_path / 'roof.gif'}: must end in .png, .svg or .pdf" in result.stderr
    result = invoke("kws_res8", "-p", PLATFORM, "-o", tmp_path / "roof.png", "--accelerator", "gpu")
    assert "has no accelerator 'gpu'; it has ws0, os0, os1" in result.stderr
    result = invoke("kws_res8", "-p", PLATFORM, "-o", tmp_path / "roof.png", "--tiles", 0)
    assert result.stderr == "--tiles: must be at least 1, got 0\n"
    assert list(tmp_path.iterdir()) == []


def test_suffixes():
    assert suffix_of("a/b.SVG") == ".svg"
    with pytest.raises(InputError):
        suffix_of("png")
