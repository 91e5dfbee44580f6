"""Random numbers: normals and chi-squares per second, and against NumPy in the same run."""

from __future__ import annotations

import time

import numpy as np

from bench.sizes import ROUNDS, TINY
from bench.throughput import paired_ratio
from mcbrain.kernels.streams import fill_normal, open_stream

COUNT = 1_000 if TINY else 1_000_000


def normals_per_second() -> float:
    """Normals per second of the kernels' stream, one thread."""
    stream, out = open_stream(1, (2, 3, 4, 5), 0, 0), np.empty(COUNT)
    fill_normal(stream, out[:10])
    begun = time.perf_counter()
    fill_normal(stream, out)
    return COUNT / (time.perf_counter() - begun)


def numpy_normals_per_second() -> float:
    """The same numbers from NumPy's own generator."""
    rng, out = np.random.Generator(np.random.SFC64(1)), np.empty(COUNT)
    begun = time.perf_counter()
    rng.standard_normal(out=out)
    return COUNT / (time.perf_counter() - begun)


class Streams:
    """The stream that every engine draws from."""

    version = "1"

    def track_normals_per_second(self) -> float:
        return max(normals_per_second() for _ in range(ROUNDS))

    track_normals_per_second.unit = "normals/s"  # type: ignore[attr-defined]

    def track_ratio_to_numpy(self) -> float:
        return paired_ratio(normals_per_second, numpy_normals_per_second)

    track_ratio_to_numpy.unit = "times the rate of NumPy"  # type: ignore[attr-defined]
