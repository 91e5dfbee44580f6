"""The user's arrays from files, which are never unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mcbrain.appraisal.arrays import Arrays, check
from mcbrain.appraisal.parameters import Array
from mcbrain.errors import InputError

__all__ = ["load"]


def load(task: str | Path, brain: str | Path) -> Arrays:
    """Read task data and brain data from two files and check them: ``appraise(*load(...))``.

    Parameters
    ----------
    task : path
        Inputs X and labels y: an ``.npz`` with those names; two ``.npy`` files written as
        ``X.npy,y.npy``; or an ``.arrow`` or ``.parquet`` table whose columns are lists ``X`` and
        numbers ``y``, or inputs whose names begin with x and one column ``y``.
    brain : path
        Inputs X and recordings R likewise (tables: lists ``X`` and ``R``, or columns whose names
        begin with x and with r).

    Raises
    ------
    InputError
        If a file is missing, of another kind, lacks an array or holds Python objects.
    """
    X, y = _read(task, "y")
    X_brain, R = _read(brain, "R")
    return check(X, y, X_brain, R, names=(f"X of {task}", "y", f"X of {brain}", "R"))


def _read(path: str | Path, second: str) -> tuple[Any, Any]:
    """Inputs and the array called `second` (y or R)."""
    files = [Path(part.strip()) for part in str(path).split(",")]
    for file in files:
        if not file.is_file():
            raise InputError(f"{file}: there is no such file")
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


def _open_numpy(file: Path) -> Any:
    try:
        return np.load(file, allow_pickle=False)
    except Exception as error:  # a hostile header can make the parser raise anything
        raise InputError(_not_numpy(file, error)) from None


def _read_npz(file: Path, second: str) -> tuple[Any, Any]:
    try:
        with file.open("rb") as source, np.load(source, allow_pickle=False) as archive:
            missing = [key for key in ("X", second) if key not in archive.files]
            if missing:
                raise InputError(
                    f"{file}: it holds {', '.join(archive.files)} and lacks {', '.join(missing)}"
                )
            return archive["X"], archive[second]
    except InputError:
        raise
    except Exception as error:
        raise InputError(_not_numpy(file, error)) from None


def _not_numpy(file: Path, error: Exception) -> str:
    if "pickle" in str(error).lower():
        return f"{file}: it holds Python objects, which are never loaded; save arrays of numbers"
    return f"{file}: it cannot be read as a NumPy file ({error})"


def _read_table(file: Path, second: str) -> tuple[Any, Any]:
    import pyarrow as pa
    import pyarrow.ipc
    import pyarrow.parquet

    try:
        if file.suffix.lower() == ".parquet":
            table = pyarrow.parquet.read_table(file)
        else:
            with pa.memory_map(str(file)) as source:
                try:
                    table = pyarrow.ipc.open_file(source).read_all()
                except pa.ArrowInvalid:
                    source.seek(0)
                    table = pyarrow.ipc.open_stream(source).read_all()
        table.validate(full=True)
    except Exception as error:
        raise InputError(f"{file}: it cannot be read as a table ({error})") from None
    return _columns(table, "X", file), _columns(table, second, file)


def _columns(table: Any, key: str, file: Path) -> Array:
    """A column of that name, of numbers or lists of equal length; or columns that begin with it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    exact = [name for name in table.column_names if name == key]
    names = exact or [name for name in table.column_names if name.lower().startswith(key.lower())]
    if not names:
        raise InputError(
            f"{file}: no column is called {key} or begins with {key.lower()}; "
            f"it has {', '.join(table.column_names[:8])}"
        )
    parts = []
    for name in names:
        column = table[name].combine_chunks()
        kind = column.type
        if (
            pa.types.is_list(kind)
            or pa.types.is_large_list(kind)
            or pa.types.is_fixed_size_list(kind)
        ):
            if len(pc.unique(pc.list_value_length(column))) != 1:
                raise InputError(f"{file}: the lists in column {name} differ in length")
            parts.append(_plain(column.flatten(), name, file).reshape(len(column), -1))
        else:
            parts.append(_plain(column, name, file)[:, None])
    joined = np.concatenate(parts, axis=1)
    return joined[:, 0] if key == "y" and joined.shape[1] == 1 else joined


def _plain(column: Any, name: str, file: Path) -> Array:
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise InputError(f"{file}: column {name} holds {kind}: it must hold numbers")
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
