"""Which moments exist for which inputs, and which standard errors replicates can vouch for."""

import itertools
import math

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.estimators import parse_estimator
from mcbrain.asking.penalty_rules import Rule
from mcbrain.asking.studies import Point
from mcbrain.blocks.query import Fit
from mcbrain.plan.statuses import row_status
from mcbrain.population.model import Model
from mcbrain.theory.singular_chances import (
    near_singular_chances,
    smallest_of_signs,
    unused_chances,
)
from mcbrain.theory.tails import (
    STATUSES,
    least_squares_status,
    nearly_along_status,
    skewness,
    status,
    worst,
)


def row_of(name, penalty, point, rule="fixed", eta=None, replicates=math.inf):
    estimator = parse_estimator(name)
    eta = estimator.eta if eta is None else eta
    row = Fit(estimator, rule, penalty, eta, point.model.k_m, 0.0)
    return row_status(row, point, replicates)


def point_of(n_task, n_brain=60, **model):
    settings = {"input_dim": 20, "latent_dim": 3, "n_channels": 6, "misalignment": 0.3}
    return Point(0, Model(**{**settings, **model}), n_task, n_brain)


def test_every_gap_has_its_word_in_any_dimension():
    words = [least_squares_status(20 + gap, 20, 0.0, math.inf) for gap in range(-9, 10)]
    assert words == status(np.arange(11, 30), 0, 20, 0.0).tolist()
    assert words == words[::-1]
    assert [words.count(w) for w in STATUSES] == [4, 8, 4, 3]


def test_two_penalties_of_zero_are_ols_and_spare_nothing():
    for n, word in (
        (2, "ok"),
        (3, "ok"),
        (4, "ok"),
        (17, "infinite_variance"),
        (20, "infinite_mean"),
    ):
        assert row_of("two-penalty:0.3", 0.0, point_of(n)) == word
        assert row_of("ols", 0.0, point_of(n)) == word
    assert row_of("befs", 0.0, point_of(4)) == "infinite_mean"
    assert row_of("two-penalty:0", 0.0, point_of(4), eta=0.0) == "infinite_mean"


@pytest.mark.parametrize("rule", ["loo", "gcv"])
def test_rules_that_may_choose_zero_have_the_moments_of_ols(rule):
    for n in range(1, 40):
        point = point_of(n, 0)
        assert row_of("ridge", math.nan, point, rule) == row_of("ols", 0.0, point)
        befs = row_of("befs", math.nan, point_of(n), rule)
        assert befs == row_of("befs", 0.0, point_of(n))


def chosen_is_zero(X, y, rule, grid):
    """Whether a rule chooses 0 among multiples of the mean eigenvalue, by dense algebra."""
    n, d = X.shape
    U, s, _ = np.linalg.svd(X)
    squares = np.concatenate([s**2, np.zeros(n)])[:n]
    scores = []
    for multiple in grid:
        ridge = multiple * squares.sum() / d
        if ridge == 0.0:  # the limit from above, up to a factor
            kept = (np.arange(n) >= d) * 1.0 if n > d else 1.0 / squares
        else:
            kept = ridge / (squares + ridge)
        residual, left = U @ (kept * (U.T @ y)), U**2 @ kept
        if rule == "loo":
            scores.append(np.sum((residual / left) ** 2))
        else:
            scores.append(n * np.sum(residual**2) / np.sum(left) ** 2)
    return int(np.argmin(scores)) == 0


@pytest.mark.parametrize("n", [4, 6])
def test_zero_is_chosen_however_small_the_smallest_eigenvalue_is(n):
    """The chance that 0 is chosen does not vanish with s, so the excess has the tail of OLS.

    At s = 1e-6 and 1e-12, d = 5, n = 4 to 13: 0.04 to 0.10 for leave-one-out, 0.01 (n = 4, 5) and
    0.09 to 0.24 (above) for GCV.
    """
    rng, grid = np.random.default_rng(0), [0.0, *np.geomspace(1e-4, 1e4, 49), 1e12]
    for rule, smallest in itertools.product(("loo", "gcv"), (1e-3, 1e-6)):
        hits = 0
        for _ in range(250):
            u, s, v = np.linalg.svd(rng.standard_normal((n, 5)), full_matrices=False)
            s[-1] = smallest
            X = (u * s) @ v
            hits += chosen_is_zero(X, X[:, 0] + rng.standard_normal(n), rule, grid)
        if rule == "loo" or n > 5:  # GCV below d: 2 or 3 of them
            assert hits >= 3  # of 10 or more expected: a false alarm in less than 0.3 %


# Inputs without a density -----------------------------------------------------------------------


def test_sparse_inputs_have_no_mean_of_ols_at_any_n_that_a_run_could_tell():
    sparse = {"inputs": "sparse:0.3", "input_dim": 3, "latent_dim": 1}
    for n in (1, 2, 3, 5, 12, 30, 60):
        assert row_of("ols", 0.0, point_of(n, **sparse)) == "infinite_mean"
        assert row_of("ridge", 0.3, point_of(n, **sparse)) == "ok"
    assert row_of("ols", 0.0, point_of(2000, **sparse)) == "ok"
    everything = {**sparse, "inputs": "sparse:1"}  # no zeros: a density
    assert row_of("ols", 0.0, point_of(12, **everything)) == "ok"


def test_without_zeros_sparse_inputs_have_the_table_of_a_density():
    for n, w in itertools.product((1, 3, 5, 6, 8, 11, 14, 20), (1, 3, 6)):
        sparse = least_squares_status(n, w, 0.0, 1e6, "sparse", share=1.0)
        assert sparse == least_squares_status(n, w, 0.0, 1e6), (n, w)


def test_the_chance_of_a_single_number_in_a_column_is_the_tail_of_the_smallest_eigenvalue():
    """P(s < t) against its leading term, 200,000 draws: 7 % of noise, 30 % allowed."""
    n, d, share, t = 12, 3, 0.3, 1e-4
    rng, draws = np.random.default_rng(1), 200_000
    X = rng.standard_normal((draws, n, d)) * (rng.random((draws, n, d)) < share) / np.sqrt(share)
    smallest = np.linalg.eigvalsh(np.swapaxes(X, 1, 2) @ X)[:, 0]
    found = np.mean((smallest < t) & (smallest > 1e-13))
    column = d * n * share * (1 - share) ** (n - 1)
    chance = near_singular_chances(n, d, d, share)[0]
    assert column < chance < 1.25 * column  # two columns of two rows, three of three
    assert found == pytest.approx(chance * math.sqrt(2 * share * t / math.pi), rel=0.3)


def test_signs_bound_the_smallest_eigenvalue_so_ols_has_every_moment():
    for n, d in ((3, 3), (4, 3), (3, 4)):
        signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n * d))).reshape(-1, n, d)
        values = np.linalg.svd(signs, compute_uv=False) ** 2
        values = values[values[:, -1] > 1e-9]
        assert values[:, -1].min() >= 0.2 * smallest_of_signs(n, d)
    for n in range(1, 20):
        point = point_of(n, inputs="rademacher", input_dim=6)
        assert row_of("ols", 0.0, point, replicates=100_000) == "ok"
        assert row_of("befs", 0.3, point) == row_of("befs", 0.3, point_of(n, input_dim=6))
    # In many dimensions the bound is so far out that no run sees the tail end there.
    assert row_of("ols", 0.0, point_of(61, input_dim=60, inputs="rademacher"), replicates=1e5) == (
        "heavy_tail"
    )


@pytest.mark.parametrize("inputs", ["uniform", "laplace", "student:5"])
def test_inputs_with_a_density_have_the_table(inputs):
    for n in range(1, 40):
        for name in ("ols", "befs", "projection"):
            word = row_of(name, 0.0, point_of(n))
            if name == "projection" and inputs == "student:5" and n > 3:
                word = worst([word, "heavy_tail"])  # of long rows, below
            assert row_of(name, 0.0, point_of(n, inputs=inputs)) == word


# Penalties that are too small for the replicates -------------------------------------------------


def ridge_excess(rng, n, d, penalty, shape):
    """Excess risks of ridge at |beta| = sigma_y = 1, by dense algebra."""
    X, e = rng.standard_normal((*shape, n, d)), rng.standard_normal((*shape, n))
    u, s, v = np.linalg.svd(X, full_matrices=False)
    fit = np.einsum("...nk,...n->...k", u, X[..., 0] + e) * s / (s**2 + n * penalty)
    beta = np.einsum("...k,...kd->...d", fit, v)
    beta[..., 0] -= 1.0
    return np.sum(beta**2, axis=-1)


# d, n, penalty, replicates, whether it is marked, and the coverage of mean +- 1.96 mcse measured
# over 500 to 1,500 runs.
TAILS = (
    (5, 4, 1e-3, 128, True, 0.86),
    (5, 4, 1e-4, 128, True, 0.73),
    (5, 5, 1e-4, 128, True, 0.87),
    (5, 6, 1e-4, 1024, True, 0.86),
    (5, 6, 1e-6, 8192, True, 0.83),
    (5, 8, 1e-4, 128, True, 0.86),
    (15, 14, 1e-6, 1024, True, 0.78),
    (15, 17, 1e-4, 128, True, 0.86),
    (5, 4, 1e-3, 1024, False, 0.94),
    (5, 5, 1e-3, 128, False, 0.91),
    (5, 5, 1e-3, 1024, False, 0.94),
    (5, 6, 1e-2, 128, False, 0.93),
    (5, 8, 1e-3, 1024, False, 0.93),
    (5, 10, 1e-6, 128, False, 0.92),
    (15, 14, 1e-3, 128, False, 0.92),
    (15, 17, 1e-4, 1024, False, 0.93),
    (15, 20, 1e-4, 1024, False, 0.98),
)


@pytest.mark.parametrize(("d", "n", "penalty", "replicates", "marked", "covers"), TAILS)
def test_marked_rows_are_those_whose_error_bars_do_not_work(
    d, n, penalty, replicates, marked, covers
):
    point = Point(0, Model(input_dim=d, latent_dim=1, n_channels=2), n, 0)
    word = row_of("ridge", penalty, point, replicates=replicates)
    assert word == ("heavy_tail" if marked else "ok")
    assert (covers <= 0.9) == marked


@pytest.mark.parametrize("cell", [TAILS[1], TAILS[9], TAILS[2]])
def test_the_coverage_is_what_the_table_says(cell):
    """300 runs against the law's mean; 4.5 standard errors, 1e-5 each."""
    from mcbrain.results.law_rows import predict

    d, n, penalty, replicates, _, covers = cell
    model = Model(input_dim=d, latent_dim=1, n_channels=2)
    (law,) = predict(model, n, 0, {"ridge": penalty})["predicted"].to_pylist()
    excess = ridge_excess(np.random.default_rng(3), n, d, penalty, (300, replicates))
    error = excess.std(axis=1, ddof=1) / math.sqrt(replicates)
    found = np.mean(np.abs(excess.mean(axis=1) - law) < 1.96 * error)
    assert abs(found - covers) < 4.5 * math.sqrt(covers * (1 - covers) / 300) + 0.01


def test_the_smaller_the_penalty_the_more_skewed_until_nothing_is_left():
    for n in (4, 5, 6, 8):
        found = [skewness(n, 5, z) for z in np.geomspace(10.0, 1e-60, 40)]
        assert found[0] == 1.0 and found[-1] > 1e25
        assert np.all(np.diff(found[8:]) > 0)
    assert skewness(60, 20, 1e-12) == 1.0


def test_a_band_of_tiny_penalty_is_as_bad_as_a_tiny_penalty():
    point = point_of(3)  # as many samples as the rank
    assert row_of("two-penalty:0.3", 1.0, point, replicates=1e5) == "ok"
    assert row_of("two-penalty:1e-12", 1.0, point, replicates=1e5) == "heavy_tail"
    assert row_of("befs", 1e-12, point_of(20), replicates=1e5) == "heavy_tail"
    assert row_of("ridge", 1e-12, point_of(20), replicates=1e5) == "heavy_tail"


def two_penalty_excess(rng, d, r, n, penalty, eta, shape):
    """Excess risks at |beta| = sigma_y = 1, by the kernel form of ridge in scaled inputs."""
    X = rng.standard_normal((*shape, n, d))
    y = X.sum(axis=-1) / math.sqrt(d) + rng.standard_normal((*shape, n))
    weights = np.where(np.arange(d) < r, 1.0 / eta, 1.0)
    K = (X * weights) @ np.swapaxes(X, -1, -2) + n * penalty * np.eye(n)
    along = np.linalg.solve(K, y[..., None])
    fit = weights * (np.swapaxes(X, -1, -2) @ along)[..., 0]
    return np.sum((fit - 1.0 / math.sqrt(d)) ** 2, axis=-1)


@pytest.mark.parametrize(("eta", "word"), [(0.3, "ok"), (1e-4, "heavy_tail")])
def test_what_is_short_inside_is_fitted_outside_unless_the_band_is_all_but_free(eta, word):
    """Squared skewness above what 128 replicates show, 3.6, or far below; 60,000 draws."""
    excess = two_penalty_excess(np.random.default_rng(8), 20, 3, 3, 1e-4, eta, (60_000,))
    skewed = np.mean(excess**3) ** 2 / np.mean(excess**2) ** 3
    assert skewed > 10.0 if word == "heavy_tail" else skewed < 2.0
    assert row_of(f"two-penalty:{eta}", 1e-4, point_of(3), replicates=128) == word
    if word == "ok":
        sparse = point_of(3, inputs="sparse:0.5")
        assert row_of("two-penalty:0.3", 1e-9, sparse, replicates=128) != "ok"


def test_rules_are_named_as_statuses_know_them():
    assert {rule.kind for rule in (Rule("loo"), Rule("gcv")) if rule.selects} == {"loo", "gcv"}


def status_of(model, n_task, n_brain, estimator, penalty=1.0):
    """The status word of one row, from a run of a few replicates."""
    (row,) = mb.simulate(
        model, n_task, n_brain, {estimator: penalty}, engine="raw", precision=0,
        max_replicates=64, threads=1,
    ).to_pylist()  # fmt: skip
    return row["status"]


@pytest.mark.parametrize(
    ("model", "n_task", "n_brain", "estimator", "word"),
    [
        # A measured latent along an axis is a column, which may hold a single number.
        ({"input_dim": 30, "inputs": "sparse:0.3", "basis": "axes"}, 12, 0, "befs-oracle",
         "infinite_mean"),
        ({"input_dim": 30, "inputs": "sparse:0.3", "basis": "haar"}, 12, 0, "befs-oracle", "ok"),
        # Three brain samples leave coordinates out of the estimated subspace altogether.
        ({"input_dim": 60, "inputs": "sparse:0.05"}, 30, 3, "projection", "infinite_mean"),
        ({"input_dim": 60, "inputs": "sparse:0.05"}, 30, 3, "befs", "infinite_mean"),
        ({"input_dim": 30, "inputs": "sparse:0.3"}, 60, 200, "befs", "ok"),
        ({"input_dim": 60, "inputs": "sparse:0.3", "basis": "axes", "neural_noise": 0.0}, 12, 100,
         "projection", "infinite_mean"),
        ({"input_dim": 60, "inputs": "sparse:0.3", "basis": "axes", "neural_noise": 0.01}, 12, 100,
         "befs", "heavy_tail"),
        # Few recordings, or a penalty, leave errors without any noise.
        ({"input_dim": 12, "inputs": "sparse:0.9", "basis": "axes", "neural_noise": 0.0}, 9, 10,
         "befs", "heavy_tail"),
        # Where a column is empty the fit divides by the squares of d - 1 errors.
        *(({"input_dim": d, "inputs": "sparse:0.3", "basis": "axes", "neural_noise": 0.1}, 60, 100,
           "befs", word) for d, word in ((3, "infinite_mean"), (5, "infinite_variance"),
                                         (9, "heavy_tail"))),
        # A row may be so long that it alone decides, and has next to nothing inside.
        ({"input_dim": 30, "inputs": "student:5"}, 20, 100, "projection", "heavy_tail"),
        ({"input_dim": 30, "inputs": "student:5"}, 1, 100, "projection", "infinite_mean"),
        ({"input_dim": 30, "inputs": "student:8"}, 20, 100, "projection", "ok"),
        ({"input_dim": 30, "inputs": "student:5"}, 20, 100, "befs", "ok"),
        # A column of signs has one length.
        ({"input_dim": 2, "inputs": "rademacher", "basis": "axes"}, 2, 0, "befs-oracle", "ok"),
        ({"input_dim": 2, "inputs": "rademacher", "basis": "axes"}, 3, 0, "befs-oracle", "ok"),
        ({"input_dim": 2, "inputs": "rademacher", "basis": "haar"}, 2, 0, "befs-oracle",
         "infinite_mean"),
    ],
)  # fmt: skip
def test_a_spared_subspace_is_generic_only_where_its_coordinates_are(
    model, n_task, n_brain, estimator, word
):
    of = mb.Model(latent_dim=1, n_channels=2, misalignment=0.2, **model)
    penalty = 0.0 if estimator == "projection" else 1.0
    assert status_of(of, n_task, n_brain, estimator, penalty) == word


def test_what_is_explained_has_no_long_rows():
    for noise, misaligned, words in ((0.0, 0.0, {"ok"}), (0.1, 0.0, {"heavy_tail"})):
        model = {"inputs": "student:5", "neural_noise": noise, "misalignment": misaligned}
        assert {row_of("projection", math.inf, point_of(40, **model))} == words
    for name, penalty in (("ols", 0.0), ("ridge", math.inf), ("two-penalty:0.3", math.inf)):
        assert row_of(name, penalty, point_of(40, inputs="student:5")) == "ok"


@pytest.mark.parametrize("r", [1, 2, 3])
def test_a_long_row_moves_a_projection_as_its_power_says(r):
    """E[excess^2 | a row of length t] grows like t^(4 - r), by a factor of 10^(4 - r) a decade.

    So with P(length > t) = t^-nu the moment of order 2 exists iff nu + r > 4. The inside of the row
    is drawn where most of that comes from, below 5 sqrt(n)/t; 0.1 is above five standard errors.
    """
    rng, n = np.random.default_rng(r), 20
    found = []
    for length in (1e3, 1e4):
        X = rng.standard_normal((100_000, n, r + 2))
        edge = 5.0 * math.sqrt(n) / length
        X[:, 0, :r] = rng.uniform(-edge, edge, (100_000, r))
        X[:, 0] *= length
        Z, rest = X[:, :, :r], X[:, :, r:].sum(axis=2)
        fit = np.linalg.solve(np.swapaxes(Z, 1, 2) @ Z, np.einsum("inr,in->ir", Z, rest)[..., None])
        found.append(edge**r * np.mean(np.sum(fit**2, axis=(1, 2)) ** 2))
    assert abs(np.log10(found[1] / found[0]) - (4 - r)) < 0.1


@pytest.mark.parametrize("others", [1, 2, 3])
def test_an_unused_coordinate_leaves_the_fit_to_the_errors_of_its_subspace(others):
    """P(excess > u) falls like u^(-others/2): Hill's estimate from the largest 500 of 60,000.

    Its standard error is 4.5 % of the power, and it is held to 20 %; false alarm 1e-5.
    """
    rng = np.random.default_rng(others)
    X = rng.standard_normal((60_000, 12, 1 + others))
    X[:, :, 0] = 0.0
    A = np.eye(1 + others, 1) + 0.05 * rng.standard_normal((60_000, 1 + others, 1))
    y = X.sum(axis=2) + rng.standard_normal((60_000, 12))
    Z = (X @ A)[..., 0]
    fit = np.sum(Z * y, axis=1) / np.sum(Z**2, axis=1)
    largest = np.sort(fit**2)[-501:]
    power = 1.0 / np.mean(np.log(largest[1:] / largest[0]))
    assert abs(2.0 * power / others - 1.0) < 0.2


@pytest.mark.parametrize("share", [0.3, 0.7, 0.95])
def test_the_chance_of_an_unused_coordinate_is_that_of_all_patterns(share):
    """Over the 512 patterns of zeros in three rows of a coordinate and two others."""
    exact = np.zeros(4)
    for pattern in itertools.product((False, True), repeat=9):
        used = np.reshape(pattern, (3, 3))
        needed = min(
            len(columns) + np.sum(np.delete(used, columns, axis=1).any(axis=1))
            for size in range(3)
            for columns in itertools.combinations((1, 2), size)
        )
        exact[needed] += share ** used.sum() * (1.0 - share) ** (9 - used.sum())
    found = unused_chances(3, 1, 2, "sparse", share)
    assert exact.sum() == pytest.approx(1.0)
    assert found[0] >= exact[1] and found[1] >= exact[2]
    if share == 0.95:  # one set is all there is
        assert found[0] == pytest.approx(exact[1], rel=0.05)


def test_the_words_of_unused_coordinates():
    assert nearly_along_status(8, 1, 0, "sparse", 0.3) == "ok"
    assert nearly_along_status(8, 1, 30, "density", 1.0) == "ok"
    words = [nearly_along_status(60, 1, k, "sparse", 0.3) for k in (2, 3, 4, 5, 8, 9, 30)]
    assert words == [
        "infinite_mean", *["infinite_variance"] * 2, *["heavy_tail"] * 4,
    ]  # fmt: skip
    words = [nearly_along_status(36, 2, k, "signs", 1.0) for k in (2, 3, 4, 5, 8, 9, 30)]
    assert words == [
        "infinite_mean", *["infinite_variance"] * 2, *["heavy_tail"] * 2, "ok", "ok",
    ]  # fmt: skip
    assert nearly_along_status(20, 1, 1, "signs", 1.0) == "ok"  # a column of signs is not short
    with pytest.raises(ValueError, match="smoothness"):
        nearly_along_status(20, 1, 1, "odd", 1.0)
