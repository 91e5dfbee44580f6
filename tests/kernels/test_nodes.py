"""Leave-one-out scores at a few nodes settle which of all candidates is best, or say that not."""

import numba
import numpy as np
import pytest

from mcbrain.asking.penalty_rules import SELECTION_GRID
from mcbrain.kernels.random.roles import open_streams
from mcbrain.kernels.replicate.choice import make_choice
from mcbrain.kernels.replicate.raw_rules import raw_select_block
from mcbrain.kernels.replicate.workspace import make_outcome, make_workspace
from mcbrain.kernels.rules.nodes import make_nodes
from mcbrain.kernels.rules.select import Rules
from mcbrain.kernels.rules.select_work import LIMIT
from mcbrain.kernels.types import Setting, Sizes, make_fits
from tests.support.kernel_inputs import KEY, make_population, make_shifts
from tests.twins import draw as twin_draw
from tests.twins import encode as twin_encode
from tests.twins import select as twin
from tests.twins import streams as twin_streams

pytestmark = pytest.mark.kernels

TINY = bool(numba.config.DISABLE_JIT)
GRID = np.array(SELECTION_GRID)
CANDIDATES_ALONE = make_nodes(0)


def choose(n_task, code, eta, replicates, *, d=7, noise=0.7, multiples=GRID, nodes=None, **kept):
    """Run one row with the rule `loo`; returns what was chosen, which of it nodes settled, ..."""
    rng, k = np.random.default_rng(n_task), 2
    population = make_population(rng, d, k, 5, task_noise=noise, **kept)
    sizes, shifts = Sizes(n_task, 4 * d, k, k, 0.0), make_shifts(rng, population)
    fits = make_fits([code], [eta], [np.nan])
    rules = Rules(np.array([0]), np.array([0]), multiples)
    setting = Setting(population, sizes, fits, shifts)
    work = make_workspace(setting)
    choice = make_choice(setting, rules, work.task)
    choice = choice if nodes is None else choice._replace(nodes=nodes)
    room = choice.plain if code == 0 else choice.work
    streams, outcome = open_streams(5, KEY, 7), make_outcome(setting, 1)
    chosen, settled = np.zeros(replicates), np.zeros(replicates, dtype=bool)
    for at in range(replicates):
        room.shifts[:] = np.nan
        chosen[at] = raw_select_block(setting, streams, work, choice, outcome)[0, 0]
        settled[at] = room.shifts[1] == 0.0  # else the second candidate
    return chosen, settled, population, sizes, room


@pytest.mark.parametrize(("code", "eta"), [(0, 0.0), (1, 0.0), (2, 0.3)])
@pytest.mark.parametrize("noise", [0.01, 0.7, 5.0])
@pytest.mark.parametrize("n_task", [5, 7, 8, 9, 14, 21, 40, 200])
def test_nodes_choose_what_all_candidates_choose(n_task, noise, code, eta):
    replicates = 1 if TINY else 100
    chosen, settled, *_ = choose(n_task, code, eta, replicates, noise=noise)
    every, by_nodes, *_ = choose(n_task, code, eta, replicates, noise=noise, nodes=CANDIDATES_ALONE)
    np.testing.assert_array_equal(chosen, every)
    assert not by_nodes.any()
    if not TINY and n_task >= 21:
        assert settled.mean() > 0.9


@pytest.mark.skipif(TINY, reason="hundreds of replicates of d = 60 would take hours")
@pytest.mark.parametrize("law", [(1, 5.0), (4, 0.0), (5, 0.1)])
@pytest.mark.parametrize("n_task", [15, 29, 30, 63, 90, 150])
def test_nodes_choose_what_all_candidates_choose_for_heavy_tails_and_outliers(n_task, law):
    for code in (0, 1):
        kept = {"d": 60, "law": law[0], "law_parameter": law[1]}
        chosen, *_ = choose(n_task, code, 0.0, 100, **kept)
        every, *_ = choose(n_task, code, 0.0, 100, **kept, nodes=CANDIDATES_ALONE)
        np.testing.assert_array_equal(chosen, every)


@pytest.mark.parametrize(("code", "eta"), [(0, 0.0), (1, 0.0), (2, 0.3)])
@pytest.mark.parametrize(("d", "n_task"), [(7, 5), (7, 14), (7, 21), (7, 40), (13, 11), (11, 30)])
def test_interpolated_scores_are_those_of_refitting_within_their_doubt(d, n_task, code, eta):
    *_, population, sizes, room = choose(n_task, code, eta, 1, d=d)
    rngs = [twin_streams.open_stream(5, KEY, 7, role) for role in range(6)]
    X = twin_draw.draw_inputs(population, rngs[2], rngs[5], sizes.n_brain)
    R = twin_draw.draw_recordings(population, rngs[3], X)
    estimated = twin_encode.estimated_subspace(X, R, sizes.rank, 0.0)
    X = twin_draw.draw_inputs(population, rngs[0], rngs[4], n_task)
    y = twin_draw.draw_labels(population, rngs[1], X)
    basis = {0: None, 1: estimated, 2: population.brain_map.T}[code]
    _, scores = twin.choose(X, y, basis, eta, GRID[::6] if TINY else GRID, 0)
    places = np.append(0, 1 + np.arange(GRID.size)[:: 6 if TINY else 1])
    values, doubts = room.values[places], room.doubts[places]
    assert np.all(np.abs(values - scores[:-1]) <= doubts + 1e-8 * scores[:-1])
    assert np.all(doubts <= 1e-5 * scores[-1])


@pytest.mark.parametrize(("d", "n_task"), [(7, 5), (9, 6), (9, 7), (7, 41)])
def test_doubts_are_the_same_share_of_the_score_at_every_scale_of_the_inputs(d, n_task):
    shares = []
    for scale in (1.0, 1e-8):
        *_, room = choose(n_task, 0, 0.0, 1, d=d, scale=np.full(d, scale))
        shares.append(room.doubts[: 1 + GRID.size] / room.numbers[LIMIT])
    np.testing.assert_allclose(shares[1], shares[0], rtol=1e-4)


@pytest.mark.parametrize("n_task", [5, 40])
def test_candidates_that_differ_by_rounding_are_left_to_all_scores(n_task):
    twice = np.sort(np.concatenate([GRID, GRID * (1 + 1e-14)]))
    replicates = 1 if TINY else 50
    chosen, settled, *_ = choose(n_task, 0, 0.0, replicates, multiples=twice)
    every, *_ = choose(n_task, 0, 0.0, replicates, multiples=twice, nodes=CANDIDATES_ALONE)
    np.testing.assert_array_equal(chosen, every)
    inner = (chosen > 0.0) & np.isfinite(chosen)
    assert not settled[inner].any()


@pytest.mark.parametrize("eights", [3, 4, 7, 13])
def test_nodes_need_fewer_lanes_than_candidates_and_reach_zolotarevs_number(eights):
    nodes = make_nodes(eights)
    assert np.all(nodes.eights < eights)
    for at, count in enumerate(8 * nodes.eights - 1):
        kappa = -1.0 / nodes.place[at, 0]
        place, pole = nodes.place[at, 1 : 1 + count], nodes.pole[at, 1 : 1 + count]
        assert place[0] == 0.0
        assert np.all(place >= 0.0)
        assert np.all((pole >= 1.0 / kappa) & (pole <= 1.0))
        penalties, s = np.geomspace(1e-9, 1e9, 5000)[:, None], np.geomspace(1 / kappa, 1, 5000)
        phi = np.prod((penalties - place) / (penalties + pole), axis=1)
        r = np.prod((pole - s[:, None]) / (s[:, None] + place), axis=1)
        # Beckermann & Townsend (2017), for the nodes beside 0
        number = 4.0 * np.exp(-(np.pi**2) * (count - 1) / np.log(16.0 * kappa))
        assert np.max(np.abs(phi)) * np.max(np.abs(r)) <= number
        assert np.max(np.abs(r)) <= nodes.bound[at] < 3e-8
