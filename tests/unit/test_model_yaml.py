"""Models written as YAML read back as they were."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from rtsched.interop.model_yaml import dump_model
from rtsched.workload.layer import Conv, Elementwise, Norm
from rtsched.workload.model import Block, Model, Subnet


def read_yaml(text: str) -> Model:
    return Model.model_validate(YAML(typ="safe", pure=True).load(text))


def test_every_form_of_model_survives_yaml() -> None:
    conv = Conv(name="c", in_channels=4, out_channels=8, size=(5, 6), kernel=(3, 3), padding=(1, 2, 1, 2), groups=2, bias=True)
    odd = Conv(name="d", in_channels=4, out_channels=8, size=7, kernel=3, padding=(1, 2, 3, 0), transposed=True, output_padding=(0, 1))
    norm = Norm(name="n", elements=5, channels=5, has_weights=False)
    blocks = Model(name="b", blocks=(Block(layers=(conv, norm)), Block(layers=(odd,), skip=1 / 3, exit=0.1)))
    subnets = Model(
        name="s", source="a: b # c", subnets=(Subnet(name="large", layers=(conv,), accuracy=76.5), Subnet(name="small", layers=(norm,)))
    )
    for model in (blocks, subnets):
        assert read_yaml(dump_model(model)) == model
    assert (
        "{name: c, kind: conv, size: [5, 6], kernel: 3, padding: [1, 2], in_channels: 4, out_channels: 8, groups: 2, bias: true}"
        in dump_model(blocks)
    )


@pytest.mark.parametrize(
    "name",
    [
        "no",
        "null",
        "true",
        "1e5",
        "0o17",
        "~",
        "a: b",
        "a #b",
        "- a",
        "? a",
        "/",
        "<<",
        "é\u2028\n\t\a",
        " lead",
        "x" * 3000,
        "x y " * 500 + "z",
    ],
)
def test_odd_names_survive_yaml(name: str) -> None:
    model = Model(name="m", layers=(Elementwise(name=name, elements=1),))
    text = dump_model(model)
    assert read_yaml(text) == model
    assert len(text.splitlines()) == 3
