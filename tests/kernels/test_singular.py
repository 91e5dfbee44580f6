"""Data of too small a rank: every estimator is the pseudo-inverse that it is said to be."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.random.draw import RADEMACHER, SPARSE, UNIFORM
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.choice import make_choice
from mcbrain.kernels.replicate.raw import raw_block
from mcbrain.kernels.replicate.raw_rules import raw_select_block
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.rules.select import Rules
from mcbrain.kernels.types import (
    ESTIMATED,
    FINE,
    GENERALISED,
    LEAVE_ONE_OUT,
    MEASURED,
    NO_SUBSPACE,
    Setting,
    Sizes,
    make_fits,
)
from tests.support.kernel_inputs import KEY, compare, make_population, make_rows, make_shifts
from tests.twins import draw as twin_draw
from tests.twins import select as twin_select
from tests.twins import streams as twin_streams

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)
CODES = (NO_SUBSPACE, ESTIMATED, MEASURED)
PENALTIES = (0.0, 1e-30, 0.02, 1.0, np.inf)
LAWS = {
    "rademacher": {"law": RADEMACHER},
    "sparse:0.3": {"law": SPARSE, "law_parameter": 0.3},
    "sparse:0.1": {"law": SPARSE, "law_parameter": 0.1},
    "uniform": {"law": UNIFORM},
}


def axes_population(rng, d, k, p, **changes):
    """Latents and task along the axes, as `basis = "axes"` has them."""
    population = make_population(rng, d, k, p, **changes)
    beta = np.zeros(d)
    beta[: k + 1] = rng.standard_normal(k + 1)[:d]
    return population._replace(brain_map=np.eye(k, d), beta=beta)


CASES = [  # law, d, n_task, n_brain, k, encoding penalty
    ("rademacher", 6, 14, 0, 1, 0.0),
    ("rademacher", 4, 5, 6, 1, 0.0),
    ("rademacher", 4, 4, 4, 2, 0.0),
    ("rademacher", 5, 3, 4, 2, 0.0),
    ("rademacher", 6, 4, 7, 3, 2.0),
    ("rademacher", 3, 2, 2, 1, 1e-12),
    ("rademacher", 1, 1, 1, 1, 0.0),
    ("sparse:0.3", 5, 9, 8, 2, 0.0),
    ("sparse:0.3", 5, 5, 5, 2, 0.0),
    ("sparse:0.3", 6, 4, 9, 2, 0.0),
    ("sparse:0.1", 9, 20, 30, 3, 0.0),
    ("sparse:0.1", 9, 7, 12, 2, 1e-11),
    ("sparse:0.1", 35, 60, 70, 3, 0.0),
    ("uniform", 5, 9, 8, 2, 0.0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_estimator_is_its_pseudo_inverse_on_discrete_inputs(case):
    law, d, n_task, n_brain, k, encoding = case
    rng = np.random.default_rng(CASES.index(case))
    population = axes_population(rng, d, k, 6, **LAWS[law])
    outcome = compare(
        population,
        Sizes(n_task, n_brain, k, k, encoding),
        make_rows(n_task, CODES if n_brain else (NO_SUBSPACE, MEASURED), PENALTIES),
        make_shifts(rng, population),
        replicates=2 if TINY else 60 if d < 20 else 10,
        rtol=1e-9,
    )
    assert n_brain or (outcome.failures == FINE).all()


MULTIPLES = np.array([1e-3, 0.01, 0.1, 0.4, 1.0, 3.0, 30.0])
ROWS = [(NO_SUBSPACE, 0.0), (MEASURED, 0.0), (MEASURED, 0.3)]


def choose(population, n_task, k, replicates):
    """Let every estimator choose by both rules; returns outcome, penalties, data and shifts."""
    sizes, shifts = Sizes(n_task, 0, k, k, 0.0), make_shifts(np.random.default_rng(0), population)
    rows = [*ROWS, *ROWS]
    fits = make_fits([c for c, _ in rows], [eta for _, eta in rows], [np.nan] * 6)
    rules = Rules(np.arange(6), np.repeat([LEAVE_ONE_OUT, GENERALISED], 3), MULTIPLES)
    setting = Setting(population, sizes, fits, shifts)
    outcome, work = make_outcome(setting, replicates), make_workspace(setting)
    choice = make_choice(setting, rules, work.task)
    chosen = raw_select_block(setting, open_streams(5, KEY, 7), work, choice, outcome)
    rngs = [twin_streams.open_stream(5, KEY, 7, role) for role in (0, 1, 4)]
    data = []
    for _ in range(replicates):
        X = twin_draw.draw_inputs(population, rngs[0], rngs[2], n_task)
        data.append((X, twin_draw.draw_labels(population, rngs[1], X)))
    return outcome, chosen, data, [*zip(rows, rules.rule, strict=True)]


@pytest.mark.parametrize(
    ("law", "d", "n_task", "k"),
    [
        ("uniform", 4, 4, 1),
        ("uniform", 4, 1, 1),
        ("uniform", 5, 3, 2),
        ("uniform", 1, 1, 1),
        ("rademacher", 4, 5, 1),
        ("rademacher", 3, 3, 1),
        ("rademacher", 5, 4, 1),
        ("rademacher", 6, 2, 1),
        ("sparse:0.3", 4, 7, 2),
        ("sparse:0.3", 4, 4, 2),
        ("sparse:0.3", 6, 5, 2),
        ("sparse:0.1", 5, 25, 1),
    ],
)
def test_the_penalty_chosen_is_the_first_of_the_best_by_refitting(law, d, n_task, k):
    replicates = 1 if TINY else 25
    population = axes_population(np.random.default_rng(d), d, k, 4, **LAWS[law])
    outcome, chosen, data, rows = choose(population, n_task, k, replicates)
    assert (outcome.failures == FINE).all()
    for at, (X, y) in enumerate(data):
        for row, ((code, eta), rule) in enumerate(rows):
            if code != NO_SUBSPACE and eta == 0.0 and n_task <= k:
                assert chosen[at, row] == np.inf
                continue
            basis = population.brain_map.T if code == MEASURED else None
            penalties, scores = twin_select.choose(X, y, basis, eta, MULTIPLES, rule)
            # Penalties that refitting cannot tell apart are equal, and the first of them is right.
            first = np.argmax(scores <= np.nanmin(scores) * (1 + 1e-6))
            np.testing.assert_allclose(chosen[at, row], penalties[first], rtol=1e-9)


def test_one_task_sample_says_nothing_of_the_penalty_and_the_first_is_taken():
    for law in ({}, {"law": RADEMACHER}):
        population = make_population(np.random.default_rng(0), 7, 2, 4, **law)
        _, chosen, _, rows = choose(population, 1, 2, 3 if TINY else 200)
        for row, ((code, eta), _) in enumerate(rows):
            same_fit = code == MEASURED and eta == 0.0
            assert (chosen[:, row] == (np.inf if same_fit else 0.0)).all()


def test_a_regular_matrix_keeps_its_solution_however_small_its_eigenvalues():
    # Singular values of X down to 1e-9 of the largest, which the Gram matrix cannot show.
    rng = np.random.default_rng(4)
    scale = np.array([1.0, 1e-3, 1e-6, 1e-9])
    population = make_population(rng, 4, 1, 2, scale=scale)
    outcome = compare(
        population,
        Sizes(8, 0, 1, 1, 0.0),
        make_rows(8, (NO_SUBSPACE,), (0.0,)),
        make_shifts(rng, population),
        replicates=2 if TINY else 20,
        rtol=1e-5,
    )
    assert (outcome.failures == FINE).all()


@pytest.mark.parametrize(
    "unknown",
    [{"law": 6}, {"law": -1}, {"law": -2}, {"latents": 2}, {"neural_law": 2}, {"subspace": 3}],
)
@pytest.mark.parametrize("n", [12, 3])
def test_a_code_that_no_kernel_knows_gives_no_number(unknown, n):
    rng = np.random.default_rng(0)
    known = {name: code for name, code in unknown.items() if name != "subspace"}
    population, subspace = make_population(rng, 5, 1, 3, **known), unknown.get("subspace", 1)
    sizes, shifts = Sizes(n, n, 1, 1, 0.0), make_shifts(rng, population)
    fits = make_fits([subspace] * 4, [0.0] * 4, [0.0, 1.0, np.inf, -0.1])
    setting = Setting(population, sizes, fits, shifts)
    outcome = make_outcome(setting, 2)
    raw_block(setting, open_streams(5, KEY, 7), make_workspace(setting), outcome)
    assert np.isnan(outcome.excess).all()
    assert (outcome.failures != FINE).all()


@pytest.mark.parametrize("n", [12, 3])
def test_an_unknown_law_or_rule_leaves_no_row_without_a_subspace_either(n):
    rng = np.random.default_rng(0)
    for law, rule in ((6, LEAVE_ONE_OUT), (6, GENERALISED), (0, 2)):
        population = make_population(rng, 5, 1, 3, law=law)
        sizes, shifts = Sizes(n, 0, 1, 1, 0.0), make_shifts(rng, population)
        fits = make_fits([NO_SUBSPACE] * 3, [0.0] * 3, [np.nan, 1.0, np.inf])
        setting = Setting(population, sizes, fits, shifts)
        outcome, work = make_outcome(setting, 2), make_workspace(setting)
        rules = Rules(np.array([0]), np.array([rule]), MULTIPLES)
        choice = make_choice(setting, rules, work.task)
        raw_select_block(setting, open_streams(5, KEY, 7), work, choice, outcome)
        lost = outcome.failures != FINE
        assert lost[:, 0].all()
        assert lost[:, 1:].all() == (law == 6)
        np.testing.assert_array_equal(np.isnan(outcome.excess).all(axis=-1), lost)
