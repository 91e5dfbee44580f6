"""A plan of a grid or of a part of one: the brain and task problems behind it, simulated once.

Brain data enters the risk through a few moments of the subspace, task data through a few moments of
the spectrum, and the risk is linear in each (theory/README.md 4d). So a grid costs the sum of its
brain axis and its task axis; where the task stage has its exact law, that takes the place of a task
problem. A problem stops when the points that the study asks of it are precise enough.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.studies import Point
from mcbrain.blocks.problem import BrainProblem, Problem, TaskProblem
from mcbrain.blocks.query import Statistic
from mcbrain.blocks.series import Series
from mcbrain.errors import unhandled
from mcbrain.plan.cells import Cell
from mcbrain.plan.drawn_risks import DrawnRisks
from mcbrain.plan.moments import brain_statistics
from mcbrain.plan.plans import Plan, Work
from mcbrain.plan.risks import SideRisks
from mcbrain.plan.sides import Family, Side, brain_problem, families, point_of, sides
from mcbrain.plan.statuses import HOPELESS
from mcbrain.plan.stopping import Stopping, precise_enough, times_more_of
from mcbrain.plan.task_stage import TaskStatistic, task_problem, task_statistics
from mcbrain.population.shifts import Shift

__all__ = ["GridPlan"]

# Only so many outputs are asked how many more replicates they need: the time left that is shown
# follows from them, and nothing else does.
_CELLS = 16

# Blocks of a problem -> for each output that rests on it, how many times as many it needs; 0 where
# these are enough.
Lacks = Callable[[Series], Iterator[float]]

# Who uses a problem: a side, and for a task problem the place in the side's `n_task`.
User = tuple[Side, int]


class GridPlan(Plan[User]):
    """The plan of the spectral engine.

    Parameters
    ----------
    risks : SideRisks
        The risk on every side of the study, from blocks or from the laws.
    """

    kind = "spectral"

    def __init__(self, risks: SideRisks) -> None:
        self.risks = risks
        self.study = risks.study
        self.penalties = risks.penalties
        self.stage = "brain problems" if self.study.exact_task_stage else "brain and task problems"

    @cached_property
    def families(self) -> list[Family]:
        """The study's models, grouped."""
        return families(self.study)

    @cached_property
    def sides(self) -> list[Side]:
        """Every side of the study, defined or not, once."""
        return [side for family in self.families for side in sides(self.study, family)]

    @cached_property
    def drawn(self) -> DrawnRisks:
        """The risk on the sides for which nothing is simulated; they are `imagined`."""
        mine = [side for side in self.sides if self.imagined(side) and not side.undefined]
        return DrawnRisks(self.study, mine, self.risks.pilots.anisotropic)

    def imagined(self, side: Side) -> bool:
        """Whether the recordings behind a side are imagined, since its inputs are not isotropic.

        Parameters
        ----------
        side : Side
            One of `sides`.

        Returns
        -------
        bool
            Such a side has no problems.
        """
        return not side.family.model.input_covariance.identity

    def task_problem(self, side: Side, place: int) -> TaskProblem | None:
        """The task problem behind a side at one of its numbers of task samples.

        Parameters
        ----------
        side : Side
            One of `sides`.
        place : int
            Place in its `n_task`.

        Returns
        -------
        TaskProblem or None
            None where the exact law stands for the task stage, and where no data act outside the
            subspace.
        """
        if self.study.exact_task_stage:
            return None
        d = side.family.model.input_dim
        return task_problem(int(side.n_task[place]), side.rank, d, self.study.seed)

    def problems(self) -> dict[Problem, list[User]]:
        """Every brain problem, then every task problem; no penalty is needed.

        Sides whose recordings are imagined have none.

        Returns
        -------
        dict of Problem to list of User
            Each with the sides, and places in their `n_task`, that use it.
        """
        brains: dict[Problem, list[User]] = {}
        tasks: dict[Problem, list[User]] = {}
        for side in self.sides:
            if side.undefined or self.imagined(side):
                continue
            if side.simulated:
                brains.setdefault(brain_problem(self.study, side), []).append((side, 0))
            for place in range(side.n_task.size):
                problem = self.task_problem(side, place)
                if problem is not None:
                    tasks.setdefault(problem, []).append((side, place))
        return brains | tasks

    def most(self, problem: Problem) -> int:
        """Blocks that a problem has at most.

        Parameters
        ----------
        problem : Problem
            One of `problems`.

        Returns
        -------
        int
            As many as `max_replicates` need, and two at least, since the error of a row is the
            spread of its blocks.
        """
        return max(2, -(-self.study.precision.max_replicates // problem.block_size))

    def points(self, users: Sequence[User]) -> list[Point]:
        """Points whose penalties the work of a problem needs.

        Parameters
        ----------
        users : sequence of User
            Who uses the problem.

        Returns
        -------
        list of Point
            One of each side that depends on brain data.
        """
        served = dict.fromkeys(side for side, _ in users if side.simulated)
        return [point_of(self.study, side) for side in served]

    def works(self, problem: Problem, users: Sequence[User]) -> Iterator[Work]:
        """The work of a problem; none where every penalty of a task problem is infinite.

        Parameters
        ----------
        problem : Problem
            One of `problems`.
        users : sequence of User
            Who uses it.

        Yields
        ------
        Work
            One at most.
        """
        match problem:
            case BrainProblem():
                statistics = brain_statistics(len(problem.latent_gains))
                yield Work(problem, statistics, self._stopping(problem, self._of_brain(users)))
            case TaskProblem():
                if asked := self.task_statistics(users):
                    lacks = self._of_task(users, asked)
                    yield Work(problem, asked, self._stopping(problem, lacks))
            case _:
                raise unhandled("kind of problem", problem.kind, "the plan of a grid")

    def describe(self, problem: Problem, users: Sequence[User]) -> str:
        """A problem in words, its numbers included.

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
        numbers = ", ".join(f"{name} = {value}" for name, value in sorted(problem.content.items()))
        return f"{problem.kind} problem {numbers}"

    def task_statistics(self, where: Sequence[User]) -> tuple[TaskStatistic, ...]:
        """What is asked of a task problem by all who use it.

        Parameters
        ----------
        where : sequence of User
            The sides and places in their `n_task`.

        Returns
        -------
        tuple of TaskStatistic
            In order of the ridge; none where every penalty is infinite.
        """
        z = [
            side.n_task[place] * self.risks.grid(side, shift).penalty[:, place].ravel()
            for side, place in where
            for shift in self.study.shifts[: None if side.by_shift else 1]
        ]
        return task_statistics(np.concatenate(z).tolist())

    def _stopping(self, problem: Problem, lacks: Lacks) -> Stopping:
        """When a problem stops: with all of its statistics, since each output needs them all."""
        if self.study.precision.fixed_count:
            return Stopping(self.most(problem), together=True)

        def done(series: Series, asked: tuple[Statistic, ...]) -> NDArray[np.bool_]:
            return np.full(len(asked), not any(lacks(series)))

        def factor(series: Series, short: NDArray[np.bool_]) -> float:
            return max(itertools.islice(lacks(series), _CELLS), default=1.0)

        return Stopping(self.most(problem), done, together=True, factor=factor)

    def _of_brain(self, users: Sequence[User]) -> Lacks:
        """What the outputs lack that rest on a brain problem.

        A task problem beside it may spend half of the variance that is allowed.
        """
        share = 1.0 if self.study.exact_task_stage else 2.0

        def lacks(series: Series) -> Iterator[float]:
            for side, _ in users:
                for shift in self.study.shifts:
                    yield self._lack(side, shift, self.risks.cell(side, shift, series), share)

        return lacks

    def _of_task(self, where: Sequence[User], statistics: tuple[TaskStatistic, ...]) -> Lacks:
        """What the outputs lack that rest on a task problem, the brain's moments being a pilot's.

        A brain problem beside it may spend half of the variance that is allowed.
        """

        def lacks(series: Series) -> Iterator[float]:
            blocks = {0: (statistics, series)}
            for side, place in where:
                at, share = slice(place, place + 1), 2.0 if side.simulated else 1.0
                for shift in self.study.shifts:
                    cell = self.risks.cell(side, shift, None, blocks, at)
                    yield self._lack(side, shift, cell, share, at)

        return lacks

    def _lack(
        self,
        side: Side,
        shift: Shift,
        cell: Cell,
        share: float,
        at: slice = slice(None),
    ) -> float:
        """How many times as many replicates a cell needs; 0 where it is precise enough.

        A problem may spend 1/share of the variance that is allowed.
        """
        precision, error = self.study.precision, math.sqrt(share) * cell.error
        good = precise_enough(precision, cell.mean, error)
        good |= np.isin(self.risks.status(side, shift)[:, at], HOPELESS)
        if good.all():
            return 0.0
        return times_more_of(precision, cell.mean[~good], error[~good])
