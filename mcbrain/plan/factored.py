"""The factored plan: brain problems and task problems behind a grid, each simulated once.

Brain data enters the risk through a few moments of the subspace, task data through a few moments of
the spectrum, and the risk is linear in each (theory/README.md 4d). So a grid costs the sum of its
brain axis and its task axis; where the task stage has its exact law, that takes the place of a task
problem.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcbrain.blocks import Problem, Series
from mcbrain.estimators import Choice
from mcbrain.model import Model
from mcbrain.plan.cells import BRAIN_FIELDS, BrainEstimate, Cell, combine
from mcbrain.plan.moments import (
    brain_parameters,
    brain_statistics,
    shift_coefficients,
    shift_drift,
    signal,
    subspace_moments,
)
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.sampled import Work, block_size, precise_enough
from mcbrain.plan.sides import Family, Side, families, sides
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.plan.task_stage import (
    TaskEstimate,
    TaskStatistic,
    estimate_task,
    task_problem,
    task_statistics,
)
from mcbrain.shifts import Shift
from mcbrain.study import Point, Study
from mcbrain.theory import exact
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.wishart import task_moments

__all__ = ["FactoredPlan", "TaskBlocks"]

Floats = NDArray[np.float64]
# Who uses a problem: a side, and for a task problem its place on the n_task axis.
User = tuple[Side, int]
Judge = Callable[[Series, tuple[Any, ...]], NDArray[np.bool_]]
# For each place on the n_task axis that has a task problem: its statistics and their blocks.
TaskBlocks = Mapping[int, tuple[tuple[TaskStatistic, ...], Series]]

_CACHE_VALUES = 20_000_000


@dataclass(frozen=True)
class Grid:
    """Penalties of a side, shape (choices, n_task, noises), and the task stage's law at them."""

    penalty: Floats
    law: exact.TaskMoments


class FactoredPlan:
    """The plan of the spectral engine.

    Parameters
    ----------
    study : Study
    penalties : Penalties
        The frozen penalties.
    pilots : PilotSubspaces
        Moments that are independent of the run's own, for `predicted` and for stopping.
    """

    kind = "spectral"

    def __init__(self, study: Study, penalties: Penalties, pilots: PilotSubspaces) -> None:
        self.study = study
        self.stage = "brain problems" if study.law else "brain and task problems"
        self.penalties = penalties
        self.pilots = pilots
        self.n_task = np.array(study.n_task, float)
        self._shifts: dict[tuple[Model, Shift], tuple[ShiftCoefficients, Floats | None]] = {}
        self._grids: dict[tuple[Side, Shift | None], Grid] = {}
        self._latest: tuple[tuple[Any, ...], list[Series], TaskEstimate] | None = None

    @cached_property
    def families(self) -> list[Family]:
        """The study's models, grouped."""
        return families(self.study)

    @cached_property
    def sides(self) -> list[Side]:
        """Every side of the study, defined or not, once."""
        return [side for family in self.families for side in sides(self.study, family)]

    # Problems ---------------------------------------------------------------------------------

    def brain_problem(self, side: Side) -> Problem:
        """The brain problem behind a side."""
        encoding = self.study.encoding.penalty
        parameters = brain_parameters(side.family.model, side.n_brain, side.rank, encoding)
        return Problem("brain", parameters, self.study.seed)

    def task_problem(self, side: Side, place: int) -> Problem | None:
        """The task problem behind a side at a place on the n_task axis; None with the law on."""
        if self.study.law:
            return None
        d = side.family.model.input_dim
        return task_problem(self.study.n_task[place], side.rank, d, self.study.seed)

    def problems(self) -> dict[Problem, list[User]]:
        """Every brain problem, then every task problem, with the sides (and places on the n_task
        axis) that use it; no penalty is needed.
        """
        brains: dict[Problem, list[User]] = {}
        tasks: dict[Problem, list[User]] = {}
        for side in filter(lambda s: not s.undefined, self.sides):
            if side.simulated:
                brains.setdefault(self.brain_problem(side), []).append((side, 0))
            for place in range(self.n_task.size):
                problem = self.task_problem(side, place)
                if problem is not None:
                    tasks.setdefault(problem, []).append((side, place))
        return brains | tasks

    def points(self, users: Sequence[User]) -> list[Point]:
        """Points whose penalties the work of a problem with these users needs."""
        return [self.point(side) for side in dict.fromkeys(s for s, _ in users) if side.simulated]

    def works(self, problem: Problem, users: Sequence[User]) -> Iterator[Work]:
        """The work of a problem; none where every penalty of a task problem is infinite."""
        if problem.kind == "brain":
            statistics = brain_statistics(len(problem["latent_gains"]))
            judge = self._judge_brain([side for side, _ in users])
            yield Work(problem, statistics, self._most(problem), judge)
        elif asked := self.task_statistics(users):
            yield Work(problem, asked, self._most(problem), self._judge_task(users, asked))

    def describe(self, problem: Problem, users: Sequence[User]) -> str:
        """A problem in words, its numbers included."""
        numbers = ", ".join(f"{name} = {value}" for name, value in problem.parameters)
        return f"{problem.kind} problem {numbers}"

    def task_statistics(self, where: Sequence[User]) -> tuple[TaskStatistic, ...]:
        """What is asked of a task problem by all who use it."""
        z = [
            self.n_task[place] * self.grid(side, shift).penalty[:, place].ravel()
            for side, place in where
            for shift in self.study.shifts[: None if self._by_shift(side) else 1]
        ]
        return task_statistics(np.concatenate(z).tolist())

    def _most(self, problem: Problem) -> int:
        # Two at least: the errors of a factored row are its blocks' own.
        return max(2, -(-self.study.precision.max_replicates // block_size(problem)))

    def _judge_brain(self, users: list[Side]) -> Judge:
        """A rule that is met when every output that needs the problem is precise enough."""
        share = 1.0 if self.study.law else 2.0

        def done(series: Series, asked: tuple[object, ...]) -> NDArray[np.bool_]:
            good = all(
                self._enough(side, shift, self.cell(side, shift, series), share)
                for side in users
                for shift in self.study.shifts
            )
            return np.full(len(asked), good)

        return done

    def _judge_task(self, where: Sequence[User], statistics: tuple[TaskStatistic, ...]) -> Judge:
        """The same for a task problem, the brain's moments being the pilot's."""

        def done(series: Series, asked: tuple[object, ...]) -> NDArray[np.bool_]:
            blocks = {0: (statistics, series)}
            good = all(
                self._enough(
                    side,
                    shift,
                    self.cell(side, shift, None, blocks, slice(place, place + 1)),
                    2.0 if side.simulated else 1.0,
                    slice(place, place + 1),
                )
                for side, place in where
                for shift in self.study.shifts
            )
            return np.full(len(asked), good)

        return done

    def _enough(
        self,
        side: Side,
        shift: Shift,
        cell: Cell,
        share: float,
        at: slice = slice(None),
    ) -> bool:
        """Whether a cell is precise enough when a problem may spend 1/share of the variance."""
        precision = self.study.precision
        good = precise_enough(precision, cell.mean, math.sqrt(share) * cell.error)
        if 0 not in (precision.relative, precision.absolute):
            good |= np.isin(self.status(side, shift)[:, at], ("infinite_mean", "infinite_variance"))
        return bool(good.all())

    # Risk ---------------------------------------------------------------------------------------

    def _by_shift(self, side: Side) -> bool:
        return any(c.rule.kind == "optimal-shift" for c in side.choices)

    def grid(self, side: Side, shift: Shift) -> Grid:
        """Penalties of a side and the law at them, kept for the next look."""
        name = (side, shift if self._by_shift(side) else None)
        if name not in self._grids:
            penalty = np.stack([self._penalties(side, c, shift) for c in side.choices])
            d = side.family.model.input_dim
            law = task_moments(self.n_task[:, None], side.rank, d, penalty)
            if len(self._grids) * penalty.size > _CACHE_VALUES:
                self._grids.clear()
            self._grids[name] = Grid(penalty, law)
        return self._grids[name]

    def _penalties(self, side: Side, choice: Choice, shift: Shift) -> Floats:
        """Per-sample penalties of a choice, shape (n_task, noises)."""
        rule, noise = choice.rule, side.family.task_noise
        shape = (self.n_task.size, noise.size)
        if choice.estimator.name == "projection":
            return np.full(shape, math.inf)
        if rule.kind == "fixed":
            scale = self.n_task[:, None] if self.study.penalty_scale == "sum" else 1.0
            return np.broadcast_to(rule.value / scale, shape).astype(float)
        if rule.kind == "optimal":
            m_bar, rank = self.penalties.missed(choice, self.point(side))
            d = side.family.model.input_dim
            return exact.optimal_penalty(noise, self.n_task[:, None], rank, d, m_bar)
        return np.array(
            [
                [
                    self.penalties.resolve(choice, self.point(side, t, s), shift)[0]
                    for s in range(shape[1])
                ]
                for t in range(shape[0])
            ]
        )

    def point(self, side: Side, task: int = 0, noise: int = 0) -> Point:
        """A point of the grid by its places."""
        study = self.study
        model = int(side.family.indices[noise])
        brain = study.n_brain.index(side.n_brain)
        index = (model * len(study.n_task) + task) * len(study.n_brain) + brain
        return Point(index, study.models[model], study.n_task[task], side.n_brain)

    def status(self, side: Side, shift: Shift) -> NDArray[np.str_]:
        """Which moments of an estimate exist (theory/README.md 4a), (choices, n_task, noises).

        The part inside the spared subspace is integrated out: only its mean can be infinite. With
        the law on, so is the rest.
        """
        grid = self.grid(side, shift)
        n, d = self.n_task[:, None], side.family.model.input_dim
        words = np.full(grid.penalty.shape, "ok", dtype="<U17")
        if not self.study.law:
            words = np.where(n > side.rank, exact.status(n, 0, d, grid.penalty), words)
        inside = (np.abs(n - side.rank) <= 1) & (side.rank > 0)
        outside = np.isinf(grid.law.noise) & (side.family.task_noise > 0)
        return np.where(inside | outside, "infinite_mean", words)

    def cell(
        self,
        side: Side,
        shift: Shift,
        brain: Series | None = None,
        task: TaskBlocks | None = None,
        at: slice = slice(None),
    ) -> Cell:
        """Risk of a side under a shift (theory/README.md 4b, 4d).

        Parameters
        ----------
        side : Side
        shift : Shift
        brain : Series, optional
            Blocks of the brain problem, in the order of `brain_statistics`; without them the
            moments that the pilot has frozen.
        task : TaskBlocks, optional
            Blocks of the task problems; without them the exact law.
        at : slice
            The part of the n_task axis that is wanted; places in `task` count within it.
        """
        model, grid, n_task = side.family.model, self.grid(side, shift), self.n_task[at]
        if task is None:
            law = {f: getattr(grid.law, f)[:, at] for f in grid.law.__dataclass_fields__}
            moments = TaskEstimate(exact.TaskMoments(**law))
        else:
            moments = self._task(side, n_task, grid.penalty[:, at], task)
        setting: dict[str, Any] = {
            "n_task": n_task[:, None],
            "rank": side.rank,
            "input_dim": model.input_dim,
            "task_noise": side.family.task_noise,
        }
        return combine(moments, self._brain(side, shift, brain), setting, model.signal_norm**2)

    def _task(self, side: Side, n_task: Floats, penalty: Floats, task: TaskBlocks) -> TaskEstimate:
        """Moments from blocks; the latest are kept, for shifts and sides with equal penalties."""
        d = side.family.model.input_dim
        name = (side.rank, d, n_task.tobytes(), penalty.shape, penalty.tobytes())
        series = [blocks for _, blocks in task.values()]
        if self._latest is not None and self._latest[0] == name:
            kept = self._latest[1]
            if len(kept) == len(series) and all(map(operator.is_, kept, series)):
                return self._latest[2]
        estimate = estimate_task(n_task, side.rank, d, penalty, task)
        self._latest = (name, series, estimate)
        return estimate

    def predicted(self, side: Side, shift: Shift) -> Cell:
        """The exact law of the task stage with the pilot's moments, and the pilot's error."""
        pilot = None
        if side.simulated and not self.study.law:
            pilot = self.pilots.series(self.pilots.problem(self.point(side)))
        return self.cell(side, shift, pilot)

    def _brain(self, side: Side, shift: Shift, series: Series | None) -> BrainEstimate:
        """BrainMoments under a shift, known or from blocks with their covariance."""
        model, seed = side.family.model, self.study.seed
        name = (model, shift)
        if name not in self._shifts:
            self._shifts[name] = (
                shift_coefficients(shift, model, seed),
                shift_drift(shift, model, seed),
            )
        coefficients, drift = self._shifts[name]
        d, beta = model.input_dim, signal(model)
        if series is None:
            known = self.pilots.moments(side.choices[0].estimator, self.point(side))
            return BrainEstimate(exact.brain_moments(known, beta, coefficients, d, drift))
        problem = self.brain_problem(side)
        _, mean, _ = series.totals()
        whole = exact.brain_moments(subspace_moments(problem, mean), beta, coefficients, d, drift)
        parts = subspace_moments(problem, series.without_each_block())
        leave = exact.brain_moments(parts, beta, coefficients, d, drift)
        n = series.n_blocks
        values = np.array([np.broadcast_to(getattr(leave, f), n) for f in BRAIN_FIELDS])
        centred = values - values.mean(axis=1, keepdims=True)
        return BrainEstimate(whole, (n - 1) / n * np.einsum("ib,jb->ij", centred, centred))
