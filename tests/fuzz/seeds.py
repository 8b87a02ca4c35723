"""Valid files to start from: what the package ships, the examples, generated ones, and small ones of other tools."""

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from strategies import costs_of, memories, scenarios

import rtsched
from fuzz.mutations import tree_of, written
from rtsched.interop.model_yaml import dump_model
from rtsched.library import load_model

PACKAGE = Path(rtsched.__file__).parent
EXAMPLES = Path(__file__).parents[2] / "examples"
SCENARIOS = ["vr_gaming", "drone_outdoor", "ar_social", "ar_call"]
PLATFORMS = ["dream_4k_1ws2os", "moca_gemmini_8"]
MODELS = ["kws_res8", "rapid_rl"]
N_GENERATED = 40

DOCUMENT = """\
%YAML 1.2
---
name: "s" # all ways to write a value
description: >-
  folded
  text
time_factor: &factors
  values: [1, .5, 2.5e-1, 0x2]
tasks:
  - {name: a, model: 'kws_res8', fps: 30, in_order: false}
  - name: b
    model: kws_res8
    parents: [a]
    time_factor: *factors
    priority: [{value: 0, weight: 1}, {value: 11, weight: 3}]
...
"""
TRACE = "release_ms\n0\n0.5\n12.25\n1000\n"
FACTORS = "factor\n1\n0.5\n1.25\n"
REQUESTS = """\
request_id,arrival_s,model,sample_id,priority,target_lat_s,deadline_s
r0,0.010,small,0,1,0.5,0.51
r1,0.020,large,0,9,0.5,0.52
r2,0.021,small,1,3,0.01,0.031
"""
LATENCIES = """\
model,sample_id,layer,latency_s,sparsity
small,0,0,0.010,0.5
small,0,1,0.0100000004,0.5
small,1,0,0.030,0.1
small,1,1,0.0300000006,0.1
large,0,0,0.2,
"""
ESTIMATES = """\
model,layer,avg_lat_per_model_s,avg_lat_per_pattern_s,avg_sparsity
small,0,0.040,0.020,0.25
small,1,0.050,0.020,
large,0,0.1,,0.5
"""
SCALESIM = {
    "compute.csv": "LayerID, Total Cycles, Stall Cycles, Overall Util %,\n0, 1000, 200, 40.5,\n1, 700, 0, 90.0,\n",
    "access.csv": "LayerID, DRAM IFMAP Reads, DRAM Filter Reads, DRAM OFMAP Writes,\n0, 100, 20, 3,\n1, 50, 0.0, 7,\n",
    "topology.csv": "Layer name, IFMAP Height, IFMAP Width,\nConv1, 224, 224,\nFC, 1, 1,\n",
}
XRBENCH = """\
Network Eyes {
  FPS: 60
  Layer conv1 { Type: CONV Stride { X: 2, Y: 1 } Dimensions: { N: 2, K: 32, C: 3, Y: 160, X: 101, R: 3, S: 5 } } // input
  Layer conv1 { Type: DSCONV Dimensions { K: 1, C: 32, Y: 2, X: 2, R: 3, S: 3 } }
}
Network Gaze {
  Dependency: { Eyes } Probability: 0.25 FPS: 60
  Layer up { Dimensions { K: 8 C: 16 Y: 10 X: 20 R: 4 S: 1 } Type: TRCONV Dataflow { TemporalMap(Sz(R),1) Y; Cluster(8, P); } }
}
Network Hands { FPS: 45 Layer mix { Type: NGCONV Dimensions { G: 4, K: 8, C: 32, Y: 9, X: 9, R: 1, S: 1 } } }
"""


def of_package(folder, names):
    """Read YAML files that the package ships."""
    return [(PACKAGE / folder / f"{name}.yaml").read_bytes() for name in names]


@cache
def generated():
    """Scenarios with a platform that has a row for every layer: pairs of YAML, the same ones every time."""
    found = []

    @settings(max_examples=N_GENERATED, derandomize=True, database=None, deadline=None, phases=[Phase.generate])
    @given(scenarios(2), memories(), st.integers(1, 3), st.integers(0, 2**32 - 1))
    def collect(scenario, memory, tiles, seed):
        rows = costs_of(np.random.default_rng(seed), scenario, [tiles], memory, 1)
        accelerator = {"name": "a0", "tiles": tiles, "cost": {"model": "table", "rows": rows}}
        platform = {"name": "generated", "accelerators": [accelerator], "memory": plain(memory)}
        found.append((yaml(plain(scenario)), yaml(platform)))

    collect()
    return found


def plain(model):
    """What stands in a file of a pydantic model."""
    return model.model_dump(mode="json", exclude_none=True)


def yaml(value):
    """Write a value as YAML."""
    return written(tree_of(value)).encode()


def scenario_seeds():
    """Scenarios, shipped, from the examples and generated, each with a platform."""
    platform = of_package("platform/presets", PLATFORMS[:1])[0]
    shipped = [*of_package("workload/scenarios", SCENARIOS), *((EXAMPLES / f"{name}.yaml").read_bytes() for name in ("drone", "glasses"))]
    files = {"costs.csv": (EXAMPLES / "costs.csv").read_bytes(), "board.yaml": (EXAMPLES / "board.yaml").read_bytes()}
    made = [{"scenario.yaml": one, "platform.yaml": platform, **files} for one in shipped[:-1]]
    made.append({"scenario.yaml": shipped[-1], "platform.yaml": files["board.yaml"], **files})
    return made + [{"scenario.yaml": scenario, "platform.yaml": platform} for scenario, platform in generated()]


def platform_seeds():
    """Platforms under a scenario that they can run."""
    (scenario,) = of_package("workload/scenarios", ["vr_gaming"])
    shipped = [{"platform.yaml": one, "scenario.yaml": scenario} for one in of_package("platform/presets", PLATFORMS)]
    return shipped + [{"scenario.yaml": scenario, "platform.yaml": platform} for scenario, platform in generated()]


def study_seeds():
    """The examples' study, and one with everything else that a study can have."""
    ranges = [
        {"path": "scenario.drain_s", "low": 0.1, "high": 3},
        {"path": "scenario.tasks.0.max_backlog", "low": 1, "high": 9, "integer": True},
    ]
    wide = {
        "name": "wide",
        "scenarios": ["vr_gaming", "glasses.yaml"],
        "platforms": ["dream_4k_1ws2os", "dream_4k_2ws"],
        "policies": ["edf", "dream-fixed"],
        "load": 1.5,
        "axes": [{"path": "platform.memory.efficiency", "values": [[1.0, 0.5], [0.9]]}, {"path": "mapper.alpha", "values": [0, 1.5, 2]}],
        "points": [{"scenario.qos": "H", "scenario.tasks.0.priority": 3}, {"scenario.qos": "L"}],
        "sample": {"method": "random", "n": 5, "over": ranges},
        "seeds": [0, 5, 2**64 - 1],
        "metrics": ["sla"],
    }
    (own,) = of_package("workload/scenarios", ["ar_call"])
    return [{"study.yaml": (EXAMPLES / "study.yaml").read_bytes()}, {"study.yaml": yaml(wide), "glasses.yaml": own}]


def model_seeds():
    """Models of the zoo, and those of generated scenarios."""
    return [{"model.yaml": dump_model(load_model(name)).encode()} for name in MODELS]


def zigzag():
    """A result of ZigZag."""
    levels = [{"rd_out_to_low": 0, "wr_in_by_low": 7}, "4waydatamoving (rd /\\: 0, wr V: 2, rd V: 3, wr /\\: 0)"]
    core = {"mem_r_bw_min_dict": {"O": [8, 32]}, "mem_w_bw_min_dict": {"O": [8, 32]}}
    return {
        "outputs": {
            "latency": {"data_onloading": 1, "computation": 98, "data_offloading": 1},
            "energy": {"operational_energy": 1.5, "memory_energy": 10.0, "memory_energy_breakdown_per_level": {"O": [1.0, 2.0]}},
            "memory": {"word_accesses": {"O": levels}},
        },
        "inputs": {"layer": {"memory_operand_links": {"O": "O"}}, "accelerator": {"cores": [core]}},
    }


def profile():
    """A profile of onnxruntime with two runs."""
    node = {"cat": "Node", "dur": 70, "ts": 10, "name": "conv_kernel_time", "args": {"op_name": "Conv"}}
    end = {"cat": "Session", "dur": 90, "ts": 5, "name": "model_run"}
    return json.dumps([node, {**node, "name": "fc_kernel_time"}, end, {**node, "dur": 50, "ts": 120}, {**end, "ts": 110}])


def onnx_models():
    """Networks with convolutions, arithmetic on shapes, a recurrent layer and a function of their own."""
    from onnx import TensorProto, helper

    def value(name, *shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    def whole(name, *values):
        return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("MaxPool", ["r"], ["p"], name="pool", kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Shape", ["p"], ["s"]),
        helper.make_node("Gather", ["s", "zero"], ["n"]),
        helper.make_node("Concat", ["n", "rest"], ["target"], axis=0),
        helper.make_node("Reshape", ["p", "target"], ["f"], name="flat"),
        helper.make_node("Gemm", ["f", "v"], ["y"], name="fc", transB=1),
    ]
    weights = [
        helper.make_tensor("w", TensorProto.FLOAT, [4, 3, 3, 3], np.zeros(108).tolist()),
        helper.make_tensor("v", TensorProto.FLOAT, [5, 16], np.zeros(80).tolist()),
        whole("zero", 0),
        whole("rest", -1),
    ]
    first = helper.make_graph(nodes, "net", [value("x", "batch", 3, 8, 8)], [value("y", "batch", 5)], weights)
    second = helper.make_graph(
        [
            helper.make_node("Range", ["start", "end", "step"], ["range"]),
            helper.make_node("LSTM", ["x", "w", "r"], ["h", "", ""], hidden_size=4),
            helper.make_node("Softmax", ["h"], ["s"]),
            helper.make_node("ReduceMean", ["s"], ["y"], axes=[1]),
        ],
        "lstm",
        [value("x", 6, 1, 8)],
        [value("y", 6, 1, 1, 4)],
        [
            helper.make_tensor("w", TensorProto.FLOAT, [1, 16, 8], np.zeros(128).tolist()),
            helper.make_tensor("r", TensorProto.FLOAT, [1, 16, 4], np.zeros(64).tolist()),
            *(helper.make_tensor(name, TensorProto.INT64, [], [one]) for name, one in (("start", 0), ("end", 6), ("step", 1))),
        ],
    )
    opsets = [helper.make_opsetid("", 13)]
    return [{"net.onnx": helper.make_model(one, opset_imports=opsets).SerializeToString()} for one in (first, second)]


def saved():
    """A saved outcome with all of its tables."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "outcome.npz")
        rtsched.simulate("vr_gaming", duration_s=0.02, layers=True, rates=True).save(path)
        return path.read_bytes()
