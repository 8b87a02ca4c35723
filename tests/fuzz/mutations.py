"""Damage to valid files. Every function draws from a `random.Random`, so that Hypothesis, a seed or a fuzzer can choose."""

import json
import math
import re

WORDS = ["", " ", "x", "NaN", "1", "..", "../../../etc/passwd", "/dev/zero.yaml", "/dev/zero", ".", "nowhere.yaml", "nowhere.onnx"]
WORDS += ["package:os/x.yaml", "package:onnx/../x.onnx", "package:rtsched/workload/scenarios/vr_gaming.yaml", "vr_gaming", "a\nb", "\x00"]
WORDS += ["x" * 5_000, "costs.csv", "\u00e9\u202e", "a/b.yaml", "{}", "%s", "=1+1", "t0", "t1", "fps", "table", "dataflow", "systolic"]
WORDS += ["measured", "conv"]
NUMBERS = [0, -1, 1, 2, 64, 65, 100, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**400]
NUMBERS += [0.5, 1e-9, 1e-300, 5e-324, -0.0, 1e9, 1e18, 1e308, math.inf, -math.inf, math.nan]
RAW = [
    "!!python/object/apply:os.system ['true']",
    "*missing",
    "&a [*a]",
    "{<<: {a: 1}}",
    "? [a]",
    "'",
    '"',
    "{",
    "]",
    "0x1F",
    "0o17",
    "1_0",
]
RAW += [
    "%YAML 1.1",
    "--- 1",
    '"\\ud800"',
    '"\\UFFFFFFFF"',
    "yes",
    "|\n  text",
    "@",
    "`",
    "\t",
    "[" * 3000,
    "2024-01-01",
    "1e999999",
    "1_000",
]
TOKENS = [b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r", b"\n", b",", b'"', b"'", b":", b"- ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"nan"]
TOKENS += [b"-1", b"1e400"]
OPERATORS = ["Conv", "Reshape", "Loop", "Tile", "Range", "Expand", "ConstantOfShape", "LSTM", "Attention", "Resize"]
MAX_BYTES = 40_000
"""What a change may add to a file; limits on size have tests of their own."""


class Pairs(list):
    """A mapping as a list of [key, value], which may hold a key twice."""


class Raw(str):
    """Text that stands in the document as it is."""

    __slots__ = ()


def tree_of(value):
    """Turn what was read into lists and `Pairs`, which can be damaged."""
    if isinstance(value, dict):
        return Pairs([key, tree_of(one)] for key, one in value.items())
    return [tree_of(one) for one in value] if isinstance(value, (list, tuple)) else value


def written(tree):
    """Write a tree as YAML in flow style, which is JSON as long as it holds nothing else."""
    match tree:
        case Raw():
            return str(tree)
        case Pairs():
            return "{" + ", ".join(f"{written(key)}: {written(one)}" for key, one in tree) + "}"
        case list():
            return "[" + ", ".join(map(written, tree)) + "]"
        case float() if not math.isfinite(tree):
            return ".nan" if math.isnan(tree) else f"{'-' * (tree < 0)}.inf"
        case int() if not isinstance(tree, bool) and abs(tree) > 10**300:
            return "1" + "0" * 400
    return json.dumps(tree)


def any_value(random):
    """Draw a value that is probably wrong."""
    kinds = [lambda: random.choice(WORDS), lambda: random.choice(NUMBERS), lambda: Raw(random.choice(RAW))]
    kinds.append(lambda: random.choice([None, True, False, [], Pairs(), [[]], [None], Pairs([["name", "x"]])]))
    return random.choice(kinds)()


def places(tree):
    """Every (container, index) of a tree."""
    found, left = [], [tree]
    while left:
        node = left.pop()
        for i, one in enumerate(node):
            found.append((node, i))
            value = one[1] if isinstance(node, Pairs) else one
            if isinstance(value, list):
                left.append(value)
    return found


def mutated_tree(random, tree):
    """Damage a tree in one to four places; it is copied first."""
    tree = [copied(tree)]
    for _ in range(random.choice([1, 1, 1, 2, 4])):
        node, i = random.choice(places(tree))
        random.choice(TREE_CHANGES)(random, tree, node, i)
        if not tree:
            tree.append(None)
    return tree[0]


def copied(tree):
    """Copy lists and `Pairs`."""
    return type(tree)(copied(one) for one in tree) if isinstance(tree, list) else tree


def _get(node, i):
    return node[i][1] if isinstance(node, Pairs) else node[i]


def _put(node, i, value):
    if isinstance(node, Pairs):
        node[i][1] = value
    else:
        node[i] = value


def _replace(random, tree, node, i):
    _put(node, i, any_value(random))


def _delete(random, tree, node, i):
    del node[i]


def _double(random, tree, node, i):
    node.insert(random.randint(0, len(node)), copied(node[i]))


def _repeat(random, tree, node, i):
    n = MAX_BYTES // (1 + len(written(_get(node, i))))
    node.extend(copied(node[i]) for _ in range(min(n, random.choice([2, 100]))))


def _rename(random, tree, node, i):
    if isinstance(node, Pairs):
        node[i][0] = random.choice([f"{node[i][0]}x", random.choice(WORDS), any_value(random), str(node[i][0]).upper()])
    else:
        _replace(random, tree, node, i)


def _nest(random, tree, node, i):
    value = _get(node, i)
    for _ in range(random.choice([1, 2, 98, 200])):
        value = [value] if random.random() < 0.7 else Pairs([["name", value]])
    _put(node, i, value)


def _move(random, tree, node, i):
    """Take the value that stands somewhere else, or a key from there."""
    other, j = random.choice(places(tree))
    value = copied(_get(other, j))
    if isinstance(node, Pairs) and isinstance(other, Pairs) and random.random() < 0.3:
        node[i][0] = other[j][0]
    elif len(written(value)) < MAX_BYTES:
        _put(node, i, value)


def _alias(random, tree, node, i):
    """Name a value, and refer to it elsewhere: before, after or inside of it."""
    _put(node, i, Raw(f"&anchor {written(_get(node, i))}"))
    other, j = random.choice(places(tree))
    if (other, j) != (node, i):
        _put(other, j, Raw("*anchor"))


def _scale(random, tree, node, i):
    """Change a number a little, or by orders of magnitude; turn text into a number or the other way round."""
    value = _get(node, i)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        is_small = abs(value) < 1e290  # a larger integer is no float
        factors = [value * 10, value / 10, -value, value + 1, value * 1000, value * 1e9, str(value), value / 1e9] if is_small else [0]
        _put(node, i, random.choice(factors))
    else:
        _replace(random, tree, node, i)


def _shuffle(random, tree, node, i):
    random.shuffle(node)


TREE_CHANGES = [_replace, _replace, _delete, _double, _repeat, _rename, _nest, _move, _move, _alias, _scale, _scale, _shuffle]


def mutated_bytes(random, data):
    """Damage bytes in one to eight places."""
    data = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 8])):
        at = random.randint(0, len(data))
        n = random.choice([1, 1, 2, 8, 64])
        match random.randint(0, 6):
            case 0:
                data[at : at + n] = random.randbytes(n)
            case 1:
                del data[at : at + n]
            case 2:
                data[at:at] = random.choice(TOKENS) * random.choice([1, 1, 3])
            case 3:
                data[at:at] = data[at : at + n] * random.choice([1, 2, 50])
            case 4 if at < len(data):
                data[at] ^= 1 << random.randint(0, 7)
            case 5:
                del data[at:]
            case _:
                other = random.randint(0, len(data))
                data[at : at + n] = data[other : other + n]
    return bytes(data)


def mutated_table(random, text):
    """Damage a CSV file: cells, columns, lines."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(random.choice([1, 1, 2, 4])):
        line = random.randint(0, len(rows) - 1)
        row = rows[line]
        column = random.randint(0, len(row) - 1)
        match random.randint(0, 9):
            case 0 | 1 | 2:
                row[column] = _cell(random)
            case 3 if len(rows) > 1:
                del rows[line]
            case 4:
                rows.insert(random.randint(0, len(rows)), list(row))
            case 5 if len(row) > 1:
                del row[column]
            case 6:
                row.insert(column, _cell(random))
            case 7:
                other = random.choice(rows)
                row[column] = random.choice(other)
            case 8:
                for one in rows:
                    one[column : column + 1] = one[column : column + 1] * random.choice([0, 2])
                rows = [one for one in rows if one] or [[""]]
            case _:
                row[column] = random.choice(['"{}"', '"{}', " {} ", "{}0", "-{}", "{}e9", "{}e-9", "{}\r", "{}\x00"]).format(row[column])
    return "\n".join(",".join(row) for row in rows)


def _cell(random):
    return random.choice([*WORDS, *map(str, NUMBERS[:14]), *map(repr, NUMBERS[15:]), "1e400", "0x10", "1_0", "\u0661", "1,5", '"1"'])


def mutated_words(random, data):
    """Damage a text in one to four of its words, numbers and signs."""
    words = re.findall(rb"\w+|\s+|[^\w\s]", data) or [b""]
    for _ in range(random.choice([1, 1, 2, 4])):
        i, j = (random.randint(0, len(words) - 1) for _ in range(2))
        match random.randint(0, 5):
            case 0:
                words[i] = random.choice(TOKENS)
            case 1 | 2:
                words[i] = str(random.choice([*NUMBERS, *WORDS])).encode()
            case 3:
                words[i] = words[j]
            case 4:
                words[i:i] = words[min(i, j) : max(i, j)]
            case _:
                del words[min(i, j) : min(i, j) + random.choice([1, 1, 5, 50])]
                words = words or [b""]
    return b"".join(words)


def mutated_message(random, message):
    """Damage a protobuf message, in place, in one to four fields anywhere in it."""
    for _ in range(random.choice([1, 1, 2, 4])):
        one = random.choice(list(_messages(message)))
        field = random.choice(one.DESCRIPTOR.fields)
        if _is_list(field):
            _change_list(random, getattr(one, field.name), field)
        elif field.message_type is None:
            setattr(one, field.name, _scalar(random, field))
        elif random.random() < 0.5:
            one.ClearField(field.name)
        else:
            getattr(one, field.name).SetInParent()
    return message


def _is_list(field):
    is_repeated = getattr(field, "is_repeated", None)
    return field.label == field.LABEL_REPEATED if is_repeated is None else is_repeated


def _messages(message):
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for one in value if _is_list(field) else [value]:
                yield from _messages(one)


def _change_list(random, values, field):
    kind = random.randint(0, 2)
    if kind == 0 and len(values):
        del values[random.randint(0, len(values) - 1)]
    elif field.message_type is not None:
        if len(values) and kind == 1:
            values.add().CopyFrom(random.choice(list(values)))
        else:
            values.add()
    elif len(values) and kind == 1:
        values[random.randint(0, len(values) - 1)] = _scalar(random, field)
    else:
        values.append(_scalar(random, field))


def _scalar(random, field):
    match field.cpp_type:
        case field.CPPTYPE_STRING:
            text = random.choice(
                [*WORDS, "x", "y", "w", "ai.onnx", "Conv", "Reshape", "Loop", "Tile", "Range", "Expand", "ConstantOfShape"]
            )
            return text.encode() if field.type == field.TYPE_BYTES else text
        case field.CPPTYPE_ENUM:
            return random.choice(field.enum_type.values).number
        case field.CPPTYPE_FLOAT | field.CPPTYPE_DOUBLE:
            return random.choice([0.0, -1.0, 1e30, math.nan, math.inf])
    bits = 31 if field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32) else 63
    is_unsigned = field.cpp_type in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64)
    return random.choice([0, 1, 2, 3, 7, 100, 10**6, 2**30, 2**bits - 1, *([] if is_unsigned else [-1, -3, -(2**bits)])])
