"""Scores of the scikit-learn estimators, which refuse masked values as fits do."""

from __future__ import annotations

from typing import Any

from sklearn.base import RegressorMixin

from mcbrain.checks import numpy_defaults, unmasked

__all__ = ["UnmaskedScore"]


class UnmaskedScore(RegressorMixin):  # type: ignore[misc]
    """scikit-learn's R^2 of a regressor."""

    @numpy_defaults
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """R^2 of the predictions, the mean over outputs.

        Parameters
        ----------
        X : array_like, shape (n, d)
        y : array_like, shape (n,) or (n, targets)
        sample_weight : array_like, shape (n,), optional

        Raises
        ------
        InputError
            Masked values.
        """
        unmasked("y", y)
        if sample_weight is not None:
            unmasked("sample_weight", sample_weight)
        return float(super().score(X, y, sample_weight))
