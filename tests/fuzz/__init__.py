"""Inputs and policies that are damaged on purpose: how to damage them, and how to judge what comes of it.

The same mutations serve the tests in ``tests/properties``, ``run.py``, which counts, and ``readers.py``, which follows coverage.
"""
