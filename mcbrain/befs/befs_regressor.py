"""`BEFSRegressor`: the brain-regularised regression as a scikit-learn estimator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, MultiOutputMixin
from sklearn.utils.validation import _check_sample_weight, validate_data

from mcbrain.befs.choose import Candidates, candidates, penalty_unit
from mcbrain.befs.linear_regressor import LinearRegressor
from mcbrain.befs.names import in_order_of
from mcbrain.befs.prepare import Centre, Design, orthonormal_basis, power_of_two, real_array
from mcbrain.befs.solvers import Decomposition, decompose
from mcbrain.checks import unmasked
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.typing import Floats

__all__ = ["BEFSRegressor"]

# Targets are fitted in groups whose arrays have about this many numbers.
_NUMBERS_AT_ONCE = 2**16


class BEFSRegressor(MultiOutputMixin, LinearRegressor, BaseEstimator):  # type: ignore[misc]
    """Least squares that penalises what a subspace does not represent (theory/README.md 2).

    Minimises ``|y - X beta|^2 / n + penalty |(I - P) beta|^2``, P the projection on `subspace`,
    rows weighted by `sample_weight` (n is then the sum of the weights).

    Parameters
    ----------
    subspace : array (n_features, r), optional
        Columns that span what is not penalised, such as `BrainEncoder.subspace_`; they need not be
        orthonormal. None penalises everything: ridge. If the encoder and this regression are both
        fitted to tables with names, the rows of `subspace_` are matched to the inputs by name.
    penalty : float, "loo" or "gcv"
        A number from 0 to infinity, or the rule that chooses it from `penalties` for each target:
        exact leave-one-out error, or generalised cross-validation. Of penalties whose errors are
        equal to eleven digits it takes the first.
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
        Fitted coefficients, in units of y over units of X.
    intercept_ : float or (n_targets,)
        Fitted intercept; 0 without one.
    penalty_ : float or (n_targets,)
        The penalty used, in `penalty_scale`.
    penalties_ : (n_penalties,)
        The grid, for "loo" and "gcv".
    cv_errors_ : (n_penalties,) or (n_penalties, n_targets)
        Mean squared error left out (each row's square times its weight, over the mean weight), or
        the generalised cross-validation score, for each penalty of the grid.
    n_features_in_ : int
        Number of inputs.

    Notes
    -----
    At penalty 0 the limit of a vanishing penalty is taken: among the exact fits, the one with the
    least |(I - P) beta|, and of those the one with the least |P beta|. Leave-one-out leaves a whole
    row out, whatever its weight, and is that of fitting the other rows in the same way; rows of
    weight 0 count for nothing.

    Inputs may have any units: what is found does not lose digits where columns differ in size,
    unless `subspace` mixes large inputs with small ones in equal parts (nine decades apart, five
    digits are left; a subspace that is small along large inputs costs none). A column counts as a
    combination of others where they leave no more of it than rounding.

    Beside X, y and the results, a fit takes the memory of a few copies of X; targets are worked on
    some at a time.
    """

    def __init__(
        self,
        subspace: object = None,
        penalty: float | str = 1.0,
        *,
        penalty_scale: str = "per-sample",
        penalties: object = None,
        fit_intercept: bool = True,
    ) -> None:
        self.subspace = subspace
        self.penalty = penalty
        self.penalty_scale = penalty_scale
        self.penalties = penalties
        self.fit_intercept = fit_intercept

    @numpy_defaults
    def fit(self, X: object, y: object, sample_weight: object = None) -> Self:
        """Fit the coefficients, and choose the penalty where it is a rule.

        Parameters
        ----------
        X : (n, n_features)
            Inputs.
        y : (n,) or (n, n_targets)
            Labels.
        sample_weight : (n,), optional
            Weights >= 0 of the rows; all 1 by default.

        Returns
        -------
        BEFSRegressor
            The same object, fitted.

        Raises
        ------
        InputError
            For a subspace, penalty or grid that cannot be used, for a subspace of other features,
            for masked values, and for too few rows to choose.
        """
        for name, values in (("X", X), ("y", y), ("sample_weight", sample_weight)):
            unmasked(name, values)
        rows, labels = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True
        )
        targets = np.asarray(labels, dtype=np.float64).reshape(rows.shape[0], -1)
        names = getattr(self, "feature_names_in_", None)
        basis = _checked_subspace(self.subspace, rows.shape[1], names)
        weight, size = None, float(rows.shape[0])
        counts: NDArray[np.bool_] | slice = slice(None)
        if sample_weight is not None:
            weight = _check_sample_weight(
                sample_weight, rows, dtype=np.float64, ensure_non_negative=True
            )
            size, counts = float(weight.sum()), _counting(weight)
            weight = weight[counts]
        problem = decompose(Design(rows[counts], weight, self.fit_intercept, basis))
        unit = penalty_unit(self.penalty_scale, size)
        options = candidates(problem, self.penalty, self.penalties, unit)
        found = _fit_targets(problem, options, targets[counts])
        single = np.ndim(labels) == 1
        self.coef_ = found.coef[0] if single else found.coef
        self.intercept_ = float(found.intercept[0]) if single else found.intercept
        chosen = options.grid[found.chosen]
        one = options.score is None or chosen.size == 1
        self.penalty_ = float(chosen[0]) if one else chosen
        if options.score is not None:
            self.penalties_ = options.grid
            scaled = found.errors * (problem.rows.shape[0] / size)
            self.cv_errors_ = scaled[:, 0] if single else scaled
        return self


class _Fit(NamedTuple):
    """What is found for each of t targets: coef (t, d), intercept (t,), chosen (t,), errors (L, t).

    `chosen` is the place of the penalty in the grid, `errors` the score of each of its L penalties.
    """

    coef: Floats
    intercept: Floats
    chosen: NDArray[np.intp]
    errors: Floats


def _fit_targets(problem: Decomposition, options: Candidates, targets: Floats) -> _Fit:
    """Fit targets (n, t) a few at a time, so that little memory is needed beside the result's."""
    design = problem.design
    n, t = targets.shape
    found = _Fit(
        np.empty((t, design.X.shape[1])),
        np.empty(t),
        np.empty(t, dtype=np.intp),
        np.empty((options.grid.size, t)),
    )
    middle = Centre.of(design.X, design.weight, design.intercept).mean
    step = max(1, _NUMBERS_AT_ONCE // max(n, design.X.shape[1], options.grid.size))
    for start in range(0, t, step):
        at = slice(start, start + step)
        unit = power_of_two(targets[:, at], axis=0)
        values = targets[:, at] / unit
        scaled = design.scaled(values)
        found.chosen[at], errors = options.choose(scaled)
        coef = problem.coefficients(problem.reduce(scaled), options.root[found.chosen[at]])
        mean = Centre.of(values, design.weight, design.intercept).mean
        with np.errstate(over="ignore", under="ignore"):
            found.coef[at] = (coef * unit).T
            found.intercept[at] = (mean - middle @ coef) * unit
            if errors is not None:
                found.errors[:, at] = errors * unit * unit
    return found


def _counting(weight: Floats) -> NDArray[np.bool_] | slice:
    """A mask (n,) of the rows whose weight is above 0, or a slice where all are."""
    counts = weight > 0
    if not np.any(counts):
        raise InputError("every sample weight is 0: at least one row must count")
    return slice(None) if np.all(counts) else counts


def _checked_subspace(subspace: object, n_features: int, names: Sequence[str] | None) -> Floats:
    """Orthonormal basis (n_features, r) of what is not penalised, rows in the order of X."""
    if subspace is None:
        return np.zeros((n_features, 0))
    basis = real_array("subspace", subspace)
    if basis.ndim != 2 or basis.shape[0] != n_features or basis.shape[1] > n_features:
        raise InputError(
            f"subspace has shape {basis.shape}: for {n_features} features it must be "
            f"({n_features}, r) with r at most {n_features}"
        )
    if not np.all(np.isfinite(basis)):
        raise InputError("subspace holds NaN or infinite values: all must be finite")
    return orthonormal_basis(in_order_of(subspace, basis, names))
