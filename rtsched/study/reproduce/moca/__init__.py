"""MoCA's evaluation (Kim et al., HPCA 2023)."""
