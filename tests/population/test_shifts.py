"""Shifts: their text, their second moments, and what is refused."""

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.shift_text import parse_shift, shifts_from_table
from mcbrain.errors import InputError
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.population.shifts import SHIFTS, law

MODEL = Model(input_dim=9, latent_dim=3, n_channels=5, misalignment=0.3, covariance="powerlaw:1.0")
TEXTS = [
    "id",
    "scale:2",
    "brain-insensitive:4",
    "brain-aligned:4",
    "missed-direction:9",
    "mean:2:brain",
    "mean:2:missed",
    "mean:0.5:orthogonal",
    "spectrum:1.0",
    "concept:0.3:brain",
    "concept:0.3:orthogonal",
    "adversarial:0.5",
]


def second_moment(text, model=MODEL, seed=3):
    """M in native coordinates, written out from the definitions."""
    g = Geometry(model, seed)
    root = np.diag(g.scale)
    eye = np.eye(model.input_dim)
    projection = g.brain.T @ g.brain
    kind, *rest = text.split(":")
    value = float(rest[0]) if rest else 0.0
    inner = {
        "id": eye,
        "concept": eye,
        "adversarial": eye,
        "scale": value * eye,
        "brain-insensitive": projection + value * (eye - projection),
        "brain-aligned": value * projection + (eye - projection),
        "missed-direction": eye + (value - 1) * np.outer(g.missed, g.missed),
    }
    if kind in inner:
        return root @ inner[kind] @ root
    if kind == "mean":
        v = {"brain": g.aligned, "missed": g.missed, "orthogonal": g.orthogonal}[rest[1]]
        return root @ root + value**2 * np.outer(v, v)
    spectrum = np.arange(1, 10.0) ** -value
    spectrum *= 9 / spectrum.sum()
    return root @ g.spectrum_basis.T @ np.diag(spectrum) @ g.spectrum_basis @ root


@pytest.mark.parametrize("text", TEXTS)
def test_a_shift_has_the_second_moment_of_its_definition(text):
    found = law(parse_shift(text), Geometry(MODEL, 3))
    root = np.diag(Geometry(MODEL, 3).scale)
    moment = found.scale * root @ root + (found.probes.T * found.weights) @ found.probes
    np.testing.assert_allclose(moment, second_moment(text), atol=1e-12)


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_label_agree(text):
    assert parse_shift(text).label == text


def test_concept_turns_beta_by_its_angle():
    g = Geometry(MODEL, 3)
    for along in ("brain", "orthogonal"):
        target = law(parse_shift(f"concept:0.3:{along}"), g).target
        assert np.linalg.norm(target) == pytest.approx(np.linalg.norm(g.beta))
        assert target @ g.beta == pytest.approx(np.cos(0.3))


def test_a_custom_moment_is_used_as_given_in_input_coordinates(tmp_path):
    rng = np.random.default_rng(1)
    half = rng.standard_normal((9, 9))
    np.save(tmp_path / "moment.npy", half @ half.T)
    g = Geometry(MODEL, 3)
    found = law(parse_shift(f"custom:{tmp_path / 'moment.npy'}"), g)
    x = rng.standard_normal(9)
    native = g.rotation @ x
    value = found.weights @ (found.probes @ native) ** 2
    assert value == pytest.approx(x @ half @ half.T @ x)


def test_the_frame_is_the_head_of_the_rotation():
    g = Geometry(MODEL, 3)
    np.testing.assert_allclose(g.rotation[:, :3].T, g.brain, atol=1e-12)
    np.testing.assert_allclose(g.rotation @ g.rotation.T, np.eye(9), atol=1e-12)


def test_lists_in_a_table_are_one_shift_each():
    table = {"brain-insensitive": {"factor": [2.0, 4.0]}, "mean": {"size": 2.0, "along": "brain"}}
    labels = [s.label for s in shifts_from_table(table)]
    assert labels == ["brain-insensitive:2", "brain-insensitive:4", "mean:2:brain"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("brain-insensitve:4", "did you mean 'brain-insensitive'"),
        ("scale", "the form is scale:FACTOR"),
        ("scale:big", "not a number"),
        ("scale:-1", "allowed is 0"),
        ("scale:nan", "allowed is 0"),
        ("mean:2:sideways", "not a direction"),
        ("id:3", "the form is id"),
        ("custom:", "the form is custom:FILE.npy"),
        ("custom:/nowhere.npy", "not a readable .npy"),
    ],
)
def test_bad_text_is_refused_in_a_sentence(text, words):
    with pytest.raises(InputError) as error:
        parse_shift(text)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        (np.eye(3)[:2], "square"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "symmetric"),
        (np.diag([1.0, -1.0]), "positive semi-definite"),
        (np.array([[np.nan]]), "finite"),
        (np.array(["a"]), "finite real numbers"),
    ],
)
def test_a_custom_matrix_that_is_no_second_moment_is_refused(tmp_path, matrix, words):
    np.save(tmp_path / "m.npy", matrix)
    with pytest.raises(InputError, match=words):
        parse_shift(f"custom:{tmp_path / 'm.npy'}")


def test_a_pickled_matrix_is_never_loaded(tmp_path):
    np.save(tmp_path / "m.npy", np.array([object()]), allow_pickle=True)  # must be refused
    with pytest.raises(InputError, match="not a readable"):
        parse_shift(f"custom:{tmp_path / 'm.npy'}")


def test_shifts_that_do_not_apply_say_why():
    full = Model(input_dim=3, latent_dim=3, n_channels=3)
    assert "misses nothing" in (parse_shift("missed-direction:2").objection(full) or "")
    one = Model(input_dim=5, latent_dim=1, n_channels=3)
    assert "latent_dim >= 2" in (parse_shift("concept:0.1:brain").objection(one) or "")
    assert "isotropic" in (parse_shift("adversarial:0.1").objection(MODEL) or "")
    assert set(SHIFTS) >= {"id", "custom"}


@pytest.mark.parametrize("text", ["mean:9:brain", "mean:9:missed", "mean:9:orthogonal", "custom"])
def test_the_raw_engine_tests_on_the_second_moment_in_the_coordinates_of_x(text, tmp_path):
    """Ridge under a power-law covariance, against plain NumPy in the coordinates of x.

    `mean` is Sigma + s^2 ww' and `custom` is M itself: neither is whitened, which would be many
    standard errors away. z-scores below 4.5.
    """
    model = mb.Model(**MODEL.given() | {"covariance": "powerlaw:2.0"})
    g, n, reps = Geometry(model, 3), 14, 8000
    Q, beta = g.rotation, g.rotation.T @ g.beta
    sigma = Q.T @ np.diag(g.scale**2) @ Q
    if text == "custom":
        half = np.random.default_rng(1).standard_normal((9, 9))
        moment = half @ half.T
        np.save(tmp_path / "moment.npy", moment)
        text, extra = f"custom:{tmp_path / 'moment.npy'}", moment - sigma
    else:
        w = {"brain": g.aligned, "missed": g.missed, "orthogonal": g.orthogonal}[text[7:]]
        extra = 81.0 * np.outer(Q.T @ w, Q.T @ w)
        moment = sigma + extra
    rng = np.random.default_rng(2)
    X = (g.scale * rng.standard_normal((reps, n, 9))) @ Q
    y = X @ beta + rng.standard_normal((reps, n))
    Xt = np.swapaxes(X, 1, 2)
    error = np.linalg.solve(Xt @ X / n + 0.3 * np.eye(9), Xt @ y[..., None] / n)[..., 0] - beta
    excess = np.einsum("ri,ij,rj->r", error, moment, error)
    [row] = mb.simulate(
        model,
        n,
        0,
        {"ridge": 0.3},
        [text],
        engine="raw",
        precision=0,
        max_replicates=reps,
        seed=3,
    ).to_pylist()
    combined = np.hypot(row["mcse"], excess.std() / np.sqrt(reps))
    assert abs(row["mean"] - excess.mean()) < 4.5 * combined
    root = Q.T @ np.diag(g.scale) @ Q
    whitened = root @ (moment if text.startswith("custom") else np.eye(9) + extra) @ root
    other = np.einsum("ri,ij,rj->r", error, whitened, error).mean()
    assert abs(row["mean"] - other) > 9 * combined
