"""The regression agrees with scikit-learn, brute force and its own algebra."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg
from sklearn.base import clone
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from mcbrain.befs import BEFSRegressor, BrainEncoder
from mcbrain.errors import InputError

ROW_LEFT_OUT = {
    "check_sample_weight_equivalence_on_dense_data": (
        "leave-one-out leaves out a row whatever its weight, so a row of weight two is not two rows"
    )
}


def expected_failures(estimator):
    chooses = isinstance(estimator, BEFSRegressor) and isinstance(estimator.penalty, str)
    return ROW_LEFT_OUT if chooses else {}


@parametrize_with_checks(
    [
        BEFSRegressor(),
        BEFSRegressor(penalty="loo"),
        BEFSRegressor(penalty="gcv"),
        BrainEncoder(),
        BrainEncoder(n_latents=1, penalty="loo"),
    ],
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def data(n=40, d=7, targets=2, r=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)) + 0.7
    y = X @ rng.standard_normal((d, targets)) + rng.standard_normal((n, targets)) - 1.3
    subspace = linalg.qr(rng.standard_normal((d, r)), mode="economic")[0]
    return X, y, subspace, rng.uniform(0.2, 3.0, n)


def penalised_solve(X, y, subspace, penalty, weight):
    """Weighted least squares with intercept by the plain normal equations."""
    d = X.shape[1]
    full = np.column_stack([X, np.ones(len(X))])
    omega = np.zeros((d + 1, d + 1))
    omega[:d, :d] = np.eye(d) - subspace @ subspace.T
    gram = full.T @ (weight[:, None] * full) / weight.sum() + penalty * omega
    solution = linalg.solve(gram, full.T @ (weight[:, None] * y) / weight.sum())
    return solution[:d].T, solution[d]


SHAPES = [(40, 7), (8, 7), (9, 20)]


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("intercept", [True, False])
def test_without_subspace_it_is_scikit_learns_ridge(n, d, intercept):
    X, y, _, weight = data(n, d)
    ours = BEFSRegressor(penalty=0.3, penalty_scale="sum", fit_intercept=intercept)
    theirs = Ridge(alpha=0.3, fit_intercept=intercept)
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8, atol=1e-10)
    assert_allclose(ours.intercept_, theirs.intercept_ if intercept else 0.0, rtol=1e-8, atol=1e-10)
    assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("penalty", [1e-3, 0.4, 50.0])
def test_with_a_subspace_it_solves_the_penalised_normal_equations(n, d, penalty):
    X, y, subspace, weight = data(n, d)
    model = BEFSRegressor(subspace, penalty).fit(X, y, sample_weight=weight)
    coef, intercept = penalised_solve(X, y, subspace, penalty, weight)
    assert_allclose(model.coef_, coef, rtol=1e-8, atol=1e-9)
    assert_allclose(model.intercept_, intercept, rtol=1e-8, atol=1e-9)


def test_any_basis_of_the_subspace_gives_the_same_fit():
    X, y, subspace, _ = data()
    mixed = subspace @ np.array([[2.0, 1.0], [0.5, -3.0]])
    assert_allclose(
        BEFSRegressor(mixed, 0.2).fit(X, y).coef_,
        BEFSRegressor(subspace, 0.2).fit(X, y).coef_,
        rtol=1e-9,
    )


@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_an_infinite_penalty_regresses_on_the_subspace_alone(n, d):
    X, y, subspace, _ = data(n, d)
    model = BEFSRegressor(subspace, np.inf).fit(X, y)
    inside = X @ subspace
    loadings = linalg.lstsq(inside - inside.mean(0), y - y.mean(0))[0]
    assert_allclose(model.coef_, (subspace @ loadings).T, rtol=1e-8, atol=1e-10)


def test_penalty_zero_is_least_squares_or_the_limit_of_small_penalties():
    X, y, subspace, _ = data(40, 7)
    plain = linalg.lstsq(X - X.mean(0), y - y.mean(0))[0]
    assert_allclose(BEFSRegressor(subspace, 0.0).fit(X, y).coef_, plain.T, rtol=1e-8)
    X, y, subspace, _ = data(9, 20)
    limit = BEFSRegressor(subspace, 1e-9).fit(X, y).coef_
    assert_allclose(BEFSRegressor(subspace, 0.0).fit(X, y).coef_, limit, rtol=1e-5, atol=1e-6)
    plain = linalg.lstsq(X - X.mean(0), y - y.mean(0))[0]
    assert_allclose(BEFSRegressor(penalty=0.0).fit(X, y).coef_, plain.T, rtol=1e-8, atol=1e-10)


def test_fewer_rows_than_unpenalised_directions_gives_the_least_norm_inside():
    X, y, subspace, _ = data(5, 20, r=8)
    model = BEFSRegressor(subspace, 0.5).fit(X, y)
    inside = (X - X.mean(0)) @ subspace
    expected = subspace @ (np.linalg.pinv(inside) @ (y - y.mean(0)))
    assert_allclose(model.coef_, expected.T, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("n", "d"), [(25, 6), (9, 8), (10, 20)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("r", [0, 2])
def test_leave_one_out_errors_are_those_of_leaving_each_row_out(n, d, weighted, r):
    X, y, subspace, weight = data(n, d, r=2)
    subspace, weight = subspace[:, :r], weight if weighted else np.ones(n)
    sums = np.array([0.05, 1.0, 30.0, np.inf])
    model = BEFSRegressor(subspace, "loo", penalty_scale="sum", penalties=sums)
    model.fit(X, y, sample_weight=weight)
    expected = np.zeros((4, 2))
    for i in range(n):
        keep = np.arange(n) != i
        for index, value in enumerate(sums):
            left = BEFSRegressor(subspace, value, penalty_scale="sum")
            left.fit(X[keep], y[keep], sample_weight=weight[keep])
            expected[index] += weight[i] * (y[i] - left.predict(X[[i]])[0]) ** 2
    assert_allclose(model.cv_errors_, expected / weight.sum(), rtol=1e-7)
    assert_allclose(model.penalty_, sums[np.argmin(expected, axis=0)])


def test_leave_one_out_at_penalty_zero_is_exact_for_interpolation():
    X, y, subspace, _ = data(10, 20)
    for basis in (None, subspace):
        small = BEFSRegressor(basis, "loo", penalties=[0.0, 1e-8]).fit(X, y).cv_errors_
        assert_allclose(small[0], small[1], rtol=1e-4)


def test_leave_one_out_chooses_what_ridgecv_chooses():
    X, y, _, _ = data(60, 12, targets=1)
    grid = np.geomspace(1e-2, 1e3, 30)
    theirs = RidgeCV(grid).fit(X, y[:, 0])
    ours = BEFSRegressor(penalty="loo", penalty_scale="sum", penalties=grid).fit(X, y[:, 0])
    assert ours.penalty_ == theirs.alpha_
    assert_allclose(ours.coef_, theirs.coef_, rtol=1e-8)
    assert_allclose(ours.cv_errors_.min(), -theirs.best_score_, rtol=1e-8)


@pytest.mark.parametrize(("n", "d"), [(25, 6), (10, 20)])
def test_generalised_cross_validation_follows_its_definition(n, d):
    X, y, subspace, weight = data(n, d)
    grid = np.array([0.01, 0.3, 5.0, np.inf])
    model = BEFSRegressor(subspace, "gcv", penalties=grid).fit(X, y, sample_weight=weight)
    for index, value in enumerate(grid):
        fits = BEFSRegressor(subspace, value)
        residual = y - fits.fit(X, y, sample_weight=weight).predict(X)
        hat = fits.fit(X, np.eye(n), sample_weight=weight).predict(X)
        squares = np.sum(weight[:, None] * residual**2, axis=0) / weight.sum()
        assert_allclose(model.cv_errors_[index], squares / (1 - np.trace(hat) / n) ** 2, rtol=1e-7)


def test_rows_of_weight_zero_change_nothing_even_for_leave_one_out():
    X, y, subspace, weight = data()
    weight[:10] = 0.0
    whole = BEFSRegressor(subspace, "loo").fit(X, y, sample_weight=weight)
    kept = BEFSRegressor(subspace, "loo").fit(X[10:], y[10:], sample_weight=weight[10:])
    assert_allclose(whole.coef_, kept.coef_, rtol=1e-9)
    assert_allclose(whole.cv_errors_, kept.cv_errors_, rtol=1e-9)


def test_targets_choose_their_penalties_independently():
    X, y, subspace, _ = data(30, 12, targets=3)
    y[:, 1] = np.random.default_rng(9).standard_normal(30)
    together = BEFSRegressor(subspace, "loo").fit(X, y)
    for j in range(3):
        alone = BEFSRegressor(subspace, "loo").fit(X, y[:, j])
        assert_allclose(together.penalty_[j], alone.penalty_, rtol=1e-10)
        assert_allclose(together.coef_[j], alone.coef_, rtol=1e-9, atol=1e-12)


def test_it_works_in_pipelines_grid_search_and_clone():
    X, y, subspace, _ = data()
    pipe = make_pipeline(StandardScaler(), BEFSRegressor(subspace))
    search = GridSearchCV(pipe, {"befsregressor__penalty": [0.01, 0.1, "loo"]}, cv=3).fit(X, y)
    assert search.best_score_ > 0.5
    copy = clone(search.best_estimator_)[-1]
    assert_allclose(copy.subspace, subspace)
    latents = make_pipeline(BrainEncoder(n_latents=2), Ridge()).fit(X, y)
    assert latents[:-1].get_feature_names_out().tolist() == ["brainencoder0", "brainencoder1"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"penalty": -1.0}, "from 0 to infinity"),
        ({"penalty": np.nan}, "from 0 to infinity"),
        ({"penalty": "aic"}, "'loo' or 'gcv'"),
        ({"penalty_scale": "mean"}, "per-sample, sum"),
        ({"penalty": "loo", "penalties": [-1.0, 2.0]}, "penalties"),
        ({"subspace": np.ones((3, 1))}, r"shape \(3, 1\)"),
        ({"subspace": np.full((7, 1), np.nan)}, "NaN"),
        ({"subspace": np.ones((7, 2))}, "linearly dependent"),
        ({"subspace": np.array([["a"]] * 7)}, "real numbers"),
    ],
)
def test_unusable_settings_are_sentences(arguments, words):
    X, y, _, _ = data()
    with pytest.raises(InputError, match=words):
        BEFSRegressor(**arguments).fit(X, y)


def test_too_few_rows_to_choose_a_penalty_is_a_sentence():
    X, y, subspace, _ = data(3, 20)
    with pytest.raises(InputError, match="n_samples=3"):
        BEFSRegressor(subspace, "loo").fit(X, y)
