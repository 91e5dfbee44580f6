"""What an appraisal estimates, predicts and measures is without bias, within its own errors."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg, stats

from mcbrain.appraisal.arrays import check, prepare
from mcbrain.appraisal.estimate import estimate
from mcbrain.appraisal.measure import _held_out, _stretches, measure
from mcbrain.appraisal.moments import Task, variances
from mcbrain.appraisal.parameters import Parameters, Shape
from mcbrain.appraisal.predict import best_penalty, risk, task_samples
from mcbrain.befs import BEFSRegressor
from tests.appraisal.coverage import Scenario
from tests.support.recordings import arrays_of


def parameters(task_noise, signal, missed):
    zero = np.zeros(())
    values = (np.asarray(float(x)) for x in (task_noise, signal, missed))
    return Parameters(*values, zero, np.zeros(1), np.zeros(1), zero)


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


def test_intervals_hold_the_truth_of_one_large_data_set():
    """One fixed data set at level 99.99 %."""
    scenario = Scenario(n_task=3000, n_brain=3000)
    *arrays, beta = arrays_of(scenario, seed=2)
    prepared = prepare(check(*arrays))
    e = estimate(prepared, n_latents=None, draws=1000, seed=0)
    assert e.shape == Shape(2999, 2999, 40, 30, 3)
    weights = linalg.solve(prepared.whitener, beta)
    missed = 1 - np.sum((e.subspace.T @ weights) ** 2) / np.sum(weights**2)
    truths = {"task_noise": 0.8, "signal": 1.0, "missed": missed, "misalignment": 0.2}
    truths |= {"neural_noise": 1.0, "latent_gains": np.array([2.0, 1.5, 1.0])}
    for name, truth in truths.items():
        low, high = e.interval(name, 0.9999)
        assert np.all((low <= truth) & (truth <= high)), name
        assert np.all(high - low < 0.75 * np.maximum(np.abs(truth), 0.2)), name


def test_the_misalignment_is_corrected_for_what_the_estimated_subspace_misses():
    """60 data sets with aligned tasks; the mean is within four standard errors of zero."""
    scenario = Scenario(d=20, p=15, n_task=400, n_brain=60, gains=(1.5,), misalignment=0.0)
    found, missed = [], []
    for seed in range(60):
        prepared = prepare(check(*arrays_of(scenario, seed)[:4]))
        value = estimate(prepared, n_latents=1, draws=100, seed=0).value
        found.append(float(value.misalignment))
        missed.append(float(value.missed))
    error = 4 * np.std(found) / 60**0.5
    assert abs(np.mean(found)) < error < np.mean(missed)


@pytest.mark.parametrize("rank", [0, 3])
@pytest.mark.parametrize("n", [12, 60])
def test_predicted_risk_is_that_of_simulated_fits_with_an_intercept(rank, n):
    """800 simulated fits each; four standard errors."""
    rng = np.random.default_rng(n + rank)
    d, signal, missed = 20, 1.7, 0.3
    truth = parameters(0.6, signal, missed if rank else 1.0)
    m = missed if rank else 1.0
    beta = np.r_[np.full(3, ((1 - m) / 3) ** 0.5), m**0.5, np.zeros(16)] * signal**0.5
    penalty = float(best_penalty(truth, n, rank, m, d))
    model = BEFSRegressor(np.eye(d)[:, :rank] if rank else None, penalty)
    losses = []
    for _ in range(800):
        X = rng.standard_normal((n, d)) + 2.0
        model.fit(X, X @ beta + 0.6 * rng.standard_normal(n))
        error = model.coef_ - beta
        # New inputs have the same mean as the old ones, 2.
        losses.append(error @ error + (model.intercept_ + 2.0 * error.sum()) ** 2)
    expected = float(risk(truth, n, rank, m, d))
    assert abs(np.mean(losses) - expected) < 4 * np.std(losses) / 800**0.5


def test_value_is_where_ridge_reaches_the_risk_of_befs():
    truth, shape = parameters(0.8, 1.0, 0.1), Shape(199, 299, 30, 20, 3)
    v = float(task_samples(truth, shape, 200))
    reached = risk(truth, round(200 + v), 0, 1.0, 30)
    assert_allclose(reached, risk(truth, 200, 3, 0.1, 30), rtol=0.01)
    harmful = float(task_samples(parameters(0.8, 1.0, 1.0), shape, 200))
    assert -40 < harmful < 0


@pytest.mark.parametrize("penalty", [0.3, np.inf])
def test_held_out_errors_are_those_of_the_regressor(penalty):
    rng = np.random.default_rng(0)
    X, labels = rng.standard_normal((50, 6)), rng.standard_normal((50, 2))
    basis = linalg.qr(rng.standard_normal((6, 2)), mode="economic")[0]
    rows, held = np.arange(30), np.arange(30, 50)
    got = _held_out(X, labels, rows, held, [basis], np.array([0.2, penalty]))
    for k, model in enumerate((BEFSRegressor(None, 0.2), BEFSRegressor(basis, penalty))):
        model.fit(X[rows], labels[rows])
        assert_allclose(got[k], (labels[held] - model.predict(X[held])) ** 2, rtol=1e-8)


def test_rows_of_a_block_and_repeats_of_an_input_stay_together():
    X = np.arange(12.0).reshape(6, 2)
    assert _stretches(X, 2).tolist() == [0, 0, 1, 1, 2, 2]
    assert _stretches(X[[3, 1, 3, 0, 1, 5]], 1).tolist() == [0, 1, 0, 2, 1, 3]


def test_measured_reductions_and_errors_scatter_around_the_law_as_their_errors_say():
    """20 data sets; mean z within four standard errors, its mean square under the 99.9 % point."""
    z = []
    for seed in range(20):
        *arrays, beta = arrays_of(seed=seed)
        prepared = prepare(check(*arrays))
        e = estimate(prepared, n_latents=2, draws=100, seed=0)
        weights = linalg.solve(prepared.whitener, beta)
        missed = 1 - np.sum((e.subspace.T @ weights) ** 2) / np.sum(weights**2)
        truth = parameters(0.8, np.sum(weights**2), missed)
        pair = measure(prepared.arrays, e, block_length=1, seed=seed)[6]
        assert pair.n_brain == 150
        ridge = risk(truth, pair.n_task, 0, 1.0, 12, pair.ridge_penalty)
        befs = risk(truth, pair.n_task, 2, missed, 12, pair.befs_penalty)
        z.append(
            [
                (pair.reduction - float(ridge - befs)) / pair.reduction_se,
                (pair.ridge - float(ridge) - 0.8**2) / pair.ridge_se,
                (pair.befs - float(befs) - 0.8**2) / pair.befs_se,
            ]
        )
    assert np.all(np.abs(np.mean(z, axis=0)) < 4 / 20**0.5)
    assert np.all(np.sum(np.square(z), axis=0) < stats.chi2.isf(0.001, 20))
