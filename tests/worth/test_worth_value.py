"""Value and exchange rates from the laws: inversion, limits, signs and words."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.theory import first_order
from mcbrain.worth.inversion import samples_for
from mcbrain.worth.surface import Surface
from mcbrain.worth.valuation import saturation, value, value_curve

MODEL = mb.Model(
    input_dim=60,
    latent_dim=5,
    n_channels=40,
    misalignment=0.1,
    task_noise=0.7,
    neural_noise=1.0,
    latent_gains=(1.0, 1.2, 0.8, 1.5, 1.0),
)


@pytest.mark.parametrize("n_task", [20, 60, 300, 20_000])
def test_ridge_on_the_replaced_samples_has_the_risk_of_befs(n_task: int) -> None:
    found = value(MODEL, n_task, 400)
    whole = math.floor(n_task + found.task_samples)
    above, below = Surface(MODEL).exact_ridge([whole, whole + 1])
    assert below <= found.risk <= above


def test_risk_of_befs_is_the_risk_that_predict_gives() -> None:
    for n_task in (3, 20, 61, 500):
        row = mb.predict(MODEL, n_task, 400, {"befs": "optimal"})
        assert value(MODEL, n_task, 400).risk == pytest.approx(
            row["predicted"][0].as_py(), rel=1e-9
        )


def test_against_ols_the_value_is_the_exact_inverse_of_its_risk() -> None:
    found = value(MODEL, 300, 400, "ols")
    assert found.risk == pytest.approx(0.49 * 60 / (300 + found.task_samples - 61))
    assert found.saved_fraction == pytest.approx(found.task_samples / (300 + found.task_samples))
    assert found.exchange_rate == pytest.approx(found.task_samples / 400)


@pytest.mark.parametrize("baseline", ["ridge", "ols"])
def test_value_becomes_the_large_sample_value(baseline: str) -> None:
    limit = first_order.large_sample_value(Surface(MODEL).m_bar(400), 5, 60, 0.7, baseline)
    assert value(MODEL, 1_000_000, 400, baseline).task_samples == pytest.approx(limit, rel=2e-3)


def test_smooth_surface_is_the_exact_one_at_whole_numbers() -> None:
    surface = Surface(MODEL)
    for n_task in (8, 30, 59, 61, 1000):
        assert surface.ridge(n_task) == pytest.approx(surface.exact_ridge(n_task), rel=1e-5)
        smooth = surface.befs(n_task, 0.3)
        assert smooth == pytest.approx(surface.exact_befs(n_task, 0.3), rel=1e-5)


def test_curve_agrees_with_single_values() -> None:
    curve = value_curve(MODEL, 300, [0, 50, 400, np.inf])
    single = [value(MODEL, 300, n).task_samples for n in (0, 50, 400)]
    assert curve[:3] == pytest.approx(np.array(single), rel=1e-3, abs=1e-6)
    assert curve[3] == pytest.approx(value(MODEL, 300, 400).saturation, rel=1e-3)


def test_marginal_rate_is_the_slope_along_a_line_of_equal_risk() -> None:
    surface, found = Surface(MODEL), value(MODEL, 300, 400)
    step = 2.0
    moved = surface.risk(300 - found.marginal_rate * step, 400 + step)
    assert moved == pytest.approx(surface.risk(300, 400), rel=1e-4)


def test_value_is_invariant_to_the_scale_of_the_task() -> None:
    scaled = mb.Model(**MODEL.given() | {"signal_norm": 3.0, "task_noise": 2.1})
    assert value(scaled, 300, 400).task_samples == pytest.approx(
        value(MODEL, 300, 400).task_samples
    )


def test_brain_data_below_the_visibility_threshold_hurts_and_the_note_says_so() -> None:
    found = value(MODEL, 300, 10)
    assert found.task_samples < 0
    assert "hurts" in found.note


def test_a_risk_that_the_baseline_never_has_is_nan_in_words() -> None:
    few = mb.Model(**MODEL.given() | {"task_noise": 3.0})
    found = value(few, 8, 400)
    assert math.isnan(found.task_samples)
    assert "never has it" in found.note
    assert "infinite" in value(MODEL, 6, 400).note


def test_half_of_the_large_sample_value_is_reached_at_delta_over_m() -> None:
    full, half = saturation(MODEL, 1e6, "ols")
    reached = value_curve(MODEL, 1e6, half + 61, "ols")
    # First order in 1/n_B: (5a) and the next order of a law with n_B about 20 d.
    assert reached == pytest.approx(full / 2, rel=0.03)
    aligned = mb.Model(**MODEL.given() | {"misalignment": 0.0})
    assert saturation(aligned, 1e6)[1] == math.inf


def test_improving_alignment_is_worth_more_than_the_alignment_it_starts_with() -> None:
    n = np.array([100.0, 400.0, 1600.0])
    fixed = value_curve(MODEL, 300, n)
    surface = Surface(MODEL)
    m_bar = surface.m_bar(n, misalignment=0.1 * (100 / n))
    better = samples_for(surface, surface.befs(300, m_bar), "ridge") - 300
    assert better[0] == pytest.approx(fixed[0])
    assert np.all(better[1:] > fixed[1:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((MODEL, 300, 400, "lasso"), "baseline"),
        ((MODEL, 0, 400), "n_task"),
        ((MODEL, 300, 3), "n_brain"),
        ((MODEL, 300, 2.5), "n_brain"),
        ((mb.Model(**MODEL.given() | {"task_noise": 0.0}), 300, 400), "task_noise"),
        ((mb.Model(**MODEL.given() | {"inputs": "laplace"}), 300, 400), "simulate"),
    ],
)
def test_what_has_no_value_is_refused_in_a_sentence(arguments: tuple, words: str) -> None:
    with pytest.raises(mb.InputError, match=words):
        value(*arguments)


def test_a_value_whose_range_holds_0_is_not_said_to_hurt() -> None:
    """The law's range about its crossing of 0 holds 0; well below it the note says hurts."""
    found = [value(MODEL, 300, n) for n in range(MODEL.k_m, 200)]
    unclear = [v for v in found if v.interval[0] < 0 <= v.interval[1]]
    assert any(v.task_samples < 0 for v in unclear)
    assert all("may help or hurt" in v.note for v in unclear)
    assert all(("hurts here" in v.note) == (v.interval[1] < 0) for v in found)
