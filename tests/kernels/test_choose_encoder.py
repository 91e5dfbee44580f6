"""The encoder's penalty by leave-one-out and generalised cross-validation, against every refit."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.brain.choose_encoder import (
    best_encoder,
    decompose_encoder,
    make_encoder_choice,
    score_encoder,
    score_encoder_rows,
)
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate import raw, sufficient
from mcbrain.kernels.replicate.sufficient_draw import reduced
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.types import GENERALISED, LEAVE_ONE_OUT, Setting, Sizes
from tests.support.kernel_inputs import KEY, make_population, make_rows, make_shifts
from tests.twins.encode import encoder_scores

pytestmark = pytest.mark.kernels

RULES = {"loo": LEAVE_ONE_OUT, "gcv": GENERALISED}
MULTIPLES = np.geomspace(1e-3, 1e2, 6)
SHAPES = {  # n, d, p
    "more samples than inputs": (23, 6, 4),
    "more channels than inputs": (23, 5, 9),
    "fewer samples than inputs": (5, 8, 3),
    "as many samples as inputs": (6, 6, 2),
    "one input and one channel": (7, 1, 1),
    "more rows than are scored at a time": (300, 3, 2),
}


def _scores(X, R, rule):
    n, d, p = *X.shape, R.shape[1]
    choice = make_encoder_choice(RULES[rule], MULTIPLES, d, p, n, 1)
    decompose_encoder(X.T @ X, X.T @ R, choice)
    if rule == "loo":
        score_encoder_rows(X[: n // 2], R[: n // 2], choice)
        score_encoder_rows(X[n // 2 :], R[n // 2 :], choice)
    else:
        score_encoder(n, float(np.sum(R**2)), choice)
    return choice


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", SHAPES)
def test_scores_are_those_of_refits(shape, rule):
    """Each score is that of refits without each row, or of the hat matrix, to 1e-10."""
    n, d, p = SHAPES[shape]
    rng = np.random.default_rng(n + p)
    X = rng.standard_normal((n, d)) / np.arange(1, d + 1)
    R = X @ rng.standard_normal((d, p)) + rng.standard_normal((n, p))
    choice = _scores(X, R, rule)
    candidates = MULTIPLES * np.trace(X.T @ X) / d
    expected = encoder_scores(X, R, rule, candidates)
    np.testing.assert_allclose(choice.candidates, candidates, rtol=1e-12)
    np.testing.assert_allclose(choice.scores, expected, rtol=1e-10)
    assert best_encoder(choice) == choice.candidates[np.argmin(expected)]


def test_the_rules_differ():
    """Where rows differ in leverage, the two rules have different scores."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((12, 4)) * rng.exponential(1.0, (12, 1))
    R = X @ rng.standard_normal((4, 3)) + rng.standard_normal((12, 3))
    assert np.all(np.abs(_scores(X, R, "loo").scores / _scores(X, R, "gcv").scores - 1.0) > 1e-3)


def test_empty_recordings_and_inputs_choose_without_noise():
    """Nothing to tell candidates apart: the first of them, and no number that is not one."""
    for X, R in ((np.zeros((5, 3)), np.ones((5, 2))), (np.eye(5, 3), np.zeros((5, 2)))):
        choice = _scores(X, R, "loo")
        assert np.all(np.isfinite(choice.scores))
        assert best_encoder(choice) == choice.candidates[0] > 0.0


def _blocks(module, setting, rule, count, chunk=0, squeeze=lambda setting: setting):
    """The outcome of a block in which each replicate chooses, and what they chose."""
    setting = squeeze(setting)
    d, p = setting.population.scale.size, setting.population.channels.shape[0]
    work, out = make_workspace(setting, chunk), make_outcome(setting, count)
    rows = work.brain.data.inputs.shape[0]
    choice = make_encoder_choice(RULES[rule], MULTIPLES, d, p, rows, count)
    streams = open_streams(3, KEY, 0)
    block = raw.raw_block if module is raw else sufficient.sufficient_block
    block(setting, streams, work, out, choice)
    return out, choice.chosen


def _setting(penalty, n_brain=40, d=6, p=7):
    rng = np.random.default_rng(5)
    population = make_population(rng, d, 2, p, measured=2)
    n_task = 15
    rows, shifts = make_rows(n_task, (1,), (0.1,)), make_shifts(rng, population)
    return Setting(population, Sizes(n_task, n_brain, 2, 2, penalty), rows, shifts)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_brain", [40, 4])
def test_a_replicate_that_chooses_is_the_one_with_that_penalty(rule, n_brain):
    """Data and subspaces are those of the penalty that was chosen, however rows are drawn."""
    count = 3
    out, chosen = _blocks(raw, _setting(np.nan, n_brain), rule, count)
    again, chosen_again = _blocks(raw, _setting(np.nan, n_brain), rule, count, chunk=9)
    np.testing.assert_allclose(chosen_again, chosen, rtol=1e-12)
    np.testing.assert_allclose(again.m_hat, out.m_hat, rtol=1e-9)
    for at, penalty in enumerate(chosen):
        setting = _setting(penalty, n_brain)
        fixed = make_outcome(setting, count)
        raw.raw_block(setting, open_streams(3, KEY, 0), make_workspace(setting), fixed)
        np.testing.assert_array_equal(fixed.m_hat[at], out.m_hat[at])
        np.testing.assert_array_equal(fixed.excess[at], out.excess[at])


def test_without_noise_singular_values_decide_with_the_penalty_that_was_chosen():
    """Of rank-deficient recordings the subspace is lost, whatever penalty is chosen."""
    setting = _setting(np.nan)
    silent = setting.population._replace(neural_noise=0.0)
    setting = setting._replace(population=silent, sizes=setting.sizes._replace(rank=4))
    out, chosen = _blocks(raw, setting, "gcv", 2)
    assert np.all(np.isnan(out.m_hat))
    assert np.all(chosen > 0.0)


def test_sufficient_statistics_refuse_what_looks_at_rows():
    with pytest.raises(ValueError, match="suffice for GENERALISED alone"):
        _blocks(sufficient, _setting(np.nan), "loo", 2, squeeze=reduced, chunk=6)


@pytest.mark.parametrize("n_brain", [40, 4])
def test_sufficient_statistics_choose_as_often(n_brain):
    """The mean logarithm of the chosen penalty: z < 4.5 over 2 cases, false alarm 1e-5."""
    count = 60 if numba.config.DISABLE_JIT else 400
    setting = _setting(np.nan, n_brain)
    whole = np.log(_blocks(raw, setting, "gcv", count)[1])
    few = np.log(_blocks(sufficient, setting, "gcv", count, squeeze=reduced, chunk=6)[1])
    error = np.sqrt((whole.var(ddof=1) + few.var(ddof=1)) / count)
    assert error > 0.0
    assert abs(whole.mean() - few.mean()) < 4.5 * error
