"""Build of the compiled policy; Cython finds rtsched's declarations where rtsched is installed."""

from Cython.Build import cythonize
from setuptools import Extension, setup

# Without -ffp-contract=off a compiler may fuse a * b + c, and scores would differ from the ones that Python computes.
native = Extension("rtsched_sample.native", ["rtsched_sample/native.pyx"], extra_compile_args=["-O2", "-ffp-contract=off"])

setup(ext_modules=cythonize([native], compiler_directives={"language_level": 3}))
