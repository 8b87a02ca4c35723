"""Memory that the core cannot have: every allocation of a run is refused once."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import rtsched

TESTS = Path(__file__).parents[1]

# Stands before glibc's own functions and refuses one call from the compiled files of the package. Python, NumPy and Cython ask for
# theirs elsewhere.
ALLOCATOR = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

long left = -1;  /* calls until the one that is refused; -1 if none is */

static int refuses(void *caller) {
    Dl_info info;
    if (left < 0 || !dladdr(caller, &info) || !strstr(info.dli_fname, "/rtsched/")) return 0;
    return left-- == 0;
}

void *malloc(size_t n) { return refuses(__builtin_return_address(0)) ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t size) { return refuses(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size); }
void *realloc(void *old, size_t n) { return refuses(__builtin_return_address(0)) ? NULL : __libc_realloc(old, n); }
"""

# Prints what each refused allocation raised, until a run has all of its memory; it must come out as one before them all.
PROGRAM = """
import ctypes, json, sys
import rtsched

left = ctypes.c_long.in_dll(ctypes.CDLL(None), "left")
scenario, platform, policy = sys.argv[1:]
problem = rtsched.compile(scenario, platform)

def run(refused):
    left.value = refused
    try:
        outcome = rtsched.run(problem, policy, layers=True, rates=True)
    finally:
        left.value = -1
    return [table.tobytes() for table in (outcome.jobs, outcome.layers, outcome.rates)]

undisturbed, last, messages = run(-1), None, []
while last is None:
    try:
        last = run(len(messages))
    except MemoryError as error:
        messages.append(str(error))
assert last == undisturbed
print(json.dumps(messages))
"""

# More jobs at once than there is room for at first, and children that wait for two parents.
CROWD = """
name: crowd
duration_s: 0.001
tasks:
  - {name: words, model: {name: one, layers: [{kind: measured, name: l0}]}, fps: 1000000, deadline_ms: 0.4}
  - {name: left, model: {name: one, layers: [{kind: measured, name: l0}]}, parents: [words], deadline_ms: 0.5}
  - {name: right, model: {name: one, layers: [{kind: measured, name: l0}]}, parents: [words], deadline_ms: 0.5}
  - {name: both, model: {name: one, layers: [{kind: measured, name: l0}]}, parents: [left, right], deadline_ms: 0.6}
"""
PLATFORM = """
name: hand
accelerators:
  - {name: wide, cost: {model: table, file: costs.csv}, tiles: 4}
  - {name: narrow, cost: {model: table, file: costs.csv}}
memory: {peak_gb_per_s: 1}
"""
COSTS = """model,layer,accelerator,tiles,latency_ns,dram_bytes
one,l0,wide,1,9000,4000
one,l0,wide,4,5000,4000
one,l0,narrow,1,9000,4000
"""

OF_THE_ENGINE = {
    "n accelerators",
    "n caps",
    "n jobs in flight",
    "n jobs that wait for their parents",
    "n more records",
    "n tasks",
    "n tasks and n tiles",
    "n tiles",
    "a heap of n entries",
    "the rates of n tiles",
    "the sums of n tasks",
}


@pytest.fixture(scope="module")
def allocator(tmp_path_factory):
    """The library to load before all others."""
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux") or not os.confstr("CS_GNU_LIBC_VERSION"):
        pytest.skip("needs glibc and a C compiler")
    path = tmp_path_factory.mktemp("allocator") / "allocator.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", path, "-x", "c", "-"], input=ALLOCATOR, text=True, check=True)
    return path


def refused(allocator, *arguments):
    """What each refused allocation of a run raised."""
    environment = {**os.environ, "LD_PRELOAD": str(allocator), "PYTHONPATH": str(Path(rtsched.__file__).parents[1])}
    command = [sys.executable, "-P", "-c", PROGRAM, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    ("policy", "n_tiles", "more"),
    [
        ("edf", 4, {"a heap of n handles"}),
        ("dream", 4, {"n answers of a role", "n scores"}),
        ("dream", 1, {"n answers of a role", "the scores of n jobs"}),
        ("dysta", 4, {"n answers of a role", "n scores", "what was measured of n jobs"}),
        ("moca", 4, {"n answers of a role", "n jobs"}),
        ("planaria", 4, {"n answers of a role", "n jobs"}),
    ],
)
def test_a_run_that_cannot_have_its_memory(tmp_path, allocator, policy, n_tiles, more):
    costs = COSTS if n_tiles == 4 else COSTS.replace("one,l0,wide,4,5000,4000\n", "")
    for name, text in (("crowd.yaml", CROWD), ("hand.yaml", PLATFORM.replace("4", str(n_tiles), 1)), ("costs.csv", costs)):
        (tmp_path / name).write_text(text)
    messages = refused(allocator, tmp_path / "crowd.yaml", tmp_path / "hand.yaml", policy)
    assert {re.sub(r"\d+", "n", message) for message in messages} == {f"no memory for {what}" for what in OF_THE_ENGINE | more}
    assert all(int(n) > 0 for message in messages for n in re.findall(r"\d+", message))
