"""Errors on held-out rows beside predicted errors, and the task rows that brain data replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mcbrain.appraisal.measure import HeldOut
from mcbrain.typing import Floats

__all__ = ["Comparison", "MeasuredWorth", "compare", "measured_worth"]

_SMALLEST = 0.1  # share of the spread of a measurement that the parameters cause at least


@dataclass(frozen=True)
class Comparison:
    """One pair of sizes: errors on held-out rows and by the model, in units of y squared.

    Attributes
    ----------
    held_out : HeldOut
        What was found on held-out rows.
    ridge, befs : float
        Predicted mean squared errors on new rows: those of labels drawn from the fitted model.
    reduction, reduction_low, reduction_high, reduction_se : float
        Predicted ridge - befs, with its 95 % interval and standard error.
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
    excess: float

    @property
    def joint_se(self) -> float:
        """Spread of the measured about the predicted reduction."""
        return max(self.held_out.surprise_reduction, 1e-300)

    @property
    def z(self) -> float:
        """Measured less predicted reduction, in joint standard errors."""
        return (self.held_out.reduction - self.reduction) / self.joint_se

    @property
    def z_ridge(self) -> float:
        """Measured over predicted error of ridge: its logarithm, in joint standard errors.

        Errors of fits to few rows are skewed; their logarithms are not.
        """
        spread = max(self.held_out.surprise_ridge, 1e-300)
        return float(np.log(self.held_out.ridge / self.ridge)) / spread


@dataclass(frozen=True)
class MeasuredWorth:
    """Task rows that the brain data replaced in the measured curves, and the same predicted.

    Attributes
    ----------
    n_task : int
        Training rows of the BEFS fit that ridge is asked to match.
    measured, low, high : float
        Infinite where the ridge curve does not reach that far.
    predicted : float
        The same on the predicted curves.
    longest : int
        Rows at which the ridge curve ends.
    """

    n_task: int
    measured: float
    low: float
    high: float
    predicted: float
    longest: int


def compare(noise: float, pairs: list[HeldOut]) -> list[Comparison]:
    """Predictions, with their uncertainty, for every pair of sizes that was measured.

    Parameters
    ----------
    noise : float
        Variance of the task noise.
    pairs : list of HeldOut
        Errors on held-out rows.

    Returns
    -------
    list of Comparison
        One for each pair, in their order.
    """
    out = []
    for pair in pairs:
        joint = pair.drawn_reduction_sd
        own = np.sqrt(max(joint**2 - pair.reduction_se**2, (_SMALLEST * joint) ** 2))
        out.append(
            Comparison(
                held_out=pair,
                ridge=pair.drawn_ridge,
                befs=pair.drawn_befs,
                reduction=pair.drawn_reduction,
                reduction_low=pair.drawn_reduction - 1.96 * float(own),
                reduction_high=pair.drawn_reduction + 1.96 * float(own),
                reduction_se=float(own),
                excess=pair.drawn_ridge - noise,
            )
        )
    return out


def measured_worth(comparisons: Sequence[Comparison]) -> MeasuredWorth:
    """Task rows that the brain data replaced, read off the curves where they reach furthest.

    The BEFS error at n rows is looked up on the curve of ridge; its interval is that of the paired
    reduction at n. Among the sizes, the largest at which the curve of ridge reaches the upper end
    is taken, else the smallest.

    Parameters
    ----------
    comparisons : list of Comparison
        As `compare` returns them.

    Returns
    -------
    MeasuredWorth
        Measured and predicted numbers of rows, the former with its 95 % interval.
    """
    most = max(c.held_out.n_brain for c in comparisons)
    full = [c for c in comparisons if c.held_out.n_brain == most]
    sizes = np.array([float(c.held_out.n_task) for c in full])
    curve = np.minimum.accumulate([c.held_out.ridge for c in full])
    drawn = np.minimum.accumulate([c.ridge for c in full])
    best = full[0]
    for c in full[:-1]:
        if c.held_out.ridge - c.held_out.reduction - 1.96 * c.held_out.reduction_se >= curve[-1]:
            best = c
    pair = best.held_out

    def rows(level: float, on: Floats) -> float:
        at = np.interp(-level, -on, np.log(sizes), left=np.log(sizes[0]), right=np.inf)
        return float(np.exp(at)) - pair.n_task

    middle, half = pair.ridge - pair.reduction, 1.96 * pair.reduction_se
    at, low, high = (rows(level, curve) for level in (middle, middle + half, middle - half))
    longest = full[-1].held_out.n_task
    return MeasuredWorth(pair.n_task, at, low, high, rows(best.befs, drawn), longest)
