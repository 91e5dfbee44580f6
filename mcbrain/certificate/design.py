"""The seeded random design: cells that no one chose, over the whole domain of the laws."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.penalty_rules import rules_by
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import RawProblem, data_problem
from mcbrain.population.model import Model
from mcbrain.population.shifts import SHIFTS

__all__ = ["Cell", "Extent", "cells", "log_uniform", "random_model", "random_shifts"]

# How strong the shifts of the design are, by what their number means.
_STRENGTHS = {
    "factor": (0.2, 8.0),
    "size": (0.5, 4.0),
    "angle": (0.1, 1.5),
    "exponent": (0.2, 2.0),
}


@dataclass(frozen=True)
class Extent:
    """How large a certificate is.

    Attributes
    ----------
    cells : int
        Cells of the design in which laws are tested.
    largest_dim : int
        Dimensions run from 10 to this.
    blocks : int
        Blocks of every cell, a fixed count: about ten milliseconds of one core each.
    pairs : int
        Cells in which engine is held against engine.
    stopped_runs : int
        Runs of the stopping rule, for each problem.
    map_dims : tuple of int
        Dimensions of the error maps.
    covariance_cells : int
        Cells in which the laws of any covariance are tested.
    covariance_precision : float
        Relative standard error of every mean there.
    """

    cells: int
    largest_dim: int
    blocks: int
    pairs: int
    stopped_runs: int
    map_dims: tuple[int, ...]
    covariance_cells: int
    covariance_precision: float


@dataclass(frozen=True)
class Cell:
    """One point of the design: a study of a single model at one n_task and one n_brain.

    Attributes
    ----------
    index : int
        Place in the design.
    study : Study
        A study of this point alone, with a fixed count of replicates.
    """

    index: int
    study: Study

    @property
    def point(self) -> Point:
        """The study's only point."""
        return next(self.study.points())

    @property
    def words(self) -> str:
        """The cell in a line."""
        point, model = self.point, self.point.model
        return (
            f"d={model.input_dim} k={model.latent_dim}/{model.k_m} p={model.n_channels} "
            f"r={self.study.rank(model)} n_T={point.n_task} n_B={point.n_brain} "
            f"m={model.misalignment:.3g} sigma_y={model.sigma_y:.3g} sigma_r={model.sigma_r:.3g}"
        )


def cells(extent: Extent, seed: int, folder: Path) -> Iterator[Cell]:
    """The cells of the design; cell i depends on the seed, i and the largest dimension alone.

    Parameters
    ----------
    extent : Extent
        How many cells, and up to which dimension.
    seed : int
        Fixes all of them.
    folder : Path
        Where the matrices of `custom` shifts are written.

    Yields
    ------
    Cell
        One cell after another.
    """
    for index in range(extent.cells):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1, index)))
        yield Cell(index, _study(rng, extent, seed, index, folder))


def random_model(rng: np.random.Generator, d: int) -> Model:
    """A random isotropic Gaussian model: unmeasured latents, unequal gains and loadings.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of all draws.
    d : int
        Dimension of the input, at least 3.

    Returns
    -------
    Model
        Isotropic and Gaussian.
    """
    k = int(rng.integers(1, min(8, d - 2) + 1))
    measured = k if rng.random() < 0.7 else int(rng.integers(1, k + 1))
    equal_gains, equal_loadings = rng.random(2) < 0.4
    return Model(
        input_dim=d,
        latent_dim=k,
        measured_latents=measured,
        n_channels=measured + round(d * log_uniform(rng, 0.05, 2.0)),
        misalignment=0.0 if rng.random() < 0.2 else float(rng.uniform(0.0, 0.8)),
        task_noise=log_uniform(rng, 0.2, 3.0),
        neural_noise=log_uniform(rng, 0.2, 3.0),
        latent_gains=1.0 if equal_gains else [float(g) for g in rng.uniform(0.5, 2.0, k)],
        task_loadings=None if equal_loadings else [float(a) for a in rng.standard_normal(k)],
        signal_norm=log_uniform(rng, 0.5, 2.0),
    )


def _study(rng: np.random.Generator, extent: Extent, seed: int, index: int, folder: Path) -> Study:
    """The study of a cell: a random model, estimators and shifts at one point."""
    d = round(log_uniform(rng, 10.0, extent.largest_dim))
    model = random_model(rng, d)
    rank = model.k_m
    if rng.random() < 0.25:
        rank = int(rng.integers(1, min(2 * rank, d - 2, model.n_channels) + 1))
    n_task = max(2, round(d * log_uniform(rng, 0.3, 30.0)))
    n_brain = max(rank, round(d * log_uniform(rng, 0.3, 30.0)))
    if rng.random() < 0.05:
        n_brain = 0
    engine = "raw" if _affordable(model, n_task, n_brain) and rng.random() < 0.8 else "sufficient"
    problem = data_problem(engine, model, n_task, n_brain, seed)
    penalised = d <= 40 and rng.random() < 0.1
    return adhoc_study(
        model,
        n_task,
        n_brain,
        _estimators(rng),
        random_shifts(rng, model, folder / f"moment-{index}.npy", 2),
        seed=seed,
        rank=rank,
        encoding_penalty=log_uniform(rng, 0.01, 1.0) if penalised else 0.0,
        penalty_scale="per-sample",
        precision={"relative": 0.0, "max_replicates": extent.blocks * problem.block_size},
        engine=engine,
        name=f"certificate-{index}",
    )


def _affordable(model: Model, n_task: int, n_brain: int) -> bool:
    """Whether a block of the raw engine holds enough replicates for a normal mean."""
    return RawProblem.of(model, n_task, n_brain, 0).block_size >= 4


def _estimators(rng: np.random.Generator) -> dict[str, float | str]:
    """Every estimator that has a law, each under a random rule."""
    first, *others = rules_by("risk")

    def rule() -> float | str:
        draw = rng.random()
        if draw < 0.45:
            return first
        if draw < 0.6:
            return others[int((draw - 0.45) / 0.15 * len(others))]
        return log_uniform(rng, 0.01, 10.0)

    chosen: dict[str, float | str] = {
        name: rule() if estimator.penalised else 0.0 for name, estimator in ESTIMATORS.items()
    }
    if rng.random() < 0.5:
        # Exact laws hold where the penalty inside the subspace is 0 or that outside; between the
        # two it is the approximation 5e.
        eta = rng.choice(["0.0", "0.1", "0.5", "1.0"])
        chosen[f"two-penalty:{eta}"] = log_uniform(rng, 0.01, 10.0)
    return chosen


def random_shifts(rng: np.random.Generator, model: Model, file: Path, others: int) -> list[str]:
    """`id` and others of those that have a law.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of all draws.
    model : Model
        Shifts that it has no room for are left out.
    file : Path
        Where the matrix of a `custom` shift is written, if there is one.
    others : int
        How many beside `id`.

    Returns
    -------
    list of str
        In text, such as "brain-insensitive:4".
    """
    numbers = {name: log_uniform(rng, *range_) for name, range_ in _STRENGTHS.items()}
    forms = [
        ":".join([name, str(numbers[kind.parameter]), *([toward] if toward else [])])
        for name, kind in SHIFTS.items()
        if kind.parameter and kind.moment is not None
        for toward in kind.directions or ("",)
    ]
    fit = [form for form in forms if parse_shift(form).objection(model) is None]
    chosen = [str(form) for form in rng.choice([*fit, f"custom:{file}"], others, replace=False)]
    if f"custom:{file}" in chosen:
        np.save(file, _moment(rng, model.input_dim))
    return ["id", *chosen]


def _moment(rng: np.random.Generator, d: int) -> NDArray[np.float64]:
    """A second moment of random rank, in no relation to brain or task."""
    rows = rng.standard_normal((int(rng.integers(1, 2 * d + 1)), d))
    return np.asarray(rows.T @ rows / len(rows))


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A log-uniform draw in three digits, so that a page can show the number as it is.

    Parameters
    ----------
    rng : numpy.random.Generator
        The source of the draw.
    low, high : float
        The range, above 0.

    Returns
    -------
    float
        Within the range, but for rounding.
    """
    return float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")
