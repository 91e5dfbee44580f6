"""What an appraisal is computed from: each piece against a slower one, or against the truth."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg

from mcbrain.appraisal import appraise
from mcbrain.appraisal.brain_side import _left_by_fit
from mcbrain.appraisal.coordinates import Inputs, coordinates
from mcbrain.appraisal.encoding import Response, choose_encoding, crossed, subspace_of
from mcbrain.appraisal.moments import Task, variances
from mcbrain.appraisal.predict import Laws
from mcbrain.appraisal.principal import principal
from mcbrain.appraisal.recordings import read, whitened
from mcbrain.appraisal.rows import belonging
from mcbrain.appraisal.surprise import predictions
from mcbrain.appraisal.task_model import TaskModel
from mcbrain.befs import BEFSRegressor, BrainEncoder
from mcbrain.errors import InputError
from tests.appraisal.situations import ordinary


def test_variance_estimates_are_unbiased_even_for_a_signal_of_zero():
    """4,000 draws each; four standard errors: a false alarm once in 8,000 runs."""
    rng = np.random.default_rng(1)
    spectrum = np.linspace(5.0, 90.0, 30)
    for outside in (0.0, 0.05):
        squares = (0.64 + spectrum * outside) * rng.chisquare(1, (4000, 30))
        rest = 0.64 * rng.chisquare(20, 4000)
        noise, found = variances(Task(spectrum, squares, rest, 20))
        for got, true in ((noise, 0.64), (found, outside)):
            assert abs(got.mean() - true) < 4 * got.std() / 4000**0.5
        assert outside > 0 or np.any(found < 0)


@pytest.mark.parametrize(("n", "d"), [(50, 12), (20, 40)])
@pytest.mark.parametrize("rank", [0, 3])
def test_fits_at_every_penalty_are_those_of_the_regressor(n, d, rank):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n + 10, d)) * np.arange(1.0, d + 1) ** -0.5 + 1.0
    y = rng.standard_normal((n, 3))
    basis = linalg.qr(rng.standard_normal((d, rank)), mode="economic")[0] if rank else None
    axes = principal(X[:n])
    none = np.zeros((d, 0))
    spared = axes.spared(none if basis is None else basis, X[n:], axes.project(X[n:]))
    centred = y - y.mean(axis=0)
    reduced = axes.rows.T @ centred
    scores = spared.generalised(reduced, np.sum(centred**2, axis=0))
    model = BEFSRegressor(basis, "gcv", penalties=axes.penalties / n).fit(X[:n], y)
    told = np.isfinite(scores[:, 0])
    assert told.any()
    assert_allclose(scores[told], model.cv_errors_[told], rtol=1e-8)
    for place in (0, 7, 15):
        model = BEFSRegressor(basis, axes.penalties[place] / n).fit(X[:n], y)
        found = y.mean(axis=0) + spared.predictions(reduced, place)
        assert_allclose(found, model.predict(X[n:]), atol=1e-9)


@pytest.mark.parametrize("p", [15, 400])
def test_the_encoder_of_gram_matrices_is_that_of_the_arrays(p):
    rng = np.random.default_rng(2)
    X, _, X_brain, R = ordinary(rng, d=12, p=p, n_task=40, n_brain=200, gains=(4.0, 3.0)).arrays
    raw, _ = coordinates(X, X_brain)
    axes = principal(raw.brain)
    recordings = read(R, np.arange(200), axes.rows)
    assert (recordings.gram is None) == (p < 200)
    together = belonging(X_brain, None, 1, "groups_brain")
    chosen = choose_encoding(raw.brain, recordings, together, None, rng)
    assert chosen.rank == 2
    found = subspace_of(raw.brain, recordings, np.arange(200), chosen)
    unit = float(np.sum(axes.sizes**2)) / 12
    noise = linalg.norm(R - R.mean(axis=0) - axes.rows @ (axes.rows.T @ R), axis=0)
    slow = BrainEncoder(2, chosen.penalty * unit, penalty_scale="sum").fit(raw.brain, R / noise)
    assert linalg.subspace_angles(found, np.asarray(slow.subspace_)).max() < 1e-6


def test_recordings_are_read_the_same_from_a_mapped_file_and_in_single_precision(tmp_path):
    rng = np.random.default_rng(3)
    R = rng.standard_normal((60, 500)).astype(np.float32) * np.exp(rng.standard_normal(500))
    np.save(tmp_path / "R.npy", R.astype(np.float32))
    mapped = np.load(tmp_path / "R.npy", mmap_mode="r")
    U = linalg.qr(rng.standard_normal((60, 4)), mode="economic")[0]
    single = read(mapped, np.arange(60), U)
    double = read(np.asarray(mapped, dtype=np.float64), np.arange(60), U)
    assert_allclose(single.gram, double.gram, atol=1e-4 * np.abs(double.gram).max())
    assert_allclose(single.scale, double.scale, rtol=1e-6)


def test_shared_noise_is_whitened_and_the_encoder_then_finds_what_it_hid():
    errors = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, _, X_brain, R = ordinary(rng, d=20, n_task=40, n_brain=200, shared=4.0).arrays
        raw, _ = coordinates(X, X_brain)
        axes = principal(raw.brain)
        plain = read(R, np.arange(200), axes.rows)
        clean = whitened(plain, axes.rows)
        assert clean.factors >= 2
        together = belonging(X_brain, None, 1, "groups_brain")
        found = [
            choose_encoding(raw.brain, one, together, None, np.random.default_rng(seed)).error
            for one in (plain, clean)
        ]
        errors.append(found)
    plain_error, clean_error = np.mean(errors, axis=0)
    assert clean_error < plain_error < 0.05


@pytest.mark.parametrize("decay", [0.0, 1.0])
def test_task_intervals_cover_at_their_rate(decay):
    """50 data sets; each share above 0.80: a false alarm once in 10,000 if coverage is 93 %."""
    held = []
    for seed in range(50):
        truth = ordinary(
            np.random.default_rng(seed), d=20, p=4, n_task=250, n_brain=30, decay=decay,
            misalignment=0.3,
        )  # fmt: skip
        X, y, _, _ = truth.arrays
        rng = np.random.default_rng(seed)
        basis = linalg.qr(rng.standard_normal((20, 2)), mode="economic")[0]
        model = TaskModel.of(X, y, basis, belonging(X, None, 1, "groups"))
        may_be = model.uncertainty(model.fit(y), 200, rng)
        covariance = truth.root @ truth.root
        signal = truth.weights @ covariance @ truth.weights
        held.append(
            [
                np.prod(np.quantile(found, [0.025, 0.975]) - true) <= 0
                for found, true in ((may_be.noise, 0.64), (may_be.signal, signal))
            ]
        )
    assert np.all(np.mean(held, axis=0) > 0.80)


def test_repeats_exact_and_near_belong_together_and_unrelated_rows_do_not():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    twice = np.vstack([X, X[:10], X[20:25] + 1e-6 * rng.standard_normal((5, 5))])
    sets = belonging(twice, None, 1, "groups")
    assert sets.repeats == 15
    assert sets.count == 60
    assert np.array_equal(sets.sets[60:70], sets.sets[:10])
    assert np.array_equal(sets.sets[70:], sets.sets[20:25])


def test_sets_are_held_out_whole_with_a_gap_where_rows_follow_each_other():
    X = np.random.default_rng(0).standard_normal((100, 3))
    blocks = belonging(X, None, 10, "groups")
    for held in blocks.folds(5, np.random.default_rng(1)):
        rest = blocks.rest(held)
        assert np.abs(rest[:, None] - held[None, :]).min() > 5
    runs = np.repeat(["a", "b", "c", "d", "e"], 20)
    sets = belonging(X, runs, 1, "groups")
    for held in sets.folds(5, np.random.default_rng(1)):
        assert not set(runs[held]) & set(runs[sets.rest(held)])
    moved = sets.shuffled(np.random.default_rng(2))
    assert sorted(moved) == list(range(100))
    with pytest.raises(InputError, match="groups has 2 different values: groups are held out"):
        belonging(X, runs > "b", 1, "groups")
    with pytest.raises(InputError, match="each row needs a group"):
        belonging(X, np.r_[np.nan, np.arange(99.0)], 1, "groups")


@pytest.mark.parametrize("size", [30, 150])
def test_the_response_of_some_rows_is_a_difference_of_that_of_all(size):
    rng = np.random.default_rng(5)
    X, R = rng.standard_normal((200, 9)) + 1.0, rng.standard_normal((200, 300))
    recordings = read(R, np.arange(200), principal(X).rows)
    rows = np.sort(rng.permutation(200)[:size])
    whole = crossed(X, recordings)
    assert whole is not None
    slow, image = Response.of(X, recordings, rows, None)
    fast, same = Response.of(X, recordings, rows, whole)
    assert_allclose(fast.energy, slow.energy, atol=1e-9 * np.abs(slow.energy).max())
    assert_allclose(same, image, atol=1e-9 * np.abs(image).max())


@pytest.mark.long
def test_measurements_lie_about_predictions_as_far_as_their_standard_errors_say():
    """60 data sets of the model itself: a spread of one is told within a fifth (2.2 sd of it)."""
    z = []
    for index in range(60):
        rng = np.random.default_rng([11, index])
        truth = ordinary(rng, d=15, p=15, n_task=150, n_brain=200)
        X, _, X_brain, R = truth.arrays
        weights = truth.weights + 0.2 * rng.standard_normal(15)
        y = X @ weights + truth.task_noise * rng.standard_normal(150)
        found = appraise(X, y, X_brain, R, n_latents=3, draws=100, seed=index)
        full = [c for c in found.comparisons if c.held_out.n_brain == 200]
        z.append([(c.z, c.z_ridge) for c in full])
    spread = np.sqrt(np.mean(np.square(z), axis=(0, 1)))
    assert np.all((spread > 0.8) & (spread < 1.25)), spread


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_rows_of_slow_noise_that_a_fit_leaves_are_those_of_its_covariance(rho):
    rng = np.random.default_rng(4)
    n = 80
    U = principal(np.cumsum(rng.standard_normal((n, 4)), axis=0)).rows
    fit = U @ U.T + 1.0 / n
    sigma = linalg.toeplitz(rho ** np.arange(n))
    left = (np.eye(n) - fit) @ sigma @ (np.eye(n) - fit)
    ratio = np.trace(left, 1) / np.trace(left)
    assert_allclose(_left_by_fit(U, ratio), np.trace(left), rtol=1e-2)


def test_predictions_are_linear_in_the_variances_and_meet_the_mean():
    rng = np.random.default_rng(5)
    slopes = np.array([1.2, 0.1, 0.7])
    drawn, refitted = rng.gamma(4.0, 1.0, (3, 30)), rng.gamma(4.0, 1.0, (3, 7))
    assert_allclose(predictions(slopes @ drawn, drawn, refitted), slopes @ refitted)
    noisy = slopes @ drawn + rng.standard_normal(30)
    at_mean = predictions(noisy, drawn, drawn.mean(axis=1, keepdims=True))
    assert_allclose(at_mean, noisy.mean())


@pytest.mark.parametrize(
    ("rows", "d", "alone", "words"),
    [
        (40, 10, True, ""),
        (40, 10, False, "task rows belong together"),
        (40, 50, True, "80 rows of both sides do not tell the covariance of 50 inputs"),
        (700, 601, True, "up to 600 inputs, and there are 601"),
    ],
)
def test_why_nothing_is_predicted_is_said(rows, d, alone, words):
    inputs = Inputs("raw", np.zeros((rows, d)), np.zeros((rows, d)))
    found = Laws.lacking(inputs, alone)
    assert words in found
    assert bool(found) == bool(words)
