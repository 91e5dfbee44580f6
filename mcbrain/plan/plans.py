"""What the plan of every engine has: its problems, who uses them, and the rows that they make."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import Problem
from mcbrain.blocks.query import Query, Statistic
from mcbrain.plan.penalties import Penalties, Pilot, pilots
from mcbrain.plan.stopping import Stop, Stopping
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.protocol import Store
from mcbrain.store.stored import StoredBlocks

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Plan", "Tell", "User", "Work", "all_works", "pilots_of", "silent", "spread"]

User = TypeVar("User")

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0


Tell = Callable[[int], None]
"""Told how far something is."""


def silent(done: int) -> None:
    """Tells nobody how far something is."""


@dataclass(frozen=True)
class Work:
    """One problem, the statistics wanted of it, and the rule that says when blocks are enough.

    Attributes
    ----------
    problem : Problem
    queries : tuple of Statistic
        Columns of the block sums.
    stopping : Stopping
    """

    problem: Problem
    queries: tuple[Statistic, ...]
    stopping: Stopping

    def stops(self, stored: StoredBlocks) -> dict[Statistic, Stop]:
        """Where each of the queries stops, with the blocks that there are."""
        return self.stopping.stops(self.queries, stored)

    def with_baselines(self, queries: tuple[Statistic, ...]) -> tuple[Statistic, ...]:
        """The queries and the baselines they are compared with, in the order of the work."""
        wanted: set[Statistic] = set(queries)
        for query in queries:
            if isinstance(query, Query) and query.baseline:
                wanted.add(Query(query.baseline, query.shift, query.baseline))
        return tuple(q for q in self.queries if q in wanted)


class Plan(ABC, Generic[User]):
    """How a study becomes problems, and their blocks its rows.

    A plan alone knows who uses its problems: a point, or a part of a grid. Whoever runs it hands
    the users of a problem back as they came.

    Attributes
    ----------
    kind : str
        Name of the engine.
    stage : str
        What its problems are, in words.
    study : Study
    penalties : Penalties
    """

    kind: str
    stage: str
    study: Study
    penalties: Penalties

    @abstractmethod
    def problems(self) -> Mapping[Problem, Sequence[User]]:
        """Every problem and who uses it; no penalty is needed."""

    @abstractmethod
    def most(self, problem: Problem) -> int:
        """Blocks that a problem has at most, whatever its precision."""

    @abstractmethod
    def points(self, users: Sequence[User]) -> Sequence[Point]:
        """Points whose penalties the work of a problem with these users needs."""

    @abstractmethod
    def works(self, problem: Problem, users: Sequence[User]) -> Iterator[Work]:
        """What there is to do for a problem."""

    @abstractmethod
    def describe(self, problem: Problem, users: Sequence[User]) -> str:
        """A problem in words."""

    @abstractmethod
    def rows(self, store: Store, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
        """Every row of the study that follows from the blocks of a store, in batches.

        Parameters
        ----------
        store : Store
        tell : callable
            Told, again and again, how many points have their rows.
        """

    @abstractmethod
    def failures(self, store: BlockStore) -> Iterator[dict[str, object]]:
        """The failed replicates behind the rows, as rows of their own."""


def all_works(plan: Plan[User], problems: Mapping[Problem, Sequence[User]]) -> Iterator[Work]:
    """What there is to do for some of a plan's problems.

    Neighbours in the plan are far apart in the order, so that the first ones of any number are
    spread over all: a run that ends early has seen every part of a grid, and what the first ones
    need says what the others will.
    """
    found = list(problems)
    for place in spread(len(found)):
        yield from plan.works(found[place], problems[found[place]])


def spread(size: int) -> NDArray[np.intp]:
    """0 to size - 1 in an order whose beginnings lie evenly: by the golden ratio's multiples."""
    return np.argsort(np.arange(size) * _GOLDEN % 1.0, kind="stable")


def pilots_of(
    plan: Plan[User], problems: Mapping[Problem, Sequence[User]]
) -> list[tuple[Pilot, tuple[Statistic, ...]]]:
    """The pilots that some of a plan's problems need, and the statistics wanted of each."""
    points = [point for users in problems.values() for point in plan.points(users)]
    return list(pilots(plan.study, plan.penalties.subspaces, points))
