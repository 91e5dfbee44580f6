"""`BEFSRegressor`: the brain-regularised regression as a scikit-learn estimator."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from mcbrain.befs.choose import choose_penalty, penalty_unit
from mcbrain.befs.prepare import centre, orthonormal_basis
from mcbrain.befs.solvers import Array, decompose
from mcbrain.errors import InputError

__all__ = ["BEFSRegressor"]


class BEFSRegressor(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Least squares that penalises what a subspace does not represent (theory/README.md 2).

    Minimises ``|y - X beta|^2 / n + penalty |(I - P) beta|^2``, P the projection on `subspace`,
    rows weighted by `sample_weight` (n is then the sum of the weights).

    Parameters
    ----------
    subspace : array (n_features, r), optional
        Columns that span what is not penalised, such as `BrainEncoder.subspace_`; they need not be
        orthonormal. None penalises everything: ridge.
    penalty : float, "loo" or "gcv"
        A number from 0 to infinity, or the rule that chooses it from `penalties` for each target:
        exact leave-one-out error, or generalised cross-validation.
    penalty_scale : "per-sample" or "sum"
        Whether the loss is divided by n as above, or summed over rows as in
        `sklearn.linear_model.Ridge`.
    penalties : array (n_penalties,), optional
        The grid for "loo" and "gcv", in the same scale. By default zero, infinity, and 48 values
        spaced geometrically around the mean eigenvalue of what is penalised.
    fit_intercept : bool
        Whether to fit an intercept, which is never penalised.

    Attributes
    ----------
    coef_ : (n_features,) or (n_targets, n_features)
    intercept_ : float or (n_targets,)
    penalty_ : float or (n_targets,)
        The penalty used, in `penalty_scale`.
    penalties_ : (n_penalties,)
        The grid, for "loo" and "gcv".
    cv_errors_ : (n_penalties,) or (n_penalties, n_targets)
        Mean squared error left out (each row's square times its weight, over the mean weight), or
        the generalised cross-validation score, for each penalty of the grid.
    n_features_in_ : int

    Notes
    -----
    At penalty 0 the limit of a vanishing penalty is taken: among the exact fits, the one with the
    least |(I - P) beta|. Leave-one-out leaves a whole row out, whatever its weight; rows of weight
    0 count for nothing.
    """

    def __init__(
        self,
        subspace: Any = None,
        penalty: float | str = 1.0,
        *,
        penalty_scale: str = "per-sample",
        penalties: Any = None,
        fit_intercept: bool = True,
    ) -> None:
        self.subspace = subspace
        self.penalty = penalty
        self.penalty_scale = penalty_scale
        self.penalties = penalties
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the coefficients.

        Parameters
        ----------
        X : (n, n_features)
        y : (n,) or (n, n_targets)
        sample_weight : (n,), optional

        Raises
        ------
        InputError
            For a subspace, penalty or grid that cannot be used, and for too few rows to choose.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, multi_output=True, y_numeric=True)
        targets = np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        basis = _checked_subspace(self.subspace, X.shape[1])
        rows, shifted, x_mean, y_mean, constant = centre(X, targets, weight, self.fit_intercept)
        size = float(X.shape[0] if weight is None else weight.sum())
        unit = penalty_unit(self.penalty_scale, size)
        problem = decompose(rows, shifted, basis, constant)
        chosen, grid, errors = choose_penalty(problem, self.penalty, self.penalties, unit)
        coef = problem.coefficients(np.broadcast_to(chosen * unit, (targets.shape[1],)))
        intercept = y_mean - x_mean @ coef
        single = np.ndim(y) == 1
        self.coef_ = coef[:, 0] if single else coef.T
        self.intercept_ = float(intercept[0]) if single else intercept
        self.penalty_ = float(chosen[0]) if chosen.size == 1 else chosen
        if grid is not None and errors is not None:
            self.penalties_ = grid
            scaled = errors if weight is None else errors * (rows.shape[0] / size)
            self.cv_errors_ = scaled[:, 0] if single else scaled
        return self

    def predict(self, X: Any) -> Array:
        """Predictions (n,) or (n, n_targets) for rows X of shape (n, n_features)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(X @ self.coef_.T + self.intercept_)


def _checked_subspace(subspace: Any, n_features: int) -> Array:
    if subspace is None:
        return np.zeros((n_features, 0))
    basis = np.asarray(subspace)
    if basis.dtype == object or not np.issubdtype(basis.dtype, np.number):
        raise InputError(f"subspace holds {basis.dtype}: it must be an array of real numbers")
    if basis.ndim != 2 or basis.shape[0] != n_features or basis.shape[1] > n_features:
        raise InputError(
            f"subspace has shape {basis.shape}: for {n_features} features it must be "
            f"({n_features}, r) with r at most {n_features}"
        )
    basis = basis.astype(np.float64)
    if not np.all(np.isfinite(basis)):
        raise InputError("subspace holds NaN or infinite values: all must be finite")
    return orthonormal_basis(basis)
