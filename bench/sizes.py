"""Sizes of every benchmark, in one place; MCBRAIN_BENCH=tiny is for the tests."""

import os
from typing import NamedTuple


class Size(NamedTuple):
    """One cell of the raw engine's benchmarks."""

    input_dim: int
    latent_dim: int
    n_channels: int
    n_task: int
    n_brain: int
    penalties: int


TINY = os.environ.get("MCBRAIN_BENCH") == "tiny"

RAW = {
    "d=20": Size(20, 3, 20, 60, 100, 20),
    "d=200": Size(200, 10, 100, 500, 600, 20),
}
if TINY:
    RAW = {"d=6": Size(6, 2, 4, 12, 14, 2)}

SECONDS = 0.02 if TINY else 1.0  # how long each throughput is measured
ROUNDS = 1 if TINY else 5  # engine and peer take turns, so that both see the same machine
