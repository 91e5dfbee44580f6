"""Merged shards are the bits of a run that was never cut; what is amiss is said or refused."""

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.asking.from_toml import study_from_table
from mcbrain.blocks.sums import BlockSums
from mcbrain.errors import InputError, StoreError
from mcbrain.plan.shards import Shard, owned
from mcbrain.results.opening import open_plan
from mcbrain.running.merging import merge
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.columns import SCHEMA
from mcbrain.store.identity import code_identity
from mcbrain.store.segments import to_table, write_segment
from tests.support.cut_study import KINDS, TABLE, same, study, tables


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
        write_segment(
            shard / "blocks",
            to_table([(work.problem, ids, altered)], code_identity().text).to_batches(),
        )
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


def test_a_shard_that_was_stopped_is_named(tmp_path):
    for number in (1, 2):
        run(study(), tmp_path / f"s{number}", shard=f"{number}/2", max_time=0.0)
    merged = merge([tmp_path / "s1", tmp_path / "s2"], tmp_path / "m")
    assert "ended before it was complete: shard 1/2, 2/2" in merged.notes
