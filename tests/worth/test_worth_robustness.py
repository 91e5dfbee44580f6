"""The half-space of shifts in which brain data helps, and gains under shift."""

from __future__ import annotations

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.shift_text import parse_shift
from mcbrain.errors import InputError
from mcbrain.population.geometry import Geometry
from mcbrain.population.shifts import law as law_of_shift
from mcbrain.worth.robustness import gain, half_space

MODEL = mb.Model(
    input_dim=20,
    latent_dim=3,
    n_channels=15,
    misalignment=0.1,
    task_noise=0.7,
    latent_gains=(2.0, 1.5, 1.0),
    task_loadings=(1.0, 0.2, 0.5),
)
SHIFTS = ["id", "brain-insensitive:4", "brain-aligned:4", "missed-direction:9", "mean:2:brain"]


def _moment(shift: str, model: mb.Model) -> tuple[float, np.ndarray]:
    """(identity weight, frame matrix) of a shift, from its definition."""
    k = model.latent_dim
    brain, missed = np.diag([1.0] * k + [0, 0]), np.zeros((k + 2, k + 2))
    missed[k, k] = 1.0
    loading = np.append(model.loadings, [0, 0])
    return {
        "id": (1.0, 0 * brain),
        "brain-insensitive:4": (4.0, -3.0 * brain),
        "brain-aligned:4": (1.0, 3.0 * brain),
        "missed-direction:9": (1.0, 8.0 * missed),
        "mean:2:brain": (1.0, 4.0 * np.outer(loading, loading)),
    }[shift]


def test_the_normal_decides_exactly_when_the_gain_exceeds_one() -> None:
    for n_task, n_brain in ((15, 60), (60, 60), (60, 1000), (400, 200)):
        found = half_space(MODEL, n_task, n_brain)
        gains = gain(MODEL, n_task, n_brain, SHIFTS)
        k = MODEL.latent_dim
        for shift, measured in zip(SHIFTS, gains, strict=True):
            identity, frame = _moment(shift, MODEL)
            rest = MODEL.input_dim - k - 1  # directions that are all like o
            whole = [
                identity * (np.trace(c[: k + 1, : k + 1]) + rest * c[k + 1, k + 1])
                + np.sum(c * frame)
                for c in (found.baseline, found.befs)
            ]
            assert measured == pytest.approx(whole[0] / whole[1])
            assert (measured > 1) == (whole[0] > whole[1])


def test_best_and_worst_unit_trace_shifts_bound_every_other() -> None:
    found = half_space(MODEL, 60, 200)
    draws = np.random.default_rng(1).standard_normal((500, MODEL.latent_dim + 2))
    draws /= np.linalg.norm(draws, axis=1, keepdims=True)
    values = np.einsum("ni,ij,nj->n", draws, found.normal, draws)
    assert np.all((found.worst <= values) & (values <= found.best))
    assert found.favourable @ found.normal @ found.favourable == pytest.approx(found.best)
    assert (found.gain(found.favourable) > 1) == (found.best > 0)


def test_confinement_to_the_complement_is_sufficient_and_not_necessary() -> None:
    """Question 2, with plenty of brain data: BEFS wins outside, and on the brain's span as well."""
    found = half_space(MODEL, 60, 2000)
    assert found.on_rest > 0
    assert found.on_brain > 0
    assert "not necessary" in found.verdict()


def test_brain_data_can_lose_along_what_the_brain_misses() -> None:
    found = half_space(mb.Model(**MODEL.given() | {"misalignment": 0.3}), 30, 2000)
    assert found.on_missed < 0
    assert abs(found.adverse[MODEL.latent_dim]) > 0.5
    assert not found.wins_everywhere
    lost = found.verdict().partition("loses")[2]
    assert f"misses (gain {found.gains()[2]:.3g})" in lost
    assert found.gains()[2] < 1 < found.gains()[0]


def test_the_half_space_is_what_simulation_finds_on_both_sides_of_it() -> None:
    """False alarm per shift 6e-5 (|z| < 4 of the log gain; the brain law adds 2 %)."""
    model = mb.Model(**MODEL.given() | {"misalignment": 0.3})
    shifts = ["brain-insensitive:4", "missed-direction:30", "mean:2:brain"]
    table = mb.simulate(
        model,
        30,
        2000,
        {"ridge": "optimal", "befs": "optimal"},
        shifts,
        precision=0.01,
        seed=5,
        engine="raw",
        threads=1,
    ).to_pydict()
    predicted = gain(model, 30, 2000, shifts)
    assert predicted[0] > 1 > predicted[1]
    rows = [i for i, e in enumerate(table["estimator"]) if e == "befs"]
    for i, law in zip(rows, predicted, strict=True):
        assert abs(table["gain"][i] - law) < 4 * table["gain_mcse"][i] + 0.02 * law


@pytest.mark.parametrize(
    ("arguments", "word"),
    [((4, 60), "n_task"), ((60, 2), "n_brain"), ((60, 60, "lasso"), "baseline")],
)
def test_sizes_without_a_half_space_are_refused(arguments: tuple, word: str) -> None:
    with pytest.raises(mb.InputError, match=word):
        half_space(MODEL, *arguments)


def test_a_model_without_a_direction_outside_the_latents_has_no_half_space() -> None:
    model = mb.Model(input_dim=3, latent_dim=3, n_channels=6, misalignment=0.0)
    with pytest.raises(mb.InputError, match=r"latent_dim \+ 2 = 5 is needed"):
        half_space(model, 50, 200)


def test_ols_near_interpolation_has_no_half_space() -> None:
    with pytest.raises(mb.InputError, match="infinite"):
        half_space(MODEL, 20, 60, "ols")


ANISOTROPIC = mb.Model(
    input_dim=9,
    latent_dim=2,
    n_channels=6,
    misalignment=0.2,
    task_noise=0.6,
    covariance="powerlaw:1",
    signal_norm=1.5,
)


@pytest.mark.parametrize("encoding_penalty", [0.0, 0.2])
def test_the_half_space_of_any_covariance_holds_the_gain_under_every_shift(encoding_penalty):
    """tr(M C) of both error covariances is the excess that the law gives under M, to rounding."""
    settings = {"seed": 3, "encoding_penalty": encoding_penalty}
    found = half_space(ANISOTROPIC, 40, 30, **settings)
    geometry = Geometry(ANISOTROPIC, 3)
    shifts = ["id", "brain-insensitive:4", "missed-direction:9", "spectrum:1.0"]
    gains = gain(ANISOTROPIC, 40, 30, shifts, **settings)
    for text, expected in zip(shifts, gains, strict=True):
        tested = law_of_shift(parse_shift(text), geometry)
        M = np.diag(tested.scale * ANISOTROPIC.input_variances)
        M += tested.probes.T * tested.weights @ tested.probes
        ratio = np.trace(M @ found.baseline) / np.trace(M @ found.befs)
        assert ratio == pytest.approx(expected, rel=1e-10)
        assert (np.trace(M @ found.normal) > 0) == (expected > 1)
    np.testing.assert_allclose(np.trace(found.kinds, axis1=1, axis2=2), 1.0)
    missed = geometry.beta - geometry.brain.T @ (geometry.brain @ geometry.beta)
    assert found.gain(missed) == pytest.approx(found.gains()[2])
    assert found.gain(found.adverse) == pytest.approx(
        min(found.gain(found.adverse), *found.gains())
    )


def test_an_aligned_task_misses_nothing_under_any_covariance() -> None:
    aligned = mb.Model(**ANISOTROPIC.given() | {"misalignment": 0.0})
    assert "misses (" not in half_space(aligned, 40, 30).verdict()


def test_robustness_of_other_data_than_gaussian_is_refused() -> None:
    model = mb.Model(**ANISOTROPIC.given() | {"inputs": "student:6"})
    with pytest.raises(InputError, match="simulate instead"):
        half_space(model, 40, 30)
    with pytest.raises(InputError, match="simulate instead"):
        gain(model, 40, 30, ["id"])
