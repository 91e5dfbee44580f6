"""The task as the linear model sees it, given a subspace: noise, signal, and labels drawn from it.

y = X_P a + X_U b + noise, with r fixed effects a along the subspace and exchangeable effects b of
variance tau^2 along every direction outside it: the prior for which ridge and BEFS with a Euclidean
penalty are made. Noise and tau^2 come from the squares of y along the principal axes of what is
left of X_U when X_P is partialled out (restricted maximum likelihood). Uncertainty comes from
labels that are drawn from the fitted model on these very inputs and fitted again: each estimate is
reflected at its error there (basic bootstrap; ratios for variances of noise). Where rows belong
together, the noise of a set changes its sign as a whole (wild cluster bootstrap), and noise that
follows itself from row to row within a set is first made white: x_t - rho x_(t-1), of inputs and
labels alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import spsolve_triangular

from mcbrain.appraisal.moments import Task, noise_ratio, variances
from mcbrain.appraisal.principal import Principal, principal
from mcbrain.appraisal.rows import Together
from mcbrain.typing import Floats

__all__ = ["Fitted", "TaskModel", "TaskParameters"]

_SMALLEST = 1e-12
_ROUNDS = 4  # in which the correlation of the noise is found
_MOST = 0.98


@dataclass(frozen=True)
class TaskParameters:
    """Parameters of the task, one value each or one for each of t draws.

    Attributes
    ----------
    noise : (t,)
        Variance of the noise.
    outside : (t,)
        tau^2; may be negative.
    along : (t, r)
        Squared effects along the subspace, corrected for noise; may be negative.
    signal, missed : (t,)
        Explained variance, and the share of it that the latents do not predict.
    """

    noise: Floats
    outside: Floats
    along: Floats
    signal: Floats
    missed: Floats


@dataclass(frozen=True)
class Fitted:
    """The fit of one set of labels.

    Attributes
    ----------
    parameters : TaskParameters
        Of length one.
    effects : (r,)
        Generalised least squares of the effects along the subspace.
    residual : (n,)
        White labels less the best linear prediction, corrected to the size of the noise.
    unfiltered : (n,)
        Labels less the best linear prediction.
    """

    parameters: TaskParameters
    effects: Floats
    residual: Floats
    unfiltered: Floats


class TaskModel:
    """The linear model of one task and one subspace.

    Parameters
    ----------
    X : (n, d)
        Inputs.
    basis : (d, r)
        Orthonormal basis of the subspace.
    together : Together
        Which rows share noise.
    correlation : float
        rho, of the noise of neighbouring rows of a set.
    """

    def __init__(
        self, X: Floats, basis: Floats, together: Together, correlation: float = 0.0
    ) -> None:
        self._inputs = X - X.mean(axis=0)
        self._basis, self._together = basis, together
        self._filter = _Filter(together, correlation)
        self._X = self._filter.white(self._inputs)
        self._latents = self._X @ basis
        outside = self._X - self._latents @ basis.T
        self._outside: Principal = principal(outside)
        self._inside: Floats = principal(self._latents).rows
        left = outside - self._inside @ (self._inside.T @ outside)
        self._left: Principal = principal(left)
        self._crossed = self._outside.rows.T @ self._latents
        self._inner = self._latents.T @ self._latents
        # Without the filter, for shares of variance.
        latents = self._inputs @ basis
        self._seen: Floats = self._inside if correlation == 0.0 else principal(latents).rows
        rest = self._inputs - latents @ basis.T
        rest -= self._seen @ (self._seen.T @ rest)
        self._left_size = float(np.sum(rest**2)) / X.shape[0]

    @classmethod
    def of(cls, X: Floats, y: Floats, basis: Floats, together: Together) -> TaskModel:
        """The model whose noise follows itself as the residuals of the labels do.

        Parameters
        ----------
        X, y : (n, d), (n,)
            Inputs and labels.
        basis : (d, r)
            Orthonormal basis of the subspace.
        together : Together
            Rows are taken as independent where each is alone.

        Returns
        -------
        TaskModel
            With its correlation.
        """
        model = cls(X, basis, together)
        for _ in range(0 if together.alone else _ROUNDS):
            residual = model.fit(y).unfiltered
            before = np.flatnonzero(np.diff(together.sets) == 0)
            rho = float(residual[before + 1] @ residual[before])
            rho /= max(float(residual[before] @ residual[before]), 1e-300)
            model = cls(X, basis, together, float(np.clip(rho, 0.0, _MOST)))
        return model

    def fit(self, y: Floats) -> Fitted:
        """Fit one set of labels.

        Parameters
        ----------
        y : (n,)
            Labels.

        Returns
        -------
        Fitted
            Values, effects and residuals.
        """
        centred = y - y.mean()
        y = self._filter.white(centred)
        parameters, effects = self._parameters(y[:, None], centred[:, None])
        white = parameters.noise * self._filter.share
        ratio = float(noise_ratio(white, parameters.outside)[0])
        rest = y - self._latents @ effects[0]
        s = self._outside.sizes
        shrunk = s**2 / (s**2 + ratio)
        residual = rest - self._outside.rows @ (shrunk * (self._outside.rows.T @ rest))
        size = np.sqrt(white[0] / max(float(np.mean(residual**2)), 1e-300))
        slow = self._filter.coloured(residual)
        return Fitted(parameters, effects[0], residual * size, slow)

    def _parameters(self, Y: Floats, plain: Floats) -> tuple[TaskParameters, Floats]:
        """Parameters of labels (n, t), white and as they are, and their effects (t, r)."""
        n, t = Y.shape
        total = np.mean(plain**2, axis=0) * n / (n - 1.0)
        rest = Y - self._inside @ (self._inside.T @ Y)
        squares = (self._left.rows.T @ rest) ** 2
        k = self._left.sizes.size
        freedom = max(n - 1 - self._inside.shape[1] - k, 0)
        remaining = np.maximum(np.sum(rest**2, axis=0) - squares.sum(axis=0), 0.0)
        # Directions are ordered from the weakest to the strongest.
        task = Task(self._left.sizes**2, squares.T, remaining if freedom else 0.0 * total, freedom)
        white, outside = variances(task)
        ratio = noise_ratio(white, outside)
        r = self._latents.shape[1]
        effects, along = np.empty((t, r)), np.empty((t, r))
        with_latents, with_outside = self._latents.T @ Y, self._outside.rows.T @ Y
        s = self._outside.sizes**2
        for i in range(t):
            shrunk = (s / (s + ratio[i]))[:, None] * self._crossed
            covariance = linalg.pinvh(self._inner - self._crossed.T @ shrunk)
            effects[i] = covariance @ (with_latents[:, i] - shrunk.T @ with_outside[:, i])
            along[i] = effects[i] ** 2 - white[i] * np.diagonal(covariance)
        noise = white / self._filter.share
        signal = total - noise
        missed = outside * self._left_size / np.maximum(signal, 1e-3 * noise)
        return TaskParameters(noise, outside, along, signal, missed), effects

    def labels(
        self, fitted: Fitted, truth: TaskParameters, draws: int, rng: np.random.Generator
    ) -> tuple[Floats, Floats, Floats]:
        """Labels drawn from the model on the inputs in hand.

        Parameters
        ----------
        fitted : Fitted
            For the signs of the effects and the shape of the noise.
        truth : TaskParameters
            Of length one, or a value for each draw.
        draws : int
            Sets of labels.
        rng : numpy.random.Generator
            Of effects and noise.

        Returns
        -------
        labels : (n, draws)
            Not centred.
        weights : (d, draws)
            The effects of the inputs.
        part : (n, draws)
            What of the labels is due to effects outside the subspace.
        """
        n, d = self._X.shape
        a = np.sign(fitted.effects)[:, None] * np.sqrt(np.maximum(truth.along, 0.0)).T
        b = rng.standard_normal((d, draws))
        b -= self._basis @ (self._basis.T @ b)
        b *= np.sqrt(np.maximum(truth.outside, 0.0))
        part = self._inputs @ b
        if self._together.alone:
            tail = _tail(fitted.residual)
            error = rng.standard_normal((n, draws))
        else:
            signs = rng.choice([-1.0, 1.0], (self._together.count, draws))
            error = fitted.residual[:, None] * signs[self._together.sets]
            error /= np.sqrt(np.mean(fitted.residual**2))
            rho = np.sqrt(max(1.0 - self._filter.share, 0.0))
            slow = (1.0 + rho**2) / (1.0 - rho**2)
            tail = max(self._together.spread(fitted.unfiltered**2), np.sqrt(2.0 * slow / n))
        error *= np.sqrt(np.maximum(1.0 + tail * rng.standard_normal(draws), 0.05))
        error = self._filter.coloured(error) * np.sqrt(truth.noise * self._filter.share)
        return self._inputs @ (self._basis @ a) + part + error, self._basis @ a + b, part

    def shares(self, truth: TaskParameters, weights: Floats, part: Floats) -> Floats:
        """Variances of y by which `labels` were drawn.

        Parameters
        ----------
        truth, weights, part : TaskParameters, (d, draws), (n, draws)
            As `labels` took and returned them.

        Returns
        -------
        array (3, draws)
            Of the noise, of what the latents predict, and of what they miss.
        """
        explained, missed = self._explained(weights, part)
        noise = np.broadcast_to(truth.noise, missed.shape)
        return np.array([noise, explained - missed, missed])

    def refitted(self, labels: Floats) -> Floats:
        """The same variances as fits to labels find them.

        Parameters
        ----------
        labels : (n, draws)
            Not centred.

        Returns
        -------
        array (3, draws)
            Of noise, latents and what they miss; not always positive.
        """
        centred = labels - labels.mean(axis=0)
        found, _ = self._parameters(self._filter.white(centred), centred)
        missed = found.outside * self._left_size
        return np.array([found.noise, found.signal - missed, missed])

    def _explained(self, weights: Floats, part: Floats) -> tuple[Floats, Floats]:
        """Variance that the inputs in hand explain, and what of it the latents miss."""
        explained = self._inputs @ weights
        left = part - self._seen @ (self._seen.T @ part)
        return np.sum(explained**2, axis=0) / (part.shape[0] - 1.0), np.mean(left**2, axis=0)

    def uncertainty(self, fitted: Fitted, draws: int, rng: np.random.Generator) -> TaskParameters:
        """What the parameters may be: each estimate reflected at the errors of drawn labels.

        Parameters
        ----------
        fitted : Fitted
            The estimates.
        draws : int
            Sets of labels.
        rng : numpy.random.Generator
            Draws them.

        Returns
        -------
        TaskParameters
            A value for each draw; within bounds, but for `outside`, `along`.
        """
        at = fitted.parameters
        labels, weights, part = self.labels(fitted, at, draws, rng)
        centred = labels - labels.mean(axis=0)
        found, _ = self._parameters(self._filter.white(centred), centred)
        explained = self._inputs @ weights
        n = explained.shape[0]
        signal = np.sum(explained**2, axis=0) / (n - 1.0)
        part = part - self._seen @ (self._seen.T @ part)
        missed = np.mean(part**2, axis=0) / np.maximum(signal, _SMALLEST * at.noise)
        outside, along = np.maximum(at.outside, 0.0), np.maximum(at.along, 0.0)
        # The inputs in hand are a sample too: their variance is not that of new ones.
        spread = self._together.spread(np.mean(explained, axis=1) ** 2 + 1e-300)
        moved = 1.0 + max(spread, np.sqrt(2.0 / n)) * rng.standard_normal((2, draws))
        turned = 1.0 + (1.0 - np.clip(at.missed, 0.0, 1.0)) * (moved[1] - 1.0)
        return TaskParameters(
            noise=at.noise**2 / found.noise,
            outside=at.outside + outside - found.outside,
            along=at.along + along - found.along,
            signal=(at.signal + signal - found.signal) * moved[0],
            missed=(at.missed + missed - found.missed) * turned,
        )


class _Filter:
    """Makes noise white that follows itself from row to row within a set: AR(1) of one rho."""

    def __init__(self, together: Together, rho: float) -> None:
        n = together.sets.size
        follows = np.r_[False, np.diff(together.sets) == 0]
        self.share = 1.0 - rho**2 if rho else 1.0
        diagonal = np.where(follows, 1.0, np.sqrt(self.share))
        self._matrix = None
        if rho:
            below = -rho * follows[1:]
            self._matrix = sparse.diags_array([diagonal, below], offsets=[0, -1], shape=(n, n))

    def white(self, rows: Floats) -> Floats:
        """Rows (n, ...) whose noise is white, of `share` times its variance."""
        return rows if self._matrix is None else np.asarray(self._matrix.tocsr() @ rows)

    def coloured(self, rows: Floats) -> Floats:
        """The opposite of `white`."""
        if self._matrix is None:
            return rows
        return np.asarray(spsolve_triangular(self._matrix.tocsr(), rows, lower=True))


def _tail(residual: Floats) -> float:
    """Relative standard error that excess kurtosis adds to a sample variance."""
    squares = residual**2
    excess = float(np.mean(squares**2)) / max(float(np.mean(squares)) ** 2, 1e-300) - 3.0
    return float(np.sqrt(max(excess, 0.0) / residual.size))
