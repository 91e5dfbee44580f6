"""A study in the parts that share work: models but for their noise, methods by their subspace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.designs import Cells
from mcbrain.asking.estimators import Method, Subspace
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import BrainProblem
from mcbrain.population.model import MODEL_FIELDS, Model
from mcbrain.typing import Floats

__all__ = ["Family", "Side", "brain_problem", "families", "point_of", "sides"]

Served: TypeAlias = tuple[NDArray[np.int64], Floats, NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Family:
    """Models that differ in the task noise alone: one brain stage, one array axis.

    Attributes
    ----------
    model : Model
        The first of them.
    indices : ndarray of int, shape (noises,)
        Their places among the study's models.
    task_noise : ndarray, shape (noises,)
        sigma_y / |beta| of each.
    cells : Cells
        The numbers of samples that the design asks of each of them.
    """

    model: Model
    indices: NDArray[np.int64]
    task_noise: Floats
    cells: Cells


@dataclass(frozen=True)
class Side:
    """The methods that spare the same subspace, at one family and number of brain samples.

    Attributes
    ----------
    family : Family
        Its models.
    subspace : str
        "none", "measured" or "estimated".
    n_brain : int
        Number of brain samples; any of the family's where the subspace needs none.
    rank : int
        Of the subspace.
    methods : tuple of Method
        In the order of the study.
    tasks : ndarray of int, shape (n_task,)
        Places on the axis n_task at which something is asked, ascending.
    n_task : ndarray, shape (n_task,)
        The numbers of task samples there.
    cells : ndarray of int, shape (cells,)
        Places among the family's cells of those that the side fills.
    place : ndarray of int, shape (cells,)
        Place in `n_task` of each of these cells.
    """

    family: Family
    subspace: Subspace
    n_brain: int
    rank: int
    methods: tuple[Method, ...]
    tasks: NDArray[np.int64] = field(compare=False)
    n_task: Floats = field(compare=False)
    cells: NDArray[np.int64] = field(compare=False)
    place: NDArray[np.int64] = field(compare=False)

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """For each number of task samples, the first of the cells that have it."""
        _, index = np.unique(self.place, return_index=True)
        return self.cells[index]

    @property
    def simulated(self) -> bool:
        """Whether the subspace depends on brain data."""
        return self.rank > 0 and self.subspace == "estimated"

    @property
    def by_shift(self) -> bool:
        """Whether some penalty differs from shift to shift."""
        return any(c.rule.kind == "optimal-shift" for c in self.methods)

    @property
    def undefined(self) -> bool:
        """Whether it asks for more directions than there are brain samples."""
        return self.simulated and self.n_brain < self.rank


def families(study: Study) -> list[Family]:
    """The study's models, grouped; all of a group are asked the same numbers of samples.

    Parameters
    ----------
    study : Study
        What is asked.

    Returns
    -------
    list of Family
        Each model is in one.
    """
    same = [n for n in MODEL_FIELDS if n not in ("task_noise", "snr_task", "snr_brain")]
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, (model, cells) in enumerate(zip(study.models, study.design.cells, strict=True)):
        groups.setdefault((cells, *(getattr(model, n) for n in same)), []).append(i)
    models = study.models
    return [
        Family(
            models[members[0]],
            np.array(members),
            np.array([models[i].sigma_y / models[i].signal_norm for i in members]),
            study.design.cells[members[0]],
        )
        for members in groups.values()
    ]


def sides(study: Study, family: Family) -> Iterator[Side]:
    """The sides of a family; brain samples count only where the subspace is estimated.

    Parameters
    ----------
    study : Study
        What is asked.
    family : Family
        One of its families.

    Yields
    ------
    Side
        By subspace in the order of the methods, then by the axis n_brain.
    """
    model, cells = family.model, family.cells
    ranks = {"none": 0, "measured": model.k_m, "estimated": study.rank(model)}
    every = np.arange(cells.size)
    for subspace in dict.fromkeys(c.estimator.subspace for c in study.methods):
        methods = tuple(c for c in study.methods if c.estimator.subspace == subspace)
        if subspace != "estimated":
            n_brain = study.n_brain[cells.brain[0]]
            yield Side(
                family, subspace, n_brain, ranks[subspace], methods, *_served(study, cells, every)
            )
            continue
        order = np.argsort(cells.brain, kind="stable")
        brains, first = np.unique(cells.brain[order], return_index=True)
        for brain, mine in zip(brains.tolist(), np.split(order, first[1:]), strict=True):
            n_brain = study.n_brain[brain]
            rank = ranks[subspace] if n_brain else 0
            yield Side(family, subspace, n_brain, rank, methods, *_served(study, cells, mine))


def _served(study: Study, cells: Cells, mine: NDArray[np.int64]) -> Served:
    """What a side holds of the cells that it fills: tasks, n_task, cells and place."""
    tasks, place = np.unique(cells.task[mine], return_inverse=True)
    return tasks, np.array([study.n_task[t] for t in tasks.tolist()], float), mine, place


def brain_problem(study: Study, side: Side) -> BrainProblem:
    """The brain problem behind a side.

    Parameters
    ----------
    study : Study
        What is asked.
    side : Side
        A side whose subspace is estimated.

    Returns
    -------
    BrainProblem
        The same for every design: its key knows the model, the brain samples and the seed alone.
    """
    model, penalty = side.family.model, study.encoding.penalty
    return BrainProblem.of(model, side.n_brain, side.rank, penalty, study.seed)


def point_of(study: Study, side: Side, task: int = 0, noise: int = 0) -> Point:
    """A point that a side serves.

    Parameters
    ----------
    study : Study
        What is asked.
    side : Side
        One of its sides.
    task : int
        Place in the side's `n_task`.
    noise : int
        Place in the family's `task_noise`.

    Returns
    -------
    Point
        The first of the study's with these numbers.
    """
    return study.point(int(side.family.indices[noise]), int(side.first[task]))
