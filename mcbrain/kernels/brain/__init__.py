"""The brain stage in compiled code: the subspace encoded from recordings, and its overlaps."""
