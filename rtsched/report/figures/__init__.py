"""Figures for papers; see docs/figures.md."""
