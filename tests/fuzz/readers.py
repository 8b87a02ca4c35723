"""Follows the coverage of a reader with atheris (``pip install 'rtsched[fuzz]'``).

``python tests/fuzz/readers.py yaml|document|csv|onnx|xrbench [--runs N] [--corpus FOLDER]``. The corpus starts with the valid files of
`fuzz.targets`; inputs that reach something new are added to FOLDER, and one that breaks a rule ends the run. An input is the number
of the reader among those of its kind, a byte, and then the file. `document` is one scenario that is read but not compiled, which is
twenty times as fast as `yaml`.
"""

import argparse
import importlib.util
import random
import sys
import tempfile
from pathlib import Path

KINDS = ("yaml", "document", "csv", "onnx", "xrbench")
MAX_BYTES = 40_000


def arguments():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--runs", type=int, default=10_000, help="inputs to try; -1: until something breaks")
    parser.add_argument("--corpus", type=Path, help="folder of inputs, which grows; a temporary one by default")
    return parser.parse_args()


def write_seeds(targets, corpus):
    """Write the valid files of every reader, where they are not there yet."""
    corpus.mkdir(parents=True, exist_ok=True)
    for number, target in enumerate(targets):
        for i, files in enumerate(target.valid()):
            (corpus / f"{target.name.replace(' ', '-')}-{i}").write_bytes(bytes([number]) + files[target.file])


def follow(atheris, targets, chosen, corpus, folder):
    """Fuzz until `--runs` inputs were tried; does not return."""
    from fuzz.targets import judge

    def of(data):
        return targets[data[0] % len(targets)]

    def test_one(data):
        if data:
            target = of(data)
            # The last are generated ones, which compile fastest.
            judge(target, target.valid()[-1] | {target.file: data[1:]}, folder)

    def mutate(data, max_size, seed):
        drawn = random.Random(seed)
        if not data or drawn.random() < 0.3:
            return atheris.Mutate(data, max_size)
        return (data[:1] + of(data).change(drawn, data[1:]))[:max_size]

    options = [f"-runs={chosen.runs}", f"-max_len={MAX_BYTES}", "-timeout=120", "-rss_limit_mb=4096"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], test_one, custom_mutator=mutate)
    atheris.Fuzz()


def main():
    """Fuzz the readers of a kind; return 2 when atheris is missing."""
    chosen = arguments()
    if importlib.util.find_spec("atheris") is None:
        print("tests/fuzz/readers.py needs atheris, which is not installed: pip install 'rtsched[fuzz]'", file=sys.stderr)
        return 2
    import atheris

    with atheris.instrument_imports(include=["rtsched", "ruamel"]):
        from fuzz.targets import TARGETS

    targets = [one for one in TARGETS.values() if one.kind == chosen.kind]
    with tempfile.TemporaryDirectory() as folder:
        corpus = chosen.corpus or Path(folder, "corpus")
        write_seeds(targets, corpus)
        follow(atheris, targets, chosen, corpus, Path(folder))
    return 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    sys.exit(main())
