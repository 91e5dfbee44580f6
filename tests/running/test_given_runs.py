"""A study with a covariance, a brain map and a task from files: kept, moved, merged, replayed."""

import numpy as np
import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import load_study
from mcbrain.errors import InputError
from mcbrain.results.tables import open_results
from mcbrain.running.merging import merge
from mcbrain.running.outcome import Reporter
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run

TEXT = """
name = "given"
seed = 7
[model]
input_dim = 8
latent_dim = 2
n_channels = 5
covariance = ["file:features.npy", "file:spectrum.npy", "powerlaw:1"]
brain_map = "file:map.npy"
task = ["file:beta.npy", "source:0.5"]
task_noise = 0.6
[design]
n_task = 30
n_brain = 40
[estimators]
ols = 0.0
befs = 0.3
[precision]
relative = 0.0
max_replicates = 40
[engine]
kind = "raw"
"""
RNG = np.random.default_rng(11)
FILES = {
    "features.npy": RNG.standard_normal((20, 8)) * np.arange(1, 9) ** -0.5,
    "spectrum.npy": RNG.random(8),
    "map.npy": np.linalg.qr(RNG.standard_normal((8, 2)))[0].T,
    "beta.npy": RNG.standard_normal(8),
}


class Notes(Reporter):
    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)


@pytest.fixture
def written(tmp_path):
    """The study's file, and those that it names beside it."""
    home = tmp_path / "home"
    home.mkdir()
    for name, values in FILES.items():
        np.save(home / name, values)
    (home / "study.toml").write_text(TEXT)
    return home / "study.toml"


def numbers(folder):
    return open_results(folder).drop_columns(["seconds"])


def test_a_run_says_what_its_files_were_taken_for(written, tmp_path):
    notes = Notes()
    run(written, tmp_path / "out", reporter=notes)
    said = [text for text in notes.said if text.startswith("covariance = ")]
    assert said == [
        "covariance = file:features.npy: taken as 20 rows of 8 features, centred here, "
        "scaled to trace 8",
        "covariance = file:spectrum.npy: taken as a spectrum of 8 variances, scaled to trace 8",
    ]
    found = open_results(tmp_path / "out").to_pandas()
    assert set(found["covariance"]) == {"file:features.npy", "file:spectrum.npy", "powerlaw:1"}
    assert set(found["task"]) == {"file:beta.npy", "source:0.5"}
    assert set(found["brain_map"]) == {"file:map.npy"}
    norm = np.linalg.norm(FILES["beta.npy"])
    assert found["signal_norm"][found["task"] == "file:beta.npy"].to_numpy() == pytest.approx(norm)


def test_shards_without_the_files_merge_into_the_whole_run(written, tmp_path):
    """The second shard is run from what the first one's folder keeps, the files being gone."""
    run(written, tmp_path / "whole")
    run(written, tmp_path / "one", shard="1/2")
    for name in FILES:
        (written.parent / name).unlink()
    with pytest.raises(InputError, match=r"not a readable \.npy file: there is no"):
        load_study(written)
    (tmp_path / "one").rename(tmp_path / "moved")
    run(tmp_path / "moved" / "study.toml", tmp_path / "two", shard="2/2")
    merged = merge([tmp_path / "moved", tmp_path / "two"], tmp_path / "merged")
    assert merged.missing == []
    assert numbers(tmp_path / "merged").equals(numbers(tmp_path / "whole"))
    again = run(tmp_path / "merged" / "study.toml", tmp_path / "merged")
    assert again.computed == 0 and again.reused > 0


def test_changed_content_is_another_problem_and_another_study(written, tmp_path):
    first = run(written, tmp_path / "out")
    np.save(written.parent / "features.npy", 2 * FILES["features.npy"] + np.eye(20, 8))
    changed = run(written, tmp_path / "out")
    assert (changed.computed, changed.reused) == (first.computed // 3, first.computed * 2 // 3)
    assert len(list((tmp_path / "out" / "files").glob("*/features.npy"))) == 2
    former = next((tmp_path / "out").glob("study-*.toml"))
    again = run(load_study(former), tmp_path / "out")
    assert again.computed == 0
    for number in (1, 2):
        run(written, tmp_path / f"s{number}", shard=f"{number}/2")
        np.save(written.parent / "features.npy", FILES["features.npy"])
    with pytest.raises(InputError, match=r"another study than in .*: \[model\] covariance"):
        merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "merged")


def test_a_replicate_is_rebuilt_in_the_coordinates_of_the_files(written, tmp_path):
    """Its rows vary as the features do, and its beta is that of the file."""
    run(written, tmp_path / "out")
    covariances = open_results(tmp_path / "out").to_pandas().groupby("point")["covariance"].first()
    sigmas = {
        "file:features.npy": np.cov(FILES["features.npy"], rowvar=False),
        "file:spectrum.npy": np.diag(FILES["spectrum.npy"]),
        "powerlaw:1": np.diag(1 / np.arange(1.0, 9)),
    }
    for point, covariance in covariances.items():
        again = replay(tmp_path / "out", point, 3)
        found: dict = {}
        exec(again.recipe, found)  # the lines that are printed for the user
        for name, value in again.data.items():
            np.testing.assert_allclose(found[name], value, atol=1e-9, err_msg=name)
        data = again.data
        coef = np.linalg.lstsq(data["X"], data["y"])[0]
        sigma = sigmas[covariance]
        error = coef - data["beta"]
        excess = error @ sigma @ error * 8 / np.trace(sigma)
        ols = next(row for row in again.rows if row["estimator"] == "ols")
        assert ols["excess"] == pytest.approx(excess, rel=1e-9)
        np.testing.assert_allclose(data["brain_map"], FILES["map.npy"], atol=1e-12)
    np.testing.assert_allclose(replay(tmp_path / "out", 0, 3).data["beta"], FILES["beta.npy"])


def test_arrays_from_python_are_run_and_kept(tmp_path):
    model = mb.Model(input_dim=8, latent_dim=2, n_channels=5, covariance=FILES["features.npy"])
    table = mb.simulate(model, 20, 20, {"ridge": 0.1}, precision=0, max_replicates=30, threads=1)
    assert table["covariance"].to_pylist() == ["file:covariance.npy"]
    from mcbrain.asking.from_python import adhoc_study

    asked = adhoc_study(
        model, 20, 20, {"ridge": 0.1}, ["id"], seed=0, precision={"max_replicates": 30}
    )
    run(asked, tmp_path / "out")
    kept = load_study(tmp_path / "out" / "study.toml")
    assert kept.models == (model,)
    assert run(kept, tmp_path / "out").computed == 0


def test_an_array_that_is_not_what_was_kept_is_refused(written, tmp_path):
    """Whether the folder is asked or its study is run: nothing follows from other numbers."""
    run(written, tmp_path / "out")
    kept = next((tmp_path / "out" / "files").glob("*/features.npy"))
    np.save(kept, 2 * FILES["features.npy"])
    for refused in (
        lambda: replay(tmp_path / "out", 0, 3),
        lambda: run(tmp_path / "out" / "study.toml", tmp_path / "out"),
        lambda: run(tmp_path / "out" / "study.toml", tmp_path / "elsewhere"),
    ):
        with pytest.raises(InputError, match=r"features\.npy: is not the array that was kept"):
            refused()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("damage", ["lost", "changed", "cut"])
def test_a_finished_folder_gets_back_the_files_that_it_lost(written, tmp_path, damage):
    np.save(written.parent / "moment.npy", np.eye(8))
    written.write_text(TEXT + '[shifts]\nid = {}\ncustom = { file = "moment.npy" }\n')
    run(written, tmp_path / "out")
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    for name in ("features.npy", "map.npy", "moment.npy"):
        kept = next((tmp_path / "out" / "files").glob(f"*/{name}"))
        match damage:
            case "lost":
                kept.unlink()
            case "changed":
                np.save(kept, 2 * np.load(kept))
            case "cut":
                kept.write_bytes(before[kept][:-8])
        assert run(written, tmp_path / "out").computed == 0
        assert {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()} == before


VARYING = np.diag([3.0, 2.0, 1.5, 1.0, 0.5, 0.2, 0.0, 0.0])
TURNED = np.linalg.qr(RNG.standard_normal((8, 8)))[0]
SINGULAR = {
    "matrix": TURNED @ VARYING @ TURNED.T,
    "rows": RNG.standard_normal((6, 8)),
    "spectrum": np.diag(VARYING)[::-1].copy(),
}


@pytest.mark.parametrize("kind", SINGULAR)
def test_a_replicate_of_inputs_that_do_not_all_vary_is_rebuilt(tmp_path, kind):
    np.save(tmp_path / "given.npy", SINGULAR[kind])
    text = TEXT
    for old, new in {
        '["file:features.npy", "file:spectrum.npy", "powerlaw:1"]': '"file:given.npy"',
        '"file:map.npy"': '["leading", "random"]',
        '["file:beta.npy", "source:0.5"]': '"source:0.5"\nmisalignment = 0.2',
    }.items():
        text = text.replace(old, new)
    (tmp_path / "study.toml").write_text(text)
    run(tmp_path / "study.toml", tmp_path / "out")
    given = SINGULAR[kind]
    sigma = {"rows": np.cov(given, rowvar=False), "spectrum": np.diag(given)}.get(kind, given)
    for point in (0, 1):
        again = replay(tmp_path / "out", point, 3)
        found: dict = {}
        exec(again.recipe, found)  # the lines that are printed for the user
        assert found["X"].shape == (30, 8) and found["X_brain"].shape == (40, 8)
        for name, value in again.data.items():
            np.testing.assert_allclose(found[name], value, atol=1e-9, err_msg=name)
        error = np.linalg.lstsq(found["X"], found["y"], rcond=1e-9)[0] - found["beta"]
        ols = next(row for row in again.rows if row["estimator"] == "ols")
        assert ols["excess"] == pytest.approx(error @ sigma @ error * 8 / np.trace(sigma), rel=1e-8)
