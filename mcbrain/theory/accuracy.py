"""How far off the laws 5b and 5f are: their measured errors, as data (theory/README.md 5b, 5f).

`brain_law.csv` is written by `python -m mcbrain.certificate.brain_law`, `task_law.csv` by
`python -m mcbrain.certificate.task_law`: they hold the laws against simulation over random designs.
Nothing here is fitted: a class of cells has the error that most of its cells were found to stay
within.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.typing import Floats

__all__ = [
    "DIM_EDGES",
    "ROW_EDGES",
    "SHARE_EDGES",
    "ErrorClass",
    "TaskClass",
    "error_classes",
    "law_accuracy",
    "task_accuracy",
    "task_classes",
]

# Classes of cells: input_dim, and latents over input_dim, each from its edge up to the next one.
DIM_EDGES = (1, 5, 8, 12, 18, 27, 40, 60, 90, 140, 220)
SHARE_EDGES = (0.0, 0.1, 0.2, 0.35, 0.6)


@dataclass(frozen=True)
class ErrorClass:
    """Relative error of m_bar by law 5b among the cells of a class.

    Attributes
    ----------
    input_dim, share : float
        Where the class begins, an element of `DIM_EDGES` and of `SHARE_EDGES`.
    cells : int
    rms, within, largest : float
        Root mean square; what 97 % of the cells stay within; the largest.
    """

    input_dim: float
    share: float
    cells: int
    rms: float
    within: float
    largest: float


@cache
def error_classes() -> tuple[ErrorClass, ...]:
    """Every class that was measured.

    Returns
    -------
    tuple of ErrorClass
        In the order of `brain_law.csv`, which holds the measurements.
    """
    text = resources.files("mcbrain.theory").joinpath("brain_law.csv").read_text("utf-8")
    return tuple(
        ErrorClass(
            float(row["input_dim"]),
            float(row["share"]),
            int(row["cells"]),
            *(float(row[name]) for name in ("rms", "within", "largest")),
        )
        for row in csv.DictReader(text.splitlines())
    )


def law_accuracy(input_dim: int, latents: int | None = None) -> float:
    """Relative error of m_bar by law 5b that at least 95 % of models stay within.

    Parameters
    ----------
    input_dim : int
    latents : int, optional
        Measured latents; without them that of the worst number of latents.

    Returns
    -------
    float
        As a share of m_bar.

    Notes
    -----
    Classes with too few cells to say are read as those of the same share of latents in the next
    smaller dimension, where the error is larger. Source: theory/README.md 5b.
    """
    wanted = [c for c in error_classes() if c.input_dim <= input_dim]
    by_share: dict[float, float] = {c.share: c.within for c in wanted}  # the largest dimension wins
    if latents is None:
        return max(by_share.values())
    return by_share[max(s for s in by_share if s <= latents / input_dim or s == min(by_share))]


ROW_EDGES = (5.0, 7.0, 10.0, 14.0, 20.0, 30.0, 45.0)
"""Classes of fits by the rows that they leave free, each from its edge up to the next one."""


@dataclass(frozen=True)
class TaskClass:
    """Relative error of the risk by law 5f among the cells of a class.

    Attributes
    ----------
    free_rows : float
        Where the class begins, an element of `ROW_EDGES`.
    cells : int
    rms, within, largest : float
        Root mean square; what 97 % of the cells stay within; the largest.
    """

    free_rows: float
    cells: int
    rms: float
    within: float
    largest: float


@cache
def task_classes() -> tuple[TaskClass, ...]:
    """Every class that was measured.

    Returns
    -------
    tuple of TaskClass
        In the order of `task_law.csv`, which holds the measurements.
    """
    text = resources.files("mcbrain.theory").joinpath("task_law.csv").read_text("utf-8")
    return tuple(
        TaskClass(
            float(row["free_rows"]),
            int(row["cells"]),
            *(float(row[name]) for name in ("rms", "within", "largest")),
        )
        for row in csv.DictReader(text.splitlines())
    )


def task_accuracy(free_rows: ArrayLike) -> Floats:
    """Largest relative error of the risk by law 5f among the fits that were measured.

    Parameters
    ----------
    free_rows : (...)
        Rows that the fit leaves free (`any_covariance.free_rows`).

    Returns
    -------
    ndarray, shape (...)
        As a share of the risk; NaN below the fewest free rows that were measured, where the law is
        not given, 0 where they are infinite and the law is exact. More free rows than were measured
        have the error of the last class: the law is better there, and how much was not measured.

    Notes
    -----
    Source: theory/README.md 5f.
    """
    classes = task_classes()
    found = np.asarray(free_rows, dtype=float)
    largest = np.array([math.nan, *(c.largest for c in classes)])
    place = np.digitize(found, [c.free_rows for c in classes])
    return np.where(np.isposinf(found), 0.0, largest[place])
