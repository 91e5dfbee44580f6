"""Populations in plain NumPy, each in a random orthogonal frame of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class World:
    """A population in a random orthogonal frame: columns of `frame` are A, u, o, the rest."""

    n_task: int
    n_brain: int
    input_dim: int
    channels: int
    gains: tuple[float, ...]  # one per measured latent
    loadings: tuple[float, ...]  # one per latent, measured ones first
    misalignment: float
    task_noise: float
    neural_noise: float
    rank: int
    penalty: float

    @property
    def k(self) -> int:
        return len(self.loadings)

    @property
    def measured(self) -> int:
        return len(self.gains)


TALL = World(40, 30, 14, 6, (2.0, 1.5, 1.0), (0.7, 0.3, 0.5, 0.4), 0.25, 0.8, 0.7, 3, 0.3)
WORLDS = {
    "all latents measured": World(
        40, 32, 13, 6, (2.0, 1.5, 1.0), (0.8, 0.3, 0.5), 0.3, 0.8, 0.7, 3, 0.2
    ),
    "a latent unmeasured": TALL,
    "more inputs than task samples": World(
        18, 30, 24, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.6, 0.8, 2, 0.5
    ),
    "fewer brain samples than inputs": World(
        30, 11, 16, 6, (2.0, 1.0), (0.6, 0.8), 0.2, 0.6, 0.5, 2, 0.5
    ),
    "rank below the latents": World(
        36, 30, 14, 5, (2.0, 1.5, 1.0), (0.7, 0.3, 0.5), 0.2, 0.8, 0.7, 2, 0.4
    ),
    "rank above the latents": World(36, 30, 14, 7, (2.0, 1.0), (0.6, 0.8), 0.2, 0.8, 0.7, 5, 0.4),
    "projection": World(36, 30, 14, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.8, 0.7, 2, np.inf),
    "no penalty, more samples": World(36, 30, 14, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.8, 0.7, 2, 0.0),
    "fewer task samples than the rank": World(
        2, 40, 14, 14, (2.0, 1.5), (0.6, 0.8), 0.2, 0.8, 0.7, 10, 0.4
    ),
    "no noise": World(12, 30, 20, 5, (2.0, 1.0), (0.6, 0.8), 0.2, 0.0, 0.7, 2, 0.3),
}


def unit(values: tuple[float, ...]) -> np.ndarray:
    a = np.asarray(values)
    return a / np.linalg.norm(a)


def random_frame(w: World) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(3).standard_normal((w.input_dim, w.input_dim)))[0]
