"""DREAM's evaluation (Kim et al., ASPLOS 2023)."""
