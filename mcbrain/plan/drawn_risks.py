"""The risk on the sides of a grid whose inputs have another covariance than the identity.

No brain problem is simulated for them: their subspaces are imagined (theory/README.md 5g), the task
stage goes through its law (5f), and the imagined recordings give the error of the mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.estimators import Method
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Study
from mcbrain.errors import unhandled
from mcbrain.plan.anisotropic import FEWEST_FREE_ROWS, AnisotropicLaw
from mcbrain.plan.cells import Cell
from mcbrain.plan.imagined import Averages, Choice, Stage, averages
from mcbrain.plan.sides import Side
from mcbrain.plan.statuses import NO_MEAN
from mcbrain.plan.stopping import precise_enough
from mcbrain.population.model import MODEL_FIELDS, Model
from mcbrain.population.shifts import Shift
from mcbrain.theory.accuracy import task_accuracy
from mcbrain.typing import Floats

__all__ = ["DrawnRisks"]

FIRST_LOOK = 16
"""Imagined recordings of the first look, which choose the penalties."""

LOG_PENALTIES = np.arange(-56, 49) / 8.0
"""Penalties between which the best is sought: decades about the mean input variance. With eight in
each, a cubic through four of them is within 1e-4 of the risk.
"""

_ID = parse_shift("id")

# What the imagined recordings and the test inputs of a model do not depend on.
_OF_TASK = ("misalignment", "task_noise", "snr_task", "snr_brain", "neural_noise", "signal_norm")


@dataclass(frozen=True, eq=False)
class _Group:
    """The sides that share imagined recordings, and with them a table of averages."""

    sides: tuple[Side, ...]
    tasks: NDArray[np.intp]
    """Places on the study's axis n_task at which some side asks for something."""


class DrawnRisks:
    """The risk of the methods of a side, under each shift.

    Parameters
    ----------
    study : Study
        What is asked.
    sides : sequence of Side
        Those of its sides that are defined, of models that are not isotropic.
    law : AnisotropicLaw
        Knows where brain and task lie, and imagines recordings.
    """

    def __init__(self, study: Study, sides: Sequence[Side], law: AnisotropicLaw) -> None:
        self.study = study
        self.law = law
        # A rule may minimise the risk under `id` in a study that is not tested on it.
        self._shifts = (*study.shifts, *([_ID] if _ID not in study.shifts else []))
        self._groups = self._grouped(sides)
        self._found: dict[_Group, Averages] = {}
        self._choices: dict[tuple[Side, Shift | None], Choice] = {}
        self._stages: dict[_Group, Stage] = {}

    def penalty(self, side: Side, shift: Shift) -> Floats:
        """Per-sample penalties of a side's methods.

        Parameters
        ----------
        side : Side
        shift : Shift
            Counts where some penalty differs from shift to shift.

        Returns
        -------
        ndarray, shape (methods, n_task, noises)
        """
        self._averages(side)
        at = np.searchsorted(self._groups[side].tasks, side.part.tasks)
        return np.moveaxis(self._choice(side, shift).penalty, 1, 0)[:, at]

    def status(self, side: Side, shift: Shift) -> NDArray[np.str_]:
        """Which risks have a mean, and which have a law.

        Parameters
        ----------
        side : Side
        shift : Shift

        Returns
        -------
        ndarray of str, shape (methods, n_task, noises)
            "ok", "infinite_mean", or "undefined" where the fit all but interpolates.
        """
        found = self._averages(side)
        return self._words(side, self._choice(side, shift), found)

    def law_error(self, side: Side, shift: Shift) -> Floats:
        """The relative error of the law of the task stage, as it was measured.

        Parameters
        ----------
        side : Side
        shift : Shift

        Returns
        -------
        ndarray, shape (methods, n_task, noises)
            NaN where the law is exact.
        """
        free = self._of(side, self._choice(side, shift), self._averages(side).free_rows)
        return np.where(np.isinf(free), math.nan, task_accuracy(free))

    def cell(self, side: Side, shift: Shift) -> Cell:
        """Risk of a side under a shift, with the error that imagined recordings leave.

        Parameters
        ----------
        side : Side
        shift : Shift

        Returns
        -------
        Cell
            Over the side's `n_task`; NaN where there is no law.
        """
        return self._cell(side, shift, self._averages(side))

    def spent(self, side: Side) -> tuple[int, float]:
        """Imagined recordings behind a side, and the core seconds that they took.

        Parameters
        ----------
        side : Side

        Returns
        -------
        draws : int
            0 where the subspace is known.
        seconds : float
        """
        found = self._averages(side)
        return found.draws, found.seconds

    def _grouped(self, sides: Sequence[Side]) -> dict[Side, _Group]:
        members: dict[tuple[object, ...], list[Side]] = {}
        for side in sides:
            brain = side.n_brain if side.simulated else None
            subspace = side.subspace if side.rank else "none"
            own = subspace, brain, side.rank, side.encoding, side.methods
            name = (*_shared(side.family.model), *own)
            members.setdefault(name, []).append(side)
        found = {}
        for group in members.values():
            tasks = np.unique(np.concatenate([side.part.tasks for side in group]))
            one = _Group(tuple(group), tasks)
            found.update(dict.fromkeys(group, one))
        return found

    def _averages(self, side: Side) -> Averages:
        """Averages over as many imagined recordings as the precision of the study asks for."""
        group = self._groups[side]
        if group not in self._found:
            model, rank = side.family.model, side.rank
            most = max(2, self.study.precision.max_replicates)
            looks = [1]
            match side.subspace if rank else "none":
                case "none":
                    subspaces = iter([np.zeros((model.native_dim, 0))])
                case "measured":
                    subspaces = iter([self.law.measured(model)])
                case "estimated":
                    looks = _looks(min(FIRST_LOOK, most), most)
                    penalty = side.encoding.penalty
                    subspaces = self.law.imagined(model, side.n_brain, rank, penalty, most)
                case _:
                    raise unhandled("subspace", side.subspace, "plan/drawn_risks.py")
            self._stages[group] = stage = self._stage(group)
            for found in averages(stage, subspaces, looks):
                if group not in self._found:
                    self._choose(group, stage, found)
                self._found[group] = found
                if self._precise(group, found):
                    break
        return self._found[group]

    def _stage(self, group: _Group) -> Stage:
        """The task stage of a group, at every penalty that its methods may have."""
        side = group.sides[0]
        model, n_task = side.family.model, np.array(self.study.n_task, float)[group.tasks]
        settings = [self.law.setting(model, 1, shift) for shift in self._shifts]
        spectrum = settings[0].spectrum
        wanted = [0.0, math.inf]
        if any(_sought(method) for method in side.methods):
            wanted = [0.0, *(np.mean(spectrum) * 10.0**LOG_PENALTIES), math.inf]
        columns = [np.broadcast_to(np.array(wanted), (n_task.size, len(wanted)))]
        columns += [self._fixed(m, n_task)[:, None] for m in side.methods if not _sought(m)]
        return Stage(
            spectrum=spectrum,
            moments=[s.second_moment for s in settings],
            signals=_span(self._weights(group)),
            n_task=n_task,
            penalties=np.concatenate(columns, axis=1),
        )

    def _weights(self, group: _Group) -> Floats:
        """beta of each side of a group, shape (sides, d)."""
        models = [side.family.model for side in group.sides]
        return np.stack([self.law.setting(model, 1, _ID).weights for model in models])

    def _fixed(self, method: Method, n_task: Floats) -> Floats:
        """The penalty of a method that none is sought for, at each number of task samples."""
        value = self.study.per_sample(method.rule.value, n_task)
        return np.broadcast_to(method.estimator.in_force(value), n_task.shape)  # type: ignore[arg-type]

    def _choose(self, group: _Group, stage: Stage, found: Averages) -> None:
        """Freeze the penalties of every side of a group."""
        for side in group.sides:
            for shift in self.study.shifts if side.by_shift else (None,):
                chosen = [self._chosen(side, m, shift, stage, found) for m in side.methods]
                self._choices[side, shift] = Choice(
                    *(
                        np.stack([getattr(c, name) for c in chosen], axis=1)
                        for name in ("penalty", "columns", "weights")
                    )
                )

    def _chosen(
        self, side: Side, method: Method, shift: Shift | None, stage: Stage, found: Averages
    ) -> Choice:
        """The penalty of one method, over (n_task of the group, noises)."""
        shape = (stage.n_task.size, side.family.task_noise.size)
        if not _sought(method):
            fixed = [m for m in side.methods if not _sought(m)]
            place = stage.penalties.shape[1] - len(fixed) + fixed.index(method)
            return _at(stage, np.full(shape, place), np.zeros(shape))
        under = _ID if method.rule.record.under == "id" or shift is None else shift
        risk = self._risk(side, under, stage, found)
        ends = LOG_PENALTIES.size + 2
        best = np.argmin(np.where(np.isfinite(risk), risk, math.inf)[..., :ends], axis=-1)
        inside = (best > 1) & (best < ends - 2)
        near = np.clip(best, 1, ends - 2)[..., None] + np.array([-1, 0, 1])
        below, here, above = np.moveaxis(np.take_along_axis(risk, near, axis=-1), -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = 0.5 * (below - above) / (below - 2.0 * here + above)
        known = inside & np.isfinite(step)
        return _at(stage, best, np.where(known, np.clip(step, -1.0, 1.0), 0.0))

    def _risk(self, side: Side, shift: Shift, stage: Stage, found: Averages) -> Floats:
        """The risk at every penalty of a stage, shape (n_task, noises, penalties)."""
        mean = found.mean[self._shifts.index(shift)]
        with np.errstate(invalid="ignore"):
            bias = np.tensordot(self._products(side, stage), mean[:-1], 1)
            squared = (side.family.task_noise * side.family.model.signal_norm) ** 2
            risk = bias[:, None] + squared[:, None] * mean[-1][:, None]
        return np.where(found.infinite[:, None], math.inf, risk)

    def _products(self, side: Side, stage: Stage) -> Floats:
        weights = self.law.setting(side.family.model, 1, _ID).weights
        return stage.products(stage.signals.T @ weights)

    def _choice(self, side: Side, shift: Shift) -> Choice:
        return self._choices[side, shift if side.by_shift else None]

    def _of(self, side: Side, choice: Choice, table: Floats) -> Floats:
        """A table at a side's penalties, shape (..., methods, n_task of the side, noises)."""
        at = np.searchsorted(self._groups[side].tasks, side.part.tasks)
        return np.moveaxis(choice.of(table)[..., at, :, :], -2, -3)

    def _cell(self, side: Side, shift: Shift, found: Averages) -> Cell:
        place, choice = self._shifts.index(shift), self._choice(side, shift)
        stage = self._stages[self._groups[side]]
        squared = (side.family.task_noise * side.family.model.signal_norm) ** 2
        products = self._products(side, stage)
        # By coefficient and noise: what each coefficient is multiplied with.
        factor = np.vstack([np.repeat(products[:, None], squared.size, axis=1), squared])
        mean = np.einsum("an,amtn->mtn", factor, self._of(side, choice, found.mean[place]))
        variance = np.zeros_like(mean)
        if found.draws:
            covariance = self._of(side, choice, found.covariance[place])
            variance = np.einsum("an,bn,abmtn->mtn", factor, factor, covariance)
        words = self._words(side, choice, found)
        mean = np.where(words == "infinite_mean", math.inf, mean)
        mean = np.where(words == "undefined", math.nan, mean)
        return Cell(mean, np.maximum(variance, 0.0), None)

    def _words(self, side: Side, choice: Choice, found: Averages) -> NDArray[np.str_]:
        """Which risks have a mean, and which a law."""
        infinite = self._of(side, choice, found.infinite.astype(float)) > 0.5
        close = self._of(side, choice, found.free_rows) < FEWEST_FREE_ROWS
        return np.where(infinite, "infinite_mean", np.where(close, "undefined", "ok"))

    def _precise(self, group: _Group, found: Averages) -> bool:
        """Whether every risk of a group is known as well as the study asks."""
        if not found.draws or self.study.precision.fixed_count:
            return not found.draws
        for side in group.sides:
            for shift in self.study.shifts:
                cell = self._cell(side, shift, found)
                words = self._words(side, self._choice(side, shift), found)
                good = precise_enough(self.study.precision, cell.mean, cell.error)
                if not np.all(good | np.isin(words, NO_MEAN)):
                    return False
        return True


def _sought(method: Method) -> bool:
    """Whether the penalty of a method is the one of least risk."""
    return method.estimator.penalty == "chosen" and method.rule.record.by == "risk"


def _shared(model: Model) -> tuple[object, ...]:
    """What two models have in common whose recordings and test inputs are the same."""
    fields = [getattr(model, name) for name in MODEL_FIELDS if name not in _OF_TASK]
    return (*fields, model.sigma_r)


def _looks(first: int, most: int) -> list[int]:
    """Twice as many recordings at each look, and as many as there may be at the last."""
    looks = []
    while first < most:
        looks.append(first)
        first *= 2
    return [*looks, most]


def _span(weights: Floats) -> Floats:
    """Orthonormal directions of which some task weights (n, d) are sums, shape (d, s)."""
    _, size, directions = np.linalg.svd(weights, full_matrices=False)
    return np.asarray(directions[size > 1e-12 * size[0]].T)


def _at(stage: Stage, best: NDArray[np.intp], step: Floats) -> Choice:
    """Penalties a step beside some of a stage's, with Lagrange's weights of the four about them."""
    tasks = np.arange(len(stage.penalties))[:, None]
    moved = step != 0.0
    last = LOG_PENALTIES.size
    # Four neighbours among the penalties that are equally far apart; they begin at place 1.
    first = np.clip(np.floor(best + step).astype(int) - 1, 1, max(last - 3, 1))
    columns = np.where(moved[..., None], first[..., None] + np.arange(4), best[..., None])
    x = best + step - first
    lagrange = np.stack(
        [
            -(x - 1.0) * (x - 2.0) * (x - 3.0) / 6.0,
            x * (x - 2.0) * (x - 3.0) / 2.0,
            -x * (x - 1.0) * (x - 3.0) / 2.0,
            x * (x - 1.0) * (x - 2.0) / 6.0,
        ],
        axis=-1,
    )
    weights = np.where(moved[..., None], lagrange, np.array([1.0, 0.0, 0.0, 0.0]))
    penalty = stage.penalties[tasks, best]
    ratio = 10.0 ** (LOG_PENALTIES[1] - LOG_PENALTIES[0])
    with np.errstate(invalid="ignore"):
        return Choice(np.where(moved, penalty * ratio**step, penalty), columns, weights)
