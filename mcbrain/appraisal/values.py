"""Numbers from whatever holds them: arrays, DataFrames, Arrow tables and their columns."""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["column_numbers", "numbers_of", "recordings_of"]


def numbers_of(values: object, name: str) -> Floats:
    """An array, a table or a column as float64; what is missing becomes NaN.

    Parameters
    ----------
    values : array, or DataFrame, Series or table of pandas, polars or Arrow
        Columns may hold numbers of any type: whole, decimal, truth values, numbers that may be
        missing, and numbers held as a dictionary.
    name : str
        What to call it in an error.

    Returns
    -------
    array
        Of the shape of `values`; NaN where a value is missing or masked.

    Raises
    ------
    InputError
        If anything is no real number.
    """
    if isinstance(values, pa.Table):
        columns = zip(values.column_names, values.columns, strict=True)
        return _side_by_side(
            [column_numbers(c, f"{name}, column {n}") for n, c in columns], values.num_rows
        )
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return column_numbers(values, name)
    if hasattr(values, "to_arrow"):  # polars
        return numbers_of(values.to_arrow(), name)
    if hasattr(values, "columns") and hasattr(values, "iloc"):  # pandas
        parts = [
            _series_numbers(values.iloc[:, j], f"{name}, column {label}")
            for j, label in enumerate(values.columns)
        ]
        return _side_by_side(parts, len(values.iloc[:]))
    if hasattr(values, "iloc"):
        return _series_numbers(values, name)
    if isinstance(values, np.ma.MaskedArray):
        found = _array_numbers(values.data, name)
        found[np.ma.getmaskarray(values)] = np.nan
        return found
    return _array_numbers(np.asarray(values), name)


def recordings_of(values: object, name: str) -> NDArray[Any]:
    """An array of numbers as it is, mapped or not; anything else as `numbers_of` has it.

    Parameters
    ----------
    values : array, or DataFrame, Series or table of pandas, polars or Arrow
        Recordings.
    name : str
        What to call it in an error.

    Returns
    -------
    array
        Of whole or floating-point numbers.

    Raises
    ------
    InputError
        If anything is no real number.
    """
    plain = isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray)
    if plain and values.dtype.kind in "fiu":  # type: ignore[attr-defined]
        return values  # type: ignore[return-value]
    return numbers_of(values, name)


def column_numbers(column: pa.Array | pa.ChunkedArray, name: str) -> Floats:
    """A column of an Arrow table as float64; see `numbers_of`.

    Parameters
    ----------
    column : pyarrow.Array or pyarrow.ChunkedArray
        Numbers of any type.
    name : str
        What to call it in an error.

    Returns
    -------
    array (n,)
        NaN where a value is missing.

    Raises
    ------
    InputError
        If the column holds no real numbers.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return column_numbers(column.cast(kind.value_type), name)
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    if not any(test(kind) for test in tests):
        raise InputError(f"{name} holds {kind}: it must hold real numbers")
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _side_by_side(columns: list[Floats], rows: int) -> Floats:
    """Columns (n,) as an array (n, columns), also where a table has no column."""
    return np.column_stack(columns) if columns else np.empty((rows, 0))


# pandas is no dependency, so that the type of a Series is not known here.
def _series_numbers(series: Any, name: str) -> Floats:
    """A pandas Series as float64, (n,)."""
    kind = series.dtype
    if str(kind) == "category":
        return _series_numbers(series.astype(kind.categories.dtype), name)
    if isinstance(kind, np.dtype) and kind.kind != "O":
        return _array_numbers(series.to_numpy(), name)
    missing = series.isna().to_numpy()
    present = series[~missing]
    if not all(isinstance(value, (Real, Decimal, np.bool_)) for value in present):
        raise InputError(f"{name} holds {kind}: it must hold real numbers")
    found = np.full(len(series), np.nan)
    found[~missing] = present.to_numpy(dtype=np.float64)
    return found


def _array_numbers(array: NDArray[Any], name: str) -> Floats:
    """A NumPy array as float64, or a sentence where it holds no real numbers."""
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} holds {array.dtype}: it must be an array of real numbers")
    return array.astype(np.float64)
