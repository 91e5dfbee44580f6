"""Parametric bootstrap of brain and task stage, which draws their sufficient statistics alone."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import NamedTuple

import numpy as np
from scipy import linalg

from mcbrain.appraisal.moments import Inside, Task, assemble, noise_ratio, variances
from mcbrain.appraisal.parameters import Parameters, Shape
from mcbrain.befs.spiked import spiked_gains
from mcbrain.typing import Floats

__all__ = ["Tails", "bootstrap", "reflect"]

_STILL = 1e-12  # share of the largest variance below which inputs do not vary


class Tails(NamedTuple):
    """Relative standard errors beside those that Gaussian noise in known coordinates gives.

    Attributes
    ----------
    task : float
        Of the sample variance of the task noise, for heavy tails.
    neural : float
        Of the sample variance of the neural noise, for heavy tails.
    scale : float
        Of the signal, because inputs are whitened with an estimated covariance.
    """

    task: float
    neural: float
    scale: float


def bootstrap(
    shape: Shape,
    value: Parameters,
    X_brain: Floats,
    basis: Floats,
    task: Task,
    inside: Inside,
    tails: Tails,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Parameters, Parameters]:
    """Draw data sets from the estimated model, and estimate the model of each.

    Parameters
    ----------
    shape : Shape
        Numbers of rows, inputs and channels, and the rank.
    value : Parameters
        The estimates, single values.
    X_brain : (n_brain, d)
        Whitened inputs of the recordings, which are not drawn again.
    basis : (d, r)
        The estimated subspace.
    task : Task
        Sufficient statistics of the task data, of which the spectrum is kept.
    inside : Inside
        What the variance of the loadings depends on.
    tails : Tails
        Errors beside those of Gaussian noise.
    draws : int
        Number of draws.
    rng : numpy.random.Generator
        The source of all draws.

    Returns
    -------
    truth : Parameters
        What each draw was made from: single values, but `missed` of shape (draws,).
    replicas : Parameters
        What the estimator makes of each draw, with a leading axis of draws.
    """
    truth = value.bounded()
    q, total = shape.d - shape.r, float(truth.signal)
    sigma = truth.task_noise * _sample_scale(tails.task, draws, rng)
    neural = truth.neural_noise * _sample_scale(tails.neural, draws, rng)
    found, gains, neural = _brain_draws(shape, truth, X_brain, basis, neural, rng)
    u = rng.standard_normal((draws, shape.d))
    u -= (u @ basis) @ basis.T
    u *= np.sqrt(truth.misalignment / np.sum(u**2, axis=1))[:, None]
    signs = rng.choice([-1.0, 1.0], size=(draws, shape.r))
    beta = np.sqrt(total) * (u + (signs * np.sqrt(truth.shares)) @ basis.T)
    b = np.einsum("bdr,bd->br", found, beta)
    outside = np.maximum(total - np.sum(b**2, axis=1), 0.0)
    g = rng.standard_normal((draws, q))
    g *= np.sqrt(outside / np.sum(g**2, axis=1))[:, None]
    waves = np.sqrt(task.spectrum) * g[:, : task.spectrum.size]
    waves += sigma[:, None] * rng.standard_normal(waves.shape)
    rest = sigma**2 * rng.chisquare(task.freedom, draws) if task.freedom else np.zeros(draws)
    spread = _roots(inside.covariance(noise_ratio(sigma**2, outside / q)))
    a = b + sigma[:, None] * np.einsum("bij,bj->bi", spread, rng.standard_normal((draws, shape.r)))
    noise, seen = variances(Task(task.spectrum, waves**2, rest, task.freedom))
    spread = inside.covariance(noise_ratio(noise, seen))
    along = a**2 - noise[:, None] * np.diagonal(spread, axis1=-2, axis2=-1)
    replicas = assemble(shape, noise, seen, along, gains, neural)
    rescaled = replicas.signal * _sample_scale(tails.scale, draws, rng) ** 2
    return replace(truth, missed=outside / total), replace(replicas, signal=rescaled)


def _roots(covariance: Floats) -> Floats:
    """A square root of each covariance (..., r, r), which may be singular."""
    try:
        return np.asarray(np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0))[..., None, :])


def _sample_scale(tail: float, draws: int, rng: np.random.Generator) -> Floats:
    """Factor (draws,) by which heavy tails change the noise of one sample."""
    return np.sqrt(np.maximum(1.0 + tail * rng.standard_normal(draws), 0.05))


def _brain_draws(
    shape: Shape,
    truth: Parameters,
    X_brain: Floats,
    basis: Floats,
    sigma: Floats,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Estimated subspaces (draws, d, r), gains (draws, r) and neural noise (draws,).

    sigma (draws,) is the noise of each draw.
    """
    draws = sigma.size
    _, d, p, r = shape[1:]
    centred = X_brain - X_brain.mean(axis=0)
    spectrum, vectors = linalg.eigh(centred.T @ centred)
    roots = np.sqrt(np.maximum(spectrum, _STILL * spectrum[-1]))
    # A gain belongs to a latent of variance one over these very inputs, which need not be white.
    latents = roots[:, None] * (vectors.T @ basis)
    latents *= np.sqrt(shape.n_brain) / linalg.norm(latents, axis=0)
    # Along a direction in which no row varies, nothing is found.
    back = vectors * np.where(spectrum > _STILL * spectrum[-1], 1.0 / roots, 0.0)
    found, gains = np.empty((draws, d, r)), np.empty((draws, r))
    freedom = (shape.n_brain - d) * p
    neural = sigma * np.sqrt(rng.chisquare(freedom, draws) / freedom)
    for i in range(draws):
        noisy = sigma[i] * rng.standard_normal((d, p))
        # The sample variance of the latents is random too, and changes what is seen of the gains.
        sample = rng.standard_normal((r, r)) * (0.5 / shape.n_brain**0.5)
        noisy[:, :r] += latents @ (np.eye(r) + (sample + sample.T) / 2**0.5) * truth.latent_gains
        small = noisy @ noisy.T if d <= p else noisy.T @ noisy
        squares, axes = linalg.eigh(small, subset_by_index=[min(d, p) - r, min(d, p) - 1])
        values, axes = np.sqrt(np.maximum(squares[::-1], 0.0)), axes[:, ::-1]
        left = axes * values if d <= p else noisy @ axes
        found[i] = linalg.svd(back @ left, full_matrices=False)[0]
        gains[i] = spiked_gains(values, neural[i], d - r, p - r) / np.sqrt(X_brain.shape[0])
    return found, gains, neural


def reflect(value: Parameters, truth: Parameters, replicas: Parameters) -> Parameters:
    """Basic bootstrap: the estimate less the error that was made on each draw, within bounds.

    Parameters
    ----------
    value : Parameters
        The estimates.
    truth, replicas : Parameters
        As `bootstrap` returns them.

    Returns
    -------
    reflected : Parameters
        What the parameters may be, with a leading axis of draws; errors of noise count as ratios.
    """
    reflected = {}
    for field in fields(Parameters):
        centre, true, drawn = (getattr(x, field.name) for x in (value, truth, replicas))
        if field.name in ("task_noise", "neural_noise"):
            reflected[field.name] = centre * true / drawn
        else:
            reflected[field.name] = centre + true - drawn
    return Parameters(**reflected).bounded()
