"""Arrays are read from every format, and nothing in a file is ever executed."""

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_allclose

from mcbrain.appraisal import load
from mcbrain.errors import InputError
from tests.support.recordings import arrays_of


@pytest.fixture
def saved(tmp_path):
    X, y, X_brain, R, _ = arrays_of()
    return tmp_path, X, y, X_brain, R


def lists(array):
    return pa.FixedSizeListArray.from_arrays(pa.array(array.ravel()), array.shape[1])


def save(folder, kind, X, second, name):
    stem = f"{'task' if name == 'y' else 'brain'}"
    path = folder / f"{stem}.{kind.split('-')[0]}"
    if kind == "npz":
        np.savez(path, **{"X": X, name: second})
    elif kind == "npy":
        np.save(folder / f"{stem}_X.npy", X)
        np.save(folder / f"{stem}_{name}.npy", second)
        return f"{folder / stem}_X.npy,{folder / stem}_{name}.npy"
    elif kind.endswith("flat"):
        columns = {f"x{j}": X[:, j] for j in range(X.shape[1])}
        columns |= (
            {"y": second}
            if name == "y"
            else {f"r{j}": second[:, j] for j in range(second.shape[1])}
        )
        pq.write_table(pa.table(columns), path)
    else:
        table = pa.table({"X": lists(X), name: second if name == "y" else lists(second)})
        if kind == "parquet":
            pq.write_table(table, path)
        else:
            make = pa.ipc.new_stream if kind == "arrow-stream" else pa.ipc.new_file
            with make(str(path), table.schema) as writer:
                writer.write_table(table)
    return path


@pytest.mark.parametrize("kind", ["npz", "npy", "arrow", "arrow-stream", "parquet", "parquet-flat"])
def test_every_file_format_gives_the_arrays_back(saved, kind):
    folder, X, y, X_brain, R = saved
    loaded = load(save(folder, kind, X, y, "y"), save(folder, kind, X_brain, R, "R"))
    for got, expected in zip(loaded, (X, y, X_brain, R), strict=True):
        assert_allclose(got, expected, rtol=0, atol=0)


class Exploding:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was loaded",))


def test_pickles_are_never_loaded(saved):
    folder, X, y, X_brain, R = saved
    good = save(folder, "npz", X_brain, R, "R")
    bad = folder / "objects.npz"
    np.savez(bad, X=X, y=np.array([Exploding()] * y.size, dtype=object))
    with pytest.raises(InputError, match="never loaded"):
        load(bad, good)
    np.save(folder / "objects.npy", np.array([Exploding()], dtype=object))
    np.save(folder / "X.npy", X)
    with pytest.raises(InputError, match="never loaded"):
        load(f"{folder / 'X.npy'},{folder / 'objects.npy'}", good)
    bare = folder / "bare.npz"
    bare.write_bytes(pickle.dumps(Exploding()))
    with pytest.raises(InputError, match=r"bare\.npz: it cannot be read as a NumPy file"):
        load(bare, good)


def test_files_that_cannot_be_used_are_named_in_a_sentence(saved):
    folder, X, y, X_brain, R = saved
    good = save(folder, "npz", X_brain, R, "R")
    with pytest.raises(InputError, match="no such file"):
        load(folder / "absent.npz", good)
    np.savez(folder / "lacking.npz", X=X, labels=y)
    with pytest.raises(InputError, match=r"holds X, labels and lacks y"):
        load(folder / "lacking.npz", good)
    (folder / "text.csv").write_text("1,2")
    with pytest.raises(InputError, match=r"\.npz, \.arrow or \.parquet"):
        load(folder / "text.csv", good)
    for name in ("broken.arrow", "broken.parquet", "broken.npz"):
        (folder / name).write_bytes(b"not a table at all, whatever its name says")
        with pytest.raises(InputError, match=name):
            load(folder / name, good)
    pq.write_table(pa.table({"a": [1.0], "b": [2.0]}), folder / "names.parquet")
    with pytest.raises(InputError, match="it has a, b"):
        load(folder / "names.parquet", good)
    pq.write_table(pa.table({"X": [[1.0, 2.0], [3.0]], "y": [1.0, 2.0]}), folder / "ragged.parquet")
    with pytest.raises(InputError, match="differ in length"):
        load(folder / "ragged.parquet", good)
    pq.write_table(pa.table({"x1": ["a"], "y": [1.0]}), folder / "words.parquet")
    with pytest.raises(InputError, match="x1 holds string"):
        load(folder / "words.parquet", good)


@pytest.mark.parametrize("change", ["shuffled", "shuffled and upper case R", "reversed brain"])
def test_columns_of_both_files_are_matched_by_name(saved, change):
    folder, X, y, X_brain, R = saved
    rng = np.random.default_rng(4)
    task = {f"x{j}": X[:, j] for j in range(12)} | {"y": y, "xcoord": y, "year": y}
    brain = {f"x{j}": X_brain[:, j] for j in range(12)}
    brain |= {f"R_{j}" if "upper" in change else f"r{j}": R[:, j] for j in range(8)}
    if change.startswith("shuffled"):
        task = {name: task[name] for name in rng.permutation(list(task))}
    else:
        brain = dict(reversed(brain.items()))
    for name, columns in {"task": task, "brain": brain}.items():
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    loaded = load(folder / "task.parquet", folder / "brain.parquet")
    order = [int(name[1:]) for name in task if name[1:].isdigit()]
    for got, expected in zip(loaded[:3], (X[:, order], y, X_brain[:, order]), strict=True):
        assert_allclose(got, expected, rtol=0, atol=0)
    assert_allclose(np.sort(loaded.R.sum(axis=0)), np.sort(R.sum(axis=0)))


def test_inputs_with_different_names_are_refused_with_the_first_that_are_missing(saved):
    folder, X, y, X_brain, R = saved
    task, brain = save(folder, "parquet-flat", X, y, "y"), folder / "brain.parquet"
    columns = {f"x{j if j < 4 else j + 10}": X_brain[:, j] for j in range(12)} | {"r0": R[:, 0]}
    pq.write_table(pa.table(columns), brain)
    words = (
        r"matched by name, and X of .*task\.parquet lacks x14, x15, x16, x17, x18 and 3 more; "
        r"X of .*brain\.parquet lacks x4, x5, x6, x7, x8 and 3 more"
    )
    with pytest.raises(InputError, match=words):
        load(task, brain)


def test_one_archive_with_all_four_arrays_is_both_task_and_brain(saved):
    folder, X, y, X_brain, R = saved
    np.savez(folder / "all.npz", X=X, y=y, X_brain=X_brain, R=R)
    loaded = load(folder / "all.npz", folder / "all.npz")
    for got, expected in zip(loaded, (X, y, X_brain, R), strict=True):
        assert_allclose(got, expected, rtol=0, atol=0)
    pq.write_table(pa.table({"X_brain": lists(X_brain), "R": lists(R)}), folder / "brain.parquet")
    assert_allclose(load(folder / "all.npz", folder / "brain.parquet").X_brain, X_brain)


def test_numbered_columns_out_of_order_are_refused_beside_inputs_without_names(saved):
    folder, X, y, X_brain, R = saved
    brain = save(folder, "npz", X_brain, R, "R")
    task = {f"x{j}": X[:, j] for j in range(12)} | {"y": y}
    for order in (list(task), sorted(task)):  # sorted as words, x10 comes before x2
        pq.write_table(pa.table({name: task[name] for name in order}), folder / "task.parquet")
        if order == list(task):
            assert_allclose(load(folder / "task.parquet", brain).X, X, rtol=0, atol=0)
        else:
            with pytest.raises(InputError, match="not in the order of the numbers"):
                load(folder / "task.parquet", brain)


def test_decimals_dictionaries_and_truth_values_of_a_table_are_numbers(saved):
    folder, X, y, X_brain, R = saved
    counts = [np.round(4 * rows) for rows in (X, X_brain)]
    files = []
    for rows, second, name in ((counts[0], y, "y"), (counts[1], R[:, 0], "r0")):
        columns = {f"x{j}": pa.array(rows[:, j]) for j in range(12)}
        columns["x0"] = pa.array(rows[:, 0].astype(int)).cast(pa.decimal128(22, 2))
        columns["x1"] = columns["x1"].dictionary_encode()
        columns["x2"] = pa.array(rows[:, 2] > 0)
        rows[:, 2] = rows[:, 2] > 0
        files.append(folder / f"{name}.parquet")
        pq.write_table(pa.table(columns | {name: second}), files[-1])
    found = load(*files)
    assert_allclose(found.X, counts[0], rtol=0, atol=0)
    assert_allclose(found.X_brain, counts[1], rtol=0, atol=0)
    table = pq.read_table(files[0])
    words = pa.array(["a"] * 200).dictionary_encode()
    pq.write_table(table.set_column(1, "x1", words), files[0])
    with pytest.raises(InputError, match="column x1 holds string: it must hold real numbers"):
        load(*files)
