"""Blocks, the atoms of a run: problems, what is wanted of them, what they cost, and their sums."""
