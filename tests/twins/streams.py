"""Twins of ``mcbrain.kernels.random.streams``: NumPy's own generators."""

import numpy as np


def open_stream(seed, key, index, role):
    """Return the generator that a stream continues bit for bit."""
    sequence = np.random.SeedSequence(seed, spawn_key=(*key, index, role))
    return np.random.Generator(np.random.SFC64(sequence))


def fill_chi_square(rng, dof):
    """Draw chi-squares one after the other; for 1 and 2 degrees sums of squared normals."""
    return np.array(
        [
            rng.chisquare(nu) if nu > 2 else float(np.sum(rng.standard_normal(int(nu)) ** 2))
            for nu in dof
        ]
    )
