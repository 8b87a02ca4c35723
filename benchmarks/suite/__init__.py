"""Benchmarks of rtsched, run by asv from the folder above."""
