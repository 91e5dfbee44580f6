"""A results folder: whole by itself, the same bytes when nothing has changed, readable if cut."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest
import tomli_w

import mcbrain as mb
from mcbrain.cli.status_command import status as print_status
from mcbrain.errors import StoreError, UnfinishedError
from mcbrain.reporting.figures import FIGURES
from mcbrain.reporting.page import report
from mcbrain.results.failures import failures
from mcbrain.results.tables import export_results, open_results
from mcbrain.results.view import Results
from mcbrain.running.merging import merge
from mcbrain.running.replaying import replay
from mcbrain.running.runner import Reporter, run
from mcbrain.store import folder as folders
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.lock import writing
from mcbrain.store.provenance import history
from tests.support.small_study import TABLE, rows, small

FEW = {"design__n_task": [6], "precision": {"relative": 0.1, "max_replicates": 40_000}}
OLD = Path(__file__).parents[1] / "results_0_1"


def few(**changes):
    return small(**{**FEW, **changes})


def files(folder):
    """Every file but the lock, and its bytes."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.parametrize("engine", ["raw", "spectral", "law"])
def test_a_run_that_computes_nothing_changes_no_byte(tmp_path, engine):
    asked = few(engine={"kind": engine})
    run(asked, tmp_path / "a", threads=1)
    before = files(tmp_path / "a")
    outcome = run(asked, tmp_path / "a", threads=2)
    assert outcome.computed == 0 and not outcome.results.changed
    run(mb.load_study(tmp_path / "a" / "study.toml"), tmp_path / "a")
    assert files(tmp_path / "a") == before
    assert len(ResultsFolder(tmp_path / "a").record()["runs"]) == 1


def test_the_history_has_an_entry_for_each_run_that_changed_something(tmp_path, monkeypatch):
    first = run(few(), tmp_path / "a", threads=1)
    more = {"relative": 0.01, "max_replicates": 40_000}
    second = run(few(precision=more), tmp_path / "a", threads=2)
    run(few(precision=more), tmp_path / "a")
    rewritten = run(few(shifts={"id": {}}, precision=more), tmp_path / "a", threads=2)
    assert rewritten.computed == 0 and rewritten.results.changed
    with monkeypatch.context() as better:  # the code of rows
        better.setattr("mcbrain.blocks.query.Fit.shown", 0.5)
        assert run(few(precision=more), tmp_path / "b").results.changed
    (tmp_path / "b" / ".finished").unlink()  # the sources never had the better code
    assert run(few(precision=more), tmp_path / "b").results.changed
    runs = history(ResultsFolder(tmp_path / "a").record())
    assert [r["blocks"] for r in runs] == [first.computed, second.computed, 0]
    assert [r["threads"] for r in runs] == [1, 2, 2]
    wanted = {"versions", "platform", "processor", "started", "ended", "code", "command"}
    assert all(wanted <= set(r) for r in runs)
    metadata = open_results(tmp_path / "a").schema.metadata[b"mcbrain.provenance"]
    assert json.loads(metadata) == ResultsFolder(tmp_path / "a").record()


def test_shards_bring_their_runs_and_merging_again_changes_no_byte(shards, tmp_path):
    merge(shards, tmp_path / "m")
    runs = history(ResultsFolder(tmp_path / "m").record())
    assert [r["blocks"] > 0 for r in runs] == [True, True, True, False]
    before = files(tmp_path / "m")
    merge(shards, tmp_path / "m")
    assert files(tmp_path / "m") == before


def test_a_changed_machine_is_one_note_and_no_refusal(tmp_path, monkeypatch):
    said = []

    class Listening(Reporter):
        def note(self, text):
            said.append(text)

    run(few(), tmp_path / "a")
    monkeypatch.setattr("mcbrain.store.provenance._processor", lambda: "another one")
    assert run(few(), tmp_path / "a", reporter=Listening()).computed == 0
    assert sum("last bits may differ" in note for note in said) == 1


@pytest.mark.parametrize("listed", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_folder_with_a_custom_shift_is_whole_by_itself(tmp_path, listed):
    home = tmp_path / "here"
    home.mkdir()
    np.save(home / "m.npy", np.diag(np.arange(1.0, 13.0)))
    shifts = ["id", "custom:m.npy"] if listed else {"id": {}, "custom": {"file": "m.npy"}}
    (home / "study.toml").write_text(tomli_w.dumps({**few().table, "shifts": shifts}))
    first = run(home / "study.toml", home / "out")
    before = rows(home / "out")
    assert set(before["shift"].to_pylist()) == {"id", "custom:m.npy"}
    assert str(tmp_path) not in (home / "out" / "study.toml").read_text()
    shutil.move(home / "out", tmp_path / "there")
    shutil.rmtree(home)
    again = run(tmp_path / "there" / "study.toml", tmp_path / "there")
    assert (again.computed, again.reused) == (0, first.computed)
    assert rows(tmp_path / "there").equals(before)
    assert "custom:m.npy" in {row["shift"] for row in replay(tmp_path / "there", 0, 0).rows}
    assert report(tmp_path / "there").exists()
    run(tmp_path / "there" / "study.toml", tmp_path / "there", fresh=True)
    assert rows(tmp_path / "there").equals(before)


def test_shards_with_a_custom_shift_merge_wherever_they_are(tmp_path):
    np.save(tmp_path / "m.npy", np.diag(np.arange(1.0, 13.0)))
    study = few(shifts={"custom": {"file": str(tmp_path / "m.npy")}})
    for number in (1, 2):
        run(study, tmp_path / f"s{number}", shard=f"{number}/2")
    (tmp_path / "m.npy").unlink()
    assert not merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "m").missing


def test_a_report_of_former_results_is_removed_with_its_pictures(tmp_path):
    run(few(), tmp_path / "a")
    report(tmp_path / "a")
    export_results(tmp_path / "a", "csv")
    pictures = {p.name for p in tmp_path.glob("a/*.png")} | {
        p.name for p in tmp_path.glob("a/*.svg")
    }
    assert pictures
    (tmp_path / "a" / "mine.png").write_bytes(b"a user's own")
    page = (tmp_path / "a" / "report.html").read_text()
    assert set(folders._PICTURE.findall(page)) == pictures
    assert all(folders._PICTURE.fullmatch(f"<code>{f.stem}.svg</code>") for f in FIGURES)
    run(few(), tmp_path / "a")
    assert (tmp_path / "a" / "report.html").exists() and mb.status(tmp_path / "a").report == (
        "up to date"
    )
    done = run(few(shifts={"id": {}}), tmp_path / "a")
    left = {path.name for path in (tmp_path / "a").iterdir()}
    assert not left & (pictures | {"report.html"}) and "mine.png" in left
    assert len(done.results.removed) == len(pictures) + 1
    assert [path.name for path in done.results.stale] == ["results.csv"]
    standing = mb.status(tmp_path / "a")
    assert standing.report == "none" and standing.stale == ("results.csv",)


class Interrupting(Reporter):
    """Interrupts a stage after so many of its jobs."""

    def __init__(self, name, jobs):
        self.name, self.jobs = name, jobs

    def stage(self, name, problems):
        def show(tally):
            self.jobs -= 1
            if self.jobs < 0:
                raise KeyboardInterrupt

        return nullcontext(show) if name == self.name else super().stage(name, problems)


@pytest.mark.parametrize(
    ("engine", "stage", "jobs"),
    [
        ("raw", "points", 1),
        ("spectral", "brain problems", 1),
        pytest.param("raw", "pilots", 0, marks=pytest.mark.long),
    ],
)
def test_an_interrupted_run_leaves_results_that_every_reader_takes(tmp_path, engine, stage, jobs):
    wide = {"design": {"n_task": [6], "n_brain": [0, 20, 60]}, "engine": {"kind": engine}}
    study = few(**wide, precision={"relative": 0.02, "max_replicates": 20_000})
    with pytest.raises(KeyboardInterrupt):
        run(study, tmp_path / "a", threads=1, reporter=Interrupting(stage, jobs))
    table = open_results(tmp_path / "a")
    assert table.num_rows == study.n_rows
    unmet = pc.equal(table["status"].cast("string"), "mcse_not_met")
    missing = table.filter(pc.and_(unmet, pc.equal(table["replicates"], 0)))
    assert 0 < missing.num_rows < study.n_rows or stage == "pilots"
    assert missing["mean"].null_count == missing.num_rows
    assert history(ResultsFolder(tmp_path / "a").record())[0]["blocks"] > 0
    export_results(tmp_path / "a", "csv")
    export_results(tmp_path / "a", "parquet")
    failures(tmp_path / "a")
    assert Results(tmp_path / "a").unreached.sum() == missing.num_rows
    assert f"{missing.num_rows:,} have no mean yet" in report(tmp_path / "a").read_text()
    standing = mb.status(tmp_path / "a")
    assert standing.missing == missing.num_rows and standing.complete < len(standing.problems)
    run(study, tmp_path / "a")
    run(study, tmp_path / "b")
    assert rows(tmp_path / "a").equals(rows(tmp_path / "b"))
    assert mb.status(tmp_path / "a").missing == 0


def test_results_of_the_first_version_are_read_and_resumed(tmp_path):
    """A folder that mcbrain 0.1 wrote: block format 1, no code in its blocks."""
    old = tmp_path / "old"
    shutil.copytree(OLD, old)
    before = files(old)
    standing = mb.status(old)
    assert standing.blocks == {"an unknown version": 76} == standing.other_code
    assert standing.rows == 32 and standing.rows_of == ("an unknown version",)
    assert Results(old).study.name == "old"
    assert replay(old, 1, 3).rows and failures(old).num_rows == 0
    assert files(old) == before
    assert "an unknown version" in report(old).read_text()
    export_results(old, "csv")
    done = subprocess.run(
        [sys.executable, "-m", "mcbrain", "run", str(old / "study.toml"), "--out", str(old)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "mcbrain: [engine] law is called exact_task_stage now" in done.stderr
    assert "76 of an unknown version; --reuse-other-code accepts them" in done.stderr
    assert "reused 0 blocks, computed 76" in done.stderr
    record = ResultsFolder(old).record()
    assert [run.get("blocks") for run in history(record)] == [None, 76]
    assert record["study_text"].startswith("# A study whose folder")
    assert mb.status(old).blocks["an unknown version"] == 76  # kept
    # The same blocks, accepted: the rows of then.
    accepted = tmp_path / "accepted"
    shutil.copytree(OLD, accepted)
    with pytest.warns(FutureWarning, match="law is called exact_task_stage"):
        outcome = run(accepted / "study.toml", accepted, reuse_other_code=True)
    assert (outcome.reused, outcome.computed) == (76, 0)
    for name in ("mean", "gain", "q05", "replicates"):
        assert open_results(accepted)[name].equals(open_results(OLD)[name])


def test_status_says_what_is_done_who_is_at_work_and_what_other_code_left(tmp_path, capsys):
    study = few(design={"n_task": [6, 40], "n_brain": [0, 60]})
    run(study, tmp_path / "a", max_time="0s")
    begun = mb.status(tmp_path / "a")
    assert not begun.running and begun.complete < len(begun.problems) and begun.missing
    assert [p.name for p in begun.problems][1:] == [f"point {i}" for i in range(4)]
    run(study, tmp_path / "a")
    with writing(tmp_path / "a"):
        assert mb.status(tmp_path / "a").running
    done = mb.status(tmp_path / "a")
    assert done.complete == len(done.problems) == 5 and done.seconds_left == 0.0
    assert all(p.done == p.needed > 0 and p.seconds > 0 for p in done.problems)
    print_status(tmp_path / "a", as_json=True)
    assert json.loads(capsys.readouterr().out) == done.as_dict()
    print_status(tmp_path / "a", as_json=False, limit=2)
    said = capsys.readouterr().out
    assert "problems: 5 of 5 complete" in said and "... 3 more problems" in said
    run(study, tmp_path / "s", shard="1/2")
    shard = mb.status(tmp_path / "s")
    assert shard.shard == "1/2" and 0 < shard.complete == len(shard.problems) < 5
    with pytest.raises(StoreError, match=r"no study\.toml here"):
        mb.status(tmp_path)


def test_time_left_is_known_once_a_problem_is_judged(tmp_path):
    run(few(), tmp_path / "a")
    more = few(precision={"relative": 0.001, "max_replicates": 400_000})
    ResultsFolder(tmp_path / "a").keep_study(more)
    standing = mb.status(tmp_path / "a")
    waiting = [p for p in standing.problems if not p.complete]
    assert waiting and all(p.done < p.needed and p.seconds_left > 0 for p in waiting)
    assert standing.seconds_left > 0


def test_more_shards_are_merged_than_files_may_be_open(cut, tmp_path):
    shards = [tmp_path / f"s{number}" for number in range(300)]
    for shard in shards:
        (shard / "blocks").mkdir(parents=True)
        shutil.copy(cut / "s1" / "study.toml", shard)
        for segment in (cut / "s1" / "blocks").glob("*.arrow"):
            os.link(segment, shard / "blocks" / segment.name)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        merged = merge(shards, tmp_path / "m")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert merged.folders == 300
    one = merge([cut / "s1"], tmp_path / "one")
    assert merged.missing == one.missing
    assert rows(tmp_path / "m").equals(rows(tmp_path / "one"))


def test_fresh_on_a_link_moves_what_it_points_to_and_keeps_the_link(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "real")
    run(few(), tmp_path / "link")
    before = rows(tmp_path / "disk" / "real")
    outcome = run(few(), tmp_path / "link", fresh=True)
    assert outcome.reused == 0 and (tmp_path / "link").is_symlink()
    assert rows(tmp_path / "disk" / "real").equals(before)
    (aside,) = (tmp_path / "disk").glob("real.before-*")
    assert rows(aside).equals(before)


def test_a_folder_may_have_any_name(tmp_path):
    out = tmp_path / os.fsdecode(b"not \xff, text")
    with pytest.warns(FutureWarning, match="law is called exact_task_stage"):
        run(OLD / "study.toml", out)
    assert mb.status(out).complete == 5 and report(out).exists()
    for form in ("csv", "parquet"):
        assert export_results(out, form).exists()
    run(out / "study.toml", out, fresh=True)
    assert merge([out], tmp_path / os.fsdecode(b"\xff2")).results.rows == 32


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_folder_of_any_name_is_spoken_of(tmp_path, encoding):
    out = tmp_path / os.fsdecode(b"not \xff, text")
    for command in (["run", OLD / "study.toml", "--out", out], ["status", out], ["show", out]):
        called = subprocess.run(
            [sys.executable, "-m", "mcbrain", *command],
            capture_output=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        assert called.returncode == 0, called.stderr


# Exit statuses ------------------------------------------------------------------------------


def _command(*words):
    return [sys.executable, "-m", "mcbrain", *map(str, words)]


def test_a_closed_pipe_changes_no_status(tmp_path):
    (tmp_path / "study.toml").write_text(tomli_w.dumps(few().table))
    read, write = os.pipe()
    os.close(read)
    command = _command("run", tmp_path / "study.toml", "--out", tmp_path / "a")
    done = subprocess.Popen(command, stdout=write, stderr=write)
    os.close(write)
    assert done.wait(120) == 0
    assert open_results(tmp_path / "a").num_rows == few().n_rows


@pytest.mark.long
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_run_ends_with_its_signal_s_status_and_leaves_its_rows(
    tmp_path, number, status
):
    table = {**TABLE, "precision": {"relative": 0.001, "max_replicates": 4_000_000}}
    (tmp_path / "study.toml").write_text(tomli_w.dumps(table))
    process = subprocess.Popen(
        _command("run", tmp_path / "study.toml", "--out", tmp_path / "a"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    while not list(tmp_path.glob("a/blocks/*.arrow")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(number)
    said = process.communicate(timeout=120)[1]
    assert process.returncode == status
    assert said.endswith("interrupted; everything finished is kept, run again to resume\n")
    table = open_results(tmp_path / "a")
    assert pc.sum(pc.equal(table["status"].cast("string"), "mcse_not_met")).as_py() > 0


def test_work_that_could_not_be_finished_is_another_mistake_than_bad_input(tmp_path, monkeypatch):
    from mcbrain import cli
    from mcbrain.errors import InputError

    def fails(error):
        def app(*words, **settings):
            raise error

        monkeypatch.setattr("mcbrain.cli.commands.app", app)
        return cli._status()

    assert fails(InputError("what")) == 2
    assert fails(UnfinishedError("what")) == 3
    assert fails(FileNotFoundError(2, "No such file", "x")) == 2
    assert fails(PermissionError(13, "Permission denied", "x")) == 3
    assert fails(OSError(28, "No space left on device", "x")) == 3
    assert issubclass(UnfinishedError, StoreError)
