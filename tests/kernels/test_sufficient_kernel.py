"""Replicates from sufficient statistics: against dense algebra, and against whole data sets."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.sufficient import (
    make_sufficient_workspace,
    overlap_block,
    sufficient_block,
)
from mcbrain.kernels.replicate.sufficient_draw import reduced
from mcbrain.kernels.replicate.workspace import make_outcome
from mcbrain.kernels.types import (
    ESTIMATED,
    MEASURED,
    NO_SUBSPACE,
    Population,
    Setting,
    Shifts,
    Sizes,
    make_fits,
)
from tests.support.kernel_inputs import LINEAR_GAUSSIAN
from tests.twins import streams as twin_streams
from tests.twins import sufficient as twin

pytestmark = pytest.mark.kernels
compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="needs many replicates")

KEY = (21, 22, 23, 24)
ROWS = [
    (NO_SUBSPACE, 1.0, 0.0),
    (NO_SUBSPACE, 1.0, 4.0),
    (ESTIMATED, 0.0, 4.0),
    (ESTIMATED, 0.0, np.inf),
    (ESTIMATED, 0.2, 7.0),
    (MEASURED, 0.0, 4.0),
]


def make_population(d, p, k, neural_noise=0.8, exponent=0.0):
    rng = np.random.default_rng(99)
    variances = np.arange(1.0, d + 1) ** -exponent
    beta = rng.standard_normal(d)
    return Population(
        scale=np.sqrt(variances * d / variances.sum()),
        brain_map=np.ascontiguousarray(np.linalg.qr(rng.standard_normal((d, k)))[0].T),
        beta=beta / np.linalg.norm(beta),
        channels=rng.standard_normal((p, k)) * np.linspace(1.0, 0.5, k) / np.sqrt(p),
        n_channels=p,
        **LINEAR_GAUSSIAN,
        task_noise=0.7,
        neural_noise=neural_noise,
    )


def make_shifts(population):
    d = population.scale.size
    probes = np.random.default_rng(5).standard_normal((2, d))
    return Shifts(
        scale=np.array([1.0, 2.0]),
        weights=np.array([[0.0, 0.0], [0.5, -0.1]]),
        probes=probes,
        targets=population.beta[None].copy(),
        target=np.zeros(2, np.int64),
        adversary=np.zeros(2),
        measure=np.zeros(2, np.int64),
    )


def simulate(population, sizes, n_replicates, seed=4):
    fits = make_fits(*(list(column) for column in zip(*ROWS, strict=True)))
    setting = reduced(Setting(population, sizes, fits, make_shifts(population)))
    work, outcome = make_sufficient_workspace(setting), make_outcome(setting, n_replicates)
    sufficient_block(setting, open_streams(seed, KEY, 0), work, outcome)
    alone = make_outcome(setting, n_replicates)
    overlap_block(setting, open_streams(seed, KEY, 0), work, alone)
    np.testing.assert_array_equal(alone.overlap, outcome.overlap)
    return outcome


def run_twin(population, sizes, n_replicates, rngs, draw=None):
    shifts = make_shifts(population)
    tests = [(s, w, shifts.probes) for s, w in zip(shifts.scale, shifts.weights, strict=True)]
    return twin.sufficient_block(
        rngs, population._asdict(), sizes._asdict(), ROWS, tests, n_replicates, draw
    )


# d, p, k; n_task, n_brain, rank, measured, encoding_penalty
CASES = {
    "many": ((12, 8, 3), (40, 50, 3, 3, 0.0)),
    "few task samples": ((12, 8, 3), (7, 50, 3, 3, 0.0)),
    "few brain samples": ((12, 8, 3), (40, 7, 3, 3, 0.0)),
    "n = d": ((12, 8, 3), (13, 12, 3, 3, 0.0)),
    "more channels than inputs": ((12, 60, 3), (40, 50, 3, 3, 0.0)),
    "more channels than samples": ((12, 60, 3), (40, 7, 3, 3, 0.0)),
    "as many channels as latents": ((12, 3, 3), (40, 50, 3, 3, 0.0)),
    "low rank": ((12, 8, 3), (40, 50, 2, 3, 0.0)),
    "high rank": ((12, 8, 3), (40, 50, 5, 2, 0.0)),
    "ridge encoding": ((12, 8, 3), (40, 50, 3, 3, 6.0)),
    "ridge encoding, many channels": ((12, 60, 3), (40, 50, 3, 3, 6.0)),
    "ridge encoding, few samples": ((12, 8, 3), (40, 7, 3, 3, 6.0)),
    "ridge encoding, few samples, many channels": ((12, 60, 3), (40, 7, 3, 3, 6.0)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_every_replicate_is_its_twin(case, exponent):
    dimensions, numbers = CASES[case]
    population, sizes = make_population(*dimensions, exponent=exponent), Sizes(*numbers)
    outcome = simulate(population, sizes, 3)
    rngs = [twin_streams.open_stream(4, KEY, 0, role) for role in range(4)]
    excess, missed, overlaps = run_twin(population, sizes, 3, rngs)
    assert not outcome.failures.any()
    np.testing.assert_allclose(outcome.excess, excess, rtol=1e-9)
    np.testing.assert_allclose(outcome.m_hat, missed, rtol=1e-9)
    np.testing.assert_allclose(outcome.overlap, overlaps, rtol=0, atol=1e-10)


def test_too_few_brain_samples_lose_the_rows_that_need_them():
    population = make_population(12, 8, 3)
    outcome = simulate(population, Sizes(40, 2, 3, 3, 0.0), 2)
    lost = np.array([code == ESTIMATED for code, _, _ in ROWS])
    np.testing.assert_array_equal(outcome.failures != 0, np.tile(lost, (2, 1)))
    assert np.all(np.isnan(outcome.overlap))
    assert np.all(np.isfinite(outcome.excess[:, ~lost]))


@compiled_only
@pytest.mark.parametrize(
    "case",
    ["many", "few task samples", "few brain samples", "more channels than inputs", "low rank"]
    + [name for name in CASES if name.startswith("ridge")],
)
def test_the_law_is_that_of_whole_data_sets(case):
    """z-tests of means and variances of risks, m_hat and C^_ii: |z| > 4.8, false alarm 1e-4."""
    dimensions, numbers = CASES[case]
    population, sizes = make_population(*dimensions, exponent=0.5), Sizes(*numbers)
    outcome = simulate(population, sizes, 8_000)
    rng = np.random.default_rng(6)
    raw = run_twin(population, sizes, 800, [rng] * 4, twin.raw_data)

    def statistics(excess, missed, overlaps):
        diagonal = np.diagonal(overlaps, axis1=1, axis2=2)
        # Least squares has no variance where n_task is close to d: its bounded transform has.
        return np.column_stack([np.log(excess).reshape(len(missed), -1), missed, diagonal])

    x = statistics(outcome.excess, outcome.m_hat, outcome.overlap)
    y = statistics(*raw)
    centre = y.mean(0)
    for power in (1, 2):
        a, b = (x - centre) ** power, (y - centre) ** power
        error = np.sqrt(a.var(0) / len(a) + b.var(0) / len(b))
        assert np.max(np.abs(a.mean(0) - b.mean(0)) / error) < 4.8


@pytest.mark.parametrize(
    "other", [{"law": 2}, {"law": 6}, {"latents": 1}, {"neural_law": 1}, {"labels": 1}]
)
def test_statistics_that_do_not_suffice_give_no_number(other):
    population = make_population(4, 3, 1)._replace(**other)
    sizes = Sizes(9, 8, 1, 1, 0.0)
    fits = make_fits([0], [1.0], [0.0])
    shifts = Shifts(
        np.ones(1), np.zeros((1, 0)), np.zeros((0, 4)), population.beta[None],
        np.zeros(1, np.int64), np.zeros(1), np.zeros(1, np.int64),
    )  # fmt: skip
    setting = reduced(Setting(population, sizes, fits, shifts))
    work, outcome = make_sufficient_workspace(setting), make_outcome(setting, 1)
    with pytest.raises(ValueError, match="suffice only for Gaussian"):
        sufficient_block(setting, open_streams(1, KEY, 0), work, outcome)
