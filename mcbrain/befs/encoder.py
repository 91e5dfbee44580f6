"""`BrainEncoder`: reduced-rank regression of recordings on inputs, as a scikit-learn estimator."""

from __future__ import annotations

from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np
from scipy import linalg
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MultiOutputMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from mcbrain.befs.choose import choose_penalty, penalty_unit
from mcbrain.befs.prepare import centre
from mcbrain.befs.solvers import Array, Dual, Primal, decompose
from mcbrain.errors import InputError

__all__ = ["BrainEncoder", "EncodingScore", "spiked_gains"]


class EncodingScore(NamedTuple):
    """How well the encoder predicts each channel.

    Attributes
    ----------
    r2 : (p,)
        Share of the variance of the (mean) response that is predicted.
    noise_ceiling : (p,)
        The largest r2 that the noise of the recording allows; NaN without repeats.
    normalised : (p,)
        r2 / noise_ceiling; NaN where the ceiling is 0 or unknown.
    """

    r2: Array
    noise_ceiling: Array
    normalised: Array


class BrainEncoder(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    MultiOutputMixin,  # type: ignore[misc]
    RegressorMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """Which directions of the input a recording represents (theory/README.md 2, stage 1).

    Least squares of the recordings on the inputs, reduced to the rank that explains most of the
    fitted values (reduced-rank regression, Izenman 1975).

    Parameters
    ----------
    n_latents : int, optional
        The rank. None chooses it by cross-validation.
    penalty : float, "loo" or "gcv"
        Ridge penalty of the regression, one for all channels; 0 is least squares, by
        pseudo-inverse where there are fewer rows than inputs.
    penalty_scale : "per-sample" or "sum"
        Whether the loss is divided by the number of rows.
    cv : int, cross-validation splitter or iterable
        Folds that choose `n_latents`; a number means that many stretches of consecutive rows.
    fit_intercept : bool

    Attributes
    ----------
    subspace_ : (n_features, r)
        Orthonormal basis of the represented directions, strongest first.
    channel_map_ : (p, r)
        How the channels read the latents: the coefficients are ``subspace_ @ channel_map_.T``.
    latent_gains_ : (r,)
        Standard deviation that each latent causes over the channels, corrected for what noise adds
        to it (0: not above noise). For white inputs, the gains D of theory/README.md 1.
    neural_noise_ : float
        Standard deviation of a channel's noise, averaged over channels; NaN if it cannot be told.
    coef_ : (n_features,) or (p, n_features)
    intercept_ : float or (p,)
    n_latents_ : int
    penalty_ : float
    cv_errors_ : (largest rank,)
        Mean squared error left out at rank 1, 2, ..., if the rank was chosen.
    """

    def __init__(
        self,
        n_latents: Any = None,
        penalty: float | str = 0.0,
        *,
        penalty_scale: str = "per-sample",
        cv: Any = 5,
        fit_intercept: bool = True,
    ) -> None:
        self.n_latents = n_latents
        self.penalty = penalty
        self.penalty_scale = penalty_scale
        self.cv = cv
        self.fit_intercept = fit_intercept

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the encoding of recordings y, (n,) or (n, p), from inputs X, (n, n_features).

        Raises
        ------
        InputError
            If the rank is not possible for this many inputs, channels and rows.
        """
        X, y = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        recordings = np.asarray(y, dtype=np.float64).reshape(X.shape[0], -1)
        r = self.n_latents_ = self._rank(X, recordings)
        full, axes, problem, means = self._full(X, recordings)
        if axes.shape[0] < r:
            raise InputError(
                f"n_latents is {r} but {X.shape[0]} rows hold only {axes.shape[0]} directions: "
                "give more rows or a lower rank"
            )
        left, values, right = linalg.svd(full @ axes[:r].T, full_matrices=False)
        sign = np.where(np.sum(left**3, axis=0) < 0, -1.0, 1.0)
        self.subspace_ = left * sign
        self.channel_map_ = axes[:r].T @ (right.T * values * sign)
        self.neural_noise_, self.latent_gains_ = _noise_and_gains(problem, r)
        coef = self.channel_map_ @ self.subspace_.T
        intercept = means[1] - coef @ means[0]
        self.coef_ = coef[0] if np.ndim(y) == 1 else coef
        self.intercept_ = float(intercept[0]) if np.ndim(y) == 1 else intercept
        return self

    def predict(self, X: Any) -> Array:
        """Predicted recordings, (n,) or (n, p)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def transform(self, X: Any) -> Array:
        """The latents (n, r) that the recordings represent: X times `subspace_`."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return np.asarray(X @ self.subspace_)

    def encoding_score(self, X: Any, y: Any) -> EncodingScore:
        """Score of each channel, with its noise ceiling where there are repeats.

        Parameters
        ----------
        X : (n, n_features)
            Stimuli, best ones that were not used to fit.
        y : (n, p), or (n_repeats, n, p)
            Recordings, or the recordings of every repeat of the same stimuli.

        Notes
        -----
        The ceiling is the share of signal in the variance of the mean response (Sahani & Linden
        2003; Prince et al. 2022), noise measured from the spread over repeats.
        """
        predicted = np.asarray(self.predict(X)).reshape(np.shape(X)[0], -1)
        y = np.asarray(y, dtype=np.float64)
        if y.shape[-2:] != predicted.shape or y.ndim not in (2, 3):
            raise InputError(
                f"recordings have shape {y.shape}: expected {predicted.shape}, or repeats of it"
            )
        y = check_array(y, allow_nd=True, input_name="y", dtype=np.float64)
        repeats = y.shape[0] if y.ndim == 3 else 1
        mean = y.mean(axis=0) if y.ndim == 3 else y
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = 1 - np.mean((mean - predicted) ** 2, axis=0) / np.var(mean, axis=0)
            ceiling = np.full(mean.shape[1], np.nan)
            if repeats > 1:
                noise = np.var(y, axis=0, ddof=1).mean(axis=0) / repeats
                ceiling = np.maximum(1 - noise / np.var(mean, axis=0, ddof=1), 0.0)
            normalised = np.where(ceiling > 0, r2 / ceiling, np.nan)
        return EncodingScore(r2, ceiling, normalised)

    @property
    def _n_features_out(self) -> int:
        return int(self.subspace_.shape[1])

    def _rank(self, X: Array, recordings: Array) -> int:
        largest = min(X.shape[1], recordings.shape[1])
        if self.n_latents is not None:
            if not isinstance(self.n_latents, Integral) or not 1 <= int(self.n_latents) <= largest:
                raise InputError(
                    f"n_latents is {self.n_latents!r}: for {X.shape[1]} inputs and "
                    f"{recordings.shape[1]} channels it must be a whole number from 1 to {largest}"
                )
            return int(self.n_latents)
        cv = min(self.cv, X.shape[0]) if isinstance(self.cv, Integral) else self.cv
        errors = np.zeros(largest)
        for train, test in check_cv(cv).split(X, recordings):
            full, axes, _, means = self._full(X[train], recordings[train])
            truth = recordings[test] - means[1]
            latents = (X[test] - means[0]) @ (full @ axes.T)
            # Channel maps are orthonormal, so each rank adds its own term to the error.
            added = np.sum(latents**2 - 2 * latents * (truth @ axes.T), axis=0)
            errors[: added.size] += np.cumsum(added) + np.sum(truth**2)
            errors[added.size :] = np.inf
        self.cv_errors_ = errors / recordings.size
        return int(np.argmin(errors)) + 1

    def _full(
        self, X: Array, recordings: Array
    ) -> tuple[Array, Array, Primal | Dual, tuple[Array, Array]]:
        """Full-rank coefficients (d, p), channel axes (k, p) by what they explain, and means."""
        rows, shifted, x_mean, y_mean, constant = centre(X, recordings, None, self.fit_intercept)
        problem = decompose(rows, shifted, np.zeros((X.shape[1], 0)), constant)
        unit = penalty_unit(self.penalty_scale, float(X.shape[0]))
        penalty, _, _ = choose_penalty(problem, self.penalty, None, unit, joint=True)
        self.penalty_ = float(penalty[0])
        z = penalty * unit
        axes = linalg.svd(problem.response_coordinates(float(z[0])), full_matrices=False)[2]
        coef = problem.coefficients(np.broadcast_to(z, (recordings.shape[1],)))
        return coef, axes, problem, (x_mean, y_mean)


def _noise_and_gains(problem: Primal | Dual, rank: int) -> tuple[float, Array]:
    """Standard deviation of the noise of a channel, and gains without what noise adds to them."""
    n, p = problem.Y.shape
    values = linalg.svdvals(problem.response_coordinates(0.0))
    rows = int(np.count_nonzero(problem.spectrum)) - rank
    if problem.residual_dof > 0:
        noise = np.sqrt(problem.residual_squares().sum() / (problem.residual_dof * p))
    elif rows > 0 and p > rank:
        noise = np.sqrt(np.sum(values[rank:] ** 2) / (rows * (p - rank)))
    else:
        return np.nan, np.full(rank, np.nan)
    return float(noise), spiked_gains(values[:rank], noise, max(rows, 0), p - rank) / np.sqrt(n)


def spiked_gains(values: Array, noise: float, rows: int, columns: int) -> Array:
    """Singular values of the signal in a matrix of signal plus noise, 0 where it is invisible.

    Parameters
    ----------
    values : (r,)
        Leading singular values of the noisy matrix.
    noise : float
        Standard deviation of an entry of the noise.
    rows, columns : int
        Dimensions of the noise (Gavish & Donoho 2017, equation 4, unscaled).
    """
    excess = values**2 - noise**2 * (rows + columns)
    inner = excess**2 - 4 * noise**4 * rows * columns
    visible = (inner > 0) & (excess > 0)
    signal = np.where(visible, excess + np.sqrt(np.where(visible, inner, 0.0)), 0.0)
    return np.asarray(np.sqrt(signal / 2))
