"""Measured errors beside predicted ones, and the rows of the task that the brain data replaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.appraisal.measure import Cell
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import missed_at, risk, task_samples

__all__ = ["Comparison", "MeasuredWorth", "compare", "measured_worth"]


@dataclass(frozen=True)
class Comparison:
    """One cell and what the laws say about it, in the units of y squared.

    Attributes
    ----------
    cell : Cell
    ridge, befs : float
        Predicted mean squared errors on new rows, at the penalties of the cell.
    reduction, reduction_low, reduction_high, reduction_se : float
        Predicted ridge - befs, with its bootstrap interval and standard error.
    ridge_predicted_se : float
    excess : float
        Predicted ridge error above the noise.
    """

    cell: Cell
    ridge: float
    befs: float
    reduction: float
    reduction_low: float
    reduction_high: float
    reduction_se: float
    ridge_predicted_se: float
    excess: float

    @property
    def joint_se(self) -> float:
        """Standard error of measured less predicted reduction, taken as independent."""
        return float(np.hypot(self.cell.reduction_se, self.reduction_se))

    @property
    def z(self) -> float:
        """Measured less predicted reduction, in joint standard errors."""
        return (self.cell.reduction - self.reduction) / self.joint_se

    @property
    def z_ridge(self) -> float:
        """Measured less predicted error of ridge, in joint standard errors."""
        error = np.hypot(self.cell.ridge_se, self.ridge_predicted_se)
        return float((self.cell.ridge - self.ridge) / error)


@dataclass(frozen=True)
class MeasuredWorth:
    """Task rows that the brain data replaced in the measured curves, and the same predicted.

    Attributes
    ----------
    n_task : int
        Training rows of the BEFS fit that ridge is asked to match.
    measured, low, high : float
        Infinite where the ridge curve does not reach that far.
    predicted, predicted_low, predicted_high : float
        Infinite beyond `predict.FARTHEST` n_task.
    longest : int
        Rows at which the ridge curve ends.
    """

    n_task: int
    measured: float
    low: float
    high: float
    predicted: float
    predicted_low: float
    predicted_high: float
    longest: int


def compare(estimates: Estimates, cells: list[Cell]) -> list[Comparison]:
    """Predictions, with their uncertainty, for every measured cell."""
    s, value, draws = estimates.shape, estimates.value.bounded(), estimates.draws
    missed = {
        level: [missed_at(x, estimates, level) for x in (value, draws)]
        for level in {cell.n_brain for cell in cells}
    }
    out = []
    for cell in cells:
        (ridge, befs), (ridge_draws, befs_draws) = (
            (
                risk(x, cell.n_task, 0, 1.0, s.d, cell.ridge_penalty),
                risk(x, cell.n_task, s.r, m, s.d, cell.befs_penalty),
            )
            for x, m in zip((value, draws), missed[cell.n_brain], strict=True)
        )
        low, early, late, high = np.quantile(ridge_draws - befs_draws, [0.025, 0.16, 0.84, 0.975])
        noise = float(value.task_noise) ** 2
        levels = np.quantile(ridge_draws + draws.task_noise**2, [0.16, 0.84])
        out.append(
            Comparison(
                cell=cell,
                ridge=noise + float(ridge),
                befs=noise + float(befs),
                reduction=float(ridge - befs),
                reduction_low=float(low),
                reduction_high=float(high),
                reduction_se=float(late - early) / 2,
                ridge_predicted_se=float(levels[1] - levels[0]) / 2,
                excess=float(ridge),
            )
        )
    return out


def measured_worth(estimates: Estimates, comparisons: list[Comparison]) -> MeasuredWorth:
    """Value of the brain data read off the measured curves, where they reach furthest.

    The BEFS error at n rows is looked up on the ridge curve; its interval is that of the paired
    reduction at n. Among the sizes, the largest at which the curve of ridge reaches the upper end
    is taken, else the smallest.
    """
    full = [c for c in comparisons if c.cell.n_brain == estimates.shape.n_brain + 1]
    sizes = np.array([float(c.cell.n_task) for c in full])
    curve = np.minimum.accumulate([c.cell.ridge for c in full])
    best = full[0]
    for c in full[:-1]:
        if c.cell.ridge - c.cell.reduction - 1.96 * c.cell.reduction_se >= curve[-1]:
            best = c
    cell = best.cell

    def rows(level: float) -> float:
        at = np.interp(-level, -curve, np.log(sizes), left=np.log(sizes[0]), right=np.inf)
        return float(np.exp(at)) - cell.n_task

    middle, half = cell.ridge - cell.reduction, 1.96 * cell.reduction_se
    predicted = _predicted_rows(estimates, cell)
    measured = rows(middle), rows(middle + half), rows(middle - half)
    return MeasuredWorth(cell.n_task, *measured, *predicted, full[-1].cell.n_task)


def _predicted_rows(estimates: Estimates, cell: Cell) -> tuple[float, float, float]:
    s = estimates.shape
    value = task_samples(estimates.value.bounded(), s, cell.n_task)
    draws = task_samples(estimates.draws, s, cell.n_task)
    low, high = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    return float(value), float(low), float(high)
