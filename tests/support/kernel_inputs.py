"""Random populations and shifts, as the arrays that kernels read, and runs beside their twins."""

import numpy as np

from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate import raw
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.types import ERROR_RATE, Population, Setting, Shifts, make_fits
from tests.twins import raw as twin
from tests.twins import streams as twin_streams

KEY = (11, 22, 33, 44)
LINEAR_GAUSSIAN = {
    "law": 0,
    "law_parameter": 0.0,
    "latents": 0,
    "neural_law": 0,
    "log_baseline": 0.0,
    "labels": 0,
    "rows": np.zeros((0, 0)),
    "outcomes": np.zeros((0, 0)),
}


def orthonormal_rows(rng, rows, d):
    return np.ascontiguousarray(np.linalg.qr(rng.standard_normal((d, rows)))[0].T)


def make_population(rng, d, k, p, **changes):
    """A population of d inputs, k latents and p channels; `measured` latents have a gain."""
    frame = orthonormal_rows(rng, min(d, k + 1), d)
    loadings = rng.standard_normal(k)
    beta = 0.9 * loadings / np.linalg.norm(loadings) @ frame[:k]
    if d > k:
        beta = beta + 0.4 * frame[k]
    gains = rng.uniform(0.5, 2.0, k)
    gains[changes.pop("measured", k) :] = 0.0
    population = Population(
        scale=np.ones(d),
        brain_map=np.ascontiguousarray(frame[:k]),
        beta=beta,
        channels=np.ascontiguousarray(orthonormal_rows(rng, min(k, p), p).T * gains[: min(k, p)]),
        n_channels=p,
        **LINEAR_GAUSSIAN,
        task_noise=0.7,
        neural_noise=0.8,
    )
    return population._replace(**changes)


def make_shifts(rng, population):
    """Identity, a weighted subspace, one direction, a custom matrix, a concept, an adversary.

    Then the error rate under three of them.
    """
    d, k = population.scale.size, len(population.brain_map)
    direction = orthonormal_rows(rng, 1, d)
    custom = rng.standard_normal((d, d)) / np.sqrt(d)
    probes = np.vstack([population.brain_map, direction, custom])
    weights = np.zeros((9, len(probes)))
    weights[1, :k] = 3.0
    weights[2, k] = 8.0
    weights[3, k + 1 :] = 1.0
    weights[6], weights[7] = weights[1], weights[3]
    return Shifts(
        scale=np.array([1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0]),
        weights=weights,
        probes=probes,
        targets=np.stack([population.beta, population.beta + 0.3 * direction[0]]),
        target=np.array([0, 0, 0, 0, 1, 0, 0, 0, 1]),
        adversary=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0]),
        measure=np.array([0, 0, 0, 0, 0, 0, 1, 1, 1]),
    )


def make_rows(n_task, codes, penalties):
    """Every subspace at every penalty; two-penalty (eta = 0.3) where there is a subspace."""
    rows = [
        (code, eta, n_task * penalty)
        for code in codes
        for eta in ((0.0,) if code == 0 else (0.0, 0.3))
        for penalty in penalties
    ]
    return make_fits(*zip(*rows, strict=True))


def compare(population, sizes, fits, shifts, replicates=3, rtol=1e-10, chunk=256):
    """Run both on the same streams and compare every number of every replicate."""
    setting = Setting(population, sizes, fits, shifts)
    outcome, work = make_outcome(setting, replicates), make_workspace(setting, chunk)
    raw.raw_block(setting, open_streams(5, KEY, 7), work, outcome)
    rngs = [twin_streams.open_stream(5, KEY, 7, role) for role in range(6)]
    for at in range(replicates):
        excess, m_hat, overlap = twin.replicate(setting, rngs)
        of_angles = shifts.measure == ERROR_RATE
        found = outcome.excess[at]
        np.testing.assert_allclose(found[:, ~of_angles], excess[:, ~of_angles], rtol=rtol)
        # An error rate is an angle, of whose cosine the last digit is kept: near 0 the angle is
        # the root of that digit.
        cosines, expected = (np.cos(np.pi * rates[:, of_angles]) for rates in (found, excess))
        np.testing.assert_allclose(cosines, expected, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(outcome.m_hat[at], m_hat, rtol=rtol, atol=1e-28)
        np.testing.assert_allclose(outcome.overlap[at], overlap, rtol=rtol, atol=rtol)
        np.testing.assert_array_equal(outcome.failures[at] != 0, np.isnan(excess[:, 0]))
    return outcome
