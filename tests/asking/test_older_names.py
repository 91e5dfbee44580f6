"""Keys and keywords under an older name: read as before, with one warning.

A results folder keeps the study's text; whatever its keys were called then, it is read in silence.
"""

import re
import warnings

import pytest

import mcbrain as mb
from mcbrain.asking.from_toml import load_study, reload_study
from mcbrain.asking.older_names import OLDER_ENGINE_KEYS
from mcbrain.errors import InputError

STUDY = """
name = "older"
[model]
input_dim = 5
latent_dim = 2
n_channels = 3
[design]
n_task = 9
[estimators]
ridge = 0.1
[engine]
kind = "spectral"
{line}
"""
MODEL = mb.Model(input_dim=5, latent_dim=2, n_channels=3)
ASKED = {"engine": "spectral", "precision": 0.0, "max_replicates": 64}


@pytest.fixture
def written(tmp_path):
    def write(line):
        path = tmp_path / "older.toml"
        path.write_text(STUDY.format(line=line))
        return path

    return write


def test_the_older_key_means_the_same_with_one_warning(written):
    with pytest.warns(
        FutureWarning, match=r"\[engine\] law is called exact_task_stage now"
    ) as heard:
        older = load_study(written("law = false"))
    assert len(heard) == 1
    assert not older.exact_task_stage
    assert "law" not in older.table["engine"]


def test_a_results_folder_is_read_in_silence(written):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not reload_study(written("law = false")).exact_task_stage


def test_both_names_at_once_are_refused(written):
    with (
        pytest.warns(FutureWarning),
        pytest.raises(InputError, match="law and exact_task_stage are two names of one key"),
    ):
        load_study(written("law = false\nexact_task_stage = true"))


def test_the_older_keyword_means_the_same_with_one_warning():
    now = mb.simulate(MODEL, 9, exact_task_stage=False, **ASKED)
    with pytest.warns(FutureWarning, match="law is called exact_task_stage now") as heard:
        older = mb.simulate(MODEL, 9, law=False, **ASKED)
    assert heard[0].filename == __file__
    drop = ["seconds"]
    assert older.drop_columns(drop).equals(now.drop_columns(drop))
    assert set(older["prediction"].to_pylist()) == {"exact"}


@pytest.mark.parametrize(("older", "now"), OLDER_ENGINE_KEYS.items())
def test_each_older_spelling_works_and_names_the_new_one_and_its_last_release(written, older, now):
    with pytest.warns(FutureWarning) as heard:
        found = load_study(written(f"{older} = false"))
    (said,) = [str(one.message) for one in heard]
    last = re.fullmatch(
        rf"\[engine\] {older} is called {now} now; the older name is read until release (.*)", said
    )
    releases = [tuple(map(int, v.split("."))) for v in (mb.__version__, last[1])]
    assert releases[0] < releases[1], f"{older}: its time is over, remove it from the table"
    assert found.table["engine"] == load_study(written(f"{now} = false")).table["engine"]
    with pytest.warns(FutureWarning, match=f"^{older} is called {now} now"):
        mb.simulate(MODEL, 9, **{older: False}, **ASKED)
