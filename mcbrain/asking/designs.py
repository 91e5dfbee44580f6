"""Designs: which numbers of task and of brain samples are asked of each model, and as what point.

A design is the full grid of two lists, the part of a grid that meets a condition, or a list of
pairs. Whatever it is, each of its numbers of samples is a place on one of two axes, so that results
are tables over the axes, and its points are numbered here: models outermost, the cells of a model
in the order in which they were asked for.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cells", "Design", "Part"]


class Part(NamedTuple):
    """Some of the cells of a model, by their numbers of task samples.

    Attributes
    ----------
    cells : ndarray of int, shape (cells,)
        Places among the model's cells.
    tasks : ndarray of int, shape (tasks,)
        Places on the axis n_task at which something is asked, ascending.
    place : ndarray of int, shape (cells,)
        Place in `tasks` of each cell.
    """

    cells: NDArray[np.intp]
    tasks: NDArray[np.intp]
    place: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Cells:
    """The numbers of samples that are asked of a model, as places on the axes of a design.

    Attributes
    ----------
    shape : tuple of int
        Lengths of the axes n_task and n_brain.
    listed : ndarray of int, shape (cells, 2), or None
        Place on either axis of each cell; None where every one is asked, n_task outermost.
    """

    shape: tuple[int, int]
    listed: NDArray[np.intp] | None = None

    @property
    def size(self) -> int:
        """How many there are."""
        return self.shape[0] * self.shape[1] if self.listed is None else len(self.listed)

    @cached_property
    def task(self) -> NDArray[np.intp]:
        """Place on the axis n_task of each cell."""
        if self.listed is None:
            return np.repeat(np.arange(self.shape[0]), self.shape[1])
        return self.listed[:, 0]

    @cached_property
    def brain(self) -> NDArray[np.intp]:
        """Place on the axis n_brain of each cell."""
        if self.listed is None:
            return np.tile(np.arange(self.shape[1]), self.shape[0])
        return self.listed[:, 1]

    @cached_property
    def whole(self) -> Part:
        """All of them."""
        return self._part(np.arange(self.size))

    @cached_property
    def by_brain(self) -> dict[int, Part]:
        """Those at each place on the axis n_brain that has some, in the order of the axis."""
        order = np.argsort(self.brain, kind="stable")
        brains, first = np.unique(self.brain[order], return_index=True)
        parts = map(self._part, np.split(order, first[1:]))
        return dict(zip(brains.tolist(), parts, strict=True))

    def _part(self, cells: NDArray[np.intp]) -> Part:
        return Part(cells, *np.unique(self.task[cells], return_inverse=True))


@dataclass(frozen=True, eq=False)
class Design:
    """The numbers of task and of brain samples that are asked of each model.

    Attributes
    ----------
    n_task, n_brain : tuple of int
        The axes: each number that is asked of some model, once.
    cells : tuple of Cells
        What is asked of each model, never nothing; models that share their cells share the record.
    table : dict
        The design as a study file spells it, geometric lists written out.
    """

    n_task: tuple[int, ...]
    n_brain: tuple[int, ...]
    cells: tuple[Cells, ...]
    table: dict[str, object]

    @cached_property
    def starts(self) -> list[int]:
        """Number of the first point of each model, and last the number of all points."""
        return [0, *itertools.accumulate(cells.size for cells in self.cells)]

    @property
    def n_points(self) -> int:
        """How many points there are."""
        return self.starts[-1]

    @cached_property
    def full(self) -> bool:
        """Whether every model is asked every cell of the grid, in its order."""
        return all(cells.listed is None for cells in self.cells)

    def model_of(self, index: int) -> int:
        """Place of the model that a point belongs to.

        Parameters
        ----------
        index : int
            Number of the point.

        Returns
        -------
        int
            Place among the models.
        """
        return bisect_right(self.starts, index) - 1

    def numbers(self) -> NDArray[np.int64]:
        """The points over the grid of the axes.

        Returns
        -------
        ndarray of int, shape (models, n_task, n_brain)
            Number of the point at each cell, -1 where there is none.
        """
        if self.full:
            shape = (len(self.cells), len(self.n_task), len(self.n_brain))
            return np.arange(self.n_points).reshape(shape)
        found = np.full((len(self.cells), len(self.n_task), len(self.n_brain)), -1)
        for model, (start, cells) in enumerate(zip(self.starts, self.cells, strict=False)):
            found[model, cells.task, cells.brain] = start + np.arange(cells.size)
        return found
