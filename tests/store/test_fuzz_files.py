"""Hostile files: segments, results, arrays and moments are read, set aside, or refused in words."""

import io
import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from mcbrain.appraisal import load
from mcbrain.errors import InputError
from mcbrain.population.shift_laws import load_moment
from mcbrain.results.printing import print_results
from mcbrain.results.tables import export_results, open_results
from mcbrain.results.view import Results
from mcbrain.running.replaying import replay
from mcbrain.running.runner import run
from mcbrain.store.blockstore import BlockStore
from tests.support.fuzzing import damaged, damages, one_sentence_at_most, seeded, suites
from tests.support.small_study import rows, small
from tests.support.stored_blocks import IDS, PROBLEM, filled


@suites(150, 20_000)
def test_a_damaged_segment_never_gives_a_wrong_block(cases, tmp_path):
    filled(tmp_path)
    path = next(tmp_path.glob("*.arrow"))
    content = path.read_bytes()
    whole = BlockStore(tmp_path).series(PROBLEM, IDS)

    @seeded(cases)
    @given(damages(content))
    def check(how):
        path.write_bytes(damaged(content, how))
        with one_sentence_at_most():
            series = BlockStore(tmp_path, read_only=True).series(PROBLEM, IDS)
            np.testing.assert_array_equal(series.mean, whole.mean[:, : series.n_blocks])
            np.testing.assert_array_equal(series.count, whole.count[:, : series.n_blocks])

    check()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A finished run of a small study."""
    folder = tmp_path_factory.mktemp("results") / "r"
    run(small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.1}), folder)
    return folder


def _use(folder):
    """What the commands do with results."""
    print_results(folder, columns="all", where=["n_task>=10"])
    export_results(folder, "csv")
    view = Results(folder)
    assert view.mean.size and view.provenance is not None


@suites(60, 2_000)
def test_damaged_results_are_shown_or_refused(cases, results, tmp_path, capsys):
    path = tmp_path / "results.arrow"
    content = (results / "results.arrow").read_bytes()
    (tmp_path / "study.toml").write_bytes((results / "study.toml").read_bytes())

    @seeded(cases)
    @given(damages(content))
    def check(how):
        path.write_bytes(damaged(content, how))
        with one_sentence_at_most():
            _use(tmp_path)
        capsys.readouterr()

    check()
    assert {p.name for p in tmp_path.iterdir()} <= {
        "results.arrow", "results.csv", "study.toml", ".lock"
    }  # fmt: skip


@suites(30, 500)
def test_a_folder_with_a_damaged_study_or_record_is_replayed_or_refused(cases, results, tmp_path):
    for name in ("results.arrow", "study.toml", "provenance.json"):
        (tmp_path / name).write_bytes((results / name).read_bytes())
    (tmp_path / "blocks").symlink_to(results / "blocks")

    for name in ("study.toml", "provenance.json"):
        content, path = (results / name).read_bytes(), tmp_path / name

        @seeded(cases)
        @given(damages(content))
        def check(how):
            path.write_bytes(damaged(content, how))  # noqa: B023 - called in this turn
            with one_sentence_at_most():
                replay(tmp_path, 0, 0)

        check()
        path.write_bytes(content)


class _Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.write_text, (self.path, "executed"))


def _pickled(trap):
    """The object as .npy, as .npz and as a bare pickle."""
    array, archive = io.BytesIO(), io.BytesIO()
    objects = np.array([_Trap(trap), 1], dtype=object)
    np.save(array, objects, allow_pickle=True)  # the hostile file itself
    np.savez(archive, X=objects, y=objects, R=objects)
    return array.getvalue(), archive.getvalue(), pickle.dumps(_Trap(trap))


def test_no_file_can_have_code_executed(tmp_path, results):
    trap = tmp_path / "trap"
    for content in _pickled(trap):
        for suffix in (".npy", ".npz", ".arrow", ".parquet", ".toml"):
            path = tmp_path / f"a{suffix}"
            path.write_bytes(content)
            task = f"{path},{path}" if suffix == ".npy" else path
            with pytest.raises(InputError):
                load(task, task)
            with pytest.raises(InputError):
                load_moment(str(path))
            with pytest.raises(InputError):
                open_results(path)
            with pytest.raises(InputError):
                run(path, tmp_path / "out")
    assert not trap.exists()


def _arrays(folder, rng):
    """Task and brain data in every format that `load` reads."""
    X, y = rng.standard_normal((40, 4)), rng.standard_normal(40)
    R = rng.standard_normal((40, 3))
    np.savez(folder / "a.npz", X=X, y=y, R=R)
    np.save(folder / "a.npy", X)
    table = pa.table({"X": list(X), "y": y, "R": list(R)})
    with pa.ipc.new_file(str(folder / "a.arrow"), table.schema) as sink:
        sink.write_table(table)
    import pyarrow.parquet

    pyarrow.parquet.write_table(table, folder / "a.parquet")


@pytest.mark.parametrize("suffix", [".npz", ".npy", ".arrow", ".parquet"])
@suites(60, 3_000)
def test_damaged_arrays_are_read_or_refused(cases, suffix, tmp_path):
    _arrays(tmp_path, np.random.default_rng(1))
    content = (tmp_path / f"a{suffix}").read_bytes()
    path = tmp_path / f"damaged{suffix}"
    task = f"{path},{path}" if suffix == ".npy" else path

    @seeded(cases)
    @given(damages(content))
    def check(how):
        path.write_bytes(damaged(content, how))
        with one_sentence_at_most():
            load(task, task)

    check()


@suites(60, 3_000)
def test_a_damaged_moment_of_a_custom_shift_is_read_or_refused(cases, tmp_path):
    np.save(tmp_path / "m.npy", np.eye(5))
    content = (tmp_path / "m.npy").read_bytes()

    @seeded(cases)
    @given(damages(content))
    def check(how):
        (tmp_path / "m.npy").write_bytes(damaged(content, how))
        with one_sentence_at_most():
            load_moment(str(tmp_path / "m.npy"))

    check()


def test_a_run_in_a_damaged_folder_gives_the_same_rows(results, tmp_path):
    """Every file of a folder damaged in turn: refused in words, or run to the same rows."""
    few = small(design={"n_task": 40, "n_brain": 60}, precision={"relative": 0.1})
    rng = np.random.default_rng(2)
    for path in sorted(p for p in results.rglob("*") if p.is_file()):
        out = tmp_path / path.name
        run(few, out)
        for target in out.rglob(path.name):
            target.write_bytes(rng.bytes(200))
        with one_sentence_at_most():
            run(few, out)
            assert rows(out).equals(rows(results))
