"""Values measured by simulation: their intervals, and words where there is no value."""

from __future__ import annotations

from copy import copy
from pathlib import Path

import numpy as np
import pytest
from matplotlib.text import Text

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.reporting.curves import risk_figure
from mcbrain.results.view import Results
from mcbrain.running.runner import run
from mcbrain.worth.abstraction import departures, gaussian_twin
from mcbrain.worth.purchases import purchase_in_results
from mcbrain.worth.simulated import value_in_results
from mcbrain.worth.valuation import value

# Without recording noise the estimated subspace is the brain's own, so the law is exact.
CLEAR = mb.Model(
    input_dim=6,
    latent_dim=2,
    n_channels=4,
    misalignment=0.3,
    task_noise=1.0,
    neural_noise=0.0,
)


def _covered(seeds: range, baseline: str) -> int:
    exact = value(CLEAR, 30, 10, baseline).task_samples
    hits = 0
    for seed in seeds:
        found = value(
            CLEAR,
            30,
            10,
            baseline,
            simulate=True,
            engine="raw",
            precision=0.03,
            max_replicates=40_000,
            seed=seed,
            threads=1,
        )
        hits += found.interval[0] <= exact <= found.interval[1]
    return hits


def test_intervals_cover_the_exact_value() -> None:
    """12 seeded intervals at 95 %: fewer than 9 hits with probability 0.2 %."""
    assert _covered(range(12), "ridge") >= 9


@pytest.mark.long
@pytest.mark.parametrize("baseline", ["ridge", "ols"])
def test_coverage_of_the_intervals_is_what_they_claim(baseline: str) -> None:
    """300 seeded intervals at 95 %: outside 273 to 295 with probability below 0.5 %."""
    assert 273 <= _covered(range(1000, 1300), baseline) <= 296


def _study(**changes: object) -> dict:
    return {
        "name": "measured",
        "seed": 4,
        "model": {
            "input_dim": 10,
            "latent_dim": 2,
            "n_channels": 8,
            "misalignment": 0.1,
            "task_noise": 0.8,
        },
        "design": {"n_task": [18, 40, 90, 200], "n_brain": [12, 100]},
        "estimators": {"ols": 0.0, "ridge": "optimal", "befs": "optimal"},
        "precision": {"relative": 0.02, "max_replicates": 20_000},
        "engine": {"kind": "raw"},
    } | changes


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    path = tmp_path_factory.mktemp("measured")
    run(study_from_table(_study()), path, threads=1)
    return Results(path)


@pytest.mark.parametrize("baseline", ["ridge", "ols"])
def test_measured_values_are_those_of_the_law(results: Results, baseline: str) -> None:
    """|z| < 4 (6e-5 each of four); the brain law at d = 10 is good to 10 %."""
    for b, n_brain in ((0, 12), (1, 100)):
        for t, n_task in ((0, 18), (1, 40)):
            found, note = value_in_results(results, 0, t, b, baseline)
            law = value(results.study.models[0], n_task, n_brain, baseline)
            error = 4 * float(found.error) + 0.1 * abs(law.task_samples) + 0.5
            assert abs(float(found.value) - law.task_samples) < error
            assert ("hurts" in note) == (float(found.high) < 0)
            assert ("cannot tell" in note) == (float(found.low) <= 0 <= float(found.high))


def test_the_jackknife_is_that_of_the_rows(results: Results) -> None:
    place = (0, 1, 1, 2, 0)
    single = results.measure(lambda x: x, tuple(np.array([i]) for i in place))
    # Leaving out blocks against leaving out replicates: equal in the limit of many blocks.
    assert single.error[0] == pytest.approx(results.mcse[place], rel=0.35)
    cells = (0, 1, 1, np.array([1, 2]), 0)
    gain = results.measure(lambda x: x[..., :1] / x[..., 1:], cells)
    assert gain.value[0] == pytest.approx(results.column("gain")[place])
    assert gain.error[0] == pytest.approx(results.column("gain_mcse")[place], rel=1e-6)


def test_a_risk_beyond_the_grid_is_said_in_words(results: Results) -> None:
    found, note = value_in_results(results, 0, 3, 1, "ridge")
    assert np.isnan(found.value)
    assert "tuned ridge still has more with n_task = 200, the most that was simulated" in note
    assert "the value is above 0 task samples; to measure it, run a study with larger" in note


def test_the_best_purchase_is_the_best_cell_that_the_budget_buys(results: Results) -> None:
    found = purchase_in_results(results, 0, 60.0, 1.0, 0.1)
    law, risk = value(results.study.models[0], 40, 100), results.mean[0, 1, 1, 2, 0]
    assert (found.n_task, found.n_brain, found.cost, found.risk) == (40, 100, 50.0, risk)
    assert found.break_even_price == pytest.approx((found.task_samples - 40) / 100)
    assert found.interval[0] < found.task_samples < found.interval[1]
    assert found.task_samples == pytest.approx(40 + law.task_samples, rel=0.1)
    assert (found.verdict, found.note) == ("not worth", "")  # ridge has 60 samples for it
    cheap = purchase_in_results(results, 0, 42.0, 1.0, 0.02)
    assert (cheap.n_task, cheap.n_brain, cheap.verdict) == (40, 100, "worth")


def test_a_purchase_beyond_the_baselines_curve_is_worth_what_the_curve_shows(
    results: Results,
) -> None:
    found = purchase_in_results(results, 0, 200 + 12, 1.0, 0.01)
    assert (found.n_task, found.n_brain) == (200, 100)
    assert np.isnan(found.task_samples)
    assert found.interval == (200.0, np.inf)
    assert found.verdict == "cannot tell"
    assert "larger numbers in [design] n_task" in found.note


def test_a_budget_that_buys_no_simulated_cell_is_refused(results: Results) -> None:
    with pytest.raises(mb.InputError, match=r"the cheapest of which costs 18.12"):
        purchase_in_results(results, 0, 18.0, 1.0, 0.01)
    with pytest.raises(mb.InputError, match="cost_brain = 0"):
        purchase_in_results(results, 0, 18.0, 1.0, 0.0)


def test_results_without_a_baseline_say_how_to_get_it(tmp_path: Path) -> None:
    study = _study(estimators={"ridge": "optimal", "befs": "optimal"})
    run(study_from_table(study), tmp_path, threads=1)
    with pytest.raises(mb.InputError, match=r"add `ols = 0.0` to \[estimators\]"):
        value_in_results(Results(tmp_path), 0, 0, 1, "ols")
    with pytest.raises(mb.InputError, match="no shift 'scale:2'"):
        value_in_results(Results(tmp_path), 0, 0, 1, "ridge", "scale:2")


def test_ridge_at_a_fixed_penalty_is_no_fair_opponent(tmp_path: Path) -> None:
    estimators = {"ridge": [0.1, 2.0], "befs": "optimal"}
    study = _study(estimators=estimators, engine={"kind": "spectral"})
    run(study_from_table(study), tmp_path, threads=1)
    fixed = Results(tmp_path)
    with pytest.raises(mb.InputError, match=r'needs tuned ridge.*; add "optimal" to its rules'):
        value_in_results(fixed, 0, 0, 1, "ridge")
    with pytest.raises(mb.InputError, match="a budget needs tuned ridge"):
        purchase_in_results(fixed, 0, 60.0, 1.0, 0.1)
    words = [text.get_text() for text in risk_figure(fixed).findobj(Text)]
    assert "ridge, fixed penalty" in words and "tuned ridge" not in words


def test_a_curve_of_one_point_cannot_be_inverted(tmp_path: Path) -> None:
    study = _study(design={"n_task": [40], "n_brain": [100]})
    run(study_from_table(study), tmp_path, threads=1)
    with pytest.raises(mb.InputError, match="at least two numbers of task samples"):
        value_in_results(Results(tmp_path), 0, 0, 0, "ridge")


def test_a_curve_of_an_unfinished_study_asks_for_its_end(results: Results) -> None:
    unfinished = copy(results)
    unfinished.__dict__["mean"] = np.full(results.shape, np.nan)
    with pytest.raises(mb.InputError, match=r"fewer than two of its 4 .* to finish it"):
        value_in_results(unfinished, 0, 0, 0, "ridge")


def test_intervals_need_the_blocks(tmp_path: Path) -> None:
    study = _study(design={"n_task": [20, 40], "n_brain": [100]})
    run(study_from_table(study), tmp_path, threads=1)
    for path in (tmp_path / "blocks").iterdir():
        path.unlink()
    (tmp_path / "blocks").rmdir()
    with pytest.raises(mb.InputError, match="block sums"):
        value_in_results(Results(tmp_path), 0, 0, 0, "ridge")


def test_brain_data_that_was_not_collected_has_no_measured_value() -> None:
    with pytest.raises(mb.InputError, match="n_brain = 0"):
        value(CLEAR, 30, 0, simulate=True)


def test_departures_of_the_gaussian_model_from_itself_are_none(tmp_path: Path) -> None:
    """Ratios to the law within 4 standard errors (6e-5) and the 10 % of the brain law at d = 10."""
    model = _study()["model"] | {"inputs": ["gaussian", "student:5"]}
    study = _study(model=model, design={"n_task": [20, 40, 90], "n_brain": [100]})
    run(study_from_table(study), tmp_path, threads=1)
    twin, heavy = departures(Results(tmp_path), 0, 0)
    assert (twin.words, heavy.words) == ("none", "inputs = student:5")
    for ratio in (twin.gain_ratio, twin.value_ratio):
        assert ratio is not None
        assert abs(float(ratio.value) - 1.0) < 4 * float(ratio.error) + 0.1
    assert heavy.gain_ratio.low < heavy.gain_ratio.value < heavy.gain_ratio.high


def test_a_poisson_model_has_the_twin_of_its_rate() -> None:
    counts = mb.Model(
        input_dim=9, latent_dim=2, n_channels=4, neural_law="poisson", baseline_rate=4.0
    )
    twin = gaussian_twin(counts)
    assert (twin.neural_noise, twin.neural_law, twin.inputs) == (0.5, "gaussian", "gaussian")
