"""Shifts and metrics that a user brings."""

from dataclasses import replace

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.plugins.loading import load_file, read_file
from mcbrain.results.tables import open_results

MODEL = mb.Model(
    input_dim=6, latent_dim=2, n_channels=4, misalignment=0.2, task_noise=0.5, labels="sign"
)
SETTING = {"n_task": 16, "n_brain": 12, "seed": 4, "threads": 1, "precision": 0}
SETTING |= {"estimators": {"ridge": 0.2, "befs": 0.2}, "max_replicates": 64}

FILE = '''
import numpy as np
import mcbrain as mb


@mb.shift(parameters={"factor": 4.0})
def outside(population, parameters):
    P = population.brain_map.T @ population.brain_map
    return P + parameters.factor * (np.eye(len(P)) - P)


@mb.shift(parameters={"angle": 0.2})
def rotated(population, parameters):
    """beta turned towards the first latent."""
    beta, latent = population.beta, population.brain_map[0]
    away = latent - (latent @ beta) / (beta @ beta) * beta
    away *= np.linalg.norm(beta) / np.linalg.norm(away)
    turned = np.cos(parameters.angle) * beta + np.sin(parameters.angle) * away
    return population.covariance, turned


@mb.metric(name="sign-error")
def sign_error(beta_hat, population, test):
    return np.mean(np.sign(test.X @ beta_hat) != np.sign(test.signal))


@mb.metric
def length(beta_hat, population, test):
    return np.linalg.norm(beta_hat)
'''


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "mine.py"
    path.write_text(FILE)
    return {plugin.name: plugin for plugin in load_file(read_file(path, "mine.py"))}


def test_a_shift_that_is_a_built_in_one_has_its_rows(brought):
    rows = mb.simulate(MODEL, shifts=["brain-insensitive:4", brought["outside"]], **SETTING)
    mean, shift = rows["mean"].to_numpy(), rows["shift"].to_pylist()
    assert shift == ["brain-insensitive:4", "outside:4.0"] * 2
    np.testing.assert_allclose(mean[1::2], mean[::2], rtol=1e-10)
    assert rows["prediction"].to_pylist()[1] == "none"


def test_a_shift_may_move_the_task(brought):
    """Its risk is that of NumPy's fits over the best linear predictor of the moved task."""
    settled = {brought["rotated"]: {"angle": [0.0, 0.5]}, "id": {}}
    rows = mb.simulate(MODEL, shifts=settled, **SETTING).to_pylist()
    still, moved, plain = (row["mean"] for row in rows[:3])
    np.testing.assert_allclose(still, plain, rtol=1e-10)
    found = []
    for data in mb.replicates(MODEL, 16, 12, count=rows[0]["replicates"], seed=4):
        b = np.linalg.solve(data.X.T @ data.X + 3.2 * np.eye(6), data.X.T @ data.y)
        latent = data.brain_map[0]
        away = latent - (latent @ data.beta) * data.beta
        turned = np.cos(0.5) * data.beta + np.sin(0.5) * away / np.linalg.norm(away)
        found.append(np.sum((b - np.sqrt(2 / np.pi / 1.25) * turned) ** 2))
    np.testing.assert_allclose(moved, np.mean(found), rtol=1e-10)


def test_metrics_are_those_of_the_same_fits(brought):
    """8 comparisons with the exact error rate within 5 standard errors: false alarm below 1e-5."""
    own = [brought["sign-error"], brought["length"]]
    setting = {**SETTING, "shifts": {"id": {}, brought["outside"]: {}}}
    rows = mb.simulate(MODEL, metrics=["error_rate", *own], **setting).to_pylist()
    lengths = []
    for data in mb.replicates(MODEL, 16, 12, count=rows[0]["replicates"], seed=4):
        b = np.linalg.solve(data.X.T @ data.X + 3.2 * np.eye(6), data.X.T @ data.y)
        lengths.append(np.linalg.norm(b))
    np.testing.assert_allclose(rows[0]["length"], np.mean(lengths), rtol=1e-10)
    for row in rows:
        error = 0.5 / np.sqrt(1000 * row["replicates"])
        assert abs(row["sign-error"] - row["error_rate"]) < 5 * error
        assert row["sign-error_mcse"] > 0 and row["sign-error_predicted"] is None


def test_the_engine_of_statistics_measures_too(brought):
    setting = {**SETTING, "metrics": [brought["length"], "error_rate"]}
    linear = replace(MODEL, labels="linear")
    sufficient, raw = (
        mb.simulate(linear, engine=engine, **setting).to_pylist()
        for engine in ("sufficient", "raw")
    )
    for one, other in zip(sufficient, raw, strict=True):
        error = np.hypot(one["length_mcse"], other["length_mcse"])
        assert abs(one["length"] - other["length"]) < 5 * error


STUDY = """
name = "brought"
seed = 4
[plugins]
files = ["mine.py"]
[model]
input_dim = 6
latent_dim = 2
n_channels = 4
labels = "sign"
[design]
n_task = [16]
n_brain = [0]
[estimators]
ridge = 0.2
[shifts]
id = {}
rotated = { angle = [0.1, 0.3] }
[metrics]
sign-error = {}
[precision]
relative = 0
max_replicates = 64
"""


def test_a_study_names_them(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "brought.toml").write_text(STUDY)
    with pytest.raises(mb.InputError, match=r"this study runs the code in mine\.py"):
        mb.load_study(tmp_path / "brought.toml")
    study = mb.load_study(tmp_path / "brought.toml", plugins=True)
    mb.run(study, tmp_path / "out", threads=1)
    table = open_results(tmp_path / "out")
    assert table["shift"].to_pylist() == ["id", "rotated:0.1", "rotated:0.3"]
    assert np.all(np.isfinite(table["sign-error"].to_numpy()))
    record = (tmp_path / "out" / "results.arrow").read_bytes()
    mb.run(study, tmp_path / "out", threads=1)
    assert (tmp_path / "out" / "results.arrow").read_bytes() == record
    (tmp_path / "mine.py").write_text(FILE.replace("np.cos", "1.0 * np.cos"))
    changed = mb.load_study(tmp_path / "brought.toml", plugins=True)
    assert changed.shifts[1].content != study.shifts[1].content


def test_what_they_may_not_return_is_a_sentence(tmp_path):
    def ask(body, kind="shift", **more):
        path = tmp_path / f"own{len(list(tmp_path.iterdir()))}.py"
        takes = "population, parameters" if kind == "shift" else "beta_hat, population, test"
        path.write_text(
            f"import numpy as np\nimport mcbrain as mb\n@mb.{kind}\ndef odd({takes}):\n    {body}\n"
        )
        (own,) = load_file(read_file(path, path.name))
        asked = {"shifts": [own]} if kind == "shift" else {"metrics": [own]}
        mb.simulate(MODEL, **SETTING, **{**asked, **more})

    with pytest.raises(
        mb.InputError, match=r"own0\.py.*shift 'odd': the second moment has .*\(6, 6\)"
    ):
        ask("return np.eye(3)")
    with pytest.raises(mb.InputError, match="is not symmetric"):
        ask("return np.triu(np.ones((6, 6)))")
    with pytest.raises(mb.InputError, match=r"positive semi-definite; .* -1"):
        ask("return -np.eye(6)")
    with pytest.raises(mb.InputError, match=r"own3\.py, line 5: shift 'odd': ZeroDivisionError"):
        ask("return 1 / 0")
    with pytest.raises(mb.InputError, match=r"own4\.py, line 5: metric 'odd': ZeroDivisionError"):
        ask("return 1 / 0", "metric")
    linear = mb.Model(input_dim=6, latent_dim=2, n_channels=4)
    with pytest.raises(mb.InputError, match="'error_rate' needs coefficients; use sufficient"):
        mb.simulate(linear, 16, 0, {"ridge": 0.1}, metrics=["error_rate"], engine="spectral")
