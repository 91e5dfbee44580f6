"""Error rates, and what labels that are signs change in the laws (theory/README.md 4h).

A label that is a sign has the second moments of a linear one with another noise, for which there
are laws; that noise depends on the inputs through the response alone, which adds terms of order
1/n. Everything is in units of the response: the labels are divided by their slope.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.theory.exact import BrainMoments, TaskMoments, excess_risk
from mcbrain.typing import Floats

__all__ = ["FitMoments", "SignParts", "error_rate", "fit_moments", "parts_of", "with_signs"]


@dataclass(frozen=True)
class FitMoments:
    """Moments of beta_hat = b and of the task t under a second moment M of the test inputs.

    Attributes
    ----------
    cross : float
        E b'Mt.
    square : float
        E b'Mb.
    signal : float
        t'Mt.
    """

    cross: Floats
    square: Floats
    signal: Floats

    @property
    def excess(self) -> Floats:
        """E (b - t)'M(b - t)."""
        return np.asarray(self.square - 2.0 * self.cross + self.signal)


def error_rate(moments: FitMoments) -> Floats:
    """How often sign(b'x) is not sign(t'x) for x ~ N(0, M): arccos(cos)/pi.

    Parameters
    ----------
    moments : FitMoments

    Returns
    -------
    ndarray
        1/2 of a predictor that says nothing; NaN where a moment is not finite.
    """
    square = np.asarray(moments.square * moments.signal)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.where(square > 0, moments.cross / np.sqrt(square), 0.0)
        rate = np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi
    return np.where(np.isfinite(square), rate, np.nan)


def fit_moments(
    task: TaskMoments,
    brain: BrainMoments,
    *,
    n_task: int,
    rank: int,
    input_dim: int,
    task_noise: ArrayLike,
) -> FitMoments:
    """The moments of a fit to linear labels, exact (theory/README.md 4b).

    E b = beta - E f (I - P) beta, with the mean shrinkage f outside P; E b'Mb follows from the
    excess risk.

    Parameters
    ----------
    task : TaskMoments
        Means over the task stage.
    brain : BrainMoments
        Moments of the subspace, the signal and the shift.
    n_task, rank, input_dim : int
        Task samples, rank of P and dimension of the inputs; n_task > rank + 1, or rank 0.
    task_noise : array_like
        Standard deviation of the label noise as a share of the signal.

    Returns
    -------
    FitMoments
        In units of |beta|^2.
    """
    signal = brain.signal + 2.0 * brain.signal_drift + brain.drift
    missed = brain.missed_signal + brain.missed_drift
    cross = brain.signal + brain.signal_drift - task.mean_f * missed
    excess = excess_risk(
        task, brain, n_task=n_task, rank=rank, input_dim=input_dim, task_noise=task_noise
    )
    return FitMoments(cross, excess - signal + 2.0 * cross, signal)


def with_signs(
    task: TaskMoments,
    brain: BrainMoments,
    m_hat: float,
    *,
    n_task: int,
    rank: int,
    input_dim: int,
    task_noise: float,
) -> FitMoments:
    """The moments of a fit to signs of beta'x + sigma_y e, to the order 1/n (4h).

    Parameters
    ----------
    task : TaskMoments
        Means over the task stage.
    brain : BrainMoments
        Moments of the subspace, the signal and the shift.
    m_hat : float
        E m_hat, without a shift.
    n_task, rank, input_dim : int
        As for `fit_moments`.
    task_noise : float
        sigma_y / |beta|.

    Returns
    -------
    FitMoments
        In units of |beta|^2, of labels divided by their slope.
    """
    of = {"n_task": n_task, "rank": rank, "input_dim": input_dim}
    one = parts_of(task, brain, m_hat, **of, task_noise=task_noise)
    plain = fit_moments(task, brain, **of, task_noise=one.noise)
    added = one.kappa * (2.0 * one.f - one.slope) - one.f + (1.0 - one.kappa) * one.noisy
    return FitMoments(
        plain.cross * (1.0 + one.kappa * one.g / n_task),
        plain.square + 2.0 / n_task * added,
        plain.signal,
    )


@dataclass(frozen=True)
class SignParts:
    """What the terms of order 1/n are made of, for signs of beta'x + sigma_y e (4h).

    With h the fit to the signal itself, t = X beta and s = t't/n.

    Attributes
    ----------
    kappa : float
        Share of the response that the inputs explain.
    noise : float
        Standard deviation of the linear labels' noise that has the same second moments.
    g, f : float
        E h'beta without a shift, and E h'Mh.
    slope : float
        d E[h'Mh | s]/ds.
    noisy : float
        E b'Mb of labels that are nothing but noise of variance 1.
    """

    kappa: float
    noise: float
    g: Floats
    f: Floats
    slope: Floats
    noisy: Floats


def parts_of(
    task: TaskMoments,
    brain: BrainMoments,
    m_hat: float,
    *,
    n_task: int,
    rank: int,
    input_dim: int,
    task_noise: float,
) -> SignParts:
    """The parts for one fit; arguments as for `with_signs`.

    Parameters
    ----------
    task : TaskMoments
    brain : BrainMoments
    m_hat : float
    n_task, rank, input_dim : int
    task_noise : float

    Returns
    -------
    SignParts
    """
    kappa = 1.0 / (1.0 + task_noise**2)
    noise = float(np.sqrt(0.5 * np.pi / kappa - 1.0))
    of = {"n_task": n_task, "rank": rank, "input_dim": input_dim}
    f = fit_moments(task, brain, **of, task_noise=0.0).square
    noisy = (fit_moments(task, brain, **of, task_noise=noise).square - f) / noise**2
    shrunk = task.mean_f
    mean = brain.signal - 2.0 * shrunk * brain.missed_signal + shrunk**2 * brain.residual
    slope = m_hat * (2.0 * shrunk * mean + (2.0 * shrunk - 1.0) * (f - mean))
    return SignParts(kappa, noise, 1.0 - shrunk * m_hat, f, slope, noisy)
