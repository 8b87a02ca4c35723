"""Build of the compiled core and policies; everything else is in pyproject.toml.

RTSCHED_BUILD selects the mode: ``release`` (default), ``debug`` (bounds, overflow and initialisation checks), ``sanitize``
(AddressSanitizer and UndefinedBehaviorSanitizer) or ``coverage`` (gcov counts how often each line of the generated C runs).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

MODES = {
    "release": {},
    "debug": {"boundscheck": True, "initializedcheck": True},
    "sanitize": {},
    "coverage": {},
}
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": False,
    "wraparound": False,
    "cdivision": True,
    "initializedcheck": False,
    "embedsignature": True,
    "freethreading_compatible": True,
}

mode = os.environ.get("RTSCHED_BUILD", "release")
if mode not in MODES:
    raise SystemExit(f"RTSCHED_BUILD must be one of {', '.join(MODES)}, got {mode!r}")

# No fused multiply-add and no reassociation: simulated numbers are the same on every machine. Nothing looks at errno or at the
# flags of floating-point exceptions, and without them more loops become vectors.
compile_args = ["-O3" if mode == "release" else "-O1", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"]
if mode == "debug":
    # Cython's own overflow check takes the GIL; the compiler's traps. Unsigned draws wrap on purpose and are not checked.
    # Python's own flags hold -fwrapv, under which signed overflow is not undefined and therefore never traps.
    compile_args += ["-fno-wrapv", "-fsanitize=signed-integer-overflow,bounds,shift", "-fsanitize-undefined-trap-on-error"]
link_args = []
if mode == "sanitize":
    # Without Cython's checks, so that what they would stop is seen. Tests then run with both libraries preloaded.
    link_args = ["-fsanitize=address,undefined"]
    compile_args += ["-fno-wrapv", "-fno-omit-frame-pointer", "-g", "-fno-sanitize-recover=undefined", *link_args]
if mode == "coverage":
    # Unoptimised, so that no two lines are merged. Functions that nothing calls count too: gcc keeps them, and the linker, which
    # could not resolve what some of Python's own need, leaves them out.
    link_args = ["--coverage", "-Wl,--gc-sections"]
    compile_args += ["-O0", "--coverage", "-fkeep-static-functions", "-fkeep-inline-functions", "-ffunction-sections"]

SHARED_UTILITY = "rtsched._core._shared_utility"  # memoryviews and the like, compiled once; its source is generated


def extension(source: Path) -> Extension:
    """Return the extension module of one source file."""
    name = ".".join(source.with_suffix("").parts)
    return Extension(name, [str(source)], extra_compile_args=compile_args, extra_link_args=link_args)


sources = sorted(source for folder in ("rtsched/_core", "rtsched/policies") for source in Path(folder).glob("*.pyx"))
extensions = [extension(source) for source in sources]
extensions.append(extension(Path(SHARED_UTILITY.replace(".", "/") + ".c")))

setup(
    ext_modules=cythonize(
        extensions,
        compiler_directives=DIRECTIVES | MODES[mode],
        shared_utility_qualified_name=SHARED_UTILITY,
        # cythonize compares time stamps, not directives.
        force=mode != "release",
        nthreads=os.cpu_count() or 1,
    ),
    options={"build_ext": {"parallel": os.cpu_count() or 1}},  # modules compiled side by side
)
