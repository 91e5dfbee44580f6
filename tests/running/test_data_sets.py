"""Data sets for methods of one's own are those of engine `raw`, bit for bit and in its order."""

import itertools

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.errors import InputError

MODEL = mb.Model(input_dim=7, latent_dim=2, n_channels=4, misalignment=0.3, task_noise=0.8)
SETTINGS = [
    {},
    {"inputs": "student:5", "covariance": "powerlaw:1.0"},
    {"neural_noise": None, "neural_law": "poisson", "latents": "tanh"},
    {"covariance": np.diag([3.0, 2.0, 1.0, 0.0, 0.0, 2.0, 1.0]) + 0.1},
    {"inputs": "laplace", "basis": "axes"},
]


def model(**settings):
    given = {"input_dim": 7, "latent_dim": 2, "n_channels": 4, "misalignment": 0.3}
    return mb.Model(**{**given, **{k: v for k, v in settings.items() if v is not None}})


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_means_over_the_data_are_those_of_the_engine(settings):
    """Ridge and BEFS by NumPy on the data sets: the engine's means, failures being none."""
    population, count, n = model(**settings), 70, 12
    asked = {"ridge": 0.2, "befs": 0.2}
    table = mb.simulate(
        population, n, 9, asked, precision=0.0, max_replicates=count, seed=5, engine="raw", rank=2
    )
    drawn = table["replicates"][0].as_py()  # whole blocks
    moment = second_moment(population, settings)
    excess = []
    for data in mb.replicates(population, n, 9, count=drawn, seed=5, rank=2):
        P = data.basis.T @ data.basis
        fits = [fitted(data, np.eye(7)), fitted(data, np.eye(7) - P)]
        excess.append([(b - data.beta) @ moment @ (b - data.beta) for b in fits])
    assert np.mean(excess, axis=0) == pytest.approx(table["mean"].to_pylist(), rel=1e-9)


def fitted(data, weights):
    gram = data.X.T @ data.X + 0.2 * len(data.y) * weights
    return np.linalg.lstsq(gram, data.X.T @ data.y, rcond=None)[0]


def second_moment(population, settings):
    given = settings.get("covariance")
    if isinstance(given, np.ndarray):
        return given * 7.0 / np.trace(given)
    return np.diag(population.input_variances)


def test_a_longer_run_begins_with_a_shorter_one():
    few = list(mb.replicates(MODEL, 5, 6, count=3, seed=2))
    many = itertools.islice(mb.replicates(MODEL, 5, 6, count=10**6, seed=2), 3)
    for one, same in zip(few, many, strict=True):
        assert np.array_equal(one.X, same.X) and np.array_equal(one.R, same.R)
    other = next(mb.replicates(MODEL, 5, 6, count=1, seed=3))
    assert not np.array_equal(few[0].X, other.X)


def test_the_estimated_subspace_follows_the_encoder():
    kept = {"count": 1, "seed": 2, "rank": 1}
    plain = next(mb.replicates(MODEL, 5, 30, **kept))
    shrunk = next(mb.replicates(MODEL, 5, 30, encoding_penalty=0.5, **kept))
    summed = next(mb.replicates(MODEL, 5, 30, encoding_penalty=0.5, penalty_scale="sum", **kept))
    assert plain.basis.shape == (1, 7)
    assert np.linalg.norm(plain.basis) == pytest.approx(1.0)
    assert np.array_equal(shrunk.basis, summed.basis)
    assert not np.allclose(abs(plain.basis), abs(shrunk.basis))
    assert next(mb.replicates(MODEL, 5, count=1)).basis.shape == (0, 7)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"n_task": 0, "count": 1}, "n_task"),
        ({"n_task": 5, "count": -1}, "count"),
        ({"n_task": 5, "n_brain": 1, "count": 1}, "rank 2"),
        ({"n_task": 5, "n_brain": 4, "rank": 9, "count": 1}, "rank"),
        ({"n_task": 5, "count": 1, "penalty_scale": "mean"}, "penalty_scale"),
    ],
)
def test_what_has_no_meaning_is_refused_at_once(arguments, word):
    with pytest.raises(InputError, match=word):
        mb.replicates(MODEL, **arguments)
