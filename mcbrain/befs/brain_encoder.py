"""`BrainEncoder`: reduced-rank regression of recordings on inputs, as a scikit-learn estimator."""

from __future__ import annotations

from numbers import Integral
from typing import NamedTuple, Self

import numpy as np
from scipy import linalg
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MultiOutputMixin,
    TransformerMixin,
)
from sklearn.model_selection import check_cv
from sklearn.utils.validation import check_array, validate_data

from mcbrain.befs.choose import candidates, first_of_least, penalty_unit
from mcbrain.befs.linear_regressor import LinearRegressor
from mcbrain.befs.names import NamedRows
from mcbrain.befs.prepare import Centre, Design, orthonormal_basis, power_of_two, real_array
from mcbrain.befs.solvers import Decomposition, decompose
from mcbrain.befs.spiked import spiked_gains
from mcbrain.checks import unmasked
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.typing import Floats

__all__ = ["BrainEncoder", "EncodingScore"]


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

    r2: Floats
    noise_ceiling: Floats
    normalised: Floats


class BrainEncoder(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]
    TransformerMixin,  # type: ignore[misc]
    MultiOutputMixin,  # type: ignore[misc]
    LinearRegressor,
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
        Whether to fit an intercept for each channel.

    Attributes
    ----------
    subspace_ : (n_features, r)
        Orthonormal basis of the represented directions, strongest first. Where X was a table with
        names of features, the rows keep them, and `BEFSRegressor` matches its inputs by name.
    channel_map_ : (p, r)
        How the channels read the latents: the coefficients are ``subspace_ @ channel_map_.T``.
    latent_gains_ : (r,)
        Standard deviation that each latent causes over the channels, corrected for what noise adds
        to it (0: not above noise). For white inputs, the gains D of theory/README.md 1.
    neural_noise_ : float
        Standard deviation of a channel's noise, averaged over channels; NaN if it cannot be told.
    coef_ : (n_features,) or (p, n_features)
        Coefficients of each channel after the rank is reduced.
    intercept_ : float or (p,)
        Intercept of each channel; 0 without one.
    n_latents_ : int
        The rank that was given or chosen.
    penalty_ : float
        The penalty used, in `penalty_scale`.
    cv_errors_ : (largest rank,)
        Mean squared error of the values left out at rank 1, 2, ..., each as often as the folds test
        it, if the rank was chosen; of ranks whose errors are equal the lowest is taken.
    """

    def __init__(
        self,
        n_latents: object = None,
        penalty: float | str = 0.0,
        *,
        penalty_scale: str = "per-sample",
        cv: object = 5,
        fit_intercept: bool = True,
    ) -> None:
        self.n_latents = n_latents
        self.penalty = penalty
        self.penalty_scale = penalty_scale
        self.cv = cv
        self.fit_intercept = fit_intercept

    @numpy_defaults
    def fit(self, X: object, y: object) -> Self:
        """Fit the encoding of recordings from inputs.

        Parameters
        ----------
        X : (n, n_features)
            Inputs (stimuli).
        y : (n,) or (n, p)
            Recordings of p channels.

        Returns
        -------
        BrainEncoder
            The same object, fitted.

        Raises
        ------
        InputError
            If the rank is not possible for this many inputs, channels and rows, or values are
            masked.
        """
        for name, values in (("X", X), ("y", y)):
            unmasked(name, values)
        rows, channels = validate_data(
            self, X, y, dtype=np.float64, multi_output=True, y_numeric=True, ensure_min_samples=2
        )
        recordings = np.asarray(channels, dtype=np.float64).reshape(rows.shape[0], -1)
        unit = float(power_of_two(recordings))
        recordings = recordings / unit
        r, errors = self._rank(rows, recordings)
        self.n_latents_ = r
        if errors is not None:
            self.cv_errors_ = errors * unit**2
        full = self._full(rows, recordings)
        self.penalty_ = full.penalty
        if full.axes.shape[0] < r:
            raise InputError(
                f"n_latents is {r} but {rows.shape[0]} rows hold only {full.axes.shape[0]} "
                "directions: give more rows or a lower rank"
            )
        reduced = full.coef @ full.axes[:r].T
        basis = _orthonormal(reduced)
        turn, values, right = linalg.svd(basis.T @ reduced, full_matrices=False)
        left = basis @ turn
        sign = np.where(np.sum(left**3, axis=0) < 0, -1.0, 1.0)
        self.subspace_ = NamedRows.of(left * sign, getattr(self, "feature_names_in_", None))
        self.channel_map_ = full.axes[:r].T @ (right.T * values * sign) * unit
        noise, gains = _noise_and_gains(full, r)
        self.neural_noise_, self.latent_gains_ = noise * unit, gains * unit
        coef = full.axes[:r].T @ reduced.T * unit
        intercept = full.y_centre.mean * unit - coef @ full.x_centre.mean
        self.coef_ = coef[0] if np.ndim(channels) == 1 else coef
        self.intercept_ = float(intercept[0]) if np.ndim(channels) == 1 else intercept
        return self

    @numpy_defaults
    def transform(self, X: object) -> Floats:
        """The latents that the recordings represent: X times `subspace_`.

        Parameters
        ----------
        X : (n, n_features)
            Inputs, with the features of the fit.

        Returns
        -------
        array (n, r)
            One latent a column, strongest first.
        """
        return np.asarray(self._rows(X) @ np.asarray(self.subspace_))

    @numpy_defaults
    def encoding_score(self, X: object, y: object) -> EncodingScore:
        """Score of each channel, with its noise ceiling where there are repeats.

        Parameters
        ----------
        X : (n, n_features)
            Stimuli, best ones that were not used to fit.
        y : (n, p), or (n_repeats, n, p)
            Recordings, or the recordings of every repeat of the same stimuli. With one channel also
            (n,), or (n_repeats, n).

        Returns
        -------
        EncodingScore
            Shares of variance of each channel, (p,) each.

        Raises
        ------
        InputError
            If the recordings have another shape, or are not finite real numbers.

        Notes
        -----
        The ceiling is the share of signal in the variance of the mean response (Sahani & Linden
        2003; Prince et al. 2022), noise measured from the spread over repeats.
        """
        predicted = np.asarray(self.predict(X))
        predicted = predicted.reshape(predicted.shape[0], -1)
        recorded = _repeats(real_array("y", y), predicted.shape)
        recorded = check_array(recorded, allow_nd=True, input_name="y", dtype=np.float64)
        unit = power_of_two(recorded, axis=(0, 1))
        recorded, predicted = recorded / unit, predicted / unit
        repeats, mean = recorded.shape[0], recorded.mean(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            r2 = 1 - np.mean((mean - predicted) ** 2, axis=0) / np.var(mean, axis=0)
            ceiling = np.full(mean.shape[1], np.nan)
            if repeats > 1:
                noise = np.var(recorded, axis=0, ddof=1).mean(axis=0) / repeats
                ceiling = np.maximum(1 - noise / np.var(mean, axis=0, ddof=1), 0.0)
            normalised = np.where(ceiling > 0, r2 / ceiling, np.nan)
        return EncodingScore(r2, ceiling, normalised)

    @property
    def _n_features_out(self) -> int:
        """Number of outputs of `transform`, under the name that scikit-learn asks for."""
        return int(self.subspace_.shape[1])

    def _rank(self, X: Floats, recordings: Floats) -> tuple[int, Floats | None]:
        """The rank r, and the error of each rank on rows left out where r was chosen by it."""
        largest = min(X.shape[1], recordings.shape[1])
        if self.n_latents is not None:
            if not isinstance(self.n_latents, Integral) or not 1 <= int(self.n_latents) <= largest:
                raise InputError(
                    f"n_latents is {self.n_latents!r}: for {X.shape[1]} inputs and "
                    f"{recordings.shape[1]} channels it must be a whole number from 1 to {largest}"
                )
            return int(self.n_latents), None
        cv = min(self.cv, X.shape[0]) if isinstance(self.cv, Integral) else self.cv
        errors, tested = np.zeros(largest), 0
        for train, test in check_cv(cv).split(X, recordings):
            full = self._full(X[train], recordings[train])
            truth = full.y_centre.subtracted(recordings[test])
            latents = full.x_centre.subtracted(X[test]) @ (full.coef @ full.axes.T)
            along = truth @ full.axes.T
            # Channel axes are orthonormal, so that each further rank replaces the square of one
            # coordinate by the square of its error.
            missed = np.sum((truth - along @ full.axes) ** 2)
            wrong = np.cumsum(np.sum((along - latents) ** 2, axis=0))
            unused = np.cumsum(np.sum(along[:, ::-1] ** 2, axis=0))[::-1]
            errors[: wrong.size] += missed + wrong + np.append(unused[1:], 0.0)
            errors[wrong.size :] = np.inf
            tested += truth.size
        errors /= tested
        squares = np.mean(Centre.of(recordings, None).subtracted(recordings) ** 2, keepdims=True)
        return int(first_of_least(errors[:, None], squares[0])[0]) + 1, errors

    def _full(self, X: Floats, recordings: Floats) -> _Full:
        """The regression of the recordings (n, p) on X before its rank is reduced."""
        design = Design(X, None, self.fit_intercept, np.zeros((X.shape[1], 0)))
        problem = decompose(design)
        scaled = design.scaled(recordings)
        options = candidates(
            problem, self.penalty, None, penalty_unit(self.penalty_scale, float(X.shape[0]))
        )
        best = int(options.choose(scaled, joint=True)[0][0])
        y = problem.reduce(scaled)
        root = options.root[best]
        return _Full(
            coef=problem.coefficients(y, np.array([root])),
            axes=linalg.svd(problem.fitted(y, root), full_matrices=False)[2],
            penalty=float(options.grid[best]),
            problem=problem,
            scaled=scaled,
            x_centre=Centre.of(X, None, self.fit_intercept),
            y_centre=Centre.of(recordings, None, self.fit_intercept),
        )


class _Full(NamedTuple):
    """The regression of recordings on inputs before its rank is reduced.

    coef (d, p); axes (k, p), orthonormal directions of the channels by what they explain; the
    penalty; scaled (n, p), the centred recordings; the means.
    """

    coef: Floats
    axes: Floats
    penalty: float
    problem: Decomposition
    scaled: Floats
    x_centre: Centre
    y_centre: Centre


def _orthonormal(reduced: Floats) -> Floats:
    """Orthonormal basis (d, r) of coefficients (d, r), rows as accurate as they were."""
    try:
        return orthonormal_basis(reduced)
    except InputError:
        # There are fewer directions than columns; any other directions serve for the rest.
        return linalg.svd(reduced, full_matrices=False)[0]


def _repeats(y: Floats, shape: tuple[int, int]) -> Floats:
    """Recordings as (n_repeats, n, p), n and p those of the predictions."""
    n, p = shape
    if y.shape == shape:
        return y[None]
    if p == 1 and y.shape == (n,):
        return y[None, :, None]
    if p == 1 and y.ndim == 2 and y.shape[1] == n:
        return y[:, :, None]
    if y.ndim == 3 and y.shape[1:] == shape and y.shape[0] > 0:
        return y
    alone = f", {(n,)}" if p == 1 else ""
    raise InputError(f"recordings have shape {y.shape}: expected {shape}{alone}, or repeats of it")


def _noise_and_gains(full: _Full, rank: int) -> tuple[float, Floats]:
    """Standard deviation of the noise of a channel, and gains without what noise adds to them."""
    problem, scaled = full.problem, full.scaled
    y = problem.reduce(scaled)
    n, p = scaled.shape
    values = linalg.svdvals(problem.fitted(y, 0.0))
    rows = problem.sizes.size - rank
    if problem.residual_dof > 0:
        squares = np.sum(problem.residual(scaled, y) ** 2)
        noise = np.sqrt(squares / (problem.residual_dof * p))
    elif rows > 0 and p > rank:
        noise = np.sqrt(np.sum(values[rank:] ** 2) / (rows * (p - rank)))
    else:
        return np.nan, np.full(rank, np.nan)
    return float(noise), spiked_gains(values[:rank], noise, max(rows, 0), p - rank) / np.sqrt(n)
