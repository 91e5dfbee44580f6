"""The mean error rate over replicates, whose coefficients vary (theory/README.md 4h).

arccos(cos)/pi is bent, so that its mean is not its value at the mean coefficients. The variances of
b't and b'b are, to leading order in 1/n, means over the spectrum of the task data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.theory.exact import BrainMoments, TaskMoments
from mcbrain.theory.labels import FitMoments, parts_of
from mcbrain.typing import Floats

__all__ = ["Fluctuations", "fluctuations", "mean_error_rate", "sign_fluctuations"]

_NODES = 2000


@dataclass(frozen=True)
class Fluctuations:
    """Variances over replicates, without a shift, to leading order in 1/n.

    Attributes
    ----------
    cross, square, both : float
        Var b't, Var b'b and their covariance.
    """

    cross: float
    square: float
    both: float

    def plus(self, variance: float, cross: float, square: float) -> Fluctuations:
        """These, and those of a number of some variance that moves b't and b'b at given rates.

        Parameters
        ----------
        variance, cross, square : float

        Returns
        -------
        Fluctuations
        """
        return Fluctuations(
            self.cross + variance * cross**2,
            self.square + variance * square**2,
            self.both + variance * cross * square,
        )


def fluctuations(
    m_hat: float, *, n_task: int, rank: int, input_dim: int, penalty: float, noise: float
) -> Fluctuations:
    """How b't and b'b vary for linear labels, given P (4h).

    Parameters
    ----------
    m_hat : float
        Share of the squared signal outside P.
    n_task, rank, input_dim : int
        Task samples, rank of P and dimension of the inputs; n_task > rank + 1.
    penalty : float
        Per sample, finite.
    noise : float
        Standard deviation of the label noise as a share of the signal.

    Returns
    -------
    Fluctuations
        In units of |beta|^2 and its square.
    """
    n, q, z = n_task - rank, input_dim - rank, n_task * penalty
    values, weights = _marchenko_pastur(n, q)
    with np.errstate(invalid="ignore"):
        kept = np.where(values > 0.0, values / (values + z), 0.0)  # 1 - f
        heard = np.where(values > 0.0, noise**2 * values / (values + z) ** 2, 0.0)

    def mean(of: Floats) -> float:
        return float(weights @ of)

    def covariance(a: Floats, b: Floats) -> float:
        return 2.0 / q * (mean(a * b) - mean(a) * mean(b))

    m = m_hat
    found = Fluctuations(
        m**2 * covariance(kept, kept) + m * mean(heard),
        m**2 * covariance(kept**2, kept**2)
        + 4.0 * m * mean(kept**2 * heard)
        + 2.0 * q * mean(heard**2),
        m**2 * covariance(kept, kept**2) + 2.0 * m * mean(kept * heard),
    )
    if rank == 0:
        return found
    # Least squares inside P, against the noise and what the rest fails to explain.
    missed = m * mean((1.0 - kept) ** 2) + q * mean(heard)
    inside = (noise**2 + missed) / (n - 1.0)
    return Fluctuations(
        found.cross + (1.0 - m) * inside,
        found.square + 4.0 * (1.0 - m) * inside + 2.0 * rank * inside**2,
        found.both + 2.0 * (1.0 - m) * inside,
    )


def sign_fluctuations(
    task: TaskMoments,
    m_hat: float,
    *,
    n_task: int,
    rank: int,
    input_dim: int,
    penalty: float,
    task_noise: float,
) -> Fluctuations:
    """`fluctuations` of fits to signs of beta'x + sigma_y e (4h).

    Linear labels with the same second moments vary with s = t't/n, the slope t'y/t't and the length
    of the rest of y. Of signs the sum of squares is n, so that the slope says that length; and the
    slope falls as s grows.

    Parameters
    ----------
    task : TaskMoments
        Means over the task stage.
    m_hat, n_task, rank, input_dim, penalty
        As for `fluctuations`.
    task_noise : float
        sigma_y / |beta|.

    Returns
    -------
    Fluctuations
        In units of |beta|^2 and its square, of labels divided by their mean slope.
    """
    of = {"n_task": n_task, "rank": rank, "input_dim": input_dim}
    brain = BrainMoments.under_id(m_hat, rank, input_dim)
    one = parts_of(task, brain, m_hat, **of, task_noise=task_noise)
    g, f, slope, noisy = (float(x) for x in (one.g, one.f, one.slope, one.noisy))
    kappa, variance, each = one.kappa, one.noise**2, 1.0 / n_task
    falls = (1.0 - kappa) * noisy
    return (
        fluctuations(m_hat, **of, penalty=penalty, noise=one.noise)
        .plus(-2.0 * each, (1.0 - g) * g, slope)
        .plus(2.0 * each, (1.0 - g) * g - 0.5 * kappa * g, slope - kappa * f - falls)
        .plus(-variance * each, g, 2.0 * f)
        .plus((variance - 2.0 * (1.0 - 0.5 * kappa) ** 2) * each, g, 2.0 * (f - noisy))
        .plus(-2.0 * each, 0.0, variance * noisy)
    )


def _marchenko_pastur(n: int, q: int) -> tuple[Floats, Floats]:
    """Nodes and weights of the limiting law of the q eigenvalues of W'W, W an n x q Gaussian."""
    angle = (np.arange(_NODES) + 0.5) * np.pi / _NODES
    radius = 2.0 * np.sqrt(float(n) * q)
    values = n + q + radius * np.cos(angle)
    weights = (radius * np.sin(angle)) ** 2 / (2.0 * q * values) / _NODES
    return np.append(values, 0.0), np.append(weights, max(0.0, 1.0 - n / q))


def mean_error_rate(moments: FitMoments, spread: Fluctuations) -> float:
    """The mean error rate over replicates that vary, to the second order of their spread (4h).

    Parameters
    ----------
    moments : FitMoments
        Without a shift, in units in which the signal is 1.
    spread : Fluctuations

    Returns
    -------
    float
        NaN where replicates vary too much for it.
    """
    B, V = float(moments.cross), spread.cross
    both = spread.both - 2.0 * B * V  # of b't with W = b'b - (b't)^2
    square = spread.square - 4.0 * B * spread.both + 4.0 * B**2 * V
    W = float(moments.square) - B**2 - V
    Q = W + B**2
    if not (W > 0.0 and B > 0.0 and square < W**2):
        return float("nan")
    root = np.sqrt(W)
    bend = (
        2.0 * B * root / Q**2 * V
        + (Q - 2.0 * B**2) / (root * Q**2) * both
        - (B / (4.0 * root**3 * Q) + B / (2.0 * root * Q**2)) * square
    )
    return float((np.arctan2(root, B) + 0.5 * bend) / np.pi)
