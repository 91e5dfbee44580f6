"""A random design for the laws of any covariance: power laws and real features (README 5f, 5g)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.studies import Study
from mcbrain.certificate.design import log_uniform, random_model, random_shifts
from mcbrain.certificate.features import FEATURES, features
from mcbrain.errors import InputError
from mcbrain.population.model import Model

__all__ = ["DIM_EDGES", "LARGEST_DIM", "POWER_LAW", "PRECISION", "CovarianceCell", "draw_cells"]

DIM_EDGES = (15, 30, 60, 120)
"""Classes of dimensions, each from its edge up to the next one."""

LARGEST_DIM = 400

POWER_LAW = "power law"
"""The spectrum that is no real one, as a cell names it."""

# The class of dimensions of each cell in turn: most where the targets hold that are published, few
# where a cell takes minutes.
_CLASSES = (0, 1, 2, 2, 0, 1, 2, 3)
_DIGITS_CLASS = 2  # that of their 64 pixels
_REAL = 0.4  # share of the cells whose features are real
_FREE = 6  # least surplus of task samples over the rank, so that fourth moments of a risk exist
_STREAM = 5  # of the seed, for this design alone

PRECISION = 0.002
"""Relative standard error of every mean of the design, where that is affordable."""

# What a cell may cost: replicates at d = 400, where one takes about ten milliseconds, and at most.
_REPLICATES, _MOST_REPLICATES = 2048, 1 << 17


@dataclass(frozen=True)
class CovarianceCell:
    """One place of the design: what kind of spectrum in which dimension.

    Attributes
    ----------
    seed, index : int
        Fix all that is random in it.
    spectrum : str
        `POWER_LAW`, or a key of `FEATURES`.
    wanted_dim : int
        d, but for real features of a fixed number.
    """

    seed: int
    index: int
    spectrum: str
    wanted_dim: int

    def study(self, folder: Path, precision: float) -> Study:
        """The cell as a study of engine `sufficient`, which uses no law.

        Parameters
        ----------
        folder : Path
            Where the matrix of a `custom` shift is written.
        precision : float
            Relative standard error of every output at which it is done, where that is affordable.

        Returns
        -------
        Study
            One model at one point: ridge, BEFS and its oracle, under `id` and another shift.
        """
        rng = _rng(self.seed, self.index, 1)
        model = self._model(rng)
        d, rank = model.input_dim, model.k_m
        n_task = max(rank + _FREE, round(d * log_uniform(rng, 0.3, 6.0)))
        n_brain = max(rank, round(d * log_uniform(rng, 0.3, 10.0)))
        rule = "optimal" if rng.random() < 0.5 else log_uniform(rng, 0.01, 1.0)
        penalised = rng.random() < 0.5
        affordable = min(_MOST_REPLICATES, int(_REPLICATES * (LARGEST_DIM / d) ** 2))
        return adhoc_study(
            model,
            n_task,
            n_brain,
            dict.fromkeys(("ridge", "befs-oracle", "befs"), rule),
            random_shifts(rng, model, folder / f"covariance-{self.index}.npy", 1),
            seed=self.seed + self.index,
            encoding_penalty=log_uniform(rng, 0.01, 1.0) if penalised else 0.0,
            precision={"relative": precision, "max_replicates": affordable},
            engine="sufficient",
            name=f"covariance-{self.index}",
        )

    def _model(self, rng: np.random.Generator) -> Model:
        """A random Gaussian model whose inputs have the cell's spectrum."""
        place = "leading" if rng.random() < 0.5 else "random"
        task = f"source:{log_uniform(rng, 0.2, 2.0)}" if rng.random() < 0.5 else "uniform"
        if self.spectrum == POWER_LAW:
            exponent = round(float(rng.uniform(0.3, 2.0)), 2)
            model, covariance = random_model(rng, self.wanted_dim), f"powerlaw:{exponent}"
            return replace(model, covariance=covariance, brain_map=place, task=task)
        rows = features(self.spectrum, self.wanted_dim)
        model = random_model(rng, rows.shape[1])
        return replace(model, covariance=rows, basis=None, brain_map=place, task=task)


def draw_cells(count: int, seed: int, largest_dim: int = LARGEST_DIM) -> Iterator[CovarianceCell]:
    """The cells of the design; cell i depends on the seed and i alone.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Fixes all of them.
    largest_dim : int
        Cells that ask for more inputs are left out.

    Yields
    ------
    CovarianceCell
        One cell after another.

    Raises
    ------
    InputError
        Fewer inputs than any cell has.
    """
    if largest_dim < DIM_EDGES[0]:
        raise InputError(f"largest_dim = {largest_dim}: at least {DIM_EDGES[0]} is allowed")
    edges = (*DIM_EDGES, LARGEST_DIM)
    for index in itertools.count():
        if not count:
            return
        rng = _rng(seed, index, 0)
        place = _CLASSES[index % len(_CLASSES)]
        wanted = round(log_uniform(rng, edges[place], edges[place + 1]))
        kinds = [k for k in FEATURES if k != "digits" or place == _DIGITS_CLASS]
        real = str(rng.choice(kinds))
        if wanted <= largest_dim:
            yield CovarianceCell(seed, index, real if rng.random() < _REAL else POWER_LAW, wanted)
            count -= 1


def _rng(seed: int, index: int, part: int) -> np.random.Generator:
    """The stream of one part of a cell."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, index, part)))
