"""Budgets: the split against brute force, its corner, its prices and its map."""

from __future__ import annotations

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.worth.allocation import allocate, exposed_latents
from mcbrain.worth.regimes import regime_map
from mcbrain.worth.surface import Surface

MODEL = mb.Model(
    input_dim=60, latent_dim=5, n_channels=40, misalignment=0.05, task_noise=0.7, neural_noise=1.0
)


@pytest.mark.parametrize(("budget", "price"), [(300, 0.1), (1000, 0.2), (4000, 0.02)])
def test_the_split_is_the_best_of_all_whole_numbers(budget: float, price: float) -> None:
    surface = Surface(MODEL)
    n_brain = np.arange(5, int((budget - 7) / price) + 1)
    n_task = np.floor(budget - price * n_brain)
    risk = surface.risk(n_task, n_brain)
    found = allocate(MODEL, budget, 1.0, price)
    assert found.worth_collecting
    # A whole task sample is a step of the risk, so neighbours of the optimum may tie to 1e-4.
    assert found.risk == pytest.approx(risk.min(), rel=1e-4)
    assert found.cost <= budget


def test_at_an_interior_optimum_the_marginal_rate_is_the_price_ratio() -> None:
    noisy = mb.Model(**MODEL.given() | {"task_noise": 3.0})
    found = allocate(noisy, 20_000, 1.0, 1.0)
    assert found.kind == "interior"
    assert found.marginal_rate == pytest.approx(1.0, rel=0.02)


def test_the_corner_is_tuned_ridge_on_the_whole_budget() -> None:
    found = allocate(MODEL, 5000, 2.0, 1000.0)
    assert (found.n_task, found.n_brain, found.kind) == (2500, 0, "corner")
    assert not found.worth_collecting
    assert found.risk == found.risk_without == pytest.approx(float(Surface(MODEL).ridge(2500)))


def test_brain_data_is_collected_below_the_break_even_price_and_not_above() -> None:
    price = allocate(MODEL, 2000).break_even_price
    assert price > 0
    below, above = (allocate(MODEL, 2000, 1.0, price * f) for f in (0.99, 1.01))
    assert below.worth_collecting
    assert not above.worth_collecting
    # The jump: at the price of indifference a large part of the money goes to brain data.
    assert below.n_brain > 60


def test_a_brain_that_sees_nothing_of_the_task_is_worth_nothing_at_any_price() -> None:
    blind = mb.Model(**MODEL.given() | {"misalignment": 1.0})
    found = allocate(blind, 2000, 1.0, 1e-6)
    assert (found.worth_collecting, found.break_even_price) == (False, 0.0)


def test_cheap_repeats_are_used_and_dear_ones_are_not() -> None:
    noisy = mb.Model(**MODEL.given() | {"neural_noise": 3.0, "task_noise": 3.0})
    plain = allocate(noisy, 2000, 1.0, 0.2)
    cheap = allocate(noisy, 2000, 1.0, 0.2, cost_repeat=0.005, max_repeats=16)
    dear = allocate(noisy, 2000, 1.0, 0.2, cost_repeat=50.0, max_repeats=16)
    assert cheap.repeats > 1
    assert cheap.risk < plain.risk
    assert (dear.repeats, dear.risk) == (1, plain.risk)


def test_alignment_that_improves_raises_the_break_even_price() -> None:
    poor = mb.Model(**MODEL.given() | {"misalignment": 0.4})
    fixed = allocate(poor, 3000).break_even_price
    better = allocate(poor, 3000, schedule=lambda n: 0.4 / (1.0 + n / 200.0)).break_even_price
    assert better > 1.5 * fixed


def test_sessions_expose_latents_one_group_after_the_other() -> None:
    schedule = exposed_latents(MODEL, latents_per_session=2, samples_per_session=100)
    exposed = 1 - 0.95 * np.array([2, 2, 4, 5, 5]) / 5
    assert schedule(np.array([5.0, 100.0, 101.0, 250.0, 1e6])) == pytest.approx(exposed)


@pytest.mark.parametrize("axis", ["budget", "misalignment", "neural_noise", "task_noise"])
def test_the_map_agrees_with_single_splits(axis: str) -> None:
    y = {"budget": [300.0, 3000.0], "misalignment": [0.0, 0.3]}.get(axis, [0.5, 1.5])
    price = np.array([0.02, 0.2, 2.0])
    found = regime_map(MODEL, price, axis, y, budget=2000.0, splits=400)
    for i, v in enumerate(y):
        model = mb.Model(**MODEL.given() | ({} if axis == "budget" else {axis: v}))
        for j, c in enumerate(price):
            best = allocate(model, v if axis == "budget" else 2000.0, 1.0, c)
            assert (found.n_brain[i, j] > 0) == best.worth_collecting
            # Whole numbers against real ones: within a task sample of each other.
            gain = best.risk_without / best.risk
            assert found.gain[i, j] == pytest.approx(gain, rel=5e-3)
            low, high = best.break_even_range
            assert low <= best.break_even_price <= high
            assert found.surely[i, j] == (low > c)
            assert found.possibly[i, j] == (high > c)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"budget": 0}, "budget"),
        ({"budget": float("nan")}, "budget"),
        ({"cost_task": -1}, "cost_task"),
        ({"cost_brain": 0}, "cost_brain"),
        ({"cost_repeat": -2}, "cost_repeat"),
        ({"max_repeats": 0}, "max_repeats"),
        ({"budget": 0.5}, "one task sample"),
    ],
)
def test_prices_that_are_none_are_refused_in_a_sentence(options: dict, word: str) -> None:
    with pytest.raises(mb.InputError, match=word):
        allocate(MODEL, **{"budget": 1000.0} | options)


def test_below_the_rank_brain_data_can_be_worth_the_most() -> None:
    model = mb.Model(input_dim=40, latent_dim=20, n_channels=40, task_noise=0.1, neural_noise=0.1)
    found = allocate(model, 15.0, 1.0, 0.001)
    assert found.worth_collecting
    assert (found.n_task, found.n_brain) == (14, 1000)
    [row] = mb.predict(model, 14, 1000, {"befs": "optimal"}).to_pylist()
    assert found.risk == pytest.approx(row["predicted"], rel=1e-9)
    assert found.risk == pytest.approx(0.3287, rel=1e-3)
    # Of all whole splits of the budget, the best with brain data has a risk of 0.6292 at a price of
    # 0.1319 and of 0.6317 at 0.1323; without any it is 0.6311.
    assert found.break_even_price == pytest.approx(0.1321, rel=1e-3)
    # The map of regimes takes real numbers, where a whole task sample is a fifteenth of them all.
    region = regime_map(model, [0.001], "budget", [15.0])
    assert region.n_task[0, 0] < 19
    assert region.gain[0, 0] == pytest.approx(found.risk_without / found.risk, rel=0.15)


def test_risks_are_those_of_the_exact_law_at_every_size() -> None:
    model = mb.Model(input_dim=3, latent_dim=1, n_channels=1, task_noise=0.1, neural_noise=2.0)
    found = allocate(model, 3.0)
    [row] = mb.predict(model, 3, 0, {"ridge": "optimal"}).to_pylist()
    assert found.risk_without == pytest.approx(row["predicted"], rel=1e-12)
    assert found.risk_without == pytest.approx(0.1222, rel=1e-3)
    # Searches at real numbers take the exact law where its series is not good enough.
    for n_task in (1, 2, 3, 4, 9, 30):
        surface = Surface(model)
        assert float(surface.ridge(n_task)) == pytest.approx(
            float(surface.exact_ridge(n_task)), rel=3e-6
        )


@pytest.mark.parametrize("seed", range(8))
def test_no_split_of_a_small_budget_is_better(seed: int) -> None:
    """Every whole number of either kind of sample, money left over included."""
    rng = np.random.default_rng(seed)
    d = int(rng.integers(2, 24))
    k = int(rng.integers(1, d + 1))
    model = mb.Model(
        input_dim=d,
        latent_dim=k,
        n_channels=k + int(rng.integers(0, 20)),
        misalignment=0.0 if d == k else float(rng.choice([0.0, 0.1, 0.5])),
        task_noise=float(np.exp(rng.uniform(-3, 0.5))),
        neural_noise=float(np.exp(rng.uniform(-3, 0))),
    )
    budget, price = float(rng.uniform(3, 30)), float(rng.choice([0.05, 0.2, 1.0]))
    surface = Surface(model)
    best = float(surface.exact_ridge(int(budget)))
    for n_brain in range(surface.r, int(budget / price) + 1):
        missed = float(surface.m_bar(n_brain))
        for n_task in range(1, int(budget - price * n_brain) + 1):
            best = min(best, surface.exact_befs(n_task, missed))
    found = allocate(model, budget, 1.0, price)
    assert found.risk == pytest.approx(best, rel=1e-6)
    assert found.cost <= budget * (1 + 1e-12)
