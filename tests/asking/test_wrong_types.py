"""Values of the wrong type from Python: one sentence that names the key, never a bare TypeError."""

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.checks import duration, integer
from mcbrain.results.tables import open_results

MODEL = mb.Model(input_dim=12, latent_dim=3, n_channels=6)
ASKED = {"n_task": 30, "n_brain": 20, "estimators": {"ridge": 0.1}}


@pytest.mark.parametrize("ask", [mb.predict, mb.simulate])
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"model": 5}, "model = 5: an mcbrain.Model is allowed"),
        ({"n_task": "many"}, "n_task = 'many': a whole number from 1"),
        ({"n_brain": [3.5]}, "n_brain = 3.5: a whole number from 0"),
        ({"n_task": np.geomspace(50, 500, 3)}, "np.geomspace(10, 1000, 5).round() is a grid"),
        ({"n_task": True}, "n_task = True: a whole number from 1"),
        ({"n_task": float("inf")}, "n_task = inf: a whole number from 1"),
        ({"n_task": None}, "n_task is missing"),
        ({"estimators": ["ridge"]}, "estimators = ['ridge']: a mapping of names"),
        ({"estimators": {}}, "estimators is empty"),
        ({"estimators": {5: 0.1}}, "estimator '5' does not exist; allowed: befs"),
        ({"shifts": 5}, "shifts = 5: a list of shifts in text"),
        ({"shifts": None}, "shifts = None: a list of shifts in text"),
        ({"shifts": [5]}, "shift '5' does not exist; allowed: adversarial"),
        ({"shifts": {"scale": 2.0}}, "shifts scale = 2.0: a table is allowed"),
        ({"rank": "two"}, "rank = 'two': a whole number"),
        ({"seed": 1.5}, "seed = 1.5: a whole number from 0"),
    ],
)
def test_what_is_asked_is_checked_by_name(ask, wrong, words):
    _refused(lambda: ask(**{"model": MODEL, **ASKED, **wrong}), words)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (30.0, [30]),
        (np.float32(30), [30]),
        (np.array(30), [30]),
        (np.geomspace(10, 1000, 3), [10, 100, 1000]),
        (np.array([20, 40], np.uint8), [20, 40]),
        ((20.0, np.int16(40)), [20, 40]),
        (range(20, 23), [20, 21, 22]),
    ],
)
def test_whole_numbers_are_whole_however_they_are_held(given, meant):
    asked = {"n_brain": 20.0, "estimators": {"ridge": np.array([0.1])}, "rank": np.float64(2)}
    table = mb.predict(MODEL, n_task=given, **asked)
    assert table["n_task"].to_pylist() == meant
    assert integer("seed", 1e6, 0, 10**9) == 10**6


def test_studies_and_models_take_whole_floats(tmp_path):
    held = {"input_dim": 12.0, "latent_dim": np.int32(3), "n_channels": 6.0}
    assert mb.Model(**held) == MODEL
    assert [type(value) for value in (mb.Model(**held).input_dim, mb.Model(**held).k_m)] == [
        int
    ] * 2
    study = study_from_table(
        {
            "name": "floats",
            "seed": 3.0,
            "model": held,
            "design": {"n_task": [30.0]},
            "encoding": {"rank": 2.0},
            "estimators": {"ols": 0.0},
            "precision": {"max_replicates": 1e6, "relative": np.float32(0.5)},
        }
    )
    assert (study.seed, study.n_task, study.encoders[0].rank) == (3, (30,), 2)
    assert study.precision.max_replicates == 10**6 and study.precision.relative == 0.5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"precision": "high"}, "precision = 'high': a number from 0"),
        ({"precision": None}, "precision = None: a number from 0"),
        ({"absolute": "low"}, "absolute = 'low': a number from 0"),
        ({"max_replicates": 1e4 + 0.5}, "precision max_replicates = 10000.5: Expected int"),
        ({"engine": 5}, "engine = 5: Expected str"),
        ({"threads": "two"}, "threads = 'two': a whole number from 1"),
    ],
)
def test_how_it_is_simulated_is_checked_by_name(wrong, words):
    _refused(lambda: mb.simulate(MODEL, **{**ASKED, "max_replicates": 100, **wrong}), words)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"max_time": "soon"}, "max_time = 'soon': seconds, or a number with s, m or h such as"),
        ({"max_time": "-1h"}, "max_time = '-1h': seconds, or a number with s, m or h such as"),
        ({"max_time": "9" * 400}, "max_time = inf: allowed is 0 to"),
        ({"max_time": [2]}, "max_time = [2]: a number from 0"),
        ({"threads": 0.5}, "threads = 0.5: a whole number from 1"),
        ({"shard": 3}, "shard 3: the form is I/N"),
        ({"study": None}, "study = None: the path of a TOML file"),
        ({"out": 3}, "results in 3: the path of a folder"),
    ],
)
def test_a_run_is_checked_by_name_and_leaves_nothing_behind(tmp_path, wrong, words):
    out = tmp_path / "run"
    _refused(lambda: mb.run(**{"study": "first-look", "out": out, **wrong}), words)
    assert not out.exists()


@pytest.mark.parametrize(
    ("given", "seconds"), [(90, 90), ("90", 90), ("90s", 90), (" 1.5 m", 90), ("2h", 7200)]
)
def test_a_duration_is_a_number_of_seconds_or_text(given, seconds):
    assert duration("max_time", given) == seconds


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"model": 5}, "model = 5: an mcbrain.Model"),
        ({"budget": None}, "budget = None: a finite number > 0"),
        ({"cost_brain": "dear"}, "cost_brain = 'dear': a finite number > 0"),
        ({"cost_repeat": "cheap"}, "cost_repeat = 'cheap': a finite number > 0"),
        ({"max_repeats": "few"}, "max_repeats = 'few': a whole number from 1"),
    ],
)
def test_a_budget_is_checked_by_name(wrong, words):
    _refused(lambda: mb.allocate(**{"model": MODEL, "budget": 1000, **wrong}), words)


def test_a_value_is_checked_by_name():
    _refused(lambda: mb.value(5, 30, 20), "model = 5: an mcbrain.Model")
    asked = {"simulate": True, "precision": "high"}
    _refused(lambda: mb.value(MODEL, 30, 20, **asked), "precision = 'high': a number from 0")


def test_folders_are_checked_by_name(tmp_path):
    _refused(lambda: mb.merge(5, tmp_path / "out"), "folders = 5: a list of results folders")
    _refused(lambda: mb.merge(str(tmp_path), tmp_path / "out"), "a list of results folders")
    _refused(lambda: mb.merge([5], tmp_path / "out"), "results in 5: the path of a folder")
    _refused(lambda: open_results(5), "results in 5: the path of a folder")


def _refused(call, words):
    with pytest.raises(mb.InputError) as error:
        call()
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_grid_with_fractions_is_refused_in_the_words_of_its_caller():
    """The keyword of the call, and how to mend it; a study file keeps its own words."""
    grid = np.geomspace(10, 1000, 4)
    with pytest.raises(mb.InputError) as refused:
        mb.predict(MODEL, grid, 0)
    assert str(refused.value).startswith("n_task = 46.4158883361277")
    assert str(refused.value).endswith(
        "np.geomspace(10, 1000, 5).round() is a grid of whole numbers"
    )
    assert mb.predict(MODEL, grid.round(), 0).num_rows == 4 * 4
