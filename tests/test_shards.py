"""Shards: whole problems, balanced, merged to the bits of a run that was never cut."""

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.blocks import BlockSums
from mcbrain.engines import choose
from mcbrain.errors import InputError, StoreError
from mcbrain.merging import merge
from mcbrain.plan.plans import open_plan
from mcbrain.plan.shards import Shard, _cost, owned, parse_shard, slurm_shard
from mcbrain.reading import study_from_table
from mcbrain.replay import replay
from mcbrain.rows.tables import open_results
from mcbrain.runner import run
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.segments import SCHEMA, to_table, write_segment

MODEL = {
    "input_dim": 12,
    "latent_dim": 2,
    "n_channels": 6,
    "misalignment": 0.2,
    "task_noise": 0.8,
}
TABLE = {
    "name": "cut",
    "seed": 3,
    "model": MODEL,
    "design": {"n_task": [6, 20, 40], "n_brain": [0, 60]},
    "estimators": {"ols": 0.0, "ridge": "optimal", "befs": "optimal", "projection": 0.0},
    "shifts": {"id": {}, "brain-insensitive": {"factor": 4.0}},
    "precision": {"relative": 0.05, "max_replicates": 10_000},
    "engine": {"kind": "raw"},
}
WIDE = {"n_task": [6, 40], "n_brain": [0, 20, 60, 200]}
# Every engine, with the exact law of the task stage and without, and pilots of whole replicates.
KINDS = {
    "raw": {},
    "sufficient": {"engine": {"kind": "sufficient"}},
    "spectral": {"engine": {"kind": "spectral"}, "design": WIDE},
    "spectral, no law": {"engine": {"kind": "spectral", "law": False}, "design": WIDE},
    "raw, no law of the penalty": {
        "model": {**MODEL, "covariance": "powerlaw:1.0"},
        "design": {"n_task": [6, 40], "n_brain": [0, 60]},
        "precision": {"relative": 0.05, "max_replicates": 4000},
    },
}


def study(**changes):
    return study_from_table({**TABLE, **changes})


def tables(folder):
    """Results and brain moments, the time they took aside."""
    return (
        open_results(folder).drop_columns(["seconds"]),
        open_results(folder / "brain.arrow"),
    )


def same(one, other):
    return all(a.equals(b) for a, b in zip(tables(one), tables(other), strict=True))


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """The raw study, whole and in three shards."""
    home = tmp_path_factory.mktemp("cut")
    run(study(), home / "whole")
    for number in (1, 2, 3):
        run(study(), home / f"s{number}", shard=f"{number}/3")
    return home


@pytest.fixture
def shards(cut, tmp_path):
    """A copy of the shards, to spoil."""
    for number in (1, 2, 3):
        shutil.copytree(cut / f"s{number}", tmp_path / f"s{number}")
    return [tmp_path / f"s{number}" for number in (1, 2, 3)]


@pytest.mark.parametrize("text", ["3/2", "0/2", "a", "1", "1/0", "2/3/4", "-1/3", "1.5/2", "1/ x"])
def test_a_shard_that_does_not_exist_is_refused_in_words(text):
    with pytest.raises(InputError, match=f"^--shard {re.escape(text)}: "):
        parse_shard(text)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, None),
        ({"ID": "2", "COUNT": "3"}, "2/3"),
        ({"ID": "2", "COUNT": "3", "MIN": "1", "STEP": "1"}, "2/3"),
        ({"ID": "0", "COUNT": "3", "MIN": "0"}, "1/3"),
        ({"ID": "9", "COUNT": "5", "MIN": "1", "STEP": "2"}, "5/5"),
        ({"ID": "1", "COUNT": "1", "MIN": "1"}, None),
        ({"ID": "4"}, None),
    ],
)
def test_a_job_array_stands_for_a_shard(variables, expected):
    found = slurm_shard({f"SLURM_ARRAY_TASK_{k}": v for k, v in variables.items()})
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    "variables",
    [
        {"ID": "0", "COUNT": "3"},
        {"ID": "9", "COUNT": "3", "MIN": "1"},
        {"ID": "2", "COUNT": "3", "MIN": "1", "STEP": "2"},
        {"ID": "x", "COUNT": "3"},
        {"ID": "7", "COUNT": "1", "MIN": "7"},
    ],
)
def test_a_job_array_with_gaps_or_of_one_later_task_is_refused(variables):
    with pytest.raises(InputError, match=r"SLURM_ARRAY_TASK_ID = .*say --shard (I|7)/N"):
        slurm_shard({f"SLURM_ARRAY_TASK_{k}": v for k, v in variables.items()})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [2, 3, 7, 50])
def test_shards_share_all_problems_and_none_has_much_more_than_its_part(tmp_path, kind, count):
    table = study(**KINDS[kind])
    plan = open_plan(table, choose(table)[0], BlockStore(tmp_path))
    problems = plan.problems()
    shares = [owned(problems, Shard(number, count)) for number in range(1, count + 1)]
    assert sum(map(len, shares)) == len(problems)
    assert set().union(*shares) == set(problems)
    loads = [sum(map(_cost, share)) for share in shares]
    # Dearest first, each to the least loaded: no load exceeds the mean by more than one problem.
    assert max(loads) <= np.mean(loads) + max(map(_cost, problems))


def test_a_shard_keeps_its_problems_when_precision_is_added(tmp_path):
    store = BlockStore(tmp_path)
    tables = [study(precision={"relative": r}) for r in (0.1, 0.001)]
    shares = [owned(open_plan(t, "raw", store).problems(), Shard(2, 3)) for t in tables]
    assert shares[0] == shares[1]


@pytest.mark.parametrize("kind", KINDS)
def test_merged_shards_are_the_whole_run_bit_by_bit(tmp_path, kind):
    table = study(**KINDS[kind])
    run(table, tmp_path / "whole")
    parts = [run(table, tmp_path / f"s{n}", shard=f"{n}/3") for n in (1, 2, 3)]
    assert sum(part.owned for part in parts) == parts[0].problems
    merged = merge([part.folder for part in parts], tmp_path / "merged")
    assert (merged.missing, merged.problems) == ([], parts[0].problems)
    assert same(tmp_path / "merged", tmp_path / "whole")
    again = run(table, tmp_path / "merged")
    assert (again.computed, again.reused > 0) == (0, True)


def test_shards_find_the_matrix_of_a_custom_shift_from_anywhere(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    np.save("moment.npy", np.diag(np.arange(1.0, 13.0)))
    table = {**TABLE, "design": {"n_task": [40], "n_brain": [0, 60]}}
    whole = study_from_table(
        {**table, "shifts": {"custom": {"file": "moment.npy"}}}, tmp_path / "here"
    )
    run(whole, tmp_path / "whole")
    monkeypatch.chdir(tmp_path)
    again = study_from_table({**table, "shifts": ["custom:here/moment.npy"]})
    assert run(again, tmp_path / "whole").computed == 0
    for number in (1, 2):
        run(whole, tmp_path / f"s{number}", shard=f"{number}/2")
    assert not merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "m").missing
    assert same(tmp_path / "m", tmp_path / "whole")
    assert set(tables(tmp_path / "m")[0]["shift"].to_pylist()) == {"custom:moment.npy"}
    assert replay(tmp_path / "m", 1, 5).rows


def test_a_custom_matrix_of_the_wrong_size_is_refused_before_anything_is_written(tmp_path):
    np.save(tmp_path / "moment.npy", np.eye(3))
    table = {**TABLE, "shifts": {"custom": {"file": "moment.npy"}}}
    with pytest.raises(InputError, match="the matrix is 3 x 3; input_dim = 12 is needed"):
        study_from_table(table, tmp_path)


def test_shards_one_after_the_other_in_one_folder_leave_nothing_to_do(cut, tmp_path):
    for number in (1, 2, 3):
        run(study(), tmp_path / "m", shard=f"{number}/3")
    assert run(study(), tmp_path / "m").computed == 0
    assert same(tmp_path / "m", cut / "whole")


def test_a_fresh_shard_moves_what_was_there_aside(shards, tmp_path):
    outcome = run(study(), shards[0], shard="1/3", fresh=True)
    assert outcome.reused == 0 and outcome.computed > 0
    assert len(list(tmp_path.glob("s1.before-*"))) == 1


def test_an_incomplete_merge_says_what_is_missing_and_a_run_completes_it(cut, tmp_path):
    merged = merge([cut / "s1", cut / "s3"], tmp_path / "m")
    own = open_plan(study(), "raw", BlockStore(tmp_path / "none")).problems()
    lost = [f"point {own[p][0].index}" for p in own if p in owned(own, Shard(2, 3))]
    assert merged.missing == lost
    assert merged.notes == ["not among the folders: shard 2/3"]
    there, _ = tables(tmp_path / "m")
    whole, _ = tables(cut / "whole")
    assert there.num_rows == whole.num_rows
    for mine, right in zip(there.to_pylist(), whole.to_pylist(), strict=True):
        if f"point {right['point']}" in lost:
            assert (mine["status"], mine["mean"]) == ("mcse_not_met", None)
        else:
            assert mine == right
    run(study(), tmp_path / "m")
    assert same(tmp_path / "m", cut / "whole")


def test_a_spectral_merge_without_its_pilots_leaves_those_rows_empty(tmp_path):
    for name, kind in (("law", KINDS["spectral"]), ("no law", KINDS["spectral, no law"])):
        table = study(**kind)
        run(table, tmp_path / name / "whole")
        for number in (1, 3):
            run(table, tmp_path / name / f"s{number}", shard=f"{number}/3")
        merged = merge([tmp_path / name / "s1", tmp_path / name / "s3"], tmp_path / name / "m")
        assert 0 < len(merged.missing) < merged.problems
        there, _ = tables(tmp_path / name / "m")
        whole, _ = tables(tmp_path / name / "whole")
        filled = 0
        for mine, right in zip(there.to_pylist(), whole.to_pylist(), strict=True):
            assert mine["mean"] in (None, right["mean"])
            assert mine["mean"] is not None or mine["status"] == "mcse_not_met"
            filled += mine["mean"] is not None
        assert 0 < filled < whole.num_rows
        run(table, tmp_path / name / "m")
        assert same(tmp_path / name / "m", tmp_path / name / "whole")


def test_equal_duplicates_are_accepted_and_kept_once(cut, tmp_path):
    folders = [cut / name for name in ("whole", "s1", "s2", "s3")]
    merged = merge([*folders, cut / "s1"], tmp_path / "m")
    assert merged.notes == [f"{cut / 's1'} is listed twice; it counts once"]
    assert same(tmp_path / "m", cut / "whole")
    first, second = (BlockStore(tmp_path / "m" / "blocks"), BlockStore(cut / "whole" / "blocks"))
    assert {n: first.rows(n).num_rows for n in first.names()} == {
        n: second.rows(n).num_rows for n in second.names()
    }


def test_duplicates_that_differ_are_an_error_and_nothing_is_written(cut, shards, tmp_path):
    point = next(study().points())
    store = BlockStore(cut / "whole" / "blocks")
    work = open_plan(study(), "raw", store).work(point)
    ids = tuple(q.id for q in work.queries)
    series = store.series(work.problem, ids)
    altered = BlockSums(
        index=5,
        replicates=int(series.replicates[5]),
        count=series.count[:, 5].astype(int),
        mean=np.nextafter(series.mean[:, 5], 0.0),
        m2=series.m2[:, 5],
        better=series.better[:, 5].astype(int),
        bin_sizes=np.zeros(len(ids), int),
    )
    for shard in shards:
        write_segment(shard / "blocks", to_table([(work.problem, ids, altered)]).to_batches())
    with pytest.raises(StoreError, match=r"block 5 of point 0 differs between .*nothing was merg"):
        merge(shards, tmp_path / "m")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 4}, "seed = 4 there, 3 here"),
        ({"name": "other"}, "name = 'other' there, 'cut' here"),
        ({"design": {"n_task": [6, 41], "n_brain": [0, 60]}}, r"\[design\] n_task = \[6, 41\]"),
        ({"engine": {"kind": "sufficient"}}, r"\[engine\] kind = 'sufficient' there, 'raw' here"),
    ],
)
def test_shards_of_different_studies_are_refused(cut, tmp_path, changes, words):
    run(study(**changes, precision={"max_replicates": 1}), tmp_path / "s2", shard="2/3")
    with pytest.raises(StoreError, match=f"another study than in .*s1: {words}"):
        merge([cut / "s1", tmp_path / "s2"], tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_precision_may_differ_and_the_first_folder_counts(cut, tmp_path):
    fine = {"relative": 0.02, "max_replicates": 40_000}
    run(study(precision=fine), tmp_path / "s2", shard="2/3")
    merged = merge([cut / "s1", tmp_path / "s2", cut / "s3"], tmp_path / "m")
    assert "precision differs" in merged.notes[0] and not merged.missing
    assert same(tmp_path / "m", cut / "whole")


def test_a_merge_never_writes_in_the_folders_it_reads(cut, tmp_path):
    with pytest.raises(InputError, match="is one of the folders to merge"):
        merge([cut / "s1", cut / "s2"], cut / "s1")
    for wrong in ([], [tmp_path / "nowhere"]):
        with pytest.raises(InputError, match="results folder"):
            merge(wrong, tmp_path / "m")
    run(study(name="other", precision={"max_replicates": 1}), tmp_path / "taken")
    with pytest.raises(StoreError, match="holds the study 'other', not 'cut'"):
        merge([cut / "s1"], tmp_path / "taken")
    assert not (tmp_path / "m").exists()


def test_a_newer_shard_is_refused_and_nothing_is_written(shards, tmp_path):
    newer = SCHEMA.with_metadata({"mcbrain.blocks": "99"})
    with pa.OSFile(str(shards[1] / "blocks" / "blocks-000099.arrow"), "wb") as sink:
        pa.ipc.new_file(sink, newer).close()
    with pytest.raises(StoreError, match="block format 99, newer"):
        merge(shards, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_a_damaged_shard_is_left_as_it_is_and_its_blocks_are_computed_again(cut, shards, tmp_path):
    path = max((shards[1] / "blocks").glob("*.arrow"), key=lambda p: p.stat().st_size)
    before = sorted(path.parent.iterdir())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    merged = merge(shards, tmp_path / "m")
    assert f"{path} is damaged" in merged.notes[0] and merged.missing
    assert sorted(path.parent.iterdir()) == before
    assert run(study(), shards[1], shard="2/3").computed > 0
    assert merge(shards, tmp_path / "m").missing == []
    assert same(tmp_path / "m", cut / "whole")
    assert len(list(path.parent.glob("*.damaged-*"))) == 1


def test_a_shard_is_not_put_where_whole_results_are(cut):
    with pytest.raises(InputError, match="holds results of the whole study"):
        run(study(), cut / "whole", shard="1/2")
    with pytest.raises(InputError, match="engine 'law' simulates nothing"):
        run(study(engine={"kind": "law"}), cut / "law", shard="1/2")
    assert not (cut / "law").exists()


def test_a_shards_folder_says_what_it_is(cut):
    with pytest.raises(InputError, match=r"holds the blocks of shard 2/3.*mcbrain merge"):
        open_results(cut / "s2")


def test_a_shard_that_was_stopped_is_named(tmp_path):
    for number in (1, 2):
        run(study(), tmp_path / f"s{number}", shard=f"{number}/2", max_time=0.0)
    merged = merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "m")
    assert "ended before it was complete: shard 1/2, 2/2" in merged.notes


def test_the_example_job_array_gives_the_whole_run(cut, tmp_path, repository, monkeypatch):
    """The shipped commands as real processes, with the variables that SLURM sets."""
    import tomli_w

    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-study.toml").write_text(tomli_w.dumps(TABLE))
    command = tmp_path / "bin" / "mcbrain"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m mcbrain "$@"\n')
    command.chmod(0o755)
    job = repository / "data" / "slurm" / "array.sbatch"
    sizes = re.search(r"--array=(\d+)-(\d+)", job.read_text())
    tasks = range(int(sizes[1]), int(sizes[2]) + 1)
    for task, lowest, count in [*((t, tasks[0], len(tasks)) for t in tasks), (2, 2, 1)]:
        array = {"ID": task, "COUNT": count, "MIN": lowest, "STEP": 1}  # the last one alone, again
        variables = {f"SLURM_ARRAY_TASK_{k}": str(v) for k, v in array.items()}
        variables |= {"SLURM_CPUS_PER_TASK": "1", "PYTHONPATH": str(repository)}
        variables["PATH"] = f"{command.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", str(job), "my-study.toml"],
            env=os.environ | variables,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert f"shard {task}/3" in done.stderr
        assert ("computed 0" in done.stderr) == (count == 1)
    text = (job.parent / "README.md").read_text()
    line = re.search(r"^mcbrain (merge .*)$", text, re.MULTILINE)[1]
    done = subprocess.run(
        ["bash", "-c", f"{command} {line}"],
        env=os.environ | {"PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "6 of 6 problems complete" in done.stderr
    assert same(tmp_path / "results" / "my-study", cut / "whole")
