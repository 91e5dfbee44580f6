"""From the overlaps of the recordings to those of the estimated subspace (theory/README.md 5b).

The overlaps C^ = A'PA follow from the odds Theta of latents and leading singular vectors by the
identity E C^ = min(1, n_B/d) - E (1 + B)^-1, where B is made of Theta and Wishart matrices. Each
source of fluctuation of B is taken to the next order, in a form that stays in range where the
fluctuations are large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.theory.inverse_means import (
    ROUGH_TERMS,
    mean_inverse_diagonal,
    mean_with_inverse,
)
from mcbrain.typing import Floats

__all__ = ["Stage", "missed_overlap", "overlap_scatter"]

LEAST_SHARE = 0.2
"""What a correction leaves of a mean, at least: there the law is out of its reach."""


@dataclass(frozen=True)
class Stage:
    """A brain stage and the overlaps of its recordings; leading axes (...) broadcast.

    Attributes
    ----------
    n_brain, input_dim : ndarray, shape (..., 1)
        n_B and d.
    rows, columns : ndarray, shape (..., 1)
        min(n_B, d) - r and p - r, at least 1 and at least 0: what holds noise only.
    signal : ndarray, shape (..., r)
        th_j, squared signals of the latents in the recordings.
    limit : ndarray, shape (..., r)
        Odds of the recordings in large dimensions, positive.
    seen, lost : ndarray, shape (..., r)
        Mean squared overlap of a latent with the leading singular vectors, and 1 minus it.
    """

    n_brain: Floats
    input_dim: Floats
    rows: Floats
    columns: Floats
    signal: Floats
    limit: Floats
    seen: Floats
    lost: Floats

    @property
    def rank(self) -> int:
        """r, the number of latents."""
        return int(self.signal.shape[-1])

    @property
    def freedom(self) -> Floats:
        """w_B, degrees of freedom of the inputs that blow up the noise of the encoding."""
        return np.asarray(np.abs(self.n_brain - self.input_dim) + self.rank)

    @property
    def shift(self) -> Floats:
        """r and the number of input directions that n_B < d samples do not show."""
        return np.asarray(self.rank + np.maximum(self.input_dim - self.n_brain, 0.0))

    @property
    def odds(self) -> Floats:
        """Theta_j."""
        return np.asarray(self.seen / self.lost)

    def at(self, chosen: NDArray[np.bool_]) -> Stage:
        """The stage of some settings.

        Parameters
        ----------
        chosen : ndarray, shape (...)

        Returns
        -------
        Stage
            With the chosen settings along its one leading axis.
        """
        return Stage(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def slopes(self) -> tuple[Floats, Floats, Floats]:
        """Theta as a function of th: its derivative (..., r) and divided differences (..., r, r).

        The second value is Theta[th_j, th_i], the third Theta[th_j, th_j, th_i]. They are those of
        the limit, scaled to the odds. The limit is (th - columns + bend/(columns + th))/rows.

        Returns
        -------
        tuple of ndarray
            The derivative and the two divided differences, in the order above.
        """
        bend, scale = self.columns * (self.columns - self.rows), self.odds / self.limit / self.rows
        g = 1.0 / (self.columns + self.signal)
        pair = bend[..., None] * _row(g) * _column(g)
        both = np.sqrt(_row(scale) * _column(scale))
        return scale * (1.0 - bend * g**2), both * (1.0 - pair), _row(scale) * pair * _row(g)

    def odds_variances(self) -> Floats:
        """Variances of the entries of Theta over recordings, given the latents, (..., r, r).

        Returns
        -------
        ndarray, shape (..., r, r)
            In squared units of Theta.
        """
        odds, (_, slope, _) = self.odds, self.slopes()
        wide = slope**2 * (_row(self.signal) + _column(self.signal) + self.columns[..., None])
        deep = _symmetric(_row(odds) * (1.0 + _column(odds))) / self.rows[..., None]
        return np.asarray((1.0 + np.eye(self.rank)) * (wide + deep))


def missed_overlap(stage: Stage) -> Floats:
    """E [(1 + B)^-1]_jj, which is min(1, n_B/d) - C_j, shape (..., r).

    Parameters
    ----------
    stage : Stage

    Returns
    -------
    ndarray, shape (..., r)
        From 0 to 1.
    """
    n, shift, odds = stage.n_brain, stage.shift, stage.odds
    # The recordings' noise, with the mean that gives the overlap which is known.
    inverse = stage.odds_variances() / (_row(odds) * _column(odds)) ** 2
    scale = (n + shift) / stage.freedom
    mean = scale * mean_with_inverse(stage.lost, inverse)
    variance = scale[..., None] ** 2 * inverse
    # The sample covariance of the latents.
    plain = scale / odds
    own, drift = _latents(stage)
    variance = variance + own * (_row(plain) * _column(plain)) ** 2
    mean = mean + plain**2 * (np.sum(own * _column(plain), axis=-1) - drift)
    mean = np.maximum(mean, LEAST_SHARE * plain)
    found = mean_inverse_diagonal(mean, variance, ROUGH_TERMS)
    # The inputs outside the latents.
    x = (n + shift) / (n * (1.0 - found)) - 1.0
    pairs = _row(odds) * _column(odds) + _row(odds) + _column(odds)
    inputs = (1.0 + np.eye(stage.rank)) * (stage.freedom[..., None] * pairs + shift[..., None])
    return mean_inverse_diagonal(x, inputs / n[..., None] ** 2)


def overlap_scatter(stage: Stage) -> Floats:
    """Variance of a latent's row of overlaps over seen times lost, shape (..., r).

    Parameters
    ----------
    stage : Stage

    Returns
    -------
    ndarray, shape (..., r)
        A variance without a unit.
    """
    loss = stage.lost**2
    variance = stage.odds_variances() * _row(loss) * _column(loss)
    return np.asarray(np.sum(variance, axis=-1) / (stage.seen * stage.lost))


def _latents(stage: Stage) -> tuple[Floats, Floats]:
    """Variances (..., r, r) and mean (..., r) that Psi adds to w_B Theta/(n + shift)."""
    nu, n, th = stage.freedom[..., None], stage.n_brain[..., None], stage.signal
    first, slope, second = stage.slopes()
    y = stage.freedom * stage.odds + stage.shift
    twice, total = 1.0 + np.eye(stage.rank), n + stage.shift[..., None]
    sums = _row(th) + _column(th)
    variance = twice * (_symmetric(_row(y)) - nu * slope * sums / 2.0) ** 2 / (n * total**2)
    bent = nu * (_row(first) * (_column(th) - _row(th)) + sums**2 * second) / 4.0
    terms = 0.75 * _row(y) + 0.25 * _column(y) - nu * slope * sums / 2.0 + bent
    return variance, np.asarray(np.sum(twice * terms / (n * total), axis=-1))


def _row(x: Floats) -> Floats:
    return x[..., :, None]


def _column(x: Floats) -> Floats:
    return x[..., None, :]


def _symmetric(x: Floats) -> Floats:
    return np.asarray((x + np.swapaxes(x, -1, -2)) / 2.0)
