"""Sizes of every benchmark, in one place; MCBRAIN_BENCH=tiny is for the tests."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

TINY = os.environ.get("MCBRAIN_BENCH") == "tiny"

SECONDS = 0.01 if TINY else 1.0
"""How long a rate is measured, all rounds together."""

ROUNDS = 2 if TINY else 8
"""Rounds of a measurement; two sides of a ratio take turns, so that both see the same machine."""


class Cell(NamedTuple):
    """One point of a study, isotropic Gaussian data, a grid of penalties from 0.001 to 10."""

    input_dim: int
    n_task: int
    n_brain: int = 0
    estimators: tuple[str, ...] = ("ridge", "befs")
    penalties: int = 20
    latent_dim: int = 5
    n_channels: int = 120
    misalignment: float = 0.1
    task_noise: float = 0.7


ENGINE_CELLS = {
    "d=20": Cell(20, 60, 100, latent_dim=3, n_channels=20),
    "d=60": Cell(60, 150, 200, n_channels=40),
    "d=200": Cell(200, 500, 600, latent_dim=10, n_channels=100),
    "d=60, n_task=2000": Cell(60, 2000, 200, n_channels=40),
    "d=60, n_task=30": Cell(60, 30, 200, n_channels=40),
    "d=60, 1 penalty": Cell(60, 150, 200, n_channels=40, penalties=1),
    "d=60, 100 penalties": Cell(60, 150, 200, n_channels=40, penalties=100),
    "d=60, ridge": Cell(60, 150, 0, ("ridge",), n_channels=40),
    "d=60, 3 estimators": Cell(60, 150, 200, ("ridge", "befs", "befs-oracle"), n_channels=40),
}
"""Cells of the engines that draw data."""
PEER_CELLS: tuple[str, ...] = ("d=20", "d=200")
THREAD_CELL = "d=60"
OPTION_CELL = ENGINE_CELLS["d=60"]
RULE_CELLS = {
    "loo": OPTION_CELL,
    "loo, ridge": ENGINE_CELLS["d=60, ridge"],
    "loo, BEFS": OPTION_CELL._replace(estimators=("befs",)),
    "loo, ridge, n_task=3000": ENGINE_CELLS["d=60, ridge"]._replace(n_task=3000),
    "loo, ridge, d=200": Cell(200, 1000, 0, ("ridge",)),
}
"""Cells whose estimators choose their penalty, against one fixed penalty."""
OWN_CELLS = {
    "d=20": Cell(20, 60, 0, ("ridge",), penalties=1, latent_dim=3, n_channels=20),
    "d=200": Cell(200, 500, 0, ("ridge",), penalties=1, latent_dim=10, n_channels=100),
}
"""Cells of plug-ins, one setting, no brain data."""
INPUTS: tuple[str, ...] = (
    "student:5",
    "rademacher",
    "uniform",
    "laplace",
    "sparse:0.1",
    "powerlaw",
    "tanh",
)

TASK_DIMENSIONS: tuple[int, ...] = (100, 200, 400, 800)
"""Task stage of ridge, n_task = 2.5 d, 20 penalties."""

BRAIN = {
    "d=200": Cell(200, 0, 5_000),
    "d=1000": Cell(1000, 0, 1_000_000, n_channels=2000),
    "d=1000, at the threshold": Cell(1000, 0, 1_409, n_channels=2000),
}
"""Brain stage; at the visibility threshold it has to draw most."""

TARGET = 1e-3
"""Relative standard error, at every penalty of a cell, that time is measured to."""

PANEL_TASK = (
    Cell(100, 60, 0, ("ridge",)),
    Cell(100, 1000, 0, ("ridge",)),
    Cell(200, 150, 0, ("ridge",)),
    Cell(200, 500, 0, ("ridge",)),
    Cell(200, 2000, 0, ("ridge",)),
    Cell(100, 150, 0, ("befs-oracle",)),
    Cell(200, 150, 0, ("befs-oracle",)),
    Cell(200, 1000, 0, ("befs-oracle",)),
    Cell(400, 1000, 0, ("befs-oracle",)),
)
"""Panel of the time to a standard error, settled before measuring; here, without brain data."""

PANEL_BEFS = (
    Cell(100, 150, 400, ("befs",)),
    Cell(200, 150, 1000, ("befs",)),
    Cell(200, 500, 4000, ("befs",)),
    Cell(200, 1000, 1000, ("befs",), misalignment=0.0),
    Cell(200, 2000, 4000, ("befs",), misalignment=0.3),
)
"""The same with brain data."""

PANEL = {
    "ridge, d=100": PANEL_TASK[1],
    "befs, d=100": PANEL_BEFS[0],
    "befs, d=200": PANEL_BEFS[2],
}
"""The cells of the panel that are tracked."""

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
    "estimators": {"befs": {"geometric": [1e-3, 10.0, 20]}},
    "shifts": ["id", "brain-insensitive:4"],
    "precision": {"relative": TARGET, "max_replicates": 1_000_000},
    "engine": {"kind": "spectral", "law": False},
}
"""A grid of BEFS cells as a whole study."""

GRID_SAMPLE = tuple((n_task, n_brain) for n_task in (108, 500, 2321) for n_brain in (500, 4000))
"""Cells of the grid that the naive loop is timed on, at misalignment 0.05; all 260 cost like them
on average (the grid is symmetric about them on both logarithmic axes)."""

REGRESSION = (20_000, 1_000, 50)
"""Rows, features and penalties of the scikit-learn regressors."""

BLOCKS = 4
"""Blocks in one piece of work of an engine."""

REPLICATES = {"raw": 256, "sufficient": 256, "spectral": 2048, "peer": 24}
"""Replicates that a time to a standard error is scaled up from."""

COUNT = 1_000_000
"""Random numbers in one piece of work."""

MATRIX = 200
"""Order of the matrices of single kernels, and of the machine's own rates."""

CALLS = 25
"""Calls of a single kernel in one piece of work."""

LAW_GRID = (40, 10, 2)
"""Task samples, penalties and brain samples of a grid of laws."""

POWER_LAW_GRID = (200, 20, 2)
"""Inputs, task samples and brain samples of a grid under a power law."""

STORED = (5_000, 64)
"""Blocks of a store, and statistics of each."""

RESULT_ROWS = 20_000
"""About how many rows a results file has."""

MANY = (20, 10, 10)
"""Models, task samples and brain samples of a study of many points."""

SHARDS = 200
"""Folders that are merged."""

COLD: tuple[str, ...] = ("spectral", "raw")
"""Engines that are compiled from nothing."""

FIRST_ENGINE = "raw"
"""Engine of the first study, compiled from nothing too."""

THREADS: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)

SAMPLES = (1_000, 1_000_000)
"""Task samples whose peak memory must be the same."""

if TINY:
    ENGINE_CELLS = {
        "d=6": Cell(6, 12, 14, penalties=2, latent_dim=2, n_channels=4),
        "d=6, n_task=4": Cell(6, 4, 14, ("ridge", "befs-oracle"), 2, 2, 4),
    }
    PEER_CELLS, THREAD_CELL, OPTION_CELL = ("d=6",), "d=6", ENGINE_CELLS["d=6"]
    INPUTS = ("student:5", "powerlaw", "tanh")
    OWN_CELLS = {"d=6": Cell(6, 12, 0, ("ridge",), penalties=1, latent_dim=2, n_channels=4)}
    TASK_DIMENSIONS = (8,)
    BRAIN = {"d=8": Cell(8, 0, 40, latent_dim=2, n_channels=6)}
    PANEL = {"befs, d=8": Cell(8, 20, 40, ("befs",), 2, 2, 6)}
    REGRESSION, LAW_GRID, STORED, RESULT_ROWS = (60, 8, 5), (4, 2, 2), (20, 4), 64
    MANY, SHARDS, POWER_LAW_GRID = (2, 2, 2), 3, (12, 2, 1)
    REPLICATES = {"raw": 16, "sufficient": 16, "spectral": 2048, "peer": 16}
    BLOCKS, COUNT, MATRIX, CALLS = 1, 1_000, 12, 2
    COLD, FIRST_ENGINE, THREADS, SAMPLES = ("law",), "law", (1, 2, 1024), (60, 120)
