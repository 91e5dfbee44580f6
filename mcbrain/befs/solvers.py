"""Least squares with a projection penalty: plain functions of arrays.

Everything here solves, for one or several targets and for a whole grid of penalties at once,

    argmin_beta |y - X beta|^2 + z beta' (I - S S') beta                  (theory/README.md 2)

with rows centred and scaled by the square roots of their weights and z = n_task times the
per-sample penalty. S has orthonormal columns; no columns makes it ridge. One singular value
decomposition brings X and the penalty to diagonal form, after which a penalty costs a division.
Products like X'X are never formed, since they lose half of the digits, and a penalty is held by its
square root, since the squares of very small and very large inputs are no floating-point numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

from mcbrain.befs.prepare import Design, power_of_two
from mcbrain.typing import Floats

__all__ = ["Decomposition", "Reduced", "decompose"]

# Where columns differ in size by more than this factor, only Jacobi's slower method finds all
# digits of the small ones.
_ALIKE = 1e3
# A pivot counts as zero below this many times the rounding of a sum of all entries.
_SLACK = 8.0


@dataclass(frozen=True)
class Reduced:
    """Targets in the coordinates of a `Decomposition`.

    Attributes
    ----------
    fixed : (a, t)
        Along the unpenalised directions.
    shrunk : (k, t)
        Along the penalised ones.
    """

    fixed: Floats
    shrunk: Floats


@dataclass(frozen=True)
class Decomposition:
    """Scaled inputs in coordinates in which they and the penalty are both diagonal.

    The n rows split into the constant, `fixed`, `rows`, and what no coefficient can reach.

    Attributes
    ----------
    design : Design
        What was decomposed.
    constant : (n, 1) or (n, 0)
        Unit direction of the fitted intercept among the scaled rows.
    fixed : (n, a)
        Orthonormal directions that the unpenalised inputs, X S, span.
    fixed_map : (d, a)
        Coefficients that fit each of them.
    rows : (n, k)
        Orthonormal directions that only penalised inputs reach.
    sizes : (k,)
        Singular values of what is penalised, all above 0.
    axes : (d, k)
        Orthonormal coefficients: the penalised inputs are rows @ diag(sizes) @ axes'.
    leak : (a, k)
        What `axes` add along `fixed`.
    """

    design: Design
    constant: Floats
    fixed: Floats
    fixed_map: Floats
    rows: Floats
    sizes: Floats
    axes: Floats
    leak: Floats

    def reduce(self, Y: Floats) -> Reduced:
        """Targets in the coordinates of the decomposition.

        Parameters
        ----------
        Y : (n, t)
            Scaled targets, see `Design.scaled`.

        Returns
        -------
        Reduced
            Their parts along the unpenalised and the penalised directions.
        """
        return Reduced(self.fixed.T @ Y, self.rows.T @ Y)

    def coefficients(self, y: Reduced, root: Floats) -> Floats:
        """The coefficients of each target at a penalty of its own.

        Parameters
        ----------
        y : Reduced
            Targets in these coordinates.
        root : (t,)
            Square root of the penalty of each target, in a sum over rows.

        Returns
        -------
        array (d, t)
            Coefficients of the inputs as they were given.
        """
        shrunk = self.gain(root) * y.shrunk
        return self.axes @ shrunk + self.fixed_map @ (y.fixed - self.leak @ shrunk)

    def fitted(self, y: Reduced, root: float) -> Floats:
        """The penalised part of the fitted values, in the coordinates of `rows`.

        Parameters
        ----------
        y : Reduced
            Targets in these coordinates.
        root : float
            Square root of the penalty, in a sum over rows.

        Returns
        -------
        array (k, t)
            Shrunk coordinates.
        """
        return np.asarray((1.0 - self.kept(np.array([root]))) * y.shrunk)

    def residual(self, Y: Floats, y: Reduced) -> Floats:
        """What is left of targets when every direction is fitted without penalty.

        Parameters
        ----------
        Y : (n, t)
            Scaled targets.
        y : Reduced
            The same in these coordinates.

        Returns
        -------
        array (n, t)
            Residuals at penalty zero.
        """
        return np.asarray(Y - self.fixed @ y.fixed - self.rows @ y.shrunk)

    @property
    def residual_dof(self) -> int:
        """Rows left over when every direction with signal is fitted without penalty."""
        n = self.rows.shape[0]
        return int(n - self.constant.shape[1] - self.fixed.shape[1] - self.sizes.size)

    def gain(self, root: Floats) -> Floats:
        """Coefficient per unit of target along each penalised direction, s / (s^2 + z).

        Parameters
        ----------
        root : (L,)
            Square roots of penalties z, in a sum over rows.

        Returns
        -------
        array (k, L)
            0 at an infinite penalty.
        """
        s = self.sizes[:, None]
        with np.errstate(all="ignore"):
            return np.asarray(1.0 / (s + (root / s) * root))

    def kept(self, root: Floats) -> Floats:
        """The share of each penalised direction that stays in the residual, z / (s^2 + z).

        Parameters
        ----------
        root : (L,)
            Square roots of penalties z, in a sum over rows.

        Returns
        -------
        array (k, L)
            From 0 to 1.
        """
        with np.errstate(all="ignore"):
            return np.asarray(1.0 / (1.0 + np.square(self.sizes[:, None] / root)))

    def kept_relative(self, root: Floats) -> Floats:
        """The shares of `kept` over the largest of each penalty: their limit where all vanish.

        Parameters
        ----------
        root : (L,)
            Square roots of penalties z, in a sum over rows.

        Returns
        -------
        array (k, L)
            From 0 to 1, with a 1 in each column.
        """
        s = self.sizes[:, None]
        with np.errstate(all="ignore"):
            size = np.hypot(s, root)
            share = np.square(size.min(axis=0, initial=np.inf) / size)
        return np.where(np.isinf(root), 1.0, share)


def decompose(design: Design) -> Decomposition:
    """Bring the inputs and the penalty to diagonal form.

    Parameters
    ----------
    design : Design
        Inputs, weights, and what is not penalised.

    Returns
    -------
    Decomposition
        By one singular value decomposition, whose rank does not depend on the units of the inputs.
    """
    X, basis = design.scaled(design.X), design.basis
    n, d = X.shape
    largest = np.max(np.abs(X), axis=0, initial=0.0)
    constant: Floats = np.zeros((n, 0))
    if design.intercept:
        constant = (design.root / linalg.norm(design.root))[:, None]
    fixed: Floats = np.zeros((n, 0))
    fixed_map: Floats = np.zeros((d, 0))
    leak: Floats = np.zeros((0, d))
    if basis.shape[1]:
        inside = X @ basis
        fixed, sizes, turn = _svd(inside, power_of_two((largest @ np.abs(basis))[None], axis=0))
        fixed_map = basis @ (turn / sizes)
        along = inside @ basis.T
        X = X - along
        largest = np.maximum(largest, np.max(np.abs(along), axis=0))
        leak = fixed.T @ X
        X -= fixed @ leak
        # A second projection removes the rounding of the first.
        X -= fixed @ (fixed.T @ X)
    rows, sizes, axes = _svd(X, power_of_two(largest[None], axis=0))
    axes -= basis @ (basis.T @ axes)
    return Decomposition(design, constant, fixed, fixed_map, rows, sizes, axes, leak @ axes)


def _svd(matrix: Floats, scale: Floats) -> tuple[Floats, Floats, Floats]:
    """Singular vectors (n, k), values (k,) and vectors (d, k) of a matrix of numerical rank k.

    Parameters
    ----------
    matrix : (n, d)
    scale : (d,)
        Size of each column before what was subtracted from it, which its rounding goes by. The rank
        is that of the columns over their scales: it does not depend on their units.
    """
    n, d = matrix.shape
    rounding = _SLACK * max(n, d) * np.finfo(float).eps
    used = np.flatnonzero(np.max(np.abs(matrix), axis=0, initial=0.0) > rounding * scale)
    order = used[np.argsort(-scale[used], kind="stable")]
    if not order.size:
        return np.zeros((n, 0)), np.zeros(0), np.zeros((d, 0))
    scale = scale[order]
    left, triangle = linalg.qr(matrix[:, order] / scale, mode="economic")
    turn, triangle, pivots = linalg.qr(triangle, mode="economic", pivoting=True)
    rank = int(np.count_nonzero(np.abs(np.diagonal(triangle)) > rounding))
    unit = scale[0]
    core = np.empty((rank, order.size))
    core[:, pivots] = triangle[:rank] * (scale[pivots] / unit)
    inner, values, axes = _svd_of_full_rank(core, scale / unit, rounding)
    right = np.zeros((d, rank))
    right[order] = axes
    return left @ (turn[:, :rank] @ inner), values * unit, right


def _svd_of_full_rank(
    core: Floats, scale: Floats, rounding: float
) -> tuple[Floats, Floats, Floats]:
    """Singular vectors (k, k), values (k,) and vectors (m, k) of a matrix (k, m) of rank k.

    `scale` (m,) holds the sizes of its columns. The smaller columns are written as combinations of
    k large ones. Shares that are no more than rounding are set to zero; otherwise the rounding of a
    copy of a large column would be taken for a part of a small one.
    """
    k, m = core.shape
    if k == 0:
        return np.zeros((0, 0)), np.zeros(0), np.zeros((m, 0))
    if k == m:
        return _svd_of_square(core, scale)
    turn, triangle, pivots = linalg.qr(core, mode="economic", pivoting=True)
    sizes, size = scale[pivots[:k]], scale[pivots[k:]]
    shares = linalg.solve_triangular(triangle[:, :k], triangle[:, k:])
    shares[np.abs(shares) <= rounding * (size / sizes[:, None])] = 0.0
    outer, mix = linalg.qr(np.vstack([np.eye(k), shares.T]), mode="economic")
    inner, values, axes = _svd_of_square(triangle[:, :k] @ mix.T, sizes)
    right = np.empty((m, k))
    right[pivots] = outer @ axes
    return turn @ inner, values, right


def _svd_of_square(core: Floats, scale: Floats) -> tuple[Floats, Floats, Floats]:
    """The same for a square matrix of full rank.

    LAPACK's usual method knows every number to the rounding of the largest one. Jacobi's method,
    which is slower, knows the parts of each column to the rounding of that column (Drmac & Veselic
    2008).
    """
    if scale.max() <= _ALIKE * scale.min():
        inner, values, axes = linalg.svd(core)
        return inner, values, axes.T
    values, inner, axes, work, _, failed = lapack.dgejsv(core, joba=0)
    if failed:
        raise linalg.LinAlgError(f"dgejsv of a {core.shape} matrix ended with {failed}")
    return inner, values * (work[0] / work[1]), axes
