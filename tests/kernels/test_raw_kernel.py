"""The raw kernels agree with textbook NumPy on the same numbers, replicate by replicate."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate import raw, raw_brain
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.types import Setting, Sizes
from tests.support.kernel_inputs import KEY, compare, make_population, make_rows, make_shifts

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)


PENALTIES = (0.0, 1e-6, 0.02, 1.0, 1e7, np.inf)
SIZES = {  # d, k, p, n_task, n_brain, measured, rank, encoding penalty
    "both stages above d": (12, 3, 7, 40, 60, 3, 3, 0.0),
    "task below d": (12, 3, 7, 8, 60, 3, 3, 0.0),
    "brain below d": (12, 3, 7, 40, 7, 3, 3, 0.0),
    "brain below d, fewer samples than channels": (12, 2, 9, 40, 5, 2, 2, 0.0),
    "both below d": (12, 3, 5, 7, 9, 3, 3, 0.0),
    "task no more than the rank": (12, 4, 7, 3, 60, 4, 4, 0.0),
    "task equal to the rank": (12, 4, 7, 4, 60, 4, 4, 0.0),
    "brain below the rank": (12, 4, 7, 30, 3, 4, 4, 0.0),
    "more channels than inputs": (6, 2, 15, 25, 40, 2, 2, 0.0),
    "an unmeasured latent": (12, 4, 7, 40, 60, 2, 2, 0.0),
    "rank below the latents": (12, 4, 7, 40, 60, 4, 2, 0.0),
    "rank above the latents": (12, 2, 7, 40, 60, 2, 5, 0.0),
    "rank of all channels": (12, 2, 3, 40, 60, 2, 3, 0.0),
    "rank of all inputs": (5, 2, 9, 40, 60, 2, 5, 0.0),
    "as many latents as inputs": (4, 4, 6, 20, 30, 4, 4, 0.0),
    "one input": (1, 1, 1, 5, 6, 1, 1, 0.0),
    "one channel": (5, 1, 1, 20, 30, 1, 1, 0.0),
    "ridge encoding": (12, 3, 7, 40, 60, 3, 3, 8.0),
    "ridge encoding below d": (12, 3, 7, 40, 6, 3, 3, 8.0),
    "ridge encoding, more channels than inputs": (6, 2, 15, 25, 40, 2, 2, 8.0),
    "ridge encoding below d, more channels than inputs": (6, 2, 15, 25, 4, 2, 2, 8.0),
    "no brain data": (12, 3, 7, 40, 0, 3, 3, 0.0),
    "one task sample": (6, 2, 4, 1, 20, 2, 2, 0.0),
}


@pytest.mark.parametrize("name", SIZES)
def test_every_estimator_penalty_and_shift_is_the_textbooks(name):
    d, k, p, n_task, n_brain, measured, rank, encoding = SIZES[name]
    rng = np.random.default_rng(list(SIZES).index(name))
    population = make_population(rng, d, k, p, measured=measured)
    codes = (0, 1, 2) if n_brain else (0, 2)
    compare(
        population,
        Sizes(n_task, n_brain, rank, measured, encoding),
        make_rows(n_task, codes, PENALTIES),
        make_shifts(rng, population),
        replicates=1 if TINY else 3,
    )


def test_negative_penalties_are_solved_where_positive_definite_and_marked_elsewhere():
    rng = np.random.default_rng(1)
    d, k, p, n_task = 12, 3, 7, 40
    population = make_population(rng, d, k, p)
    fits = make_rows(n_task, (0, 1, 2), (-0.05, -0.15, -0.2, -0.25, -0.3, -0.35, -0.6, -3.0))
    outcome = compare(
        population,
        Sizes(n_task, 60, k, k, 0.0),
        fits,
        make_shifts(rng, population),
        replicates=2 if TINY else 20,
    )
    verdicts = set(np.unique(outcome.failures[:, fits.subspace == 1]))
    assert verdicts == {0, 2}
    if not TINY:  # positive definite although G + lambda I is not: BEFS outlives ridge
        ridge, befs = (outcome.failures[:, fits.subspace == code] for code in (0, 2))
        assert (befs[:, :8] == 0).sum() > (ridge == 0).sum()


def test_no_negative_penalty_is_positive_definite_with_fewer_samples_than_inputs():
    rng = np.random.default_rng(2)
    population = make_population(rng, 9, 2, 5)
    outcome = compare(
        population,
        Sizes(6, 20, 2, 2, 0.0),
        make_rows(6, (0, 1, 2), (-0.1, -1e-9)),
        make_shifts(rng, population),
    )
    assert (outcome.failures == 2).all()


LAWS = {
    "student": {"law": 1, "law_parameter": 5.0},
    "rademacher": {"law": 2},
    "uniform": {"law": 3},
    "laplace": {"law": 4},
    "sparse": {"law": 5, "law_parameter": 0.4},
    "tanh latents": {"latents": 1},
    "poisson recordings": {"neural_law": 1, "log_baseline": 0.5, "neural_noise": 0.0},
    "many poisson counts": {"neural_law": 1, "log_baseline": 4.0, "neural_noise": 0.0},
}


@pytest.mark.parametrize("n_task", [25, 5])
@pytest.mark.parametrize("name", LAWS)
def test_every_law_draws_what_numpy_draws(name, n_task):
    # Small chunks, so that every stream is continued across chunks.
    rng = np.random.default_rng(3)
    d, k, p = 8, 2, 5
    population = make_population(rng, d, k, p, scale=rng.uniform(0.5, 1.5, d), **LAWS[name])
    compare(
        population,
        Sizes(n_task, 30 if n_task == 25 else 7, k, k, 0.0),
        make_rows(n_task, (0, 1, 2), (0.01, 0.5)),
        make_shifts(rng, population),
        replicates=2,
        chunk=8,
    )


def random_case(seed):
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 40))
    p = int(rng.integers(1, 40))
    k = int(rng.integers(1, min(d, p) + 1))
    rank = int(rng.integers(1, min(d, p) + 1))
    population = make_population(
        rng, d, k, p, measured=int(rng.integers(1, k + 1)), scale=rng.uniform(0.7, 1.3, d)
    )
    # Away from n = d, where G is ill-conditioned and no method has ten digits.
    n_task = int(rng.choice([rng.integers(1, d), rng.integers(2 * d, 6 * d)]))
    n_brain = int(rng.choice([rng.integers(1, d), rng.integers(2 * d, 6 * d)]))
    if 0.5 * d < n_task < d:
        n_task = d // 2
    if 0.5 * d < n_brain < d:
        n_brain = d // 2
    sizes = Sizes(n_task, n_brain, rank, k, float(rng.choice([0.0, 5.0])))
    return population, sizes, make_rows(n_task, (0, 1, 2), PENALTIES), make_shifts(rng, population)


@pytest.mark.skipif(TINY, reason="tiny cases only")
@pytest.mark.parametrize("seed", range(40))
def test_random_designs(seed):
    compare(*random_case(seed))


@pytest.mark.skipif(TINY, reason="tiny cases only")
def test_the_benchmarked_size():
    rng = np.random.default_rng(4)
    population = make_population(rng, 200, 10, 100)
    compare(
        population,
        Sizes(500, 600, 10, 10, 0.0),
        make_rows(500, (0, 1, 2), (1e-3, 0.1, 10.0)),
        make_shifts(rng, population),
        replicates=1,
    )


def test_replicates_do_not_depend_on_how_many_run_together():
    rng = np.random.default_rng(5)
    population = make_population(rng, 6, 2, 4)
    sizes, shifts = Sizes(15, 20, 2, 2, 0.0), make_shifts(rng, population)
    setting = Setting(population, sizes, make_rows(15, (0, 1), (0.1,)), shifts)
    whole = make_outcome(setting, 5)
    parts = [make_outcome(setting, n) for n in (2, 3)]
    for group in ([whole], parts):
        streams = open_streams(5, KEY, 7)
        work = make_workspace(setting)
        for outcome in group:
            raw.raw_block(setting, streams, work, outcome)
    for name in ("excess", "m_hat", "overlap"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(getattr(whole, name), joined)


@pytest.mark.skipif(TINY, reason="about compiled code")
def test_every_kernel_has_one_signature():
    for module in (raw, raw_brain):
        own = [v for v in vars(module).values() if getattr(v, "__module__", "") == module.__name__]
        kernels = [value for value in own if hasattr(value, "signatures")]
        assert len(kernels) >= 3
        assert all(len(kernel.signatures) <= 1 for kernel in kernels)


@pytest.mark.skipif(TINY, reason="tiny cases only")
@pytest.mark.parametrize("seed", range(60))
def test_at_numerical_extremes_a_row_is_a_number_or_marked(seed):
    rng = np.random.default_rng(1000 + seed)
    d, p = int(rng.integers(1, 15)), int(rng.integers(1, 15))
    k, rank = (int(rng.integers(1, min(d, p) + 1)) for _ in range(2))
    scale = np.ones(d) if seed % 2 else 10.0 ** rng.uniform(-3, 3, d)
    population = make_population(
        rng,
        d,
        k,
        p,
        scale=scale,
        task_noise=float(rng.choice([0.0, 0.7, 1e12])),
        neural_noise=float(rng.choice([0.0, 0.7, 1e12])),
    )
    gains = 10.0 ** rng.choice([-12, -6, 0, 6, 12], size=k)
    population = population._replace(channels=population.channels * gains)
    n_task, n_brain = int(rng.integers(1, 3 * d + 2)), int(rng.integers(0, 3 * d + 2))
    fits = make_rows(
        n_task,
        (0, 1, 2) if n_brain else (0, 2),
        (0.0, 1e-300, 1e-12, 1.0, 1e12, 1e300, np.inf, -1e-3, -1e3),
    )
    sizes = Sizes(n_task, n_brain, rank, k, float(rng.choice([0.0, 1e-9, 1e9])))
    setting = Setting(population, sizes, fits, make_shifts(rng, population))
    outcome = make_outcome(setting, 3)
    raw.raw_block(setting, open_streams(5, KEY, 7), make_workspace(setting), outcome)
    finite = np.isfinite(outcome.excess).all(axis=-1)
    np.testing.assert_array_equal(finite, outcome.failures == 0)
    assert (outcome.excess[finite] >= 0).all()
