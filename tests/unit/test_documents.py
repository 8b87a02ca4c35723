"""Documents: positions, strictness, plain words, limits; and nothing but InputError for whatever text."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from rtsched.documents import MAX_BYTES, MAX_FAULTS, Document, hint, read_document
from rtsched.errors import InputError
from rtsched.workload.model import Model
from rtsched.workload.scenario import Scenario

MALFORMED = Path(__file__).parent / "malformed"


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Array(Frozen):
    """Has a field named like its tag, as accelerators do."""

    model: Literal["array"] = "array"
    array: Literal["ws", "os"] = "ws"
    pes: Annotated[int, Field(ge=1, multiple_of=4)]


class Table(Frozen):
    model: Literal["table"] = "table"
    file: str

    @field_validator("file")
    @classmethod
    def _read(cls, file: str, info: ValidationInfo) -> str:
        if file == "bad.csv":
            raise InputError(["bad.csv:2:1 latency_ns: is required", "bad.csv:3:1 latency_ns: is required"])
        return f"{info.context['base'].name}/{file}" + info.context.get("suffix", "")


class Board(Frozen):
    name: Annotated[str, Field(min_length=2, max_length=8, pattern="^[a-z]+$")] = "board"
    cost: Annotated[Array | Table, Field(discriminator="model")] | None = None
    clock: Annotated[float, Field(ge=0.5, lt=1e9)] = 1.0
    shares: tuple[float, ...] = ()
    is_on: bool = True
    named: dict[str, Array] = {}
    loose: tuple[int | str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Board:
        if self.clock == 13:
            raise ValueError("unlucky")
        return self


def board(text: str) -> Board:
    return Document(text.encode(), "board.yaml").validate(Board)


def faults(text: str, model: type[BaseModel] = Board) -> list[str]:
    with pytest.raises(InputError) as caught:
        Document(text.encode(), "board.yaml").validate(model)
    return [fault.removeprefix("board.yaml:") for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12), ("-0", 0), ("+7", 7), ("010", 10), ("0o17", 15), ("0xfF", 255),
        ("1.5", 1.5), (".5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("-2E-1", -0.2),
        (".inf", math.inf), ("-.Inf", -math.inf), ("true", True), ("FALSE", False), ("~", None), ("null", None), ("", None),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("1_000", "1_000"), ("0b1", "0b1"), ("12:30", "12:30"), ("2026-01-01", "2026-01-01"),
        ("'12'", "12"), ('"true"', "true"), ("tRUE", "tRUE"), ("-0x1", "-0x1"), ("0o8", "0o8"), ("infinity", "infinity"),
        ("[1, [a]]", (1, ("a",))), ("{1: a, true: b}", {"1": "a", "true": "b"}), ("|\n  two\n  lines", "two\nlines\n"),
    ],
)  # fmt: skip
def test_scalars_follow_the_core_schema(text: str, value: object) -> None:
    found = Document(f"value: {text}\n".encode(), "f").value["value"]
    assert found == value
    assert type(found) is type(value)


def test_not_a_number_is_a_number() -> None:
    assert math.isnan(Document(b".nan", "f").value)


def test_a_document_becomes_a_model() -> None:
    assert board("{name: small, clock: 2, shares: [1, 0.5], cost: {model: array, pes: 0x10}}") == Board(
        name="small", clock=2.0, shares=(1.0, 0.5), cost=Array(pes=16)
    )


def test_line_ends_and_byte_order_mark_do_not_matter() -> None:
    assert Document(b"\xef\xbb\xbfname: small\r\nclock: 2\r\n", "f").validate(Board).clock == 2.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("clock: '3'", "1:8 clock: must be a number, got '3'; leave out the quotes"),
        ("clock: true", "1:8 clock: must be a number, got true"),
        ("clock: 1_000", "1:8 clock: must be a number, got '1_000'"),
        ("clock: [3]", "1:8 clock: must be a number, got a list"),
        ("clock: null", "1:8 clock: must be a number, got null"),
        ("name: small\nclock:\n\n", "2:1 clock: must be a number, got nothing"),
        ("clock: 0.1", "1:8 clock: must be at least 0.5, got 0.1"),
        ("clock: 1e9", "1:8 clock: must be less than 1000000000, got 1e9"),
        ("clock: 13.0", "1:1: unlucky"),
        ("clock: 1" + "0" * 350, "1:8 clock: must be a finite number, got 1" + "0" * 56 + "..."),
        ("name: 3.50", "1:7 name: must be text, got 3.50; put it in quotes"),
        ("name: a", "1:7 name: must have at least 2 characters, got 'a'"),
        ("name: abcdefghi", "1:7 name: must have at most 8 characters, got 'abcdefghi'"),
        ("name: A-1", "1:7 name: must match ^[a-z]+$, got 'A-1'"),
        ("is_on: yes", "1:8 is_on: must be true or false, got 'yes'"),
        ("is_on: 1", "1:8 is_on: must be true or false, got 1"),
        ("shares: 1", "1:9 shares: must be a list, got 1"),
        ("shares: [1,\n         x]", "2:10 shares[1]: must be a number, got 'x'"),
        ("cost: 3", "1:7 cost: must be a mapping of keys to values, got 3"),
        ("cost: {}", "1:7 cost.model: is required"),
        ("cost:\n  model: aray\n", "2:10 cost.model: must be one of 'array', 'table', got 'aray'; did you mean 'array'?"),
        ("cost:\n  model: array\n", "2:3 cost.pes: is required"),
        ("cost: {model: array, pes: 0}", "1:27 cost.pes: must be at least 1, got 0"),
        ("cost: {model: array, pes: 5}", "1:27 cost.pes: must be a multiple of 4, got 5"),
        ("cost: {model: array, pes: 1.5}", "1:27 cost.pes: must be a whole number, got 1.5"),
        ("cost: {model: array, pes: 4, array: wss}", "1:37 cost.array: must be 'ws' or 'os', got 'wss'; did you mean 'ws'?"),
        ("cost: {model: array, array: ws, pes: x}", "1:38 cost.pes: must be a whole number, got 'x'"),
        ("cost: {model: array, array: ws}", "1:7 cost.pes: is required"),
        ("cost: {model: array, pes: 4, pse: 4}", "1:30 cost.pse: unknown key; did you mean 'pes'?"),
        ("cost: {model: table, file: a, pes: 4}", "1:31 cost.pes: unknown key; known keys: model, file"),
        ("named: {x: {pes: 4}, y z: {pes: 0}}", "1:33 named.'y z'.pes: must be at least 1, got 0"),
        ("<: 3", "1:1 '<': unknown key; known keys: name, cost, clock, shares, is_on, named, loose"),
    ],
)  # fmt: skip
def test_a_fault_has_its_place_and_plain_words(text: str, expected: str) -> None:
    assert faults(text) == [expected]


def test_all_faults_come_at_once_in_the_order_of_the_file() -> None:
    assert faults("shares: [x, 1, y]\nclok: 3\ncost: {model: table}\n") == [
        "1:10 shares[0]: must be a number, got 'x'",
        "1:16 shares[2]: must be a number, got 'y'",
        "2:1 clok: unknown key; did you mean 'clock'?",
        "3:7 cost.file: is required",
    ]


def test_a_scalar_that_stands_for_two_dimensions_is_one_fault() -> None:
    layer = "{kind: conv, name: first, in_channels: 1, out_channels: 1, size: 8, kernel: -3}"
    assert faults(f"name: net\nlayers: [{layer}]", Model) == ["2:86 layers[0].kernel: must be at least 1, got -3"]


def test_a_key_named_like_a_tag_is_an_unknown_key() -> None:
    text = "name: net\ntasks: [{name: t, fps: 1, model: {model: x, name: 3}}]"
    assert faults(text, Scenario) == [
        "2:35 tasks[0].model.model: unknown key; known keys: name, source, layers, blocks, subnets",
        "2:51 tasks[0].model.name: must be text, got 3; put it in quotes",
    ]


def test_faults_of_another_file_keep_its_lines() -> None:
    assert faults("cost: {model: table, file: bad.csv}") == [
        "1:28 cost.file: bad.csv:2:1 latency_ns: is required",
        "1:28 cost.file: bad.csv:3:1 latency_ns: is required",
    ]


def test_an_alias_is_at_fault_where_it_stands() -> None:
    assert faults("shares: &bad [x]\nname: &n 3\nloose: *bad\nclock: *n\nis_on: *n\n") == [
        "1:15 shares[0]: must be a number, got 'x'",
        "2:7 name: must be text, got 3; put it in quotes",
        "5:8 is_on: must be true or false, got 3",
    ]


def test_later_faults_are_reported_with_those_of_the_model() -> None:
    document = Document(b"name: small\nclock: x\nshares: [1, 2]\n", "board.yaml")
    document.fault(("shares", 1), "unknown share")
    document.fault(("cost", "name"), "is not there")
    with pytest.raises(InputError) as caught:
        document.validate(Board)
    assert caught.value.faults == (
        "board.yaml:1:1 cost.name: is not there",
        "board.yaml:2:8 clock: must be a number, got 'x'",
        "board.yaml:3:13 shares[1]: unknown share",
    )


def test_faults_can_be_reported_after_validation() -> None:
    document = Document(b"name: small", "board.yaml")
    document.validate(Board)
    document.raise_faults()
    document.fault(("name",), "is taken")
    with pytest.raises(InputError, match=r"^board\.yaml:1:7 name: is taken$"):
        document.raise_faults()


def test_the_context_holds_the_folder(tmp_path: Path) -> None:
    (tmp_path / "board.yaml").write_text("cost: {model: table, file: costs.csv}")
    table = read_document(tmp_path / "board.yaml", Board, context={"suffix": "!"}).cost
    assert table == Table.model_construct(file=f"{tmp_path.name}/costs.csv!")


def test_files_are_called_as_the_user_wrote_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "boards").mkdir()
    (tmp_path / "boards" / "one.yaml").write_text("clock: x")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"^\./boards/\.\./boards/one\.yaml:1:8 clock: must"):
        read_document("./boards/../boards/one.yaml", Board)


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("glasses.yaml").write_text("name: small")
    Path("folder.yaml").mkdir()
    Path("large.yaml").write_bytes(b"#" * (MAX_BYTES + 1))
    for file, message in {
        "glases.yaml": "glases.yaml: no such file; did you mean 'glasses.yaml'?",
        "nowhere/glasses.yaml": "nowhere/glasses.yaml: no such file",
        "folder.yaml": "folder.yaml: cannot be read: is a directory",
        "glasses.yaml/x.yaml": "glasses.yaml/x.yaml: cannot be read: not a directory",
        "large.yaml": "large.yaml: is larger than 10 MB",
        "a\0b.yaml": "a\0b.yaml: cannot be read: embedded null byte",
    }.items():
        with pytest.raises(InputError) as caught:
            read_document(file, Board)
        assert caught.value.faults == (message,)


def test_aliases_are_neither_expanded_nor_counted_once() -> None:
    with pytest.raises(InputError, match="more than 1000000 values when aliases are written out"):
        Document((MALFORMED / "alias_bomb.yaml").read_bytes(), "f")
    shared = Document(b"a: &a [1, 2]\nb: *a\n", "f").value
    assert shared["a"] is shared["b"]


def test_long_text_is_no_way_around_the_limit() -> None:
    text = f"a: &a {'x' * 100_000}\nb: &b [{', '.join(['*a'] * 100)}]\nc: [{', '.join(['*b'] * 100)}]\n"
    with pytest.raises(InputError, match=r"^f:3:\d+: more than 1000000 values"):
        Document(text.encode(), "f")


def test_depth_counts_through_aliases() -> None:
    def text(levels: int) -> bytes:
        return f"a: &a {'[' * 60}{']' * 60}\nb: {'[' * levels}*a{']' * levels}\n".encode()

    Document(text(39), "f")
    with pytest.raises(InputError, match=r"^f:2:44: nested deeper than 100 levels when aliases are written out$"):
        Document(text(40), "f")


def test_the_number_of_messages_is_bounded() -> None:
    found = faults(f"shares: [{', '.join(['x'] * (MAX_FAULTS + 5))}]")
    assert len(found) == MAX_FAULTS + 1
    assert found[-1] == " 5 more faults"


def test_hints() -> None:
    assert hint("fsp", ["fps", "name"], "known keys") == "; did you mean 'fps'?"
    assert hint("EDF", ["edf", "eft"], "known keys") == "; did you mean 'edf'?"
    assert hint("vrgaming", ["VR_Gaming"]) == "; did you mean 'VR_Gaming'?"
    assert hint("Edf", ["edf", "Edf2"]) == "; did you mean 'Edf2'?"
    assert hint("zzz", ["fps", "name"], "known keys") == "; known keys: fps, name"
    assert hint("zzz", ["fps", "name"]) == hint("zzz", [], "known keys") == ""


def test_importing_does_not_load_the_parser() -> None:
    code = "import sys, rtsched.documents; sys.exit('ruamel.yaml' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", code], check=False).returncode == 0


PIECES = st.sampled_from(
    ["\t", "\n", "\n  ", "- ", ": ", "? ", "&a ", "*a", "!!x ", "!<", "%YAML ", "%TAG ", "---\n", "...\n", "|", ">-", "'", '"', "\\U",
     "[", "]", "{", "}", ",", "#", "<<", "@", "~", "\r", "\x85", "\u2028", "\ufeff", "\ud800", "\0", "1e999", "9" * 5000, "name", "tasks"]
)  # fmt: skip
ORIGINALS = [path.read_bytes()[:2000].decode("utf-8", "replace") for path in sorted(MALFORMED.glob("*.yaml"))]


@st.composite
def mutants(draw: st.DrawFn) -> str:
    """A document with some pieces replaced or inserted."""
    text = draw(st.sampled_from(ORIGINALS))
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 5))
        text = text[:start] + draw(PIECES | st.text(max_size=3)) + text[end:]
    return text


@given(text=st.one_of(st.text(), mutants(), st.lists(PIECES, max_size=25).map("".join)))
@settings(deadline=None, max_examples=300)
def test_whatever_the_text_only_input_errors_are_raised(text: str) -> None:
    only_input_errors(text.encode("utf-8", "surrogatepass"))


@given(data=st.binary())
@settings(deadline=None)
def test_whatever_the_bytes_only_input_errors_are_raised(data: bytes) -> None:
    only_input_errors(data)


def only_input_errors(data: bytes) -> None:
    found: tuple[str, ...] = ("f.yaml:",)
    try:
        Document(data, "f.yaml").validate(Scenario)
    except InputError as error:
        found = error.faults
    assert found
    assert all(fault.startswith("f.yaml:") for fault in found)
