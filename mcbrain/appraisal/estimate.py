"""The parameters of the model behind a user's arrays, with bootstrap intervals.

Brain side: reduced-rank regression gives the subspace, the gains and the neural noise. Task side:
given that subspace, y = X_P a + X_U b + noise with r fixed effects a and q exchangeable ones b, so
the noise and |b|^2 follow from the spectrum of what is left of X_U when X_P is partialled out
(unbiased quadratic estimates with the weights of maximum likelihood; negative values are kept until
they are reported). The estimated subspace misses more of the signal than the true one would;
theory/README.md 4e and 5b say by how much, which gives the misalignment of the true subspace.

Intervals come from a parametric bootstrap of both stages through their sufficient statistics, each
draw reflected at the estimate (basic bootstrap intervals; logarithmic for what is positive).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import linalg

from mcbrain.appraisal.arrays import Arrays, Prepared
from mcbrain.appraisal.bootstrap import Tails, bootstrap, reflect
from mcbrain.appraisal.moments import Inside, Task, assemble, noise_ratio, variances
from mcbrain.appraisal.parameters import Estimates, Shape
from mcbrain.befs.brain_encoder import BrainEncoder
from mcbrain.befs.prepare import Design
from mcbrain.befs.solvers import decompose
from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["estimate"]

_TRACY_WIDOM_99 = 2.0234


def estimate(prepared: Prepared, *, n_latents: int | None, draws: int, seed: int) -> Estimates:
    """Estimate the model and its uncertainty from prepared arrays.

    Parameters
    ----------
    prepared : Prepared
        As `prepare` returns them.
    n_latents : int, optional
        Rank of the brain stage; chosen by cross-validation if None.
    draws : int
        Bootstrap draws.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Estimates
        Values, bootstrap draws and the subspace.

    Raises
    ------
    InputError
        If the rank is impossible for this many inputs, channels and task rows.
    """
    arrays = prepared.arrays
    n, d = arrays.X.shape
    encoder = BrainEncoder().fit(arrays.X_brain, arrays.R)
    largest = min(d - 2, n - 3, arrays.R.shape[1])
    r = min(encoder.n_latents_, largest) if n_latents is None else n_latents
    if r > largest:
        raise InputError(
            f"n_latents is {r}: with {d} inputs, {arrays.R.shape[1]} channels and {n} task rows it "
            f"must be at most {largest}"
        )
    encoder = BrainEncoder(n_latents=r).fit(arrays.X_brain, arrays.R)
    shape = Shape(n - 1, arrays.X_brain.shape[0] - 1, d, arrays.R.shape[1], r)
    task, inside, fit = _task_statistics(arrays, encoder.subspace_)
    noise, outside = variances(task)
    ratio = noise_ratio(noise, outside)
    coef = fit(float(ratio))
    along = (encoder.subspace_.T @ coef) ** 2 - noise * np.diagonal(inside.covariance(ratio))
    value = assemble(
        shape,
        noise,
        outside,
        along,
        encoder.latent_gains_,
        np.asarray(encoder.neural_noise_),
    )
    tails = Tails(
        _tail(arrays.y - arrays.X @ coef),
        _tail(arrays.R - encoder.predict(arrays.X_brain)),
        prepared.scale_error,
    )
    rng = np.random.default_rng(seed)
    truth, replicas = bootstrap(
        shape, value, arrays.X_brain, encoder.subspace_, task, inside, tails, draws, rng
    )
    return Estimates(
        value=value,
        draws=reflect(value, truth, replicas),
        subspace=encoder.subspace_,
        shape=shape,
        visible=_visible(arrays, encoder.neural_noise_),
    )


def _task_statistics(
    arrays: Arrays, basis: Floats
) -> tuple[Task, Inside, Callable[[float], Floats]]:
    """Statistics given the subspace, and the coefficients (d,) as a function of the ratio."""
    r = basis.shape[1]
    design = Design(arrays.X, None, True, basis)
    problem = decompose(design)
    X, y = design.scaled(arrays.X), design.scaled(arrays.y[:, None])
    reduced = problem.reduce(y)
    turn = linalg.qr(basis)[0]
    gram = turn.T @ (X.T @ X) @ turn
    values, vectors = linalg.eigh(gram[r:, r:])
    inside = Inside(gram[:r, :r], vectors.T @ gram[r:, :r], np.maximum(values, 0.0))
    rest = np.sum(problem.residual(y, reduced) ** 2)
    # Directions are ordered from the weakest to the strongest, as the bootstrap draws them.
    spectrum, squares = problem.sizes[::-1] ** 2, reduced.shrunk[::-1, 0] ** 2
    task = Task(spectrum, squares, np.asarray(rest), problem.residual_dof)

    def fit(ratio: float) -> Floats:
        return problem.coefficients(reduced, np.sqrt([ratio]))[:, 0]

    return task, inside, fit


def _visible(arrays: Arrays, noise: float) -> bool:
    """Whether the response to the inputs exceeds the 99 % point of noise (Johnstone 2001)."""
    X = arrays.X_brain - arrays.X_brain.mean(axis=0)
    response = linalg.qr(X, mode="economic")[0].T @ (arrays.R - arrays.R.mean(axis=0))
    a, b = (np.sqrt(size - 0.5) for size in response.shape)
    edge = (a + b) ** 2 + _TRACY_WIDOM_99 * (a + b) * (1 / a + 1 / b) ** (1 / 3)
    return bool(linalg.norm(response, 2) ** 2 > noise**2 * edge)


def _tail(residual: Floats) -> float:
    """Relative standard error that excess kurtosis adds to a sample variance."""
    squares = (residual - residual.mean(axis=0)) ** 2
    excess = np.mean(squares**2) / np.mean(squares) ** 2 - 3.0
    return float(np.sqrt(max(excess, 0.0) / residual.size))
