"""Finished blocks and results on disk: segments, their index, and the folder that holds them."""
