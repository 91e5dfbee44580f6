"""Errors on held-out rows beside predicted errors, and the task rows that brain data replaced."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.appraisal.measure import HeldOut
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import missed_at, risk, task_samples

__all__ = ["Comparison", "MeasuredWorth", "compare", "measured_worth"]


@dataclass(frozen=True)
class Comparison:
    """One pair of sizes: errors on held-out rows and by the laws, in units of y squared.

    Attributes
    ----------
    held_out : HeldOut
        What was found on held-out rows.
    ridge, befs : float
        Predicted mean squared errors on new rows, at the penalties of the pair.
    reduction, reduction_low, reduction_high, reduction_se : float
        Predicted ridge - befs, with its 95 % bootstrap interval and standard error.
    ridge_predicted_se : float
        Standard error of the predicted error of ridge.
    excess : float
        Predicted error of ridge above the noise.
    """

    held_out: HeldOut
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
        return float(np.hypot(self.held_out.reduction_se, self.reduction_se))

    @property
    def z(self) -> float:
        """Measured less predicted reduction, in joint standard errors."""
        return (self.held_out.reduction - self.reduction) / self.joint_se

    @property
    def z_ridge(self) -> float:
        """Measured less predicted error of ridge, in joint standard errors."""
        error = np.hypot(self.held_out.ridge_se, self.ridge_predicted_se)
        return float((self.held_out.ridge - self.ridge) / error)


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


def compare(estimates: Estimates, pairs: list[HeldOut]) -> list[Comparison]:
    """Predictions, with their uncertainty, for every pair of sizes that was measured.

    Parameters
    ----------
    estimates : Estimates
        The model, and its bootstrap draws.
    pairs : list of HeldOut
        Errors on held-out rows.

    Returns
    -------
    list of Comparison
        One for each pair, in their order.
    """
    s, value, draws = estimates.shape, estimates.value.bounded(), estimates.draws
    missed = {
        level: [missed_at(x, estimates, level) for x in (value, draws)]
        for level in {pair.n_brain for pair in pairs}
    }
    out = []
    for pair in pairs:
        (ridge, befs), (ridge_draws, befs_draws) = (
            (
                risk(x, pair.n_task, 0, 1.0, s.d, pair.ridge_penalty),
                risk(x, pair.n_task, s.r, m, s.d, pair.befs_penalty),
            )
            for x, m in zip((value, draws), missed[pair.n_brain], strict=True)
        )
        low, early, late, high = np.quantile(ridge_draws - befs_draws, [0.025, 0.16, 0.84, 0.975])
        noise = float(value.task_noise) ** 2
        levels = np.quantile(ridge_draws + draws.task_noise**2, [0.16, 0.84])
        out.append(
            Comparison(
                held_out=pair,
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
    """Task rows that the brain data replaced, read off the curves where they reach furthest.

    The BEFS error at n rows is looked up on the ridge curve; its interval is that of the paired
    reduction at n. Among the sizes, the largest at which the curve of ridge reaches the upper end
    is taken, else the smallest.

    Parameters
    ----------
    estimates : Estimates
        The model, for what is predicted.
    comparisons : list of Comparison
        As `compare` returns them.

    Returns
    -------
    MeasuredWorth
        Measured and predicted numbers of rows, with 95 % intervals.
    """
    full = [c for c in comparisons if c.held_out.n_brain == estimates.shape.n_brain + 1]
    sizes = np.array([float(c.held_out.n_task) for c in full])
    curve = np.minimum.accumulate([c.held_out.ridge for c in full])
    best = full[0]
    for c in full[:-1]:
        if c.held_out.ridge - c.held_out.reduction - 1.96 * c.held_out.reduction_se >= curve[-1]:
            best = c
    pair = best.held_out

    def rows(level: float) -> float:
        at = np.interp(-level, -curve, np.log(sizes), left=np.log(sizes[0]), right=np.inf)
        return float(np.exp(at)) - pair.n_task

    middle, half = pair.ridge - pair.reduction, 1.96 * pair.reduction_se
    predicted = _predicted_rows(estimates, pair)
    measured = rows(middle), rows(middle + half), rows(middle - half)
    return MeasuredWorth(pair.n_task, *measured, *predicted, full[-1].held_out.n_task)


def _predicted_rows(estimates: Estimates, pair: HeldOut) -> tuple[float, float, float]:
    """The value of the brain data at the size of a pair by the laws, and its 95 % interval."""
    s = estimates.shape
    value = task_samples(estimates.value.bounded(), s, pair.n_task)
    draws = task_samples(estimates.draws, s, pair.n_task)
    low, high = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    return float(value), float(low), float(high)
