"""The main job: the same numbers on any layout, and folders that it refuses."""

import os

import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import study_from_table
from mcbrain.errors import InputError, StoreError
from mcbrain.running.runner import run
from mcbrain.store.lock import writing
from tests.support.small_study import TABLE, rows, small, study


def test_results_do_not_depend_on_threads(small_results, tmp_path):
    for threads in (2, 4):
        run(study(), tmp_path / str(threads), threads=threads)
        assert rows(tmp_path / str(threads)).equals(rows(small_results))


def test_simulate_and_run_give_the_same_numbers(tmp_path):
    settings = {k: v for k, v in TABLE["model"].items() if k != "misalignment"}
    settings["latent_gains"] = settings["latent_gains"][0]
    model = mb.Model(**settings, misalignment=0.2)
    table = mb.simulate(
        model,
        n_task=[6, 40],
        n_brain=[0, 60],
        estimators=TABLE["estimators"],
        shifts=["id", "brain-insensitive:4", "missed-direction:9"],
        precision=0.02,
        max_replicates=40_000,
        seed=7,
        engine="raw",
    )
    run(small(), tmp_path)
    assert table.drop_columns(["seconds"]).equals(rows(tmp_path))


@pytest.mark.parametrize("name", ["results.arrow", "brain.arrow", "provenance.json", "blocks"])
def test_a_folder_with_such_a_file_of_no_study_is_refused_and_kept(tmp_path, name):
    (tmp_path / name).write_text("precious")
    with pytest.raises(StoreError, match=rf"holds {name} and no study.toml"):
        run(small(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_study_file_without_a_name_is_not_of_a_run(tmp_path):
    (tmp_path / "study.toml").write_text("seed = 1\n")
    with pytest.raises(StoreError, match="has no name"):
        run(small(), tmp_path)


def test_another_studys_folder_and_a_folder_in_use_are_refused(tmp_path):
    run(small(design__n_task=[6]), tmp_path / "a")
    with pytest.raises(StoreError, match="holds the study 'small', not 'other'"):
        run(study_from_table({**TABLE, "name": "other"}), tmp_path / "a")
    with writing(tmp_path / "a"), pytest.raises(StoreError, match="another run"):
        run(small(), tmp_path / "a")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_unwritable_folder_is_refused(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        run(small(), tmp_path / "locked" / "out")
