"""The figure of scaling exponents: slopes, bands, and what it refuses."""

import numpy as np
import pytest

from mcbrain.asking.from_toml import load_study, study_from_table
from mcbrain.errors import InputError
from mcbrain.reporting.exponent_figures import exponent_figure, local_exponents
from mcbrain.reporting.style import styled
from mcbrain.results.view import Results
from mcbrain.running.runner import run
from mcbrain.theory.exponents import ridge_exponent


def results(folder, **model) -> Results:
    study = study_from_table(
        {
            "name": "exponents",
            "seed": 3,
            "model": {
                "input_dim": 20,
                "latent_dim": 2,
                "n_channels": 10,
                "covariance": "powerlaw:1.5",
                "task": "source:0.5",
                "misalignment": [0.1, 0.4],
                **model,
            },
            "design": {"n_task": [15, 25, 40, 80], "n_brain": [0, 100]},
            "estimators": {"ridge": "optimal", "befs": "optimal"},
            "engine": {"kind": "law"},
        }
    )
    run(study, folder)
    return Results(folder)


def test_a_power_has_its_exponent_everywhere() -> None:
    n = np.array([10.0, 20.0, 80.0])
    middle, slope, spread = local_exponents(n, 3.0 * n**-1.7, 0.01 * n**-1.7)
    np.testing.assert_allclose(slope, 1.7, rtol=1e-12)
    np.testing.assert_allclose(middle, np.sqrt([200.0, 1600.0]))
    np.testing.assert_allclose(spread, np.sqrt(2) * 0.01 / 3.0 / np.log([2.0, 4.0]))


def test_the_figure_has_two_panels_a_model_and_the_published_ranges(tmp_path) -> None:
    with styled():
        made = exponent_figure(results(tmp_path / "r"))
        made.draw_without_rendering()
    lower = made.axes[2:]
    assert len(made.axes) == 4
    for ax in lower:
        ends = sorted(
            tuple(np.round(p.get_window_extent().transformed(ax.transData.inverted()).intervaly, 6))
            for p in ax.patches
        )
        whole = [ridge_exponent(1.5, 1 / 6, noisy=noisy) for noisy in (True, False)]
        missed = [ridge_exponent(1.5, 0.5, noisy=noisy) for noisy in (True, False)]
        np.testing.assert_allclose(ends, [whole, missed], atol=1e-5)


@pytest.mark.parametrize(
    "model", [{"covariance": "identity", "task": "uniform"}, {"task": "uniform"}]
)
def test_without_a_power_law_and_a_source_it_says_what_is_missing(tmp_path, model) -> None:
    with pytest.raises(InputError, match="exponents need a covariance powerlaw:ALPHA"):
        exponent_figure(results(tmp_path / "r", **model))


def test_the_shipped_study_is_of_this_form() -> None:
    study = load_study("scaling-exponents")
    assert {m.covariance for m in study.models} == {"powerlaw:1.2", "powerlaw:1.8"}
    assert {m.source for m in study.models} == {0.25, 0.75}
