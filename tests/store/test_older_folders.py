"""Folders of every earlier format: shown, reported, exported, compared, resumed or refused.

`results_0_1` has blocks of format 1, before any code was named; `results_0_1_format_2` those of
format 2, before replicates could be kept. A release that changes a format adds one of the last.
"""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pyarrow as pa
import pytest

import mcbrain as mb
from mcbrain.errors import InputError, StoreError
from mcbrain.reporting.page import report
from mcbrain.results.failures import failures
from mcbrain.results.tables import export_results, open_results
from mcbrain.results.view import Results
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from mcbrain.store.columns import FORMAT
from tests.store.test_folder import files

TESTS = Path(__file__).parents[1]
FOLDERS = {1: TESTS / "results_0_1", 2: TESTS / "results_0_1_format_2"}


@pytest.fixture(params=FOLDERS.values(), ids=lambda path: path.name)
def old(request, tmp_path):
    """A copy of one of them."""
    return shutil.copytree(request.param, tmp_path / "old")


def test_every_earlier_format_has_a_folder():
    assert list(FOLDERS) == list(range(1, FORMAT))
    for version, folder in FOLDERS.items():
        (segment,) = (folder / "blocks").glob("*.arrow")
        with pa.memory_map(str(segment)) as source:
            metadata = pa.ipc.open_file(source).schema.metadata
        assert metadata[b"mcbrain.blocks"] == str(version).encode()


def test_an_older_folder_is_read_without_a_change(old):
    before = files(old)
    table = open_results(old)
    assert table.num_rows == 32 and Results(old).study.name == "old"
    assert mb.status(old).rows == 32
    assert replay(old, 1, 3).rows and failures(old).num_rows == 0
    assert Results(old).compare("befs", "projection", ["n_brain=30"]).table.num_rows == 4
    done = subprocess.run(
        [sys.executable, "-m", "mcbrain", "show", str(old)], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr
    assert files(old) == before


@pytest.mark.long
def test_an_older_folder_is_reported_and_exported(old):
    assert "old" in report(old).read_text()
    assert export_results(old, "csv").stat().st_size > 1_000


def test_both_formats_hold_the_same_numbers():
    found = mb.diff(*FOLDERS.values())
    assert found.rows == 32 and not found.differ


def test_an_older_folder_is_resumed_by_code_of_its_own_or_anew(old):
    """Blocks of other code stay; a run that accepts them finds nothing to compute."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # a key's older name, for format 1
        accepted = run(old / "study.toml", old, reuse_other_code=True, threads=1)
        assert accepted.computed == 0 and accepted.reused == 76
        anew = run(old / "study.toml", old, threads=1)
    assert anew.computed == 76 and open_results(old).num_rows == 32


@pytest.mark.long
def test_replicates_that_an_older_folder_has_not_kept_are_drawn_again(old):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        study = mb.load_study(old / "study.toml")
    again = run(study, old, reuse_other_code=True, keep="replicates", threads=1)
    assert again.computed > 0 and (old / "replicates" / "point-000003.arrow").exists()


def test_a_folder_of_a_newer_format_is_refused_in_a_sentence(old):
    (segment,) = (old / "blocks").glob("*.arrow")
    table = pa.ipc.open_file(segment.read_bytes()).read_all()
    newer = table.replace_schema_metadata({"mcbrain.blocks": str(FORMAT + 1)})
    with pa.ipc.new_file(segment, newer.schema) as sink:
        sink.write_table(newer)
    before = files(old)
    with pytest.raises(StoreError, match=f"written in block format {FORMAT + 1}, newer than"):
        mb.status(old)
    assert files(old) == before
    with pytest.raises(InputError, match="holds the study 'old', not 'first-look'"):
        run(mb.load_study("first-look"), old, threads=1)
