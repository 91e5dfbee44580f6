"""Study files: the grid they ask for, and one sentence for every mistake."""

import copy
import tomllib

import numpy as np
import pytest
import tomli_w

from mcbrain.asking.from_toml import load_study, shipped_studies, study_from_table
from mcbrain.errors import InputError

BASE = {
    "name": "test",
    "seed": 3,
    "model": {"input_dim": 10, "latent_dim": 3, "n_channels": 8},
    "design": {"n_task": [20, 40], "n_brain": [0, 30]},
    "estimators": {"ols": 0.0, "ridge": "optimal", "befs": [0.1, "optimal"]},
    "shifts": {"id": {}, "scale": {"factor": [2.0, 3.0]}},
}


def changed(path, value):
    table = copy.deepcopy(BASE)
    *sections, key = path.split(".")
    place = table
    for section in sections:
        place = place.setdefault(section, {})
    if value is None:
        place.pop(key, None)
    else:
        place[key] = value
    return table


def test_the_design_is_the_full_grid_with_models_outermost():
    table = changed("model.misalignment", [0.0, 0.5])
    study = study_from_table(table)
    points = list(study.points())
    assert study.n_points == len(points) == 8
    assert study.n_rows == 8 * 4 * 3
    asked = [(p.model.misalignment, p.n_task, p.n_brain) for p in points[:5]]
    assert asked == [(0.0, 20, 0), (0.0, 20, 30), (0.0, 40, 0), (0.0, 40, 30), (0.5, 20, 0)]
    assert [p.index for p in points] == list(range(8))


def test_a_nested_list_of_gains_is_one_setting():
    study = study_from_table(changed("model.latent_gains", [[2.0, 1.0, 0.5], 1.0]))
    assert [m.latent_gains for m in study.models] == [(2.0, 1.0, 0.5), 1.0]


def test_geometric_grids_are_whole_and_distinct():
    study = study_from_table(changed("design.n_task", {"geometric": [1, 10, 20]}))
    assert study.n_task == tuple(sorted(set(study.n_task)))
    assert study.n_task[0] == 1 and study.n_task[-1] == 10


def test_a_grid_takes_whole_numbers_beyond_64_bits():
    study = study_from_table(changed("estimators.ridge", {"geometric": [1, 2**80, 3]}))
    values = [c.rule.value for c in study.methods if c.estimator.name == "ridge"]
    assert values == pytest.approx([1.0, 2.0**40, 2.0**80])


def test_tuned_ridge_is_the_baseline_and_ols_stands_in():
    study = study_from_table(BASE)
    assert study.baseline().estimator.name == "ridge"
    study = study_from_table(changed("estimators.ridge", 0.3))
    assert study.baseline().estimator.name == "ols"


def test_the_resolved_study_gives_the_same_study_again():
    study = study_from_table(BASE)
    again = study_from_table(tomllib.loads(tomli_w.dumps(study.table)))
    assert again.table == study.table
    assert list(again.points()) == list(study.points())
    assert again.methods == study.methods and again.shifts == study.shifts


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("name", None, "every study needs a name"),
        ("nmae", "x", "nmae: unknown key; did you mean 'name'"),
        ("seed", -1, "seed = -1: a whole number from 0"),
        ("model.input_dmi", 3, "[model] input_dmi: unknown key; did you mean 'input_dim'"),
        ("model.input_dim", None, "[model] input_dim is missing"),
        ("model.input_dim", "ten", "[model] input_dim = 'ten': a whole number"),
        ("model.misalignment", 2.0, "[model] misalignment = 2.0: allowed is 0 to 1"),
        ("model.misalignment", [], "an empty list"),
        ("model.misalignment", [0.1, 0.1], "asked for twice"),
        ("model.task_loadings", [1.0, 0.5, 0.5], "one setting is a list of its own"),
        ("design.n_task", 0, "[design] n_task = 0: a whole number from 1"),
        ("design.n_task", [], "an empty list"),
        ("design.n_task", [5, 5], "listed twice"),
        ("design.n_task", 3.5, "[design] n_task = 3.5"),
        ("design.n_task", None, "[design] n_task is missing"),
        ("design.n_task", {"geometric": [0, 5, 3]}, "starts above 0"),
        ("design.n_task", {"geometric": [1, 5]}, "three numbers"),
        ("design.n_brain", [-1], "whole number from 0"),
        ("encoding.rank", 9, "[encoding] rank = 9: allowed is 1 to min(input_dim, n_channels) = 8"),
        ("encoding.rank", "two", "[encoding] rank = 'two': a whole number"),
        ("encoding.ranks", 2, "unknown key; did you mean 'rank'"),
        ("encoding.penalty", -1.0, "a number >= 0"),
        ("estimators", {}, "[estimators] is empty"),
        ("estimators.befz", 0.1, "did you mean 'befs'"),
        ("estimators.ols", 0.3, "ols has no penalty to choose"),
        ("estimators.ols", "optimal", "ols has no penalty to choose"),
        ("estimators.ridge", "best", "a rule; allowed: gcv, loo, optimal, optimal-shift"),
        ("estimators.ridge", [0.1, 0.1], "listed twice"),
        ("estimators.penalty_scale", "mean", "allowed: per-sample, sum"),
        ("estimators.two-penalty:x", 0.1, "two-penalty:ETA"),
        ("shifts.scale", 3, "[shifts] scale = 3: a table is allowed"),
        ("shifts.scale", {}, "'factor' is missing; write scale = { factor = 2.0 }"),
        ("shifts.scale", {"factor": 2.0, "size": 1}, "[shifts] scale.size: unknown key"),
        ("shifts.id", {"factor": 2.0}, "it takes no settings"),
        ("precision.relative", -0.1, "[precision] relative = -0.1"),
        ("precision.relative", "high", "[precision] relative = 'high': Expected float | none"),
        ("precision.max_replicates", 0, "max_replicates = 0"),
        ("engine.kind", "rwa", "[engine] kind = 'rwa': did you mean 'raw'"),
        ("engine.threads", 2, "[engine] threads: unknown key"),
    ],
)
def test_mistakes_are_refused_in_a_sentence(path, value, words):
    with pytest.raises(InputError) as error:
        study_from_table(changed(path, value))
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_grid_too_large_is_refused_with_its_size():
    table = changed("design.n_task", {"linear": [1, 100000, 100000]})
    table["design"]["n_brain"] = {"linear": [0, 100, 101]}
    with pytest.raises(InputError, match="10,100,000 points and 121,200,000 rows"):
        study_from_table(table)


def test_a_file_that_is_missing_or_broken_is_named(tmp_path):
    with pytest.raises(InputError, match="no such file and no shipped study"):
        load_study(tmp_path / "none.toml")
    bad = tmp_path / "bad.toml"
    bad.write_text("name = ")
    with pytest.raises(InputError, match=r"bad\.toml: not valid TOML"):
        load_study(bad)
    bad.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match=r"bad\.toml: cannot be read as text"):
        load_study(bad)
    results = bad.rename(tmp_path / "results.arrow")
    with pytest.raises(InputError, match=r"arrow: a table of results, where the TOML file"):
        load_study(results)
    (tmp_path / "study.toml").touch()
    with pytest.raises(InputError, match=r"a folder, .*; its study is study\.toml in it"):
        load_study(tmp_path)
    with pytest.raises(InputError, match="study = 5: the path of a TOML file or the name"):
        load_study(5)


@pytest.mark.parametrize("name", sorted(shipped_studies()))
def test_shipped_studies_are_valid_and_bear_their_name(name):
    study = load_study(name)
    assert study.name == name
    assert shipped_studies()[name].read_text().startswith("# ")


def test_a_custom_matrix_of_the_wrong_size_is_refused_before_anything_is_written(tmp_path):
    np.save(tmp_path / "moment.npy", np.eye(3))
    table = {**BASE, "shifts": {"custom": {"file": "moment.npy"}}}
    with pytest.raises(InputError, match="the matrix is 3 x 3; input_dim = 10 is needed"):
        study_from_table(table, tmp_path)
