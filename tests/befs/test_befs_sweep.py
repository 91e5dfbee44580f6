"""Fits of every shape, unit and option agree with their definition in exact arithmetic."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge
from sklearn.model_selection import LeaveOneOut

from mcbrain.befs import BEFSRegressor
from mcbrain.errors import InputError
from tests.support.tikhonov_reference import Problem

SHAPES = [(1, 1), (1, 4), (2, 1), (3, 5), (4, 3), (5, 5), (6, 5), (7, 5), (14, 4), (6, 10)]
DECADES = [0, 3, 6, 12]
OFFSETS = [0.0, 1.0, 1e4, 1e8]
STRUCTURES = ["plain", "copied column", "empty column", "repeated row", "column used once"]
SUBSPACES = ["none", "axes", "dense"]
WEIGHTS = ["equal", "uneven", "zeros", "six decades"]
PENALTIES = [0.0, 1e-6, 1e-2, 1.0, 1e3, np.inf, "loo", "gcv", "loo", "gcv"]
UNITS = [1.0, 1.0, 1.0, 1e-155, 1e140]
GRID = np.array([0.0, 1e-5, 0.3, 40.0, np.inf])
WHOLE = 300
SLICE = 24  # further ones, in the default suite
TOLERANCE = 1e-8


@dataclass(frozen=True)
class Case:
    """One data set and the settings of one fit."""

    X: np.ndarray
    y: np.ndarray
    subspace: np.ndarray
    weight: np.ndarray
    penalty: float | str
    scale: str
    intercept: bool
    unit: float
    features: tuple

    @property
    def counted(self):
        """Rows of a weight above 0."""
        return self.weight > 0

    @property
    def per_unit(self):
        """What one unit of the penalty is in a sum over rows."""
        return self.weight.sum() if self.scale == "per-sample" else 1.0


def case(seed):
    """The case of a seed; each option is taken about equally often."""
    rng = np.random.default_rng([20261128, seed])
    (n, d), decades, offset, structure, kind, weights, penalty, unit = (
        options[rng.integers(len(options))]
        for options in (
            *(SHAPES, DECADES, OFFSETS, STRUCTURES),
            *(SUBSPACES, WEIGHTS, PENALTIES, UNITS),
        )
    )
    unit = 1.0 if offset > 1.0 else unit
    spread = 10.0 ** rng.permutation(np.linspace(-decades / 2, decades / 2, d))
    Z = rng.standard_normal((n, d))
    if structure == "empty column":
        Z[:, -1] = 0.0
    if structure == "column used once":
        Z[:, -1] = 0.0
        Z[rng.integers(n), -1] = 1.5
    if structure == "repeated row":
        Z[-1] = Z[0]
    # Powers of two, so that copied columns stay copies.
    X = (Z + offset * rng.uniform(1, 2, d)) * np.exp2(np.round(np.log2(spread))) * unit
    if structure == "copied column" and d > 1:
        X[:, -1], spread[-1] = X[:, 0], spread[0]
    weight = {
        "equal": np.ones(n),
        "uneven": rng.uniform(0.2, 3.0, n),
        "zeros": np.where(np.arange(n) % 4 == 1, 0.0, rng.uniform(0.2, 3.0, n)),
        "six decades": 10.0 ** rng.uniform(-3, 3, n),
    }[weights]
    r = 0 if kind == "none" else int(rng.integers(1, max(2, d // 2 + 1)))
    if kind == "axes":
        subspace = np.eye(d)[:, rng.permutation(d)[:r]]
    else:  # a direction is as small along an input as the input is large
        subspace = rng.standard_normal((d, r)) / spread[:, None]
    y = rng.standard_normal((n, int(rng.integers(1, 4))))
    scale = ("sum", "per-sample")[rng.integers(2)]
    intercept = bool(rng.integers(2)) or offset > 1.0
    size = "n < d" if n < d else "n = d" if n == d else "n > d"
    features = (
        *(size, f"n = {n}" if n == 1 else "", f"d = {d}" if d == 1 else "", structure, kind),
        *(f"weights {weights}", f"penalty {penalty}", scale, f"intercept {intercept}"),
        *(f"{decades} decades", f"offset {offset:g}", f"unit {unit:g}", f"{y.shape[1]} targets"),
    )
    return Case(X, y, subspace, weight, penalty, scale, intercept, unit, features)


def nothing_to_choose_by(case):
    """Whether what is never penalised fits any targets."""
    X = case.X[case.counted] - case.X[case.counted][0] * case.intercept
    size = np.max(np.abs(X), axis=0)
    size[size == 0] = 1.0
    inside = (X / size) @ (case.subspace * size[:, None])
    inside /= np.linalg.norm(inside, axis=0) + np.all(inside == 0, axis=0)
    fixed = np.column_stack([inside, np.ones((len(X), int(case.intercept)))])
    return np.linalg.matrix_rank(fixed, tol=1e-9) == len(X)


def fitted(case, penalty, grid):
    """Our fit."""
    model = BEFSRegressor(
        case.subspace if case.subspace.shape[1] else None,
        penalty,
        penalty_scale=case.scale,
        penalties=grid,
        fit_intercept=case.intercept,
    )
    return model.fit(case.X, case.y, sample_weight=case.weight)


def hold(case):
    """Hold one case against the reference; the largest relative error that was seen."""
    used = case.counted
    reference = Problem(
        case.X[used], case.y[used], case.subspace, case.weight[used], case.intercept
    )
    # Penalties keep their meaning where the unit of the inputs changes.
    grid = GRID * case.unit**2 if case.unit == 1.0 else GRID[[0, -1]]
    if not isinstance(case.penalty, str):
        penalty = case.penalty
        model = fitted(case, penalty, None)
        sums = [penalty * case.per_unit] * case.y.shape[1]
        worst = 0.0
    else:
        if nothing_to_choose_by(case):
            with pytest.raises(InputError, match="leave nothing to choose by"):
                fitted(case, case.penalty, grid)
            return 0.0
        model = fitted(case, case.penalty, grid)
        by = reference.loo if case.penalty == "loo" else reference.gcv
        expected = np.array([by(z * case.per_unit) for z in grid])
        worst = relative(model.cv_errors_, expected)
        chosen = np.broadcast_to(model.penalty_, case.y.shape[1])
        for target, value in enumerate(chosen):
            column = expected[:, target]
            place = int(np.flatnonzero(grid == value)[0])
            assert column[place] <= column.min() * (1 + 1e-9) + 1e-26
            assert np.all(column[:place] > column.min() * (1 + 1e-13))
        sums = chosen * case.per_unit
    coef = np.array([reference.coefficients(z)[0][:, j] for j, z in enumerate(sums)])
    size = np.max(np.abs(case.X[used] - case.X[used][0] * case.intercept), axis=0)
    scale = np.max(np.abs(case.y))
    return max(worst, relative(model.coef_ * size, coef * size, scale))


def relative(found, expected, scale=1.0):
    """Largest relative error of any number; what should be 0 is taken relative to `scale`."""
    zero = np.abs(expected) < 1e-40 * scale
    return float(np.max(np.abs(found - expected) / np.where(zero, scale, np.abs(expected))))


def sweep(seeds):
    """Counts of options, and the largest error of every case."""
    counts, worst = Counter(), []
    for seed in seeds:
        one = case(seed)
        error = hold(one)
        assert error < TOLERANCE, f"seed {seed}: {error:.1e}, {one.features}"
        counts.update(filter(None, one.features))
        worst.append(error)
    return counts, np.array(worst)


def test_a_slice_of_the_sweep_agrees_with_exact_arithmetic():
    sweep(range(WHOLE, WHOLE + SLICE))


@pytest.mark.long
def test_the_sweep_agrees_with_exact_arithmetic():
    counts, worst = sweep(range(WHOLE))
    print(f"\n{WHOLE} cases; largest relative error {worst.max():.1e}, of 99 % of them at most")
    print(f"{np.quantile(worst, 0.99):.1e}; how often each option was taken:")
    print(", ".join(f"{name} {times}" for name, times in sorted(counts.items())))
    assert min(counts.values()) >= 15


def ridge(case, z, keep):
    """Scikit-learn's fit of some of the rows, by its stable solver."""
    model = Ridge(z, solver="svd", fit_intercept=case.intercept)
    return model.fit(case.X[keep], case.y[keep], sample_weight=case.weight[keep])


def hold_against_ridge(case):
    """Predictions and leave-one-out errors without a subspace, as far as Ridge knows its digits."""
    sums = GRID[1:-1] * case.unit**2 if case.unit > 1e-100 else GRID[1:-1]
    case = replace(case, subspace=np.zeros((case.X.shape[1], 0)), scale="sum")
    every = np.flatnonzero(case.counted)
    for z in sums:
        found = fitted(case, z, None).predict(case.X[every])
        expected = ridge(case, z, every).predict(case.X[every]).reshape(found.shape)
        assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(case.y).max())
    if every.size < 3 or "12 decades" in case.features:  # where its own errors are seen
        return
    errors = np.zeros((sums.size, case.y.shape[1]))
    for keep, (row,) in LeaveOneOut().split(every):
        for i, z in enumerate(sums):
            model = ridge(case, z, every[keep])
            predicted = model.predict(case.X[every[row], None]).ravel()
            errors[i] += case.weight[every[row]] * (case.y[every[row]] - predicted) ** 2
    found = fitted(case, "loo", sums).cv_errors_
    assert_allclose(found, errors / case.weight.sum(), rtol=1e-4, atol=1e-9)


def test_a_slice_of_the_sweep_agrees_with_scikit_learns_ridge():
    for seed in range(WHOLE, WHOLE + SLICE):
        hold_against_ridge(case(seed))


@pytest.mark.long
def test_the_sweep_agrees_with_scikit_learns_ridge():
    for seed in range(WHOLE):
        hold_against_ridge(case(seed))
