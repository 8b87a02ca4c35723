"""JSON Schemas: complete, bounded, described, and true to what the loaders accept."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel
from typer.testing import CliRunner

import rtsched
from rtsched._yaml import compose
from rtsched.cli import app
from rtsched.documents import _models_in
from rtsched.report.schema import DIALECT, schema, schema_json

ROOT = Path(__file__).parents[2]
PACKAGE = Path(rtsched.__file__).parent
FILES = {
    "scenario": [
        *PACKAGE.glob("workload/scenarios/*.yaml"), *(ROOT / "examples" / f"{name}.yaml" for name in ("glasses", "tenants"))
    ],
    "platform": [*PACKAGE.glob("platform/presets/*.yaml"), ROOT / "examples/board.yaml"],
    "study": [ROOT / "examples/study.yaml"],
}  # fmt: skip
CASES = [(what, path) for what, paths in FILES.items() for path in paths]
MODELS = {"scenario": rtsched.Scenario, "platform": rtsched.Platform, "study": rtsched.Study}


def reachable(model):
    """A model and those that its fields name."""
    found = {model: None}
    for one in found:
        todo = [inner for field in one.model_fields.values() for inner in _models_in(field.annotation)]
        if any(inner not in found for inner in todo):
            return found | {deeper: None for inner in todo if inner not in found for deeper in reachable(inner)}
    return found


def all_values(value):
    yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from all_values(inner)


def task(**keys):
    return {"name": "s", "tasks": [{"name": "t", "model": "gnmt", "fps": 30, **keys}]}


def layer(**keys):
    return task(model={"name": "m", "layers": [{"name": "l", **keys}]})


@pytest.mark.parametrize("what", MODELS)
def test_every_field_of_every_model_is_there(what):
    made = schema(what)
    assert made["$schema"] == DIALECT
    for model in reachable(MODELS[what]):
        assert issubclass(model, BaseModel)
        found = made if model is MODELS[what] else made["$defs"][model.__name__]
        assert list(found["properties"]) == list(model.model_fields)
        assert found["additionalProperties"] is False
        assert found["title"] == model.__name__
        assert found["description"]


@pytest.mark.parametrize("what", MODELS)
def test_every_reference_resolves_and_every_definition_is_used(what):
    made = schema(what)
    names = {one["$ref"].removeprefix("#/$defs/") for one in all_values(made) if isinstance(one, dict) and "$ref" in one}
    assert names == set(made["$defs"])


@pytest.mark.parametrize("what", MODELS)
def test_every_key_is_described_in_words_of_the_file(what):
    made = schema(what)
    keys = {(owner, key): value for owner, one in {what: made, **made["$defs"]}.items() for key, value in one["properties"].items()}
    assert [place for place, value in keys.items() if not value.get("description")] == []
    texts = [value["description"] for value in (*keys.values(), made, *made["$defs"].values())]
    assert [text for text in texts if "LAWS" in text] == []


def test_bounds_and_descriptions():
    defs = schema("scenario")["$defs"]
    fps = defs["Task"]["properties"]["fps"]
    assert fps["anyOf"][0] == {"exclusiveMinimum": 0.0, "maximum": 1e9, "type": "number"}
    assert fps["description"] == "Periodic arrivals, frames per second."
    number, many = defs["Task"]["properties"]["priority"]["oneOf"]
    assert (number["minimum"], number["maximum"], many["items"]) == (0, 11, {"$ref": "#/$defs/WeightedPriority"})
    assert defs["Conv"]["properties"]["stride"]["description"] == "Rows and columns."
    assert defs["Conv"]["properties"]["name"]["description"] == "Unique within its subnet."
    assert defs["Conv"]["required"] == ["name", "kind", "size", "kernel", "in_channels", "out_channels"]
    assert schema("platform")["$defs"]["Memory"]["properties"]["efficiency"]["items"]["maximum"] == 1


@pytest.mark.parametrize("what", MODELS)
def test_the_command_prints_it(what):
    result = CliRunner().invoke(app, ["schema", what])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == schema_json(what)
    assert json.loads(result.stdout) == schema(what)


def test_there_is_no_schema_of_anything_else():
    assert CliRunner().invoke(app, ["schema", "model"]).exit_code == 2


def validator(what):
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(schema(what))
    return jsonschema.Draft202012Validator(schema(what))


@pytest.mark.parametrize(("what", "path"), CASES, ids=lambda one: getattr(one, "stem", one))
def test_files_are_valid(what, path):
    content = json.loads(json.dumps(compose(path.read_bytes(), path.name).value))
    validator(what).validate(content)


@pytest.mark.parametrize(
    "document",
    [
        task(),
        task(priority=3),
        task(priority=[{"value": 1, "weight": 2}]),
        task(fps=None, rate_hz=3),
        {**task(fps=None, weight=3), "capacity": {"groups": 4, "tiles": 2}, "jobs": 250},
        layer(kind="conv", in_channels=3, out_channels=8, size=224, kernel=3, padding=[1, 1]),
        layer(kind="conv", in_channels=3, out_channels=8, size=[224, 224], kernel=[3, 3], padding=[1, 1, 1, 1]),
        layer(kind="measured"),
    ],
)
def test_both_forms_are_valid(document):
    rtsched.Scenario.model_validate_json(json.dumps(document))
    validator("scenario").validate(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        task(fps=0),
        task(fps="30"),
        task(priority=12),
        task(priority=[]),
        task(nmae="x"),
        {**task(fps=None, weight=3), "capacity": {"tiles": 2}},
        {**task(fps=None, weight=0), "capacity": {"groups": 4}},
        {**task(), "jobs": 0},
        task(model=3),
        layer(),
        layer(kind="conf"),
        layer(kind="conv", in_channels=3, out_channels=8, size=0, kernel=3),
        layer(kind="conv", in_channels=3, out_channels=8, size=[1, 2, 3], kernel=3),
    ],
)
def test_what_the_loaders_refuse_is_not_valid(document):
    with pytest.raises(ValueError, match="validation error"):
        rtsched.Scenario.model_validate(document, strict=True)
    assert not validator("scenario").is_valid(document)
