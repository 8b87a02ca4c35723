"""Platforms searched for the smallest one that meets its deadlines: candidates, the search, and what it found."""
