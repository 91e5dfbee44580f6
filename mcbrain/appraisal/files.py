"""The user's arrays from files, which are never unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcbrain.appraisal.arrays import Arrays, check
from mcbrain.appraisal.columns import RULE, labels_of, once_each, out_of_order, series
from mcbrain.appraisal.values import column_numbers
from mcbrain.errors import InputError
from mcbrain.store.atomic import mapped
from mcbrain.typing import Floats

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.lib.npyio import NpzFile

__all__ = ["load", "load_groups"]


def load(task: str | Path, brain: str | Path) -> Arrays:
    """Read task data and brain data from two files and check them: ``appraise(*load(...))``.

    Parameters
    ----------
    task : path
        Inputs X and labels y: an ``.npz`` with those names; two ``.npy`` files written as
        ``X.npy,y.npy``; or an ``.arrow`` or ``.parquet`` table with columns ``X`` (lists) and
        ``y`` (numbers), or with a column for each input, called x0, x1, ... or x_NAME; columns may
        be decimals, truth values or dictionaries of numbers.
    brain : path
        Inputs and recordings likewise: ``X_brain`` (or ``X``) and ``R``; in tables also a column
        for each recording, called r0, r1, ... or r_NAME.

    Returns
    -------
    Arrays
        Where both tables have a column for each input, those of the brain in the order of the
        task's: they are matched by name.

    Raises
    ------
    InputError
        If a file is missing, of another kind, lacks an array or holds Python objects, or if the
        names of the inputs differ, or are out of order where the other file has none.
    """
    X, y = _read(task, "y")
    X_brain, R = _read(brain, "R")
    for inputs, file, other in ((X, task, X_brain), (X_brain, brain, X)):
        if labels_of(other) is None and out_of_order(inputs):
            raise InputError(
                f"{file}: its inputs are not in the order of the numbers in their names, and those "
                "of the other file have no names to match; put them in order"
            )
    return check(X, y, X_brain, R, names=(f"X of {task}", "y", f"X of {brain}", "R"))


def load_groups(name: str, data: str | Path) -> NDArray[np.generic]:
    """Read which rows belong together: a value for each row.

    Parameters
    ----------
    name : str
        An array of the ``.npz``, or a column of the table, that holds the data; else the name of an
        ``.npy`` file.
    data : path
        The file or files of the data, as in `load`.

    Returns
    -------
    array (n,)
        Numbers, truth values or text.

    Raises
    ------
    InputError
        No such column or file, a file of Python objects, or a column that misses values.
    """
    files = _files(str(data))
    kind = files[0].suffix.lower()
    held: list[str] = []
    if kind == ".npz":
        with _archive(files[0]) as archive:
            held = archive.files
            if name in held:
                return np.asarray(archive[name])
    elif kind in (".arrow", ".parquet"):
        table = _table(files[0])
        held = table.column_names
        if name in held:
            once_each([one for one in held if one == name], str(files[0]))
            return _of_rows(table[name], name, files[0])
    if Path(name).suffix.lower() == ".npy":
        if not Path(name).is_file():
            raise InputError(f"{name}: there is no such file")
        return np.asarray(_open_numpy(Path(name)))
    there = f"which has {', '.join(held[:8])}" if held else "which has no columns"
    raise InputError(
        f"groups {name!r}: it must be a column of {files[0]}, {there}, or the name of an .npy file"
    )


def _of_rows(column: pa.ChunkedArray, name: str, file: Path) -> NDArray[np.generic]:
    """The values of a column of single values, none missing."""
    if _is_list(column.type):
        raise InputError(f"{file}: column {name} holds lists: groups have one value a row")
    if column.null_count:
        raise InputError(
            f"{file}: column {name} misses {column.null_count} values: each row needs a group"
        )
    return np.asarray([str(one) for one in column.to_pylist()])


def _read(path: str | Path, second: str) -> tuple[object, object]:
    """Inputs, as an array or a table with names, and the array called `second` (y or R)."""
    files = _files(str(path))
    kinds = [file.suffix.lower() for file in files]
    if kinds == [".npy", ".npy"]:
        return _open_numpy(files[0]), _open_numpy(files[1])
    if kinds == [".npz"]:
        return _read_npz(files[0], second)
    if kinds in ([".arrow"], [".parquet"]):
        return _read_table(files[0], second)
    raise InputError(
        f"{path}: it must be one .npz, .arrow or .parquet file, or two files X.npy,{second}.npy"
    )


def _files(text: str) -> list[Path]:
    """The file of that name, or the two that a comma parts; names may hold commas of their own."""
    if Path(text).is_file():
        return [Path(text)]
    words = text.split(",")
    splits = [(words[:i], words[i:]) for i in range(1, len(words))]
    pairs = [[Path(",".join(part).strip()) for part in split] for split in splits]
    pairs.append([Path(word.strip()) for word in words])
    # Of all ways to split the text at commas, take the one that finds the largest share of its
    # files, and of equal ones the one with the fewest parts.
    pair = max(pairs, key=lambda files: sum(file.is_file() for file in files) / len(files))
    if missing := [file for file in pair if not file.is_file()]:
        name = "" if missing[0] == Path() else str(missing[0])
        raise InputError(f"{name or repr(text)}: there is no such file")
    return pair


def _open_numpy(file: Path) -> object:
    """The array of an .npy file."""
    try:
        return np.load(file, allow_pickle=False)
    except Exception as error:  # a hostile header can make the parser raise anything
        raise InputError(_not_numpy(file, error)) from None


def _inputs(names: list[str], second: str) -> str:
    """What the inputs that belong to `second` are called: X, or X_brain with recordings."""
    return "X_brain" if second == "R" and "X_brain" in names else "X"


def _read_npz(file: Path, second: str) -> tuple[object, object]:
    """Inputs and the array called `second` of an .npz file."""
    with _archive(file) as archive:
        first = _inputs(archive.files, second)
        missing = [key for key in (first, second) if key not in archive.files]
        if missing:
            raise InputError(
                f"{file}: it holds {', '.join(archive.files)} and lacks {', '.join(missing)}"
            )
        return archive[first], archive[second]


@contextmanager
def _archive(file: Path) -> Iterator[NpzFile]:
    """An .npz file; whatever goes wrong in it is a sentence about the file."""
    try:
        with file.open("rb") as source, np.load(source, allow_pickle=False) as archive:
            yield archive
    except InputError:
        raise
    except Exception as error:
        raise InputError(_not_numpy(file, error)) from None


def _not_numpy(file: Path, error: Exception) -> str:
    """The sentence about a file that NumPy cannot read as numbers."""
    if "Object arrays" in str(error):
        return f"{file}: it holds Python objects, which are never loaded; save arrays of numbers"
    if "pickle" in str(error):  # all that NumPy says of a file of no format it knows
        return f"{file}: it cannot be read as a NumPy file; save arrays of numbers"
    return f"{file}: it cannot be read as a NumPy file ({error})"


def _read_table(file: Path, second: str) -> tuple[object, object]:
    """Inputs and the column or columns called `second` of an Arrow or Parquet file."""
    table = _table(file)
    first = _inputs(table.column_names, second)
    return _columns(table, first, file), _columns(table, second, file)


def _table(file: Path) -> pa.Table:
    """The table of an Arrow or Parquet file."""
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet

    try:
        if file.suffix.lower() == ".parquet":
            table = pyarrow.parquet.read_table(file)
        else:
            with mapped(file) as source:
                try:
                    table = pyarrow.ipc.open_file(source).read_all()
                except pa.ArrowInvalid:
                    source.seek(0)
                    table = pyarrow.ipc.open_stream(source).read_all()
        table.validate(full=True)
    except Exception as error:
        raise InputError(f"{file}: it cannot be read as a table ({error})") from None
    return table


def _columns(table: pa.Table, key: str, file: Path) -> Floats | pa.Table:
    """The one column of lists with that name, (n, length), or a table of the columns of numbers."""
    import pyarrow as pa

    chosen = _chosen(table.column_names, key, file)
    columns: dict[str, Floats] = {}
    for name in chosen:
        column = table[name].combine_chunks()
        if _is_list(column.type):
            lists = _lists(column, name, file)
            if len(chosen) == 1:
                return lists
            columns |= {f"{name}[{j}]": values for j, values in enumerate(lists.T)}
        else:
            columns[name] = column_numbers(column, f"{file}: column {name}")
    return pa.table(columns)


def _chosen(names: list[str], key: str, file: Path) -> list[str]:
    """The column of that name, or else those of its series."""
    chosen = [name for name in names if name == key]
    if not chosen:
        chosen = [name for name in names if name == "Y"] if key == "y" else series(names, key)
    if not chosen:
        called = key if key == "y" else f"{key} or {RULE}"
        raise InputError(f"{file}: no column is called {called}; it has {', '.join(names[:8])}")
    once_each(chosen, str(file))
    return chosen


def _is_list(kind: pa.DataType) -> bool:
    """Whether an Arrow type is one of lists."""
    import pyarrow as pa

    tests = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(test(kind) for test in tests)


def _lists(column: pa.ListArray, name: str, file: Path) -> Floats:
    """A column of lists of one length as an array (n, length)."""
    import pyarrow.compute as pc

    if len(pc.unique(pc.list_value_length(column))) != 1:
        raise InputError(f"{file}: the lists in column {name} differ in length")
    return column_numbers(column.flatten(), f"{file}: column {name}").reshape(len(column), -1)
