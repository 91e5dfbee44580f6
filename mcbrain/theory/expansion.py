"""The brain stage to the next order in 1/size, and how far that can be trusted (README.md 5b).

An expansion is as good as its own corrections are small. Where they are not, near the threshold of
visibility and where latents crowd the dimensions, the weight that goes with it falls to 0.
"""

from __future__ import annotations

import numpy as np

from mcbrain.theory.outliers import limiting_odds, overlap_correction
from mcbrain.theory.recovery import Stage, missed_overlap, overlap_scatter
from mcbrain.typing import Floats

__all__ = ["expansion"]

REACH = 0.2
"""Size of the corrections at which the expansion has half of the weight."""

SHARPNESS = 4.0
"""Power with which the weight falls beyond that."""

CROWDING = 0.3
"""What n_B = d counts for, where each latent has one degree of freedom left."""

LARGEST = 1e12
"""Signals from here on have no noise to speak of: the expansion would lose it in rounding."""

LEAST = 1e-4
"""A weight below this is 0."""


def expansion(
    signal: Floats, n_brain: Floats, input_dim: int, n_channels: int
) -> tuple[Floats, Floats]:
    """Mean overlaps C_j to the next order, and the weight that they deserve.

    Parameters
    ----------
    signal : ndarray, shape (..., r)
        th_j, squared signals of the latents in the recordings; r is the rank too.
    n_brain : ndarray, shape (..., 1)
        n_B, real numbers; broadcast against `signal`.
    input_dim, n_channels : int

    Returns
    -------
    overlaps : ndarray, shape (..., r)
        0 where the weight is 0.
    weight : ndarray, shape (..., 1)
        From 0 to 1, and 0 unless all latents are visible.
    """
    rank = signal.shape[-1]
    lead = np.broadcast_shapes(signal.shape[:-1], n_brain.shape[:-1])
    th = np.broadcast_to(signal, (*lead, rank)).reshape(-1, rank)
    n = np.broadcast_to(n_brain, (*lead, 1)).reshape(-1, 1)
    rows, columns = np.minimum(n, input_dim) - rank, np.full_like(n, n_channels - rank)
    bulk = np.sqrt(np.maximum(rows, 0.0) * columns)
    chosen = ((th > bulk) & (th < LARGEST) & (rows > 0.0)).all(axis=-1)
    overlaps, weight = np.zeros(th.shape), np.zeros(n.shape)
    d = np.full_like(n, input_dim)
    stage, weight[chosen] = _stage(*(x[chosen] for x in (n, d, rows, columns, th)))
    near = weight[chosen, 0] > 0.0
    stage = stage.at(near)
    shown = np.minimum(stage.n_brain / stage.input_dim, 1.0)
    overlaps[weight[:, 0] > 0.0] = np.maximum(shown - missed_overlap(stage), 0.0)
    return overlaps.reshape(*lead, rank), weight.reshape(*lead, 1)


def _stage(
    n_brain: Floats, input_dim: Floats, rows: Floats, columns: Floats, signal: Floats
) -> tuple[Stage, Floats]:
    """The stage with its overlaps to the next order, and the weight (..., 1)."""
    limit = limiting_odds(signal, rows, columns)
    seen, lost = limit / (1.0 + limit), 1.0 / (1.0 + limit)
    correction = overlap_correction(signal, rows, columns)
    # Corrections of more than half of either have no weight: they are only kept in range.
    kept = np.clip(correction, -seen / 2.0, lost / 2.0)
    stage = Stage(n_brain, input_dim, rows, columns, signal, limit, seen + kept, lost - kept)
    size = 2.0 * np.abs(correction) / (seen * lost)
    size = size + overlap_scatter(stage) / np.sqrt(stage.rank + 1.0)
    crowding = CROWDING * (stage.rank / stage.freedom) ** 4
    total = size.max(axis=-1, keepdims=True) + crowding
    weight = 1.0 / (1.0 + (total / REACH) ** SHARPNESS)
    return stage, np.where(weight < LEAST, 0.0, weight)
