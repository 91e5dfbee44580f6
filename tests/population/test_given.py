"""Arrays in place of words: covariances, brain maps and tasks that a user gives, and power laws."""

import copy
import dataclasses
import json
import math
import pickle

import numpy as np
import pytest

from mcbrain.asking.arrays import with_arrays
from mcbrain.asking.estimators import ESTIMATORS
from mcbrain.asking.from_toml import study_from_table
from mcbrain.asking.shift_text import parse_shift
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Fit, Query
from mcbrain.engines import engine_for
from mcbrain.engines.raw import bench
from mcbrain.errors import InputError
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from tests.support.small_study import study
from tests.twins.population import Population, replicates

RNG = np.random.default_rng(5)
ROWS = RNG.standard_normal((30, 8)) * np.arange(1, 9) ** -0.5
HALF = RNG.standard_normal((8, 8))
MATRIX = HALF @ HALF.T
MAP = np.linalg.qr(RNG.standard_normal((8, 2)))[0].T
BETA = RNG.standard_normal(8)
SMALL = {"input_dim": 8, "latent_dim": 2, "n_channels": 5}


def model(**changes):
    return Model(**{**SMALL, **changes})


# Replicate by replicate against the twin -----------------------------------------------------

FITS = {
    "ols": ("none", 1.0, 0.0),
    "ridge": ("none", 1.0, 0.2),
    "befs": ("estimated", 0.0, 0.2),
    "befs-oracle": ("measured", 0.0, 0.1),
    "projection": ("estimated", 0.0, math.inf),
}
SHIFTS = [
    "id",
    "scale:2",
    "brain-insensitive:4",
    "brain-aligned:3",
    "missed-direction:9",
    "mean:2:brain",
    "mean:2:missed",
    "mean:0.5:orthogonal",
    "spectrum:1.0",
    "concept:0.3:brain",
    "concept:0.3:orthogonal",
]
# Of rank 7 in 8: what never varies is one direction, so that it is the same for every method.
SINGULAR = RNG.standard_normal((8, 8)) * np.arange(8, 0, -1)


@pytest.mark.parametrize(
    ("rows", "brain", "source"),
    [
        (ROWS, "leading", None),
        (ROWS, "random", 0.7),
        (ROWS, MAP, 1.5),
        (ROWS, MAP, BETA),
        (ROWS, "leading", 0.4),
        (SINGULAR, "random", 1.2),
        (SINGULAR, "leading", BETA),
    ],
    ids=["leading", "source", "map", "beta", "leading-source", "singular", "singular-beta"],
)
def test_replicates_are_those_of_the_twin_in_the_coordinates_of_x(tmp_path, rows, brain, source):
    """To 1e-10, every estimator under every shift, `custom` included."""
    np.save(tmp_path / "moment.npy", MATRIX)
    shifts = [*SHIFTS, f"custom:{tmp_path / 'moment.npy'}"]
    task = {"task": BETA} if np.ndim(source) else {"misalignment": 0.3, "signal_norm": 1.3}
    if source is not None and not np.ndim(source):
        task["task"] = f"source:{source}"
    gains, loadings = [1.2, 0.8], [1.0, 0.5]
    if not np.ndim(source):
        task["task_loadings"] = loadings
    of = model(
        covariance=rows,
        brain_map=brain,
        task_noise=0.7,
        neural_noise=0.6,
        latent_gains=gains,
        **task,
    )
    problem = RawProblem.of(of, 20, 25, seed=4)
    queries = tuple(
        Query(Fit(ESTIMATORS[name], "fixed", penalty, eta, 2, 0.0), parse_shift(shift), None)
        for name, (_, eta, penalty) in FITS.items()
        for shift in shifts
    )
    found = bench(problem, queries, 3).replicates(1)[0]
    twin = Population(4, rows, 2, brain, source, 0.3, loadings, 1.3)
    wanted = replicates(
        twin, problem.words, 1, 3, (20, 25, 5), (0.7, 0.6), gains, FITS.values(), shifts
    )
    np.testing.assert_allclose(found, wanted.reshape(3, -1), rtol=1e-10)


# What is given -------------------------------------------------------------------------------


def test_a_square_symmetric_array_is_a_matrix_and_everything_else_rows():
    for given, kind in [(MATRIX, "matrix"), (ROWS, "rows"), (HALF, "rows"), (BETA**2, "spectrum")]:
        assert model(covariance=given).covariance.kind == kind
    words = model(covariance=ROWS).covariance.words("trace")
    assert words == (
        "covariance = file:covariance.npy: taken as 30 rows of 8 features, centred here, "
        "scaled to trace 8"
    )
    assert "of rank 7, not scaled" in model(covariance=SINGULAR).covariance.words("as-is")


def test_rows_are_centred_and_scaled_to_trace_d_unless_as_they_are():
    wanted = np.cov(ROWS, rowvar=False)
    for scale, factor in [("trace", 8 / np.trace(wanted)), ("as-is", 1.0)]:
        found = model(covariance=ROWS + 7.0, covariance_scale=scale).input_covariance
        again = found.axes.T @ np.diag(found.variances) @ found.axes
        np.testing.assert_allclose(again, wanted * factor, atol=1e-12)


def test_a_spectrum_keeps_the_coordinates_of_its_inputs():
    found = model(covariance=np.array([1.0, 3, 0, 2, 5, 4, 1, 0])).input_covariance
    assert found.rank == 6
    np.testing.assert_allclose(
        np.diag(found.axes.T @ np.diag(found.variances) @ found.axes),
        np.array([1.0, 3, 0, 2, 5, 4, 1, 0]) / 2,
    )


def test_a_spectrum_of_a_power_law_gives_the_numbers_of_its_word():
    given = np.arange(1.0, 9) ** -1.5
    word = model(covariance="powerlaw:1.5", basis="axes", misalignment=0.2)
    own = model(covariance=given, misalignment=0.2)
    np.testing.assert_allclose(own.input_variances, word.input_variances, rtol=1e-14)
    np.testing.assert_array_equal(Geometry(own, 3).beta, Geometry(word, 3).beta)


def test_an_array_is_known_by_its_content(tmp_path):
    for name in ("one.npy", "two.npy"):
        np.save(tmp_path / name, ROWS.astype(np.float32))
    np.save(tmp_path / "three.npy", 2 * ROWS)
    one, two, three = (
        model(covariance=f"file:{tmp_path / n}.npy") for n in ("one", "two", "three")
    )
    assert one == two != three and hash(one) == hash(two)
    keys = {RawProblem.of(m, 9, 9, 1).key for m in (one, two, three)}
    assert len(keys) == 2
    assert one == model(covariance=ROWS.astype(np.float32))
    assert one.columns()["covariance"] == "file:one.npy"


def test_keys_hold_neither_paths_nor_what_follows_from_a_task():
    of = model(covariance=MATRIX, task=BETA, brain_map=MAP)
    content = RawProblem.of(of, 9, 9, 1).content
    assert content["covariance"] == f"#{of.covariance.digest}"
    assert not {"misalignment", "task_loadings", "signal_norm"} & content.keys()
    assert "covariance_scale" not in content
    assert "brain_map" not in RawProblem.of(model(brain_map="random"), 9, 9, 1).content


def test_a_problem_travels_without_the_file_and_without_its_rows(tmp_path):
    np.save(tmp_path / "features.npy", ROWS)
    of = model(covariance=f"file:{tmp_path / 'features.npy'}", misalignment=0.3)
    problem = RawProblem.of(of, 20, 25, seed=4)
    (tmp_path / "features.npy").unlink()
    sent = pickle.loads(pickle.dumps(problem))
    assert sent == problem and sent.key == problem.key
    assert sent.model.covariance.values.size == 0
    query = (Query(Fit(ESTIMATORS["ridge"], "fixed", 0.1, 1.0, 2, 0.0), parse_shift("id"), None),)
    there, here = (bench(p, query, 2).replicates(0)[0] for p in (sent, problem))
    np.testing.assert_array_equal(there, here)


def test_a_model_with_arrays_goes_through_pickles_fields_and_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("features.npy", ROWS)
    np.save("beta.npy", BETA)
    m = model(covariance="file:features.npy", task="file:beta.npy", snr_task=4.0)
    assert pickle.loads(pickle.dumps(m)) == copy.deepcopy(m) == m
    assert Model(**dataclasses.asdict(m)) == m
    assert Model(**json.loads(json.dumps(m.given()))).covariance == m.covariance
    assert dataclasses.replace(m, covariance="identity", task="uniform") == model(snr_task=4.0)


def test_a_task_that_is_given_has_its_own_misalignment_loadings_and_norm():
    m = model(covariance=MATRIX, task=BETA, brain_map=MAP)
    inside = MAP @ BETA
    assert m.signal_norm == pytest.approx(np.linalg.norm(BETA))
    assert m.misalignment == pytest.approx(1 - inside @ inside / (BETA @ BETA))
    np.testing.assert_allclose(m.loadings, inside / np.linalg.norm(inside))
    assert model(task=np.eye(8)[0]).misalignment == 0.0  # along the first latent
    g = Geometry(m, 2)
    described = m.signal_norm * (
        math.sqrt(1 - m.misalignment) * g.aligned + math.sqrt(m.misalignment) * g.missed
    )
    np.testing.assert_allclose(described, g.beta, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("exponent", [0.3, 1.0, 2.0])
def test_a_source_exponent_is_that_of_the_signal(exponent):
    """u_j^2 Sigma_j falls as j^-(1 + 2 alpha s) where the brain leaves the axes alone."""
    alpha, d = 1.5, 400
    g = Geometry(
        Model(
            input_dim=d,
            latent_dim=2,
            n_channels=5,
            misalignment=0.5,
            basis="axes",
            covariance=f"powerlaw:{alpha}",
            task=f"source:{exponent}",
        ),
        1,
    )
    signal = g.missed**2 * g.scale**2
    j = np.arange(3, d + 1)
    slope = np.diff(np.log(signal[2:])) / np.diff(np.log(j))
    np.testing.assert_allclose(slope, -(1 + 2 * alpha * exponent), rtol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(g.missed), 1.0)
    np.testing.assert_array_equal(signal[:2], 0.0)


def test_directions_of_every_task_are_orthonormal():
    for changes in (
        {"task": "source:0.5", "covariance": "powerlaw:1", "misalignment": 0.2},
        {"task": "source:0.5", "covariance": SINGULAR, "misalignment": 0.2, "brain_map": "random"},
        {"task": BETA, "brain_map": MAP},
        {"task": np.eye(8)[3]},  # the direction that is otherwise the orthogonal one
        {"brain_map": MAP, "misalignment": 0.2},
    ):
        g = Geometry(model(**changes), 3)
        rows = np.vstack([g.brain, g.missed, g.orthogonal])
        np.testing.assert_allclose(rows @ rows.T, np.eye(4), atol=1e-12)


def test_gains_and_loadings_fall_as_a_power():
    m = model(latent_gains="powerlaw:1.0", task_loadings="powerlaw:0.5")
    np.testing.assert_allclose(m.gains, [1.0, 0.5])
    np.testing.assert_allclose(m.loadings, np.array([1, 2**-0.5]) / math.sqrt(1.5))
    listed = model(latent_gains=[1.0, 0.5], task_loadings=[1.0, 2**-0.5])
    assert RawProblem.of(m, 9, 9, 1).key == RawProblem.of(listed, 9, 9, 1).key
    assert m.columns()["latent_gains"] == "powerlaw:1.0"


# What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"covariance": np.diag([1.0, -1, 1, 1, 1, 1, 1, 1])}, "positive semi-definite"),
        ({"covariance": -(BETA**2)}, "a variance is not negative"),
        ({"covariance": np.eye(7)}, "a matrix of 7 inputs; input_dim = 8"),
        ({"covariance": np.vander(range(9), 7)}, "npy': rows of 7 inputs; input_dim = 8"),
        ({"covariance": np.full((8, 8), np.nan)}, "NaN"),
        ({"covariance": ROWS[:1]}, "one row has no covariance"),
        ({"covariance": ROWS[:2]}, "has the rank 1 of 2 rows; latent_dim = 2"),
        ({"covariance": np.ones((5, 8))}, "every variance is 0"),
        ({"covariance": ROWS + 1j}, "finite real numbers are allowed, this holds complex128"),
        ({"covariance": ROWS.astype(object)}, "this holds object"),
        ({"covariance": np.ones((2, 2, 2))}, "this has the shape (2, 2, 2)"),
        ({"covariance": np.zeros((0, 8))}, "this holds nothing"),
        ({"covariance": ROWS * 1e60}, "numbers up to 1e+50"),
        ({"covariance": np.ma.masked_less(ROWS, 0)}, "covariance is masked at"),
        ({"covariance": "file:nowhere.npy"}, "there is no nowhere.npy"),
        ({"covariance": "file:"}, "the form is file:NAME.npy"),
        ({"covariance": [[1.0]]}, "allowed: identity, powerlaw:ALPHA, file:NAME.npy"),
        ({"covariance": "powerlaw:1", "covariance_scale": "asis"}, "did you mean 'as-is'"),
        ({"covariance": MATRIX, "basis": "haar"}, "only 'axes' is allowed"),
        ({"brain_map": MAP, "basis": "haar"}, "only 'axes' is allowed"),
        ({"brain_map": MAP[:1]}, "a row for each latent, so (2, 8), is allowed"),
        ({"brain_map": 2 * MAP}, "not orthonormal"),
        ({"brain_map": "leeding"}, "did you mean 'leading'"),
        ({"task": BETA[:7]}, "have the shape (8,)"),
        ({"task": np.zeros(8)}, "must differ from 0"),
        ({"task": BETA, "misalignment": 0.1}, "misalignment = 0.1: follows from task"),
        ({"task": BETA, "signal_norm": 2.0}, "signal_norm = 2.0: follows from task"),
        ({"task": BETA, "task_loadings": [1.0, 1.0]}, "follows from task"),
        ({"task": BETA, "task_loadings": "powerlaw:1"}, "follows from task"),
        ({"task": BETA, "brain_map": "random"}, "would be chance"),
        ({"task": "source:0"}, "has no limit"),
        ({"task": "source:-0.5"}, "has no limit"),
        ({"task": "source:nan"}, "has no limit"),
        ({"task": "source:11"}, "0 < S <= 10"),
        ({"task": "sauce:1"}, "allowed: uniform, source:S, file:NAME.npy"),
        ({"latent_gains": "powerlaw:-1"}, "ALPHA of 0 to 10"),
        ({"latent_gains": "power:1"}, "a list of 2 numbers, or powerlaw:ALPHA"),
        ({"task_loadings": "powerlaw:x"}, "ALPHA of 0 to 10"),
    ],
)
def test_what_cannot_be_used_is_refused_in_a_sentence(changes, words):
    with pytest.raises(InputError) as error:
        model(**changes)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_holds_no_numbers_is_refused_and_a_pickle_never_loaded(tmp_path):
    np.save(tmp_path / "pickle.npy", np.array([object()]), allow_pickle=True)  # must be refused
    np.savez(tmp_path / "many.npz", a=ROWS)
    (tmp_path / "text.npy").write_text("1 2 3")
    for name in ("pickle.npy", "many.npz", "text.npy"):
        with pytest.raises(InputError, match=f"covariance = 'file:.*{name}': "):
            model(covariance=f"file:{tmp_path / name}")


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder, values in (("a", ROWS), ("b", 2 * ROWS)):
        (tmp_path / folder).mkdir()
        np.save(tmp_path / folder / "f.npy", values)
    with pytest.raises(InputError, match=r"two files of the name f.npy hold different numbers"):
        with_arrays({"covariance": ["file:a/f.npy", "file:b/f.npy"]}, tmp_path)
    again = with_arrays({"covariance": ["file:a/f.npy", "identity"]}, tmp_path)
    assert again["covariance"][0].label == "file:f.npy"


def test_a_study_file_names_files_beside_it(tmp_path):
    np.save(tmp_path / "f.npy", ROWS)
    table = {
        "name": "beside",
        "model": {**SMALL, "covariance": ["file:f.npy", "identity"]},
        "design": {"n_task": 9},
        "estimators": {"ridge": 0.1},
    }
    found = study_from_table(table, tmp_path)
    assert [m.columns()["basis"] for m in found.models] == ["axes", "haar"]
    with pytest.raises(InputError, match=r"^\[model\] covariance = 'file:f.npy': not a readable"):
        study_from_table(table)


def test_nothing_lies_where_inputs_never_vary():
    of = model(covariance=SINGULAR, task=BETA)
    g = Geometry(of, 3)
    assert (of.native_dim, g.frame.shape, g.rotation.shape) == (7, (4, 7), (7, 8))
    never = np.linalg.svd(SINGULAR - SINGULAR.mean(axis=0))[2][-1]
    seen = BETA - (BETA @ never) * never
    np.testing.assert_allclose(g.as_given(g.beta), seen, atol=1e-12)
    assert of.signal_norm == pytest.approx(np.linalg.norm(seen))
    with pytest.raises(InputError, match="acts on nothing but inputs that never vary"):
        model(covariance=SINGULAR, task=never)
    with pytest.raises(InputError, match="reads inputs that never vary"):
        model(covariance=SINGULAR, brain_map=MAP)
    with pytest.raises(InputError, match="with latent_dim = rank of the covariance = 7"):
        model(covariance=SINGULAR, latent_dim=7, n_channels=9, misalignment=0.1)
    assert "rank of the covariance >= latent_dim" in (
        parse_shift("mean:1:orthogonal").objection(
            model(covariance=SINGULAR, latent_dim=6, n_channels=9)
        )
        or ""
    )


def test_every_engine_but_the_spectral_serves_a_given_covariance():
    for rows in (ROWS, SINGULAR):
        given = model(covariance=rows).covariance
        asked = study(model={**SMALL, "covariance": given}, engine={"kind": "auto"}, encoding={})
        assert engine_for(asked)[0] == "sufficient"
