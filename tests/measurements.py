"""Measurements that are not part of the project, and the scripts that compare with them.

RTSCHED_MEASUREMENTS names the folder of the measurements, or it is ``../shared/data`` beside the repository.
"""

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = Path(os.environ.get("RTSCHED_MEASUREMENTS", ROOT.parent / "shared" / "data"))
LAYERS = FOLDER / "gemmini_layers.csv"
CORUN = FOLDER / "gemmini_corun_service.csv"


def needs(file):
    """Skip without a file of measurements; say which."""
    return pytest.mark.skipif(not file.is_file(), reason=f"no measurements at {file} (set RTSCHED_MEASUREMENTS to their folder)")


def script(name):
    """Import a script of benchmarks/."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
