"""The evaluations of published schedulers, done again."""
