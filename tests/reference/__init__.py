"""The simulator in plain Python, line by line from docs/engine.md: the definition of correct."""
