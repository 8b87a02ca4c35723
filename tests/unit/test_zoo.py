"""The networks of the zoo have the published size, and the built-in scenarios name networks that exist.

Published figures come from the networks' papers, or where a paper has none from the source named beside the figure. The exact
figures are pinned as well, so that a slip in a table shows even where it stays within the tolerance.
"""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from itertools import pairwise

import pytest
from ruamel.yaml import YAML

from rtsched.workload import zoo
from rtsched.workload.layer import Conv, Elementwise, Gemm, LayerBase, Pool
from rtsched.workload.model import Model, Subnet
from rtsched.workload.scenario import Scenario
from rtsched.workload.zoo._builder import Builder, Shape, inverted_residual, round_channels

MEGA = 1e6
WITHIN = 0.03

NETWORKS = zoo.names()
SUBNETS = [(name, subnet.name) for name in NETWORKS for subnet in zoo.load(name).variants]


def subnet_of(network: str, subnet: str) -> Subnet:
    return {variant.name: variant for variant in zoo.load(network).variants}[subnet]


def named(subnet: Subnet, name: str) -> LayerBase:
    return {layer.name: layer for layer in subnet.all_layers}[name]


# Size


@pytest.mark.parametrize(
    ("network", "subnet", "mega_macs", "mega_parameters"),
    [
        # Wu et al., FBNet, CVPR 2019, comparison with other networks on ImageNet.
        ("fbnet_c", "fbnet_c", 375, 5.5),
        # Shazeer et al., ICLR 2017, row "GNMT" of the WMT'14 En-Fr table: 214 M multiply-adds per time step, here for 20 of them.
        ("gnmt", "gnmt", 214 * 20, 278),
        # Range of the space in Sahni et al., CompOFA, ICLR 2021: 120 to 560 M; parameters from MMRazor's model list.
        ("ofa_mobilenetv3", "d4_e6_k7", 560, 7.6),
        # Cai et al., Once-for-All, ICLR 2020, section 4.1 (no parameters given there).
        ("ofa_mobilenetv3", "d4_e3_k3", 226, None),
        # The model list of the authors' released code: note8_lat@31ms_top1@72.8_finetune@25 and note8_lat@22ms_top1@70.4_finetune@25.
        ("ofa_mobilenetv3", "note8_31ms", 101, 4.6),
        ("ofa_mobilenetv3", "note8_22ms", 67, 4.3),
        # Tang and Lin, ICASSP 2018, res8 and res26; MoCA's res26 has another input.
        ("kws_res8", "kws_res8", 30, 0.110),
        ("kws_res26", "kws_res26", None, 0.438),
        # Torchvision's table of models (https://pytorch.org/vision/stable/models.html): "GFLOPS", which are MACs there, and "Params".
        ("alexnet", "alexnet", 710, 61.1),
        ("googlenet", "googlenet", 1500, 6.6),
        ("resnet50", "resnet50", 4090, 25.6),
        ("squeezenet", "squeezenet", 350, 1.24),
        ("vit_b16", "vit_b16", 17_560, 86.6),
        # The same ResNet-50; Wang et al., SkipNet, ECCV 2018: the gates need 0.04 % of a block.
        ("skipnet", "skipnet", 4090, 25.6),
        # Redmon and Farhadi, YOLO9000, CVPR 2017: Darknet-19, 5.58 G operations at 224; the authors' site: weights of 80 MiB.
        ("yolov2", "yolov2", 5580 / 2, 80 * 2**20 / 4 / MEGA),
        # Huang et al., YOLO-LITE, 2018: 482 M operations.
        ("yolo_lite", "yolo_lite", 482 / 2, None),
        # Howard et al., Searching for MobileNetV3, ICCV 2019, table 3.
        ("mobilenetv3_large", "mobilenetv3_large", 219, 5.4),
        # Tan and Le, EfficientNet, ICML 2019, table 2.
        ("efficientnet_b0", "efficientnet_b0", 390, 5.3),
        # Jiao et al., TinyBERT, 2020, table 1: 22.5 G operations, 109 M parameters.
        ("bert_base", "bert_base", 22_500 / 2, 109),
        # https://docs.ultralytics.com/models/yolov8: 8.7 G operations, 3.2 M parameters.
        ("yolov8n", "yolov8n", 8700 / 2, 3.2),
        # OpenVINO's Open Model Zoo, ssd_mobilenet_v2_coco: 3.775 G operations, 16.818 M parameters.
        ("ssd_mobilenetv2", "ssd_mobilenetv2", 3775 / 2, 16.818),
    ],
)
def test_size_is_the_published_one(network: str, subnet: str, mega_macs: float | None, mega_parameters: float | None) -> None:
    built = subnet_of(network, subnet)
    if mega_macs is not None:
        assert built.macs / MEGA == pytest.approx(mega_macs, rel=WITHIN)
    if mega_parameters is not None:
        assert built.parameters / MEGA == pytest.approx(mega_parameters, rel=WITHIN)


PINNED = {
    # Layers, MACs, parameters, activation elements read and written.
    ("alexnet", "alexnet"): (13, 714_286_784, 61_199_168, 1_332_992),
    ("bert_base", "bert_base"): (139, 11_174_215_680, 109_482_240, 45_712_896),
    ("ed_tcn", "ed_tcn"): (14, 191_987_712, 2_076_498, 339_712),
    ("efficientnet_b0", "efficientnet_b0"): (124, 385_814_752, 5_267_540, 21_207_040),
    ("fbnet_c", "fbnet_c"): (82, 384_960_160, 5_550_016, 14_850_400),
    ("focal_length_depth", "focal_length_depth"): (39, 16_931_795_008, 17_582_817, 40_432_641),
    ("gnmt", "gnmt"): (45, 4_221_337_600, 276_664_576, 4_911_680),
    ("googlenet", "googlenet"): (80, 1_498_376_192, 6_617_624, 9_876_744),
    ("hand_pose", "hand_pose"): (353, 16_213_567_488, 21_700_673, 185_011_988),
    ("kws_res26", "kws_res26"): (37, 1_018_967_040, 438_615, 19_104_768),
    ("kws_res8", "kws_res8"): (15, 29_189_700, 110_307, 606_176),
    ("mobilenetv3_large", "mobilenetv3_large"): (91, 216_589_760, 5_470_832, 12_032_144),
    ("ofa_mobilenetv3", "d4_e6_k7"): (131, 566_170_656, 7_643_848, 24_954_632),
    ("ofa_mobilenetv3", "d4_e3_k3"): (131, 226_193_808, 4_360_136, 14_798_392),
    ("ofa_mobilenetv3", "note8_31ms"): (95, 100_520_248, 4_584_480, 5_118_112),
    ("ofa_mobilenetv3", "note8_22ms"): (67, 67_196_888, 4_296_688, 3_724_400),
    ("rapid_rl", "rapid_rl"): (28, 185_226_752, 15_596_814, 334_643),
    ("resnet50", "resnet50"): (71, 4_089_233_408, 25_579_648, 37_837_824),
    ("skipnet", "skipnet"): (120, 4_089_306_616, 25_653_444, 43_480_532),
    ("sosnet", "sosnet"): (7, 10_007_609_344, 1_335_136, 59_015_168),
    ("squeezenet", "squeezenet"): (35, 349_151_936, 1_235_496, 4_854_248),
    ("ssd_mobilenetv2", "ssd_mobilenetv2"): (86, 1_875_065_840, 16_818_207, 26_837_211),
    ("trailnet", "trailnet"): (35, 2_598_621_248, 11_270_022, 9_868_050),
    ("vgg_m", "vgg_m"): (13, 2_832_387_328, 17_898_531, 11_568_995),
    ("vit_b16", "vit_b16"): (138, 17_563_828_224, 86_415_592, 77_879_848),
    ("yolo_lite", "yolo_lite"): (12, 240_041_984, 573_088, 4_007_808),
    ("yolov2", "yolov2"): (24, 2_792_194_048, 20_859_776, 10_787_840),
    ("yolov8n", "yolov8n"): (98, 4_371_993_600, 3_151_904, 42_715_200),
}


@pytest.mark.parametrize(("network", "subnet"), SUBNETS)
def test_size_is_pinned(network: str, subnet: str) -> None:
    built = subnet_of(network, subnet)
    traffic = sum(layer.input_elements + layer.output_elements for layer in built.all_layers)
    assert (len(built.all_layers), built.macs, built.parameters, traffic) == PINNED[network, subnet]


def test_hand_pose_has_the_convolutions_that_xrbench_lists() -> None:
    """Kwon et al., XRBench, MLSys 2023, network HT_hand_graph_cnn_half: 224 layers, at half our resolution.

    Its 212 convolutions, in its order of channels: the stem; 64 residual modules of 256 channels, counted by rows; what joins the
    stacks; what merges features and heat maps. Its "fc" layers are 12.
    """

    def residual(inputs: int, outputs: int) -> int:
        half = outputs // 2
        return inputs * half + 9 * half * half + half * outputs + (inputs * outputs if inputs != outputs else 0)

    weights_at_rows = [(3 * 64 * 49, 64), (residual(64, 128), 64), (residual(128, 128), 32), (residual(128, 256), 32)]
    for rows, modules in {32: 10, 16: 14, 8: 14, 4: 14, 2: 12}.items():
        weights_at_rows += [(residual(256, 256), rows)] * modules
    weights_at_rows += [(256 * 256, 32), (21 * 256, 32)] * 4

    subnet = subnet_of("hand_pose", "hand_pose")
    convs = [layer for layer in subnet.all_layers if isinstance(layer, Conv)]
    linears = [layer for layer in subnet.all_layers if isinstance(layer, Gemm)]
    assert (len(convs), len(linears)) == (212, 12)
    assert sum(conv.weight_elements for conv in convs) == sum(weights for weights, _ in weights_at_rows)
    assert sum(conv.macs for conv in convs) == sum(weights * (2 * rows) ** 2 for weights, rows in weights_at_rows)


def test_hand_pose_ends_in_the_papers_mesh_and_joints() -> None:
    subnet = subnet_of("hand_pose", "hand_pose")
    assert named(subnet, "mesh.graph4.mix").output_elements == 1280 * 3
    assert named(subnet, "pose.fc2").output_elements == 20


def test_res8_multiplies_of_the_first_convolution_are_the_papers() -> None:
    stem, *convs = (layer for layer in subnet_of("kws_res8", "kws_res8").all_layers if isinstance(layer, Conv))
    assert stem.macs / MEGA == pytest.approx(1.52, rel=WITHIN)
    assert [conv.output_size for conv in convs] == [(23, 11)] * 6


def test_gnmt_has_eight_layers_each_way_and_feeds_the_context_to_all_but_the_bottom_decoder_layer() -> None:
    subnet = subnet_of("gnmt", "gnmt")
    lstms = {layer.name: layer.input_elements // 20 for layer in subnet.all_layers if layer.kind == "recurrent"}
    assert lstms == {
        **{f"encoder.lstm{layer}": 2048 if layer == 2 else 1024 for layer in range(1, 9)},
        **{f"decoder.lstm{layer}": 1024 if layer == 1 else 2048 for layer in range(1, 9)},
    }
    assert [layer.name for layer in subnet.all_layers if layer.kind == "elementwise" and "add" in layer.name] == [
        f"{stack}.add{layer}" for stack in ("encoder", "decoder") for layer in range(3, 9)
    ]


def test_supernet_is_listed_from_large_and_accurate_to_small() -> None:
    subnets = zoo.load("ofa_mobilenetv3").variants
    macs = [subnet.macs for subnet in subnets]
    accuracies = [subnet.accuracy for subnet in subnets]
    assert len(subnets) == 4
    assert all(larger > smaller for larger, smaller in pairwise(macs))
    assert accuracies == [77.5, 74.8, 72.8, 70.4]


# Shape


STACKING = {"ed_tcn", "focal_length_depth", "googlenet", "squeezenet", "yolov8n"}
"""Networks in which a convolution reads a stack or a part of maps, so many channels as no layer writes."""


RESIZED = {"stem.pool2": (192, 28, 28), "stem_pool": (45, 48, 48), "border": (45, 23, 11)}
"""What maps of googlenet, kws_res26 and kws_res8 become at no cost."""


@pytest.mark.parametrize(("network", "subnet"), SUBNETS)
def test_every_convolution_reads_a_map_that_was_written(network: str, subnet: str) -> None:
    """Its channels, rows and columns are those of an earlier convolution's or pooling's output; the first one reads the input."""
    written: set[tuple[int, ...]] = set()
    first = 1 if network in STACKING else 0
    for layer in subnet_of(network, subnet).all_layers:
        if isinstance(layer, Conv):
            assert not written or (layer.in_channels, *layer.size)[first:] in written, layer.name
            written.add((layer.out_channels, *layer.pooled_size)[first:])
        elif isinstance(layer, Pool):
            written.add((layer.channels, *layer.output_size)[first:])
        elif layer.name in RESIZED:
            written.add(RESIZED[layer.name][first:])


@pytest.mark.parametrize(("network", "subnet"), SUBNETS)
def test_inputs_and_outputs_of_the_network(network: str, subnet: str) -> None:
    layers = [layer for layer in subnet_of(network, subnet).all_layers if not layer.is_free]
    inputs = {
        "bert_base": 0,
        "ed_tcn": 128 * 128,
        "gnmt": 0,
        "hand_pose": 3 * 256 * 256,
        "kws_res26": 3 * 96 * 96,
        "kws_res8": 101 * 40,
        "note8_31ms": 3 * 152 * 152,
        "note8_22ms": 3 * 140 * 140,
        "rapid_rl": 3 * 103 * 103,
        "sosnet": 256 * 32 * 32,
        "ssd_mobilenetv2": 3 * 300 * 300,
        "trailnet": 3 * 320 * 180,
        "vgg_m": 512 * 300,
        "yolov8n": 3 * 640 * 640,
    }
    outputs = {
        "alexnet": 1024,
        "bert_base": 768,
        "ed_tcn": 128 * 18,
        "focal_length_depth": 112 * 112,
        "gnmt": 20 * 32_000,
        "hand_pose": 20,
        "kws_res26": 45 * 48 * 48,
        "kws_res8": 12,
        "rapid_rl": 25,
        "resnet50": 1024,
        "sosnet": 256 * 128,
        "ssd_mobilenetv2": 6 * 91,
        "trailnet": 3,
        "vgg_m": 1251,
        "squeezenet": 13 * 13 * 1000,
        "yolo_lite": 7 * 7 * 128,
        "yolov2": 7 * 7 * 1024,
        "yolov8n": 8400 * 4,
    }
    assert layers[0].input_elements == inputs.get(subnet, 3 * 224 * 224)
    assert layers[-1].output_elements == outputs.get(subnet, 1000)


# Registry


def test_names_are_sorted_unique_and_those_of_the_models() -> None:
    assert list(NETWORKS) == sorted(set(NETWORKS))
    assert [zoo.load(name).name for name in NETWORKS] == list(NETWORKS)


def test_a_network_is_built_once() -> None:
    assert zoo.load("kws_res8") is zoo.load("kws_res8")


def test_unknown_network() -> None:
    with pytest.raises(KeyError, match="resnet51"):
        zoo.load("resnet51")


@pytest.mark.parametrize("name", NETWORKS)
def test_models_say_where_they_are_from_and_survive_a_round_trip(name: str) -> None:
    model = zoo.load(name)
    assert "20" in model.source
    assert Model.model_validate_json(model.model_dump_json()) == model


def test_families_are_imported_only_when_asked_for() -> None:
    script = (
        "import sys; from rtsched.workload import zoo; zoo.names();"
        "loaded = [m for m in sys.modules if m.startswith('rtsched.workload.zoo.')]; assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-P", "-c", script], check=True)


# Builder


def test_builder_follows_the_shape() -> None:
    net = Builder(3, 32, 48)
    net.conv("conv", 8, 3, stride=2)
    assert net.shape == Shape(8, 16, 24)
    net.conv("wide", 8, (1, 5), dilation=2)
    assert net.shape == Shape(8, 16, 24)
    net.conv("valid", 8, 3, padding=0)
    assert net.shape == Shape(8, 14, 22)
    net.pool("pool", 3, stride=2, padding=1)
    assert net.shape == Shape(8, 7, 11)
    net.upsample("up", 2, 3)
    assert net.shape == Shape(8, 14, 33)
    net.concat("concat", Shape(5, 14, 33))
    assert net.shape == Shape(13, 14, 33)
    net.global_pool("global")
    net.linear("linear", 4)
    assert net.shape == Shape(4)
    names = ["conv", "wide", "valid", "pool", "up", "concat", "global", "linear"]
    assert [layer.name for layer in net.subnet("s").all_layers] == names


def test_scopes_prefix_names_and_branches_return_to_the_trunk() -> None:
    net = Builder(4, 8, 8)
    entry = net.shape
    with net.scope("a"), net.scope("b"):
        net.conv("main", 16, 3, stride=2)
        with net.branch(entry):
            net.conv("side", 16, 1, stride=2)
            side = net.shape
        net.add("add", side)
    net.conv("after", 2)
    main, side_conv, add, after = net.subnet("s").all_layers
    assert [main.name, side_conv.name, add.name, after.name] == ["a.b.main", "a.b.side", "a.b.add", "after"]
    assert side_conv.input_elements == entry.elements
    assert add.input_elements == 2 * 16 * 4 * 4
    assert after.input_elements == 16 * 4 * 4


def test_squeeze_excite_reads_the_map_twice_and_keeps_it() -> None:
    net = Builder(16, 7, 7)
    net.squeeze_excite("se", 4)
    pool, reduce, expand, scale = net.subnet("s").all_layers
    assert [pool.input_elements, reduce.macs, expand.macs, scale.input_elements] == [784, 64, 64, 784]
    assert scale.name == "se.scale"
    assert net.shape == Shape(16, 7, 7)


@pytest.mark.parametrize(
    ("out_channels", "stride", "hidden", "squeeze", "expected"),
    [
        (8, 1, 48, None, ["expand", "filter", "project", "add"]),
        (8, 1, None, None, ["filter", "project", "add"]),
        (8, 2, 48, None, ["expand", "filter", "project"]),
        (16, 1, 48, None, ["expand", "filter", "project"]),
        (8, 1, 48, 8, ["expand", "filter", *(f"squeeze.{n}" for n in ("pool", "reduce", "expand", "scale")), "project", "add"]),
    ],
)
def test_inverted_residual(out_channels: int, stride: int, hidden: int | None, squeeze: int | None, expected: list[str]) -> None:
    net = Builder(8, 14, 14)
    inverted_residual(net, out_channels, 3, hidden=hidden, stride=stride, squeeze=squeeze)
    assert [layer.name for layer in net.subnet("s").all_layers] == expected
    assert net.shape == Shape(out_channels, 14 // stride, 14 // stride)


def test_blocks_split_the_network_and_keep_their_probabilities() -> None:
    net = Builder(8, 4, 4)
    net.conv("before", 8)
    with net.block(skip=0.4):
        net.conv("skippable", 8)
    with net.block(exit=0.2):
        net.conv("exiting", 8)
        with net.branch(net.shape):
            net.linear("head", 10)
    net.conv("after1", 8)
    net.conv("after2", 8)
    model = net.model("m", source="test")
    assert [([layer.name for layer in block.layers], block.skip, block.exit) for block in model.variants[0].all_blocks] == [
        (["before"], 0.0, 0.0),
        (["skippable"], 0.4, 0.0),
        (["exiting", "head"], 0.0, 0.2),
        (["after1", "after2"], 0.0, 0.0),
    ]


def test_builder_refuses_what_does_not_fit() -> None:
    net = Builder(8, 4, 4)
    with pytest.raises(ValueError, match="cannot add 8x2x2 to 8x4x4"):
        net.add("add", Shape(8, 2, 2))
    with pytest.raises(ValueError, match="cannot stack 8x2x2 on 8x4x4"):
        net.concat("concat", Shape(8, 2, 2))
    with pytest.raises(ValueError, match="cannot turn 8x4x4 into 127x1x1"):
        net.reshape("reshape", Shape(127))
    with pytest.raises(ValueError, match="'gemm' reads 64 elements, not the 128 of 8x4x4"):
        net.append(Gemm(name="gemm", m=1, n=2, k=64), Shape(2))
    with pytest.raises(ValueError, match="'half' writes 64 elements, not the 128 of 8x4x4"):
        net.append(Elementwise(name="half", elements=64), net.shape)
    assert net.shape == Shape(8, 4, 4)


def test_builder_refuses_blocks_that_cannot_work() -> None:
    net = Builder(8, 4, 4)
    with pytest.raises(ValueError, match="must keep the shape 8x4x4, not turn it into 16x4x4"), net.block(skip=0.5):
        net.conv("wider", 16)
    with pytest.raises(ValueError, match="do not nest"), net.block(), net.block():
        net.conv("inner", 8)
    with pytest.raises(ValueError, match="at least one layer"), Builder(8).block():
        pass


@pytest.mark.parametrize(("channels", "rounded"), [(3, 8), (16, 16), (18, 24), (20, 24), (43.2, 40), (72 / 4, 24), (480 / 4, 120)])
def test_round_channels(channels: float, rounded: int) -> None:
    assert round_channels(channels) == rounded


# Scenarios

SCENARIOS = files("rtsched.workload") / "scenarios"


def scenario_of(name: str) -> Scenario:
    return Scenario.model_validate(YAML(typ="safe").load((SCENARIOS / f"{name}.yaml").read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", sorted(path.name.removesuffix(".yaml") for path in SCENARIOS.iterdir() if path.name.endswith(".yaml")))
def test_scenario_is_valid_and_its_networks_exist(name: str) -> None:
    scenario = scenario_of(name)
    assert scenario.name == name
    assert scenario.description
    for task in scenario.tasks:
        if isinstance(task.model, str) and ":" not in task.model:
            assert task.model in NETWORKS


def test_vr_gaming() -> None:
    scenario = scenario_of("vr_gaming")
    assert scenario.platform == "dream_4k_1ws2os"
    assert [(task.name, task.model, task.fps, task.parents, task.trigger) for task in scenario.tasks] == [
        ("gaze", "fbnet_c", 60, None, 1.0),
        ("hand", "hand_pose", 30, None, 1.0),
        ("context", "ofa_mobilenetv3", 30, None, 1.0),
        ("keyword", "kws_res8", 15, None, 1.0),
        ("translate", "gnmt", None, ("keyword",), 0.5),
    ]
