"""The risk on every side of a grid: its penalties, the law at them, and the two stages' moments.

Moments of either stage come from blocks or from a law; the risk is the same formula of both
(theory/README.md 4b).
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Study
from mcbrain.blocks.series import Series
from mcbrain.plan.cells import BRAIN_FIELDS, BrainEstimate, Cell, Setting, combine
from mcbrain.plan.moments import shift_coefficients, shift_drift, signal, subspace_moments
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.sides import Side, brain_problem, point_of
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.plan.task_stage import TaskEstimate, TaskStatistic, estimate_task
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.theory import exact
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.tails import least_squares_status, status
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = ["Grid", "SideRisks", "TaskBlocks"]

# For each place in a side's `n_task` that has a task problem: its statistics and their blocks.
TaskBlocks = Mapping[int, tuple[tuple[TaskStatistic, ...], Series]]

_CACHE_VALUES = 20_000_000


@dataclass(frozen=True)
class Grid:
    """Penalties of a side, and what the law of the task stage says at them.

    Attributes
    ----------
    penalty : ndarray, shape (methods, n_task, noises)
        Per-sample penalties.
    law : TaskMoments
        Fields of the same shape.
    """

    penalty: Floats
    law: exact.TaskMoments


class SideRisks:
    """The risk of the methods of a side, under each shift.

    Parameters
    ----------
    study : Study
        What is asked.
    penalties : Penalties
        Finds the penalty of each method at each point, and keeps it.
    pilots : PilotSubspaces
        Moments that are independent of the run's own, for `predicted` and for stopping.
    """

    def __init__(self, study: Study, penalties: Penalties, pilots: PilotSubspaces) -> None:
        self.study = study
        self.penalties = penalties
        self.pilots = pilots
        self._shifts: dict[tuple[Model, Shift], tuple[ShiftCoefficients, Floats | None]] = {}
        self._grids: dict[tuple[Side, Shift | None], Grid] = {}
        self._latest: tuple[tuple[object, ...], list[Series], TaskEstimate] | None = None

    def grid(self, side: Side, shift: Shift) -> Grid:
        """Penalties of a side and the law at them, kept for the next look.

        Parameters
        ----------
        side : Side
            One of the study's.
        shift : Shift
            Counts where some penalty differs from shift to shift.

        Returns
        -------
        Grid
            Over the side's `n_task`.
        """
        name = (side, shift if side.by_shift else None)
        if name not in self._grids:
            penalty = np.stack([self._penalties(side, c, shift) for c in side.methods])
            d = side.family.model.input_dim
            law = task_moments(side.n_task[:, None], side.rank, d, penalty)
            if len(self._grids) * penalty.size > _CACHE_VALUES:
                self._grids.clear()
            self._grids[name] = Grid(penalty, law)
        return self._grids[name]

    def _penalties(self, side: Side, method: Method, shift: Shift) -> Floats:
        """Per-sample penalties of a method, shape (n_task, noises)."""
        rule, noise = method.rule, side.family.task_noise
        shape = (side.n_task.size, noise.size)
        if method.estimator.penalty == "infinite":
            return np.full(shape, math.inf)
        if rule.fixed:
            penalty = self.study.per_sample(rule.value, side.n_task[:, None])
            return np.broadcast_to(penalty, shape).astype(float)
        if rule.record.under == "id":
            m_bar, rank = self.penalties.missed(method, point_of(self.study, side))
            d = side.family.model.input_dim
            return exact.optimal_penalty(noise, side.n_task[:, None], rank, d, m_bar)
        return np.array(
            [
                [
                    self.penalties.resolve(method, point_of(self.study, side, t, s), shift)[0]
                    for s in range(shape[1])
                ]
                for t in range(shape[0])
            ]
        )

    def status(
        self, side: Side, shift: Shift, replicates: Floats | float = math.inf
    ) -> NDArray[np.str_]:
        """Which moments of an estimate exist (theory/README.md 4a), (methods, n_task, noises).

        The part inside the spared subspace is integrated out, so only its mean can be infinite. The
        same holds of the rest where the exact law stands for the task stage.

        Parameters
        ----------
        side : Side
            One of the study's.
        shift : Shift
            One of the study's.
        replicates : float or ndarray, shape (n_task,)
            Of the task stage, whose smallest eigenvalues may be too rare for them.

        Returns
        -------
        ndarray of str
            Words of theory/tails.py, over the side's `n_task`.
        """
        grid = self.grid(side, shift)
        n, d = side.n_task[:, None], side.family.model.input_dim
        words = np.full(grid.penalty.shape, "ok", dtype="<U17")
        if not self.study.exact_task_stage:
            words = np.where(n > side.rank, status(n, 0, d, grid.penalty), words)
            self._mark_unseen(side, grid.penalty, replicates, words)
        inside = (np.abs(n - side.rank) <= 1) & (side.rank > 0)
        outside = np.isinf(grid.law.noise) & (side.family.task_noise > 0)
        return np.where(inside | outside, "infinite_mean", words)

    def _mark_unseen(
        self, side: Side, penalty: Floats, replicates: Floats | float, words: NDArray[np.str_]
    ) -> None:
        """Mark penalties too small for the replicates to show what they do."""
        q = side.family.model.input_dim - side.rank
        counts = np.broadcast_to(replicates, side.n_task.shape)
        for place, n in enumerate(side.n_task.astype(int).tolist()):
            here = penalty[:, place]
            for value in np.unique(here[np.isfinite(here) & (here > 0)]).tolist():
                word = least_squares_status(n - side.rank, q, n * value, float(counts[place]))
                if word != "ok":
                    words[:, place][here == value] = word

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
            One of the study's.
        shift : Shift
            One of the study's.
        brain : Series, optional
            Blocks of the brain problem, in the order of `brain_statistics`; without them the
            moments that the pilot has frozen.
        task : TaskBlocks, optional
            Blocks of the task problems; without them the exact law.
        at : slice
            The part of the side's `n_task` that is wanted; places in `task` count within it.

        Returns
        -------
        Cell
            Over this part.
        """
        model, grid, n_task = side.family.model, self.grid(side, shift), side.n_task[at]
        if task is None:
            law = {f: getattr(grid.law, f)[:, at] for f in grid.law.__dataclass_fields__}
            moments = TaskEstimate(exact.TaskMoments(**law))
        else:
            moments = self._task(side, n_task, grid.penalty[:, at], task)
        setting: Setting = {
            "n_task": n_task[:, None],
            "rank": side.rank,
            "input_dim": model.input_dim,
            "task_noise": side.family.task_noise,
        }
        return combine(moments, self._brain(side, shift, brain), setting, model.signal_norm**2)

    def _task(self, side: Side, n_task: Floats, penalty: Floats, task: TaskBlocks) -> TaskEstimate:
        """Moments from blocks; the latest are kept for shifts and sides of the same penalties."""
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
        """The exact law of the task stage with the pilot's moments, and the pilot's error.

        Parameters
        ----------
        side : Side
            One of the study's.
        shift : Shift
            One of the study's.

        Returns
        -------
        Cell
            Without the blocks of the run.
        """
        pilot = None
        if side.simulated:
            point = point_of(self.study, side)
            pilot = self.pilots.series(self.pilots.problem(point, side.encoding))
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
            estimator, point = side.methods[0].estimator, point_of(self.study, side)
            known = self.pilots.moments(estimator, point, side.encoding)
            return BrainEstimate(exact.brain_moments(known, beta, coefficients, d, drift))
        problem = brain_problem(self.study, side)
        _, mean, _ = series.totals()
        whole = exact.brain_moments(subspace_moments(problem, mean), beta, coefficients, d, drift)
        parts = subspace_moments(problem, series.without_each_block())
        leave = exact.brain_moments(parts, beta, coefficients, d, drift)
        n = series.n_blocks
        values = np.array([np.broadcast_to(getattr(leave, f), n) for f in BRAIN_FIELDS])
        centred = values - values.mean(axis=1, keepdims=True)
        return BrainEstimate(whole, (n - 1) / n * np.einsum("ib,jb->ij", centred, centred))
