"""Units, offsets, copies, ties, masks, names and memory: what fits must not stumble over."""

import pickle
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import RepeatedKFold, ShuffleSplit

import mcbrain as mb
from mcbrain.befs import BEFSRegressor, BrainEncoder
from mcbrain.befs.prepare import orthonormal_basis
from mcbrain.errors import InputError


def refits(X, y, sums, **settings):
    """Mean squared error of fitting every row's others, for penalties in a sum over rows."""
    errors = []
    for z in sums:
        squares = []
        for row in range(len(X)):
            rest = np.delete(np.arange(len(X)), row)
            model = BEFSRegressor(penalty=z, penalty_scale="sum", **settings)
            model.fit(X[rest], y[rest])
            squares.append((y[row] - model.predict(X[[row]])[0]) ** 2)
        errors.append(np.mean(squares, axis=0))
    return np.array(errors)


def test_a_large_column_takes_no_digits_from_a_small_one():
    X, y = np.array([[0, 0], [1e9, 1], [2e9, 0], [0, 1.0]]), [0, 1, 0, 1.0]
    model = BEFSRegressor(penalty=1, penalty_scale="sum").fit(X, y)
    # By hand: the large column takes y - 1/2 with coefficient c = -1e-10/1.05, the small one 10/21.
    assert_allclose(model.coef_, [-1e-9 / 10.5, 10 / 21], rtol=1e-9)


def test_a_column_of_times_since_1970_takes_no_digits_from_the_others():
    rng = np.random.default_rng(0)
    time = 1.7e9 + 3600.0 * np.arange(50)
    X = np.column_stack([time, rng.standard_normal((50, 3))])
    y = X[:, 1:] @ [3.0, -1.0, 0.5] + 1e-6 * (time - time[0]) + 0.01 * rng.standard_normal(50)
    plain = LinearRegression().fit(np.column_stack([(time - time[25]) / 1e5, X[:, 1:]]), y)
    expected = plain.coef_ * [1e-5, 1, 1, 1]
    for penalty in (0.0, "loo", "gcv"):
        model = BEFSRegressor(penalty=penalty, penalties=[0.0, 1e3]).fit(X, y)
        assert_allclose(model.coef_, expected, rtol=1e-9)
        assert_allclose(
            model.predict(X),
            plain.predict(np.column_stack([(time - time[25]) / 1e5, X[:, 1:]])),
            atol=1e-6,
        )
    encoder = BrainEncoder(n_latents=1).fit(X, y)
    assert_allclose(encoder.coef_, expected, rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-155, 1e-6, 1e9, 1e150])
@pytest.mark.parametrize(("n", "d"), [(12, 5), (6, 12)])
def test_fits_follow_the_unit_of_inputs_and_targets(unit, n, d):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((n, d)), rng.standard_normal((n, 3))
    for penalty in ("loo", "gcv", 0.0):
        found = BEFSRegressor(penalty=penalty).fit(X, y)
        inputs = BEFSRegressor(penalty=penalty).fit(X * unit, y)
        assert_allclose(inputs.coef_ * unit, found.coef_, rtol=1e-9)
        targets = BEFSRegressor(penalty=penalty).fit(X, y * unit)
        assert_allclose(targets.coef_ / unit, found.coef_, rtol=1e-9)
        assert_allclose(targets.penalty_, found.penalty_, rtol=1e-9)
    plain = BrainEncoder(n_latents=2).fit(X, y)
    for scaled in (
        BrainEncoder(n_latents=2).fit(X * unit, y),
        BrainEncoder(n_latents=2).fit(X, y * unit),
    ):
        assert_allclose(scaled.subspace_, plain.subspace_, rtol=1e-8)
    assert_allclose(scaled.latent_gains_ / unit, plain.latent_gains_, rtol=1e-8)
    assert_allclose(scaled.neural_noise_ / unit, plain.neural_noise_, rtol=1e-8)


def test_the_encoder_finds_the_same_in_columns_of_any_size():
    rng = np.random.default_rng(2)
    X, R = rng.standard_normal((40, 6)), rng.standard_normal((40, 4))
    R[:, :2] += X[:, :1] * 3 + X[:, 3:4]
    sizes = 10.0 ** np.array([-6, -3, 0, 2, 4, 6])
    plain, scaled = BrainEncoder(n_latents=2).fit(X, R), BrainEncoder(n_latents=2).fit(X * sizes, R)
    assert_allclose(scaled.coef_ * sizes, plain.coef_, rtol=1e-9)
    assert_allclose(scaled.latent_gains_, plain.latent_gains_, rtol=1e-9)
    # The subspace itself spares what it should, each input in its own unit.
    spared = BEFSRegressor(scaled.subspace_, np.inf).fit(X * sizes, R)
    expected = BEFSRegressor(plain.subspace_ / sizes[:, None], np.inf).fit(X * sizes, R)
    assert_allclose(spared.coef_ * sizes, expected.coef_ * sizes, rtol=1e-8)


def test_a_basis_with_columns_of_any_length_is_made_orthonormal():
    rng = np.random.default_rng(3)
    S = rng.standard_normal((9, 3)) * [1e-12, 1.0, 1e160]
    basis = orthonormal_basis(S)
    assert_allclose(basis.T @ basis, np.eye(3), atol=1e-14)
    # Nearly orthonormal is not orthonormal.
    off = np.eye(9)[:, :2] * (1 + 4e-6)
    assert_allclose(orthonormal_basis(off).T @ orthonormal_basis(off), np.eye(2), atol=1e-14)


@pytest.mark.parametrize("intercept", [True, False])
def test_leave_one_out_is_that_of_refitting_where_a_row_alone_decides(intercept):
    rng = np.random.default_rng(3)
    sums, settings = [0.0, 1e-3, 1.0, np.inf], {"fit_intercept": intercept}
    square, y = rng.standard_normal((4, 3)), rng.standard_normal((4, 2))
    repeated = rng.standard_normal((6, 9))
    repeated[4] = repeated[1]
    once = rng.standard_normal((8, 3))
    once[:, 1] = np.where(np.arange(8) == 5, 2.0, 0.0)
    for X in (square, square[:, :2], repeated, once, np.vstack([once, 1e9 * once[:1]])):
        y = rng.standard_normal((len(X), 2))
        for subspace in (None, np.eye(X.shape[1])[:, 1:2]):
            model = BEFSRegressor(subspace, "loo", penalties=sums, penalty_scale="sum", **settings)
            expected = refits(X, y, sums, subspace=subspace, **settings)
            assert_allclose(model.fit(X, y).cv_errors_, expected, rtol=1e-8)


def test_generalised_cross_validation_takes_its_limit_where_the_fit_is_exact():
    rng = np.random.default_rng(4)
    for n, d in ((5, 4), (5, 9)):
        X, y = rng.standard_normal((n, d)), rng.standard_normal(n)
        scores = BEFSRegressor(penalty="gcv", penalties=[0.0, 1e-12]).fit(X, y).cv_errors_
        assert_allclose(scores[0], scores[1], rtol=1e-6)


@pytest.mark.parametrize("rule", ["loo", "gcv"])
def test_of_equal_penalties_the_first_is_taken(rule):
    rng = np.random.default_rng(5)
    for seed in range(20):
        grid = rng.permutation([0.0, 1e-7, 0.3, 5.0, 1e9, np.inf])
        one = rng.standard_normal((1, 1 + seed % 4)), rng.standard_normal(1), False
        pair = rng.standard_normal((2, 1 + seed % 4)), rng.standard_normal(2), True
        still = np.ones((6, 2)), rng.standard_normal(6), True
        flat = rng.standard_normal((6, 2)), np.full(6, 0.1), True
        for X, y, intercept in (one, pair, still, flat):
            model = BEFSRegressor(penalty=rule, penalties=grid, fit_intercept=intercept).fit(X, y)
            assert model.penalty_ == grid[0]


def test_of_ranks_that_predict_alike_the_lowest_is_taken():
    rng = np.random.default_rng(6)
    X = rng.standard_normal((30, 5))
    R = X @ rng.standard_normal((5, 2)) @ rng.standard_normal((2, 4))  # no noise: rank 2 is exact
    encoder = BrainEncoder().fit(X, R)
    assert encoder.n_latents_ == 2
    assert np.all(encoder.cv_errors_ >= 0)


@pytest.mark.parametrize(
    "folds",
    [
        RepeatedKFold(n_splits=4, n_repeats=10, random_state=0),
        ShuffleSplit(5, test_size=0.1, random_state=0),
    ],
)
def test_errors_left_out_are_means_over_the_values_that_were_tested(folds):
    rng = np.random.default_rng(7)
    X, R = rng.standard_normal((40, 5)), rng.standard_normal((40, 3))
    R[:, 0] += 2 * X[:, 0]
    encoder = BrainEncoder(cv=folds).fit(X, R)
    squares = []
    for train, test in folds.split(X):
        fit = BrainEncoder(n_latents=1).fit(X[train], R[train])
        squares.append((R[test] - fit.predict(X[test])).ravel() ** 2)
    assert_allclose(encoder.cv_errors_[0], np.mean(np.concatenate(squares)), rtol=1e-9)


def test_masked_values_are_refused_and_arrays_without_any_are_used():
    rng = np.random.default_rng(8)
    X, y, S = rng.standard_normal((20, 4)), rng.standard_normal(20), rng.standard_normal((4, 2))
    weight = np.ones(20)

    def masked(array):
        where = np.zeros(array.shape, dtype=bool)
        where.flat[5] = True
        return np.ma.array(array, mask=where)

    for name, call in {
        "X": lambda: BEFSRegressor().fit(masked(X), y),
        "y": lambda: BEFSRegressor().fit(X, masked(y)),
        "sample_weight": lambda: BEFSRegressor().fit(X, y, sample_weight=masked(weight)),
        "subspace": lambda: BEFSRegressor(masked(S)).fit(X, y),
        "penalties": lambda: BEFSRegressor(penalty="loo", penalties=masked(np.ones(9))).fit(X, y),
        r"X\[1\]": lambda: BEFSRegressor().fit([X[0], masked(np.r_[X[1], X[1]])], y[:2]),
    }.items():
        with pytest.raises(InputError, match=rf"{name} is masked at"):
            call()
    model, encoder = BEFSRegressor().fit(X, y), BrainEncoder(n_latents=1).fit(X, y)
    for call in (
        *(lambda: model.predict(masked(X)), lambda: encoder.predict(masked(X))),
        *(lambda: encoder.transform(masked(X)), lambda: encoder.encoding_score(X, masked(y))),
        *(lambda: BrainEncoder().fit(masked(X), y), lambda: BrainEncoder().fit(X, masked(y))),
    ):
        with pytest.raises(InputError, match="is masked at"):
            call()
    assert_allclose(BEFSRegressor().fit(np.ma.array(X), np.ma.array(y)).coef_, model.coef_)


@pytest.mark.parametrize(
    "values",
    [np.ones((4, 1)) + 1j, np.array([["a"]] * 4), np.ones((4, 1), bool), np.ones((4, 1), object)],
)
def test_what_is_no_real_number_is_refused(values):
    rng = np.random.default_rng(9)
    X, y = rng.standard_normal((20, 4)), rng.standard_normal(20)
    with pytest.raises(InputError, match="subspace holds"):
        BEFSRegressor(values).fit(X, y)
    with pytest.raises(InputError, match="penalties holds"):
        BEFSRegressor(penalty="loo", penalties=values[:, 0]).fit(X, y)
    with pytest.raises(InputError, match="y holds"):
        BrainEncoder(n_latents=1).fit(X, y).encoding_score(X[:4], values)


def test_one_channel_is_scored_in_every_form():
    rng = np.random.default_rng(10)
    X = rng.standard_normal((30, 4))
    repeats = X @ [1.0, 0, 2, 0] + rng.standard_normal((3, 30))
    for y in (repeats[0], repeats[0][:, None]):
        encoder = BrainEncoder().fit(X, y)
        scores = [encoder.encoding_score(X, form) for form in (repeats[0], repeats[0][:, None])]
        assert_allclose(scores[0].r2, [encoder.score(X, repeats[0])])
        assert_allclose(scores[1].r2, scores[0].r2)
        both = [encoder.encoding_score(X, form) for form in (repeats, repeats[:, :, None])]
        assert_allclose(both[0].noise_ceiling, both[1].noise_ceiling)
        assert both[0].noise_ceiling.shape == (1,)
    with pytest.raises(InputError, match=r"shape \(29,\): expected \(30, 1\), \(30,\)"):
        encoder.encoding_score(X, repeats[0, :29])


def frames(order):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(11)
    X, X_brain = rng.standard_normal((30, 5)), rng.standard_normal((60, 5))
    A = np.array([1.0, -2, 0.5, 0, 0])
    R = (X_brain @ A)[:, None] * [1.0, 0.5] + 0.1 * rng.standard_normal((60, 2))
    names = list("abcde")
    return pd.DataFrame(X, columns=names)[order], X @ A, pd.DataFrame(X_brain, columns=names), R


def test_the_rows_of_a_subspace_are_matched_to_the_inputs_by_name():
    X, y, X_brain, R = frames(list("ecadb"))
    encoder = BrainEncoder(n_latents=1).fit(X_brain, R)
    expected = BEFSRegressor(np.asarray(encoder.subspace_), 50.0).fit(
        X[list("abcde")].to_numpy(), y
    )
    for subspace in (
        encoder.subspace_,
        encoder.subspace_[:, :1],
        pickle.loads(pickle.dumps(encoder)).subspace_,
    ):
        model = clone(BEFSRegressor(subspace, 50.0)).fit(X, y)
        assert_allclose(model.predict(X), expected.predict(X[list("abcde")].to_numpy()))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[list("abcde")])
    with pytest.raises(InputError, match="without: z; the two are matched by name"):
        BEFSRegressor(encoder.subspace_).fit(X.rename(columns={"a": "z"}), y)
    with pytest.warns(UserWarning, match="subspace was fitted with feature names and X has none"):
        BEFSRegressor(encoder.subspace_).fit(X.to_numpy(), y)
    # Whoever moves rows by hand gets what they ask for.
    place = ["abcde".index(name) for name in X.columns]
    by_hand = BEFSRegressor(encoder.subspace_[place], 50.0).fit(X, y)
    assert_allclose(by_hand.coef_, model.coef_)
    assert type(encoder.subspace_.T @ encoder.subspace_) is np.ndarray
    assert type(encoder.subspace_.sum()) is np.float64


def test_many_targets_take_no_more_memory_than_the_inputs_and_results():
    """Leave-one-out over 50 penalties; peak beside X, y and what is stored, over X and y."""
    rng = np.random.default_rng(12)
    X, y = rng.standard_normal((150, 40)), rng.standard_normal((150, 20_000))
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        model = BEFSRegressor(penalty="loo").fit(X, y)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    results = model.coef_.nbytes + model.cv_errors_.nbytes
    assert after - before < 1.3 * results
    assert peak - before - results < X.nbytes + y.nbytes


def test_scores_refuse_masked_values():
    X = np.arange(12.0).reshape(6, 2) % 5
    y = np.ma.array([0.0, 1, 2, 3, 4, 1e6], mask=[0] * 5 + [1])
    weights = np.ma.array([1.0] * 6, mask=[0] * 5 + [1])
    fit = mb.BEFSRegressor().fit(X, np.arange(6.0))
    encoder = mb.BrainEncoder(1).fit(X, X)
    for score in (
        lambda: fit.score(X, y),
        lambda: fit.score(X, np.arange(6.0), sample_weight=weights),
        lambda: encoder.score(X, np.ma.array(X, mask=X > 3)),
    ):
        with pytest.raises(mb.InputError, match="masked"):
            score()
