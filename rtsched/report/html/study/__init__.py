"""The page of a study: its policies over all cells, over each axis, and in each cell."""
