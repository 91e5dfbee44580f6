"""The cells that speed is measured on, settled before measuring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["BEFS", "GRID", "GRID_SAMPLE", "KERNELS", "PENALTIES", "TARGET", "TASK", "Cell"]

TARGET = 1e-3
"""Relative standard error that both sides must reach at every penalty of a cell."""

PENALTIES = {"geometric": [1e-3, 10.0, 20]}


@dataclass(frozen=True)
class Cell:
    """One point of a study; every cell has 20 penalties and isotropic Gaussian data."""

    estimator: str
    input_dim: int
    n_task: int
    n_brain: int = 0
    misalignment: float = 0.1
    task_noise: float = 0.7
    latent_dim: int = 5
    n_channels: int = 120


TASK = (
    Cell("ridge", 100, 60),
    Cell("ridge", 100, 1000),
    Cell("ridge", 200, 150),
    Cell("ridge", 200, 500),
    Cell("ridge", 200, 2000),
    Cell("befs-oracle", 100, 150),
    Cell("befs-oracle", 200, 150),
    Cell("befs-oracle", 200, 1000),
    Cell("befs-oracle", 400, 1000),
)

BEFS = (
    Cell("befs", 100, 150, 400),
    Cell("befs", 200, 150, 1000),
    Cell("befs", 200, 500, 4000),
    Cell("befs", 200, 1000, 1000, misalignment=0.0),
    Cell("befs", 200, 2000, 4000, misalignment=0.3),
)

GRID: dict[str, Any] = {
    "name": "speed-grid",
    "seed": 20260510,
    "model": {
        "input_dim": 200,
        "latent_dim": 5,
        "n_channels": 120,
        "misalignment": [0.0, 0.05, 0.2, 0.5],
        "task_noise": 0.7,
    },
    "design": {"n_task": {"geometric": [50, 5000, 13]}, "n_brain": [300, 500, 1000, 4000, 16000]},
    "estimators": {"befs": PENALTIES},
    "shifts": ["id", "brain-insensitive:4"],
    "precision": {"relative": TARGET, "max_replicates": 1_000_000},
    "engine": {"kind": "spectral", "law": False},
}

GRID_SAMPLE = tuple((n_task, n_brain) for n_task in (108, 500, 2321) for n_brain in (500, 4000))
"""Cells of the grid that the naive loop is timed on, at misalignment 0.05; all 260 cost like them
on average (the grid is symmetric about them on both logarithmic axes)."""

KERNELS = {
    "task": (100, 200, 400, 800),
    "brain": ((5_000, 200, 120, 5), (1_000_000, 1000, 2000, 5), (1_409, 1000, 2000, 5)),
}
"""Task replicates by input_dim at n = 2.5 d and 20 penalties; brain replicates by (n_brain,
input_dim, n_channels, latent_dim), the last one at the visibility threshold."""
