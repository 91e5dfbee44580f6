"""`BrainRegularised`: encoder and regression as one estimator of two data sets."""

from __future__ import annotations

from typing import Self

from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from mcbrain.befs.befs_regressor import BEFSRegressor
from mcbrain.befs.brain_encoder import BrainEncoder
from mcbrain.befs.linear_regressor import LinearRegressor
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults

__all__ = ["BrainRegularised"]


class BrainRegularised(LinearRegressor, BaseEstimator):  # type: ignore[misc]
    """A regression of labels that recordings of other samples regularise.

    Fits `BrainEncoder` to the brain data and `BEFSRegressor` with its subspace to the task data.

    Parameters
    ----------
    n_latents : int, optional
        The rank of the encoder; cross-validated by default.
    encoder_penalty : float, "loo" or "gcv"
        Ridge penalty of the encoder.
    penalty : float, "loo" or "gcv"
        Penalty of the regression.
    encoder : BrainEncoder, optional
        A fitted encoder, for fits that are given no brain data. In cross-validation it is the way
        in which every fold sees all brain rows: brain rows are other samples than task rows, and
        arrays of as many rows as X would be cut as X is.

    Attributes
    ----------
    encoder_ : BrainEncoder
        The encoder in use.
    regressor_ : BEFSRegressor
        The fitted regression.
    coef_ : (n_features,)
        Its coefficients.
    intercept_ : float
        Its intercept.
    n_features_in_ : int
        Number of inputs.
    """

    def __init__(
        self,
        n_latents: object = None,
        encoder_penalty: float | str = "gcv",
        penalty: float | str = "gcv",
        *,
        encoder: BrainEncoder | None = None,
    ) -> None:
        self.n_latents = n_latents
        self.encoder_penalty = encoder_penalty
        self.penalty = penalty
        self.encoder = encoder

    @numpy_defaults
    def fit(self, X: object, y: object, X_brain: object = None, R: object = None) -> Self:
        """Fit the encoder to the brain data and the regression to the task data.

        Parameters
        ----------
        X, y : (n_task, n_features), (n_task,)
            Inputs and labels of the task.
        X_brain, R : (n_brain, n_features), (n_brain, p), optional
            Inputs and recordings; without them `encoder` must be fitted.

        Returns
        -------
        BrainRegularised
            The same object, fitted.

        Raises
        ------
        InputError
            Without brain data and without a fitted encoder, with one of X_brain and R alone, and
            what encoder and regression refuse.
        """
        if (X_brain is None) != (R is None):
            raise InputError("X_brain and R belong together: give both, or a fitted encoder")
        if R is not None:
            self.encoder_ = BrainEncoder(self.n_latents, self.encoder_penalty).fit(X_brain, R)
        else:
            self.encoder_ = self._given()
        self.regressor_ = BEFSRegressor(self.encoder_.subspace_, self.penalty).fit(X, y)
        self.coef_, self.intercept_ = self.regressor_.coef_, self.regressor_.intercept_
        self.n_features_in_ = self.regressor_.n_features_in_
        if hasattr(self.regressor_, "feature_names_in_"):
            self.feature_names_in_ = self.regressor_.feature_names_in_
        return self

    def _given(self) -> BrainEncoder:
        """The fitted encoder that the user gave."""
        if self.encoder is None:
            raise InputError("fit needs X_brain and R, or encoder= a fitted BrainEncoder")
        try:
            check_is_fitted(self.encoder)
        except NotFittedError:
            raise InputError("encoder is not fitted: fit it to X_brain and R first") from None
        return self.encoder

    def __sklearn_clone__(self) -> BrainRegularised:
        """A copy without the fit, which keeps the fitted encoder."""
        return type(self)(
            clone(self.n_latents, safe=False),
            self.encoder_penalty,
            self.penalty,
            encoder=self.encoder,
        )
