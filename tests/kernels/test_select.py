"""Penalties chosen on each replicate's data are those of brute-force refitting."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate import raw
from mcbrain.kernels.replicate.choice import make_choice
from mcbrain.kernels.replicate.raw_rules import raw_select_block
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.rules.select import Rules
from mcbrain.kernels.types import Setting, Sizes, make_fits
from tests.support.kernel_inputs import KEY, make_population, make_shifts
from tests.twins import draw as twin_draw
from tests.twins import encode as twin_encode
from tests.twins import risk as twin_risk
from tests.twins import select as twin
from tests.twins import solve as twin_solve
from tests.twins import streams as twin_streams

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)
MULTIPLES = np.array([1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.4, 1.0, 3.0, 30.0])
ROWS = [(0, 0.0), (1, 0.0), (2, 0.0), (1, 0.3), (0, 0.0), (1, 0.0), (2, 0.0), (2, 3.0)]
RULES = [0, 0, 0, 0, 1, 1, 1, 1]


def run(n_task, seed, replicates, chunk=8, task_noise=0.7):
    """Run the kernel; returns all that the twin needs."""
    rng = np.random.default_rng(seed)
    d, k, p = 7, 2, 5
    population = make_population(
        rng, d, k, p, scale=rng.uniform(0.7, 1.3, d), task_noise=task_noise
    )
    sizes, shifts = Sizes(n_task, 30, k, k, 0.0), make_shifts(rng, population)
    # The last row has a fixed penalty, and must not notice the others.
    rows = [*ROWS, (0, 0.0)]
    fits = make_fits(
        [code for code, _ in rows], [eta for _, eta in rows], [np.nan] * len(ROWS) + [2.0]
    )
    rules = Rules(np.arange(len(ROWS)), np.array(RULES), MULTIPLES)
    setting = Setting(population, sizes, fits, shifts)
    outcome, work = make_outcome(setting, replicates), make_workspace(setting, chunk)
    choice = make_choice(setting, rules, work.task, chunk)
    chosen = raw_select_block(setting, open_streams(5, KEY, 7), work, choice, outcome)
    return population, sizes, shifts, outcome, chosen


@pytest.mark.parametrize("task_noise", [0.05, 0.7, 3.0])
@pytest.mark.parametrize("n_task", [8, 13, 40, 6, 4, 3, 2])
def test_the_chosen_penalty_is_that_of_refitting_without_each_row(n_task, task_noise):
    replicates = 1 if TINY else 4
    population, sizes, shifts, outcome, chosen = run(
        n_task, n_task, replicates, task_noise=task_noise
    )
    rngs = [twin_streams.open_stream(5, KEY, 7, role) for role in range(6)]
    for at in range(replicates):
        X = twin_draw.draw_inputs(population, rngs[2], rngs[5], sizes.n_brain)
        R = twin_draw.draw_recordings(population, rngs[3], X)
        estimated = twin_encode.estimated_subspace(X, R, sizes.rank, 0.0)
        X = twin_draw.draw_inputs(population, rngs[0], rngs[4], n_task)
        y = twin_draw.draw_labels(population, rngs[1], X)
        bases = {0: None, 1: estimated, 2: population.brain_map.T}
        for row, (code, eta) in enumerate(ROWS):
            if code > 0 and eta == 0 and n_task <= sizes.rank:
                continue  # nothing to choose
            penalties, scores = twin.choose(X, y, bases[code], eta, MULTIPLES, RULES[row])
            place = np.nanargmin(np.abs(np.where(penalties == np.inf, 1e300, penalties)
                                        - min(chosen[at, row], 1e300)))  # fmt: skip
            np.testing.assert_allclose(chosen[at, row], penalties[place], rtol=1e-9)
            assert scores[place] <= np.nanmin(scores) * (1 + 1e-6)
            coef, _ = twin_solve.beta_hat(X, y, bases[code], eta, chosen[at, row])
            np.testing.assert_allclose(
                outcome.excess[at, row],
                twin_risk.excess_risk(population, shifts, coef),
                rtol=1e-9,
            )


def test_rows_with_a_fixed_penalty_do_not_notice():
    population, sizes, shifts, outcome, _ = run(20, 1, 3)
    fits = make_fits([0], [0.0], [2.0])
    setting = Setting(population, sizes, fits, shifts)
    alone = make_outcome(setting, 3)
    raw.raw_block(setting, open_streams(5, KEY, 7), make_workspace(setting, 8), alone)
    np.testing.assert_allclose(outcome.excess[:, -1], alone.excess[:, 0], rtol=1e-12)


@pytest.mark.parametrize("n_task", [8, 13])
def test_without_label_noise_no_penalty_is_chosen_by_either_rule(n_task):
    # The scores at 0 are rounding, of either sign; any other penalty has a visible error.
    *_, chosen = run(n_task, 3, 2 if TINY else 40, task_noise=0.0)
    assert (chosen == 0.0).all()
