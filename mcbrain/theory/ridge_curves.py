"""The error of ridge at many penalties and numbers of rows at once (theory/README.md 5f).

`equivalents` gives the moments of the error at one penalty. A search for the best penalty, or a
grid of task samples, asks for thousands, and they share nearly everything: in the basis in which
the covariance and the penalty are both diagonal, all that enters is a smooth function of the
effective penalty kappa alone. Here those functions are tabulated over kappa once and interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import CubicSpline

from mcbrain.theory.structured import Structured, diagonal_of
from mcbrain.typing import Floats

__all__ = ["ErrorMoments", "RidgeCurves"]

NODES_PER_DECADE = 20
"""Nodes of the table over kappa; with so many, cubic interpolation is within 1e-6."""

MARGIN = 1e6
"""How far the table reaches below the smallest eigenvalue, and above the largest. Beyond it nothing
changes by more than one over this.
"""

NEWTON_STEPS = 200
TOLERANCE = 1e-13


@dataclass(frozen=True)
class ErrorMoments:
    """E e'Ne to the next order in 1/n, for each form N, at pairs of rows and penalty.

    Attributes
    ----------
    bias : ndarray, shape (forms, pairs, ...)
        For a signal b = sum_a x_a b_a it is the sum of x_a x_b times the entry of (a, b) over the
        pairs a <= b, those with a < b counted twice.
    noise : ndarray, shape (forms, ...)
        Per unit of label noise variance.
    free_rows : ndarray, shape (...)
        n - tr (S G)^2, in powers of one over which the moments are expanded.
    """

    bias: Floats
    noise: Floats
    free_rows: Floats


@dataclass(frozen=True)
class _Table:
    """What the moments are made of, at some values of kappa: arrays end in an axis over them.

    Attributes
    ----------
    T : ndarray, shape (4, nodes)
        tr (S G)^j for j = 1, ..., 4.
    nu : ndarray, shape (3, forms, nodes)
        tr N G (S G)^j for j = 1, 2, 3.
    K : ndarray, shape (3, pairs, nodes)
        b_0'S b_j for j = 0, 1, 2, which is kappa b'b_{j+1}.
    phi : ndarray, shape (4, forms, pairs, nodes)
        b_i'N b_j for (i, j) = (0, 0), (1, 0), (1, 1), (2, 0).
    """

    T: Floats
    nu: Floats
    K: Floats
    phi: Floats


class RidgeCurves:
    """Moments of the error e of ridge in a basis in which covariance and penalty are diagonal.

    Parameters
    ----------
    eigenvalues : ndarray, shape (q,)
        Of the covariance S, where the penalty is the identity; at least one is above 0.
    forms : sequence of Structured or ndarray, shape (q, q)
        The matrices N by which the error is judged.
    signals : ndarray, shape (q, s)
        Vectors b_a, of which the signal is a sum.
    """

    def __init__(
        self, eigenvalues: Floats, forms: Sequence[Structured | Floats], signals: Floats
    ) -> None:
        self.eigenvalues = eigenvalues
        self.forms = tuple(forms)
        self.signals = signals
        self.pairs = tuple(zip(*np.triu_indices(signals.shape[1]), strict=True))
        self._mean = float(np.mean(eigenvalues))

    def at(self, rows: Floats, penalty_sum: Floats) -> ErrorMoments:
        """The moments at pairs of rows and penalty.

        Parameters
        ----------
        rows : ndarray, shape (...)
            n, at least 1.
        penalty_sum : ndarray, shape (...)
            z, the penalty summed over samples, in [0, inf].

        Returns
        -------
        ErrorMoments
        """
        rows, penalty_sum = np.broadcast_arrays(
            np.asarray(rows, dtype=float), np.asarray(penalty_sum, dtype=float)
        )
        shape = rows.shape
        n = rows.ravel()
        table = self._interpolated(self.kappa(n, penalty_sum.ravel()))
        bias, noise = _moments(n, table)
        return ErrorMoments(
            bias.reshape(*bias.shape[:2], *shape),
            noise.reshape(len(noise), *shape),
            (n - table.T[1]).reshape(shape),
        )

    def kappa(self, rows: Floats, penalty_sum: Floats) -> Floats:
        """The effective penalty: the root of kappa (n - tr S G) = z (see `Equivalent.kappa`).

        Parameters
        ----------
        rows, penalty_sum : ndarray, shape (m,)

        Returns
        -------
        ndarray, shape (m,)
            In the units of the eigenvalues; the lowest of the table where the root is below it.
        """
        s, kappa = self.eigenvalues, self._above(rows, penalty_sum)
        sought = np.isfinite(kappa) & (kappa > self._nodes[0])
        n, z, root = rows[sought], penalty_sum[sought], kappa[sought]
        for _ in range(NEWTON_STEPS):
            kept = s / (s + root[:, None])
            value = root * (n - kept.sum(axis=1)) - z
            step = np.maximum(value, 0.0) / (n - np.einsum("ij,ij->i", kept, kept))
            if np.all(step <= TOLERANCE * root):
                break
            root = root - step
        kappa[sought] = root
        return kappa

    def _above(self, n: Floats, z: Floats) -> Floats:
        """A start above each root, from where Newton falls monotonically: the next node.

        It is the first node where the root lies below all, and infinite where the penalty is.
        """
        nodes = self._nodes
        kept = np.sum(self.eigenvalues / (self.eigenvalues + nodes[:, None]), axis=1)
        start = (z + 2.0 * np.sum(self.eigenvalues)) / n
        for rows in np.unique(n):
            here = n == rows
            # Below the root the sum falls and rises again; the smallest above a node only rises.
            sums = np.minimum.accumulate((nodes * (rows - kept))[::-1])[::-1]
            place = np.searchsorted(sums, z[here], side="right")
            inside = place < nodes.size
            near = nodes[np.minimum(place, nodes.size - 1)]
            start[here] = np.where(inside, near, start[here])
        return np.asarray(start)

    def _interpolated(self, kappa: Floats) -> _Table:
        """The table at any kappa within its reach, beyond which it is that of the end."""
        low, high = self._nodes[0], self._nodes[-1]
        inside = np.clip(kappa, low, high)
        found, table = self._spline(np.log(inside)), self._sizes
        T, nu, K, phi = np.split(found, np.cumsum(table)[:-1])
        forms, pairs = len(self.forms), len(self.pairs)
        resolvent, lost = self._units(inside)
        return _Table(
            T,
            nu.reshape(3, forms, -1) * resolvent,
            K.reshape(3, pairs, -1) * lost,
            phi.reshape(4, forms, pairs, -1) * lost,
        )

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        forms, pairs = len(self.forms), len(self.pairs)
        return 4, 3 * forms, 3 * pairs, 4 * forms * pairs

    def _units(self, kappa: Floats) -> tuple[Floats, Floats]:
        """The size of a resolvent, and of a lost signal; in these units the table varies little."""
        return 1.0 / (self._mean + kappa), kappa / (self._mean + kappa)

    @cached_property
    def _nodes(self) -> Floats:
        positive = self.eigenvalues[self.eigenvalues > 0.0]
        low, high = np.log10([positive.min() / MARGIN, positive.max() * MARGIN])
        return np.asarray(np.logspace(low, high, int(NODES_PER_DECADE * (high - low)) + 2))

    @cached_property
    def _spline(self) -> CubicSpline:
        table = self._tabulated(self._nodes)
        resolvent, lost = self._units(self._nodes)
        flat = (table.T, table.nu / resolvent, table.K / lost, table.phi / lost)
        stacked = np.concatenate([x.reshape(-1, self._nodes.size) for x in flat])
        return CubicSpline(np.log(self._nodes), stacked, axis=1)

    def _tabulated(self, kappa: Floats) -> _Table:
        """The table at the nodes: everything is a sum over eigenvalues, but for b_i'N b_j."""
        s, b = self.eigenvalues, self.signals
        inverse = 1.0 / (s + kappa[:, None])  # (nodes, q)
        kept = s * inverse
        powers = [kept**j for j in range(1, 5)]
        first, second = np.transpose(self.pairs)
        weights = b[:, first] * b[:, second]  # (q, pairs)
        lost = (kappa[:, None] * inverse) ** 2 * s
        shares = [kappa[:, None] * inverse * kept**j for j in range(3)]
        return _Table(
            T=np.array([p.sum(axis=1) for p in powers]),
            nu=np.array([[(inverse * p) @ diagonal_of(N) for N in self.forms] for p in powers[:3]]),
            K=np.array([((lost * kept**j) @ weights).T for j in range(3)]),
            phi=np.array([self._judged(shares, N) for N in self.forms]).transpose(1, 0, 2, 3),
        )

    def _judged(self, shares: Sequence[Floats], form: Structured | Floats) -> Floats:
        """b_i'N b_j for the four (i, j) that are needed, shape (4, pairs, nodes).

        `shares` are the diagonals (nodes, q) that make b_0, b_1 and b_2 of a signal b.
        """
        if isinstance(form, np.ndarray):
            return self._judged_densely(shares, form)
        b, (first, second) = self.signals, np.transpose(self.pairs)
        weights = form.diagonal[:, None] * b[:, first] * b[:, second]
        # What the columns of N see of each b_j, shape (nodes, columns, s).
        left, right = (
            [np.tensordot(c, x[:, :, None] * b[:, None, :], 1) for c in shares]
            for x in (form.left, form.right)
        )
        found = []
        for i, j in _PRODUCTS:
            products = np.einsum("kca,kcb->kab", left[i], right[j])
            both = 0.5 * (products[:, first, second] + products[:, second, first])
            found.append(((shares[i] * shares[j]) @ weights + both).T)
        return np.array(found)

    def _judged_densely(self, shares: Sequence[Floats], form: Floats) -> Floats:
        """The same for a matrix N, which is multiplied with every b_j at every node."""
        b, (first, second) = self.signals, np.transpose(self.pairs)
        vectors = [c.T[:, :, None] * b[:, None, :] for c in shares]  # (q, nodes, s)
        q, nodes, count = vectors[0].shape
        images = [(form @ v.reshape(q, -1)).reshape(q, nodes, count) for v in vectors[:2]]
        found = []
        for i, j in _PRODUCTS:
            products = np.einsum("qka,qkb->abk", vectors[i], images[j])
            found.append(0.5 * (products[first, second] + products[second, first]))
        return np.array(found)


_PRODUCTS = ((0, 0), (1, 0), (1, 1), (2, 0))
"""The (i, j) for which the moments need b_i'N b_j."""


def _moments(n: Floats, table: _Table) -> tuple[Floats, Floats]:
    """Bias (forms, pairs, m) and noise (forms, m): `Equivalent` to order 1, over arrays."""
    _, T2, T3, T4 = table.T
    w = n - T2
    delta, nu2, nu3 = table.nu[0] / w, table.nu[1], table.nu[2]
    slope_N = 2.0 * (nu2 + delta * (T3 - T2))
    correction = delta * (T2 - 4.0 * T3 + 3.0 * T4) - 2.0 * nu2 + 3.0 * nu3
    correction += (T2 - T3) * (2.0 * delta - 2.0 * slope_N / w)
    noise = delta + correction / w**2

    delta, nu2, nu3, slope_N = (x[:, None] for x in (delta, nu2, nu3, slope_N))
    kappa1, kappa2, kappa3 = table.K
    phi00 = table.phi[0] + delta * kappa1
    phi10 = table.phi[1] + delta * kappa2
    phi11, phi20 = (x + delta * kappa3 for x in table.phi[2:])
    d_K = kappa1 / w
    slope_K = 2.0 * (kappa2 + d_K * (T3 - T2))
    change = (2.0 * delta * kappa1 - 2.0 * phi10 - kappa1 * slope_N / w) / w
    curvature = -2.0 * (
        delta * d_K * T2
        + change * (T2 - T3)
        - 2.0 * d_K * (nu2 + delta * T3)
        - 2.0 * delta * (kappa2 + d_K * T3)
        + phi11
        + 2.0 * phi20
        + 3.0 * d_K * (nu3 + delta * T4)
    )
    return phi00 - 0.5 * (curvature / w - slope_N * slope_K / w**2), noise
