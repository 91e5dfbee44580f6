"""The block store: what is kept comes back, damage is seen, set aside and computed again."""

import numpy as np
import pyarrow as pa
import pytest

from mcbrain.blocks.problem import TaskProblem
from mcbrain.blocks.series import looks
from mcbrain.errors import StoreError
from mcbrain.store.blockstore import BlockStore
from mcbrain.store.checksums import checksums
from mcbrain.store.columns import SCHEMA
from mcbrain.store.group import Group
from mcbrain.store.identity import code_identity
from mcbrain.store.parts import Batch, Part
from mcbrain.store.segments import read_segment, to_table, write_segment
from tests.support.stored_blocks import IDS, OTHER, PROBLEM, block, filled


def _counts(histogram):
    """Replicates by bin."""
    return dict(zip(histogram.places.tolist(), histogram.counts.tolist(), strict=True))


def test_what_is_kept_comes_back_in_memory_and_from_disk(tmp_path):
    for store in (filled(tmp_path), BlockStore(tmp_path)):
        series = store.series(PROBLEM, IDS[::-1])
        assert series.n_blocks == 10
        expected = np.array([block(i).mean for i in range(10)]).T[::-1]
        np.testing.assert_array_equal(series.mean, expected)
        found = store.of(PROBLEM).histograms(IDS, [10, 4, 0])
        histograms = [_counts(h) for h in found]
        assert histograms == [{-5: 30, 7: 50}, {-5: 12, 7: 20}, {}]
        np.testing.assert_array_equal(store.series(OTHER, IDS[:1]).count, np.full((1, 10), 8))


def test_many_new_blocks_of_one_problem_are_read_from_disk_not_kept_as_objects(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("mcbrain.store.blockstore._FLUSH_SECONDS", 0.0)
    monkeypatch.setattr("mcbrain.store.blockstore._MANY", 7)
    store = filled(tmp_path, range(40))
    assert sum(map(len, store._fresh.values())) <= 8
    expected = np.array([block(i).mean for i in range(40)]).T
    np.testing.assert_array_equal(store.series(PROBLEM, IDS).mean, expected)


def test_a_series_ends_at_the_first_gap_and_the_gap_is_missing(tmp_path):
    filled(tmp_path, [0, 1, 2, 4, 5])
    store = BlockStore(tmp_path)
    assert store.series(PROBLEM, IDS).n_blocks == 3
    assert store.of(PROBLEM).missing(IDS, 6) == {3: IDS}
    assert set(store.of(OTHER).missing(IDS[:2], 2)) == {0, 1}


def test_blocks_kept_twice_count_once(tmp_path):
    filled(tmp_path)
    store = BlockStore(tmp_path)
    for i in range(10):
        store.add(PROBLEM, IDS, block(i))
    (found,) = store.of(PROBLEM).histograms(IDS[:1], [10])
    assert _counts(found) == {-5: 30, 7: 50}
    store.compact()
    (found,) = store.of(PROBLEM).histograms(IDS[:1], [10])
    assert _counts(found) == {-5: 30, 7: 50}


def test_compacting_leaves_one_segment_with_everything(tmp_path):
    store = filled(tmp_path)
    store.add(PROBLEM, IDS, block(10))
    store.flush()
    assert len(list(tmp_path.glob("*.arrow"))) == 2
    store.compact()
    assert len(list(tmp_path.glob("*.arrow"))) == 1
    assert BlockStore(tmp_path).series(PROBLEM, IDS).n_blocks == 11


def test_compacting_leaves_a_large_segment_as_it_is_and_few_small_ones(tmp_path):
    def write(*indices):
        records = [(PROBLEM, IDS, block(i)) for i in indices]
        return write_segment(tmp_path, to_table(records, code_identity().text).to_batches())

    large = write(*range(3000))
    for i in range(3000, 3012):
        write(i)
    store = BlockStore(tmp_path)
    store.compact()
    assert large.exists() and len(list(tmp_path.glob("*.arrow"))) == 2
    assert store.series(PROBLEM, IDS).n_blocks == BlockStore(tmp_path).series(PROBLEM, IDS).n_blocks
    assert BlockStore(tmp_path).series(PROBLEM, IDS).n_blocks == 3012


def test_reading_alone_changes_nothing_on_disk(tmp_path):
    filled(tmp_path)
    path = next(tmp_path.glob("*.arrow"))
    path.write_bytes(path.read_bytes()[:-100])
    store = BlockStore(tmp_path, read_only=True)
    assert len(store.notes) == 1 and "left out" in store.notes[0]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_is_seen_set_aside_and_only_its_block_is_lost(tmp_path, seed):
    filled(tmp_path)
    path = next(tmp_path.glob("*.arrow"))
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    mean = np.array([block(i).mean for i in range(10)])
    place = data.find(mean[3].tobytes()) + int(rng.integers(0, 24))
    data[place] ^= 1 << int(rng.integers(0, 8))
    path.write_bytes(data)
    store = BlockStore(tmp_path)
    assert len(store.notes) == 1 and "computed again" in store.notes[0]
    assert list(store.of(PROBLEM).missing(IDS, 10)) == [3]
    assert store.series(OTHER, IDS[:1]).n_blocks == 10
    assert len(list(tmp_path.glob("*.damaged-*"))) == 1
    assert BlockStore(tmp_path).notes == []


@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, 0.99])
def test_a_truncated_segment_is_set_aside(tmp_path, keep):
    filled(tmp_path)
    path = next(tmp_path.glob("*.arrow"))
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    store = BlockStore(tmp_path)
    assert len(store.notes) == 1
    assert len(store.of(PROBLEM).missing(IDS, 10)) == 10


def test_a_newer_format_is_refused_and_left_alone(tmp_path):
    newer = SCHEMA.with_metadata({"mcbrain.blocks": "99"})
    with pa.OSFile(str(tmp_path / "blocks-000001.arrow"), "wb") as sink:
        pa.ipc.new_file(sink, newer).close()
    with pytest.raises(StoreError, match="block format 99, newer"):
        BlockStore(tmp_path)
    assert (tmp_path / "blocks-000001.arrow").exists()


def test_looks_are_64_then_doublings_then_the_most_allowed():
    assert looks(10) == [10]
    assert looks(64) == [64]
    assert looks(300) == [64, 128, 256, 300]


def test_problems_are_named_by_content():
    again = TaskProblem(q=3, n_prime=5, seed=1)
    assert again.key == PROBLEM.key != OTHER.key
    assert all(0 <= w < 2**32 for w in PROBLEM.words) and len(PROBLEM.words) == 4


def test_totals_do_not_depend_on_neighbouring_statistics(tmp_path):
    store = filled(tmp_path)
    together = store.series(PROBLEM, IDS)
    for i, s in enumerate(IDS):
        alone = store.series(PROBLEM, [s])
        for whole, part in zip(together.totals(), alone.totals(), strict=True):
            assert whole[i] == part[0]


def _old(folder, drop=("identity",), **replaced):
    """Rewrite a folder's only segment as an older format would have written it."""
    path = next(folder.glob("*.arrow"))
    batches, _ = read_segment(path)
    table = pa.Table.from_batches(batches).drop_columns(list(drop))
    for name, values in replaced.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.array(values, table.schema.field(name).type))
    table = table.replace_schema_metadata({"mcbrain.blocks": "1"})
    path.unlink()
    target = str(folder / "blocks-000001-00000000.arrow")
    with pa.OSFile(target, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def test_what_an_older_format_lacks_is_null_and_its_rows_are_sound(tmp_path):
    filled(tmp_path)
    rows, _ = read_segment(next(tmp_path.glob("*.arrow")))
    complete = pa.Table.from_batches(rows)
    bare = complete.set_column(
        complete.schema.get_field_index("identity"), "identity", pa.nulls(20, pa.string())
    )
    # The name's checksum is wrong on purpose: every row is checked on its own.
    _old(tmp_path, checksum=checksums(bare).tolist())
    batches, damage = read_segment(next(tmp_path.glob("*.arrow")))
    assert not damage
    read = pa.Table.from_batches(batches)
    assert read.schema.equals(SCHEMA) and read["identity"].null_count == 20
    assert read.drop_columns(["identity", "checksum"]).equals(
        complete.drop_columns(["identity", "checksum"])
    )


def test_a_column_that_a_block_lacks_has_a_checksum_of_its_own_and_reads_as_nan():
    whole = to_table([(PROBLEM, IDS, block(i)) for i in range(3)], "one 1.0")
    other = to_table([(PROBLEM, IDS, block(i)) for i in range(3)], "two 1.0")
    assert not np.any(checksums(whole) == checksums(other))
    place = whole.schema.get_field_index("mean")
    kind = whole.schema.field("mean").type
    mean = pa.array([None, [1.0, 2.0, 3.0], None], kind)
    batch = Batch(whole.set_column(place, "mean", mean).combine_chunks().to_batches()[0])
    matrix = Group(IDS, Part(batch, 0, 3)).matrix("mean")
    np.testing.assert_array_equal(matrix, [[np.nan] * 3, [1, 2, 3], [np.nan] * 3])


def test_sums_stand_under_their_statistic_in_whatever_order_blocks_hold_them(tmp_path):
    """As where a study's estimators were reordered before it was run further."""
    store = BlockStore(tmp_path)
    for index, order in enumerate([[0, 1], [1, 0], [0, 1]]):
        sums = block(index, 2)
        for name in ("mean", "m2", "better"):
            setattr(sums, name, getattr(sums, name)[order])
        store.add(PROBLEM, tuple(IDS[i] for i in order), sums)
    before = store.series(PROBLEM, IDS[:2])
    store.flush()
    expected = np.array([block(i, 2).mean for i in range(3)]).T
    for found in (
        before,
        store.series(PROBLEM, IDS[:2]),
        BlockStore(tmp_path).series(PROBLEM, IDS[:2]),
    ):
        np.testing.assert_array_equal(found.mean, expected)
