"""`BEFSClassifier`: the brain-regularised regression of classes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from mcbrain.befs.befs_regressor import BEFSRegressor
from mcbrain.checks import unmasked
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.typing import Floats

__all__ = ["BEFSClassifier"]


class BEFSClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Classes by least squares that penalises what a subspace does not represent.

    Each class against the others, labels +1 and -1, is fitted as by `BEFSRegressor`, the way of
    `sklearn.linear_model.RidgeClassifier`; the class of the largest value is predicted.

    Parameters
    ----------
    subspace : array (n_features, r), optional
        Columns that span what is not penalised, such as `BrainEncoder.subspace_`. None is ridge.
    penalty : float, "loo" or "gcv"
        As in `BEFSRegressor`; a rule chooses for each class.
    penalty_scale : "per-sample" or "sum"
        As in `BEFSRegressor`.
    penalties : array (n_penalties,), optional
        The grid for "loo" and "gcv".
    fit_intercept : bool
        Whether to fit an intercept, which is never penalised.

    Attributes
    ----------
    classes_ : (n_classes,)
        The classes, in order.
    coef_ : (1, n_features) or (n_classes, n_features)
        Coefficients of each class; of two classes, those of the second.
    intercept_ : (1,) or (n_classes,)
        Intercepts likewise.
    penalty_ : float or (n_classes,)
        The penalty used, in `penalty_scale`.
    n_features_in_ : int
        Number of inputs.
    """

    def __init__(
        self,
        subspace: object = None,
        penalty: float | str = "gcv",
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
    def fit(self, X: object, y: object) -> Self:
        """Fit the coefficients of each class.

        Parameters
        ----------
        X : (n, n_features)
            Inputs.
        y : (n,)
            Classes: text, numbers or truth values.

        Returns
        -------
        BEFSClassifier
            The same object, fitted.

        Raises
        ------
        InputError
            For a single class, masked values, and what `BEFSRegressor` refuses.
        """
        for name, values in (("X", X), ("y", y)):
            unmasked(name, values)
        _, labels = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if self.classes_.size < 2:
            raise InputError(
                f"y holds one class, {self.classes_[0]}: at least two classes are needed"
            )
        targets = np.where(labels[:, None] == self.classes_, 1.0, -1.0)
        regressor = BEFSRegressor(
            self.subspace,
            self.penalty,
            penalty_scale=self.penalty_scale,
            penalties=self.penalties,
            fit_intercept=self.fit_intercept,
        ).fit(X, targets[:, 1:] if self.classes_.size == 2 else targets)
        self.coef_ = np.atleast_2d(regressor.coef_)
        self.intercept_ = np.atleast_1d(regressor.intercept_) * np.ones(self.coef_.shape[0])
        self.penalty_ = regressor.penalty_
        return self

    @numpy_defaults
    def decision_function(self, X: object) -> Floats:
        """The fitted value of each class.

        Parameters
        ----------
        X : (n, n_features)
            Inputs, with the features of the fit.

        Returns
        -------
        array (n,) or (n, n_classes)
            Of two classes, the value of the second alone.
        """
        check_is_fitted(self)
        rows = validate_data(self, unmasked("X", X), dtype=np.float64, reset=False)
        found = np.asarray(rows @ self.coef_.T + self.intercept_)
        return found[:, 0] if self.classes_.size == 2 else found

    @numpy_defaults
    def predict(self, X: object) -> NDArray[Any]:
        """The class of each row.

        Parameters
        ----------
        X : (n, n_features)
            Inputs, with the features of the fit.

        Returns
        -------
        array (n,)
            Of the type of the fitted y.
        """
        found = self.decision_function(X)
        places = (found > 0).astype(int) if found.ndim == 1 else found.argmax(axis=1)
        return np.asarray(self.classes_[places])
