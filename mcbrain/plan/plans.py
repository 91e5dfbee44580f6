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
"""Called, again and again, with the number of steps that are done."""


def silent(done: int) -> None:
    """Tell nobody how far something is.

    Parameters
    ----------
    done : int
        Number of steps that are done.
    """


@dataclass(frozen=True)
class Work:
    """One problem, the statistics wanted of it, and the rule that says when blocks are enough.

    Attributes
    ----------
    problem : Problem
        What is simulated.
    queries : tuple of Statistic
        Columns of the block sums.
    stopping : Stopping
        Says which of them have blocks enough.
    companions : tuple of Statistic
        Columns that are computed beside queries of the same fit, and have no precision of their
        own.
    keep : bool
        Whether blocks count only where they have kept what each replicate says.
    """

    problem: Problem
    queries: tuple[Statistic, ...]
    stopping: Stopping
    companions: tuple[Statistic, ...] = ()
    keep: bool = False

    @property
    def every(self) -> tuple[Statistic, ...]:
        """Queries and companions."""
        return (*self.queries, *self.companions)

    def stops(self, stored: StoredBlocks) -> dict[Statistic, Stop]:
        """Where each of the queries stops, with the blocks that there are.

        Parameters
        ----------
        stored : StoredBlocks
            The blocks of the problem that there are.

        Returns
        -------
        dict of Statistic to Stop
            For each query, the blocks that its numbers rest on.
        """
        return self.stopping.stops(self.queries, stored)

    def with_baselines(self, queries: tuple[Statistic, ...]) -> tuple[Statistic, ...]:
        """Some of the queries, the baselines that they are compared with, and their companions.

        Parameters
        ----------
        queries : tuple of Statistic
            Some of the work's, or of its companions.

        Returns
        -------
        tuple of Statistic
            In the order of the work; the risk of a baseline is a query of its own.
        """
        wanted: set[Statistic] = set(queries)
        for query in queries:
            if isinstance(query, Query) and query.baseline:
                wanted.add(query.of_baseline)
        fits = {query.fit for query in wanted if isinstance(query, Query)}
        wanted |= {c for c in self.companions if isinstance(c, Query) and c.fit in fits}
        return tuple(q for q in self.every if q in wanted)


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
        What is asked.
    penalties : Penalties
        Finds the penalty of each method at each point.
    """

    kind: str
    stage: str
    study: Study
    penalties: Penalties

    @abstractmethod
    def problems(self) -> Mapping[Problem, Sequence[User]]:
        """Every problem of the study; no penalty is needed.

        Returns
        -------
        mapping of Problem to sequence of User
            Each problem once, with all who use it.
        """

    @abstractmethod
    def most(self, problem: Problem) -> int:
        """Blocks that a problem has at most, whatever its precision.

        Parameters
        ----------
        problem : Problem
            One of `problems`.

        Returns
        -------
        int
            1 at least.
        """

    @abstractmethod
    def points(self, users: Sequence[User]) -> Sequence[Point]:
        """Points whose penalties the work of a problem needs.

        Parameters
        ----------
        users : sequence of User
            Who uses the problem.

        Returns
        -------
        sequence of Point
            Pilots are run for them before the work is asked for.
        """

    @abstractmethod
    def works(self, problem: Problem, users: Sequence[User]) -> Iterator[Work]:
        """What there is to do for a problem.

        Parameters
        ----------
        problem : Problem
            One of `problems`.
        users : sequence of User
            Who uses it.

        Yields
        ------
        Work
            One after another is done; all of them share the problem's blocks.

        Raises
        ------
        MissingPilotError
            A penalty rests on a pilot that is not complete.
        """

    @abstractmethod
    def describe(self, problem: Problem, users: Sequence[User]) -> str:
        """A problem in words, for a person.

        Parameters
        ----------
        problem : Problem
            One of `problems`.
        users : sequence of User
            Who uses it.

        Returns
        -------
        str
            Without a full stop.
        """

    @abstractmethod
    def rows(self, store: Store, tell: Tell = silent) -> Iterator[pa.RecordBatch]:
        """Every row of the study that follows from the blocks of a store, in batches.

        Parameters
        ----------
        store : Store
            Where blocks are looked for.
        tell : callable, optional
            Told, again and again, how many points have their rows.

        Yields
        ------
        pyarrow.RecordBatch
            With the columns of `mcbrain.results.columns`.
        """

    @abstractmethod
    def failures(self, store: BlockStore) -> Iterator[dict[str, object]]:
        """The failed replicates behind the rows.

        Parameters
        ----------
        store : BlockStore
            The blocks behind the rows.

        Yields
        ------
        dict of str to object
            Where the replicate is, which output failed on it, and why.
        """


def all_works(plan: Plan[User], problems: Mapping[Problem, Sequence[User]]) -> Iterator[Work]:
    """What there is to do for some of a plan's problems.

    Neighbours in the plan are far apart in the order, so that the first ones of any number are
    spread over all: a run that ends early has seen every part of a grid, and what the first ones
    need says what the others will.

    Parameters
    ----------
    plan : Plan
        The plan of a study.
    problems : mapping of Problem to sequence of User
        Some of the plan's, with all who use them.

    Yields
    ------
    Work
        The works of one problem follow one another.
    """
    found = list(problems)
    for place in spread(len(found)):
        yield from plan.works(found[place], problems[found[place]])


def spread(size: int) -> NDArray[np.intp]:
    """Order places so that the first ones of any number are spread evenly over all.

    The fractional parts of the multiples of the golden ratio fill the unit interval so.

    Parameters
    ----------
    size : int
        Number of places.

    Returns
    -------
    ndarray of int, shape (size,)
        0 to size - 1, each once.
    """
    return np.argsort(np.arange(size) * _GOLDEN % 1.0, kind="stable")


def pilots_of(
    plan: Plan[User], problems: Mapping[Problem, Sequence[User]]
) -> list[tuple[Pilot, tuple[Statistic, ...]]]:
    """The pilots that some of a plan's problems need.

    Parameters
    ----------
    plan : Plan
        The plan of a study.
    problems : mapping of Problem to sequence of User
        Some of the plan's, with all who use them.

    Returns
    -------
    list of (Pilot, tuple of Statistic)
        Each pilot once, with the statistics that are wanted of it.
    """
    points = [point for users in problems.values() for point in plan.points(users)]
    return list(pilots(plan.study, plan.penalties.subspaces, points))
