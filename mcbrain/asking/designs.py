"""Designs: which numbers of task and of brain samples are asked of each model, and as what point.

A design is the full grid of two lists, the part of a grid that meets a condition, or a list of
pairs. Whatever it is, each of its numbers of samples is a place on one of two axes, so that results
are tables over the axes, and its points are numbered here: models outermost, the pairs of a model
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

__all__ = ["Design", "Pairs", "Part"]


class Part(NamedTuple):
    """Some of the pairs of a model, by their numbers of task samples.

    Attributes
    ----------
    pairs : ndarray of int, shape (pairs,)
        Places among the model's pairs.
    tasks : ndarray of int, shape (tasks,)
        Places on the axis n_task at which something is asked, ascending.
    place : ndarray of int, shape (pairs,)
        Place in `tasks` of each pair.
    """

    pairs: NDArray[np.intp]
    tasks: NDArray[np.intp]
    place: NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Pairs:
    """The numbers of samples that are asked of a model, as places on the axes of a design.

    Attributes
    ----------
    shape : tuple of int
        Lengths of the axes n_task and n_brain.
    listed : ndarray of int, shape (pairs, 2), or None
        Place on either axis of each pair; None where every one is asked, n_task outermost.
    """

    shape: tuple[int, int]
    listed: NDArray[np.intp] | None = None

    @property
    def size(self) -> int:
        """How many there are."""
        return self.shape[0] * self.shape[1] if self.listed is None else len(self.listed)

    @cached_property
    def task(self) -> NDArray[np.intp]:
        """Place on the axis n_task of each pair."""
        if self.listed is None:
            return np.repeat(np.arange(self.shape[0]), self.shape[1])
        return self.listed[:, 0]

    @cached_property
    def brain(self) -> NDArray[np.intp]:
        """Place on the axis n_brain of each pair."""
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

    def _part(self, pairs: NDArray[np.intp]) -> Part:
        return Part(pairs, *np.unique(self.task[pairs], return_inverse=True))


@dataclass(frozen=True, eq=False)
class Design:
    """The numbers of task and of brain samples that are asked of each model.

    Attributes
    ----------
    n_task, n_brain : tuple of int
        The axes: each number that is asked of some model, once.
    pairs : tuple of Pairs
        What is asked of each model, never nothing; models that share their pairs share the record.
    table : dict
        The design as a study file spells it, geometric lists written out.
    """

    n_task: tuple[int, ...]
    n_brain: tuple[int, ...]
    pairs: tuple[Pairs, ...]
    table: dict[str, object]

    @cached_property
    def starts(self) -> list[int]:
        """Number of the first point of each model, and last the number of all points."""
        return [0, *itertools.accumulate(pairs.size for pairs in self.pairs)]

    @property
    def n_points(self) -> int:
        """How many points there are."""
        return self.starts[-1]

    @cached_property
    def full(self) -> bool:
        """Whether every model is asked every pair of the grid, in its order."""
        return all(pairs.listed is None for pairs in self.pairs)

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
            Number of the point at each pair, -1 where there is none.
        """
        if self.full:
            shape = (len(self.pairs), len(self.n_task), len(self.n_brain))
            return np.arange(self.n_points).reshape(shape)
        found = np.full((len(self.pairs), len(self.n_task), len(self.n_brain)), -1)
        for model, (start, pairs) in enumerate(zip(self.starts, self.pairs, strict=False)):
            found[model, pairs.task, pairs.brain] = start + np.arange(pairs.size)
        return found
