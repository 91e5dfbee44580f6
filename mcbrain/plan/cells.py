"""One method set under one shift: the risk from its two stages, with its standard error.

The risk is linear in the moments of either stage (theory/README.md 4d), so the deviations of the
moments, block by block, give those of every risk.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypedDict

import numpy as np

from mcbrain.plan.task_stage import TASK_FIELDS, TaskEstimate
from mcbrain.theory import exact
from mcbrain.typing import Floats

__all__ = ["BRAIN_FIELDS", "BrainEstimate", "Cell", "Setting", "combine"]


# Fields of BrainMoments that depend on brain data; the others are constants of signal and shift.
BRAIN_FIELDS = ("m_hat", "trace", "m_hat_trace", "residual", "missed_signal", "missed_drift")


class Setting(TypedDict):
    """What `exact.excess_risk` needs beyond the moments.

    Attributes
    ----------
    n_task : ndarray, shape (n_task, 1), or float
        Numbers of task samples.
    rank : int
        Of the spared subspace.
    input_dim : int
        Number of inputs.
    task_noise : ndarray, shape (noises,), or float
        sigma_y / |beta|.
    """

    n_task: Floats | float
    rank: int
    input_dim: int
    task_noise: Floats | float


@dataclass(frozen=True)
class BrainEstimate:
    """Moments of the spared subspace under a shift, and how well they are known.

    Attributes
    ----------
    mean : BrainMoments
        For a signal of length 1.
    covariance : ndarray, shape (6, 6), or None
        Of the means of `BRAIN_FIELDS`, in their order, from blocks; None where they are known.
    """

    mean: exact.BrainMoments
    covariance: Floats | None = None


@dataclass(frozen=True)
class Cell:
    """Risk of the methods that spare one subspace, under one shift at one n_brain.

    Attributes
    ----------
    mean : ndarray, shape (methods, n_task, noises)
        Infinite where the expectation is.
    brain_variance : ndarray, shape (methods, n_task, noises)
        Of the mean, from the blocks of the brain problem; zero without one.
    task_deviation : ndarray, shape (methods, n_task, noises, groups), or None
        Jackknife deviations from the blocks of the task problems: their sum of squares is the
        variance. Choices of one rank share blocks, so deviations give joint errors too.
    """

    mean: Floats
    brain_variance: Floats
    task_deviation: Floats | None

    @property
    def error(self) -> Floats:
        """Standard error of the mean: each stage's own, added in squares."""
        variance = self.brain_variance
        if self.task_deviation is not None:
            variance = variance + (self.task_deviation**2).sum(axis=-1)
        return np.asarray(np.sqrt(variance))


def combine(task: TaskEstimate, brain: BrainEstimate, setting: Setting, scale: float) -> Cell:
    """The risk of theory/README.md 4b from the moments of its two stages.

    Parameters
    ----------
    task : TaskEstimate
        Moments of the task stage, from a law or from blocks.
    brain : BrainEstimate
        Moments of the spared subspace under the shift, known or from blocks.
    setting : Setting
        The numbers of samples and dimensions, and the noise.
    scale : float
        |beta|^2, the unit of the laws.

    Returns
    -------
    Cell
        Over (methods, n_task, noises), in the units of the squared response.
    """
    mean = exact.excess_risk(task.mean, brain.mean, **setting)
    variance, deviation = np.zeros_like(mean), None
    with np.errstate(invalid="ignore"):
        if brain.covariance is not None:
            slope = _slopes(task.mean, brain.mean, BRAIN_FIELDS, setting)
            variance = np.maximum((slope * _pulled(brain.covariance, slope)).sum(axis=0), 0.0)
        if task.deviation is not None:
            slope = _slopes(task.mean, brain.mean, TASK_FIELDS, setting)
            deviation = np.einsum("f...,f...g->...g", slope, task.deviation) * scale
    return Cell(mean * scale, variance * scale**2, deviation)


def _pulled(covariance: Floats, slope: Floats) -> Floats:
    """Covariance times slope, to the same bits whatever other risks are asked for beside one.

    A single risk is computed twice over: of one alone, `einsum` adds up the products in another
    order.
    """
    each = np.repeat(slope, 2, axis=-1) if slope[0].size == 1 else slope
    return np.asarray(np.einsum("ij,j...->i...", covariance, each)[..., : slope.shape[-1]])


def _slopes(
    task: exact.TaskMoments,
    brain: exact.BrainMoments,
    names: tuple[str, ...],
    setting: Setting,
) -> Floats:
    """Derivatives of the risk by some of the moments, shape (names, methods, n_task, noises).

    The risk is linear in them, so each derivative is the risk where that moment is 1 and the others
    are 0, less the risk where all are 0; all are evaluated at once.
    """
    units = np.eye(len(names) + 1)[1:].reshape(len(names), -1, 1, 1, 1)
    values = dict(zip(names, units, strict=True))
    if names == TASK_FIELDS:
        risk = exact.excess_risk(exact.TaskMoments(**values), brain, **setting)
    else:
        risk = exact.excess_risk(task, replace(brain, **values), **setting)
    return np.asarray(risk[1:] - risk[0])
