"""Studies that users write: every combination of what a file names, on any number of processes, into a store of runs."""
