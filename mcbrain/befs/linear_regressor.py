"""What both scikit-learn estimators share: linear predictions and their score."""

from __future__ import annotations

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from mcbrain.checks import unmasked
from mcbrain.plain import numpy_defaults
from mcbrain.typing import Floats

__all__ = ["LinearRegressor"]


class LinearRegressor(RegressorMixin):  # type: ignore[misc]
    """A fitted linear function of the inputs; masked values are refused."""

    coef_: Floats
    intercept_: float | Floats

    @numpy_defaults
    def predict(self, X: object) -> Floats:
        """What the fit predicts: labels, or recordings.

        Parameters
        ----------
        X : (n, n_features)
            Inputs, with the features of the fit.

        Returns
        -------
        array (n,) or (n, n_targets)
            Predictions, in the units of the fitted y.
        """
        return np.asarray(self._rows(X) @ self.coef_.T + self.intercept_)

    def _rows(self, X: object) -> Floats:
        """Inputs as float64, if there is a fit and they have its features."""
        check_is_fitted(self)
        return np.asarray(validate_data(self, unmasked("X", X), dtype=np.float64, reset=False))

    @numpy_defaults
    def score(self, X: object, y: object, sample_weight: object = None) -> float:
        """R^2 of the predictions, the mean over outputs.

        Parameters
        ----------
        X : array_like, shape (n, d)
            Inputs.
        y : array_like, shape (n,) or (n, targets)
            Labels, or recordings.
        sample_weight : array_like, shape (n,), optional
            Weights >= 0 of the rows; all 1 by default.

        Returns
        -------
        float
            1 for a perfect prediction, 0 for the mean.

        Raises
        ------
        InputError
            Masked values.
        """
        unmasked("y", y)
        if sample_weight is not None:
            unmasked("sample_weight", sample_weight)
        return float(super().score(X, y, sample_weight))
