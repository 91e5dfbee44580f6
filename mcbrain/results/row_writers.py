"""Rows of a table to batches of Arrow, row by row or a column at a time, by the columns' records.

A writer gives the columns that name it, all of them and no others; what it forgets, makes up or
leaves null against the record is refused in a sentence that names the column and the writer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from mcbrain.asking.studies import Study
from mcbrain.errors import did_you_mean
from mcbrain.results.column import Column, schema_of

__all__ = ["ColumnWriter", "RowWriter", "checked_table", "words_of"]


def words_of(columns: Iterable[Column], study: Study) -> dict[str, list[str]]:
    """Every word that can occur in a table of a study.

    Parameters
    ----------
    columns : iterable of Column
    study : Study

    Returns
    -------
    dict
        Words by the column that may hold them, each once.
    """
    return {c.name: list(dict.fromkeys(c.words(study))) for c in columns if c.words}


class _Writer:
    """What a table's columns are, which of them somebody fills, and the words that they may hold.

    An Arrow file holds one dictionary for each column, so the words are settled beforehand.
    """

    def __init__(self, columns: Sequence[Column], writer: str, study: Study) -> None:
        self.columns = tuple(columns)
        self.schema = schema_of(columns)
        self.writer = writer
        self._record = {c.name: c for c in columns}
        self._own = frozenset(c.name for c in columns if writer in c.by)
        self._words = words_of(columns, study)
        self._codes: dict[str, dict[object, int]] = {
            n: {w: i for i, w in enumerate(ws)} for n, ws in self._words.items()
        }
        self._dictionaries = {n: pa.array(ws, pa.string()) for n, ws in self._words.items()}

    def _check(self, given: Mapping[str, object]) -> None:
        _check_names(given, self._own, self.columns, self.writer)

    def _checked(self, column: Column, array: pa.Array) -> pa.Array:
        """An array, refused where it has null against the record of its column."""
        if array.null_count and column.name in self._own and not column.null:
            raise ValueError(
                f"{self.writer}: column '{column.name}' is null in a row; its record allows that "
                "in none (`null`, where it may be)"
            )
        return array

    def _refused(self, column: Column, error: Exception) -> ValueError:
        """What is said of values that are of another type than their column."""
        return ValueError(
            f"{self.writer}: column '{column.name}' holds {column.kind}: {error}".splitlines()[0]
        )

    def _coded(self, column: Column, words: Iterable[object]) -> list[int | None]:
        """Words as places in the dictionary of their column; None is null."""
        codes = self._codes[column.name]
        try:
            return [None if word is None else codes[word] for word in words]
        except KeyError as unknown:
            raise ValueError(
                f"{self.writer}: column '{column.name}' does not know the word {unknown}"
            ) from None


class RowWriter(_Writer):
    """Rows gathered one by one, given back as batches that share their dictionaries.

    Parameters
    ----------
    columns : sequence of Column
    writer : str
        Who makes the rows, as the records of the columns name them.
    study : Study
        What the rows are of: it settles which words may occur.
    batch_rows : int
        Rows of a batch, about.
    """

    def __init__(
        self, columns: Sequence[Column], writer: str, study: Study, batch_rows: int = 50_000
    ) -> None:
        super().__init__(columns, writer, study)
        self.batch_rows = batch_rows
        self._values: dict[str, list[object]] = {name: [] for name in self._own}

    def add(self, row: Mapping[str, object]) -> None:
        """Add a row.

        Parameters
        ----------
        row : mapping
            A value for each column that names this writer; None is null.

        Raises
        ------
        ValueError
            A key that is no column of this writer, or one that is missing.
        """
        self._check(row)
        for name, values in self._values.items():
            values.append(row[name])

    @property
    def room(self) -> int:
        """How many rows may be added before it is time to `take` a batch."""
        return self.batch_rows - self._gathered()

    def take(self) -> pa.RecordBatch:
        """The rows gathered so far, as one batch.

        Returns
        -------
        pyarrow.RecordBatch

        Raises
        ------
        ValueError
            A null, a word or a type that the record of a column does not allow.
        """
        arrays = [self._checked(column, self._array(column)) for column in self.columns]
        for values in self._values.values():
            values.clear()
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _gathered(self) -> int:
        return len(next(iter(self._values.values())))

    def _array(self, column: Column) -> pa.Array:
        if column.name not in self._own:
            return pa.nulls(self._gathered(), column.kind)
        values = self._values[column.name]
        if column.words:
            codes = pa.array(self._coded(column, values), pa.int32())
            return pa.DictionaryArray.from_arrays(codes, self._dictionaries[column.name])
        try:
            return pa.array(values, column.kind)
        except (pa.ArrowException, TypeError) as error:
            raise self._refused(column, error) from None


class ColumnWriter(_Writer):
    """Batches from whole columns, for results of millions of rows.

    Parameters
    ----------
    columns : sequence of Column
    writer : str
        Who makes the rows, as the records of the columns name them.
    study : Study
        What the rows are of: it settles which words may occur.
    """

    def batch(self, rows: int, values: Mapping[str, Any]) -> pa.RecordBatch:
        """One batch.

        Parameters
        ----------
        rows : int
        values : mapping
            For each column that names this writer what `column` takes.

        Returns
        -------
        pyarrow.RecordBatch

        Raises
        ------
        ValueError
            A key that is no column of this writer, one that is missing, or a null, a word or a type
            that the record of a column does not allow.
        """
        self._check(values)
        arrays = [self._checked(c, self.column(c.name, rows, values)) for c in self.columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    # Any: a number, a word, a list, an array of NumPy or of Arrow.
    def column(self, name: str, rows: int, given: Mapping[str, Any]) -> pa.Array:
        """One column as `batch` makes it.

        Parameters
        ----------
        name : str
        rows : int
        given : mapping
            Values by column. A scalar fills its column, a short list repeats; NaN and None are
            null. Whole numbers in a column of words are codes: places in the list of its words, -1
            null. An Arrow array is taken as it is. A column that is not there is null.

        Returns
        -------
        pyarrow.Array

        Raises
        ------
        ValueError
            A word or a type that the record of the column does not allow.
        """
        column, value = self._record[name], given.get(name)
        if isinstance(value, pa.Array):
            return value
        if value is None:
            return pa.nulls(rows, column.kind)
        values = np.atleast_1d(np.asarray(value))
        if column.words and values.dtype.kind != "i":
            codes = self._coded(column, values.tolist())
            values = np.array([-1 if code is None else code for code in codes], np.int64)
        if values.dtype == object:
            values = np.array([math.nan if v is None else v for v in values.tolist()])
        if values.size < rows:
            values = np.tile(values, rows // values.size)
        if column.words:
            found = pa.array(values, pa.int32(), mask=values < 0)
            return pa.DictionaryArray.from_arrays(found, self._dictionaries[name])
        try:
            return pa.array(values, column.kind, from_pandas=True)
        except (pa.ArrowException, TypeError) as error:
            raise self._refused(column, error) from None


def checked_table(
    columns: Sequence[Column], writer: str, rows: Iterable[Mapping[str, object]]
) -> pa.Table:
    """Few rows as a table, whatever words they hold.

    Parameters
    ----------
    columns : sequence of Column
    writer : str
        Who makes the rows, as the records of the columns name them.
    rows : iterable of mapping
        Values by column.

    Returns
    -------
    pyarrow.Table

    Raises
    ------
    ValueError
        A key that is no column of the writer, or one that is missing.
    """
    own = frozenset(c.name for c in columns if writer in c.by)
    whole = list(rows)
    for row in whole:
        _check_names(row, own, columns, writer)
    return pa.Table.from_pylist(whole, schema_of(columns))


def _check_names(
    given: Mapping[str, object], own: frozenset[str], columns: Sequence[Column], writer: str
) -> None:
    """Refuse a key that is no column of a writer, and a column that it forgets."""
    if given.keys() == own:
        return
    known = [column.name for column in columns]
    for name in given:
        if name not in known:
            raise ValueError(
                f"{writer} give '{name}', which is no column; " + did_you_mean(name, known)
            )
        if name not in own:
            raise ValueError(
                f"{writer} give column '{name}', whose record does not name them (`by`)"
            )
    forgotten = next(name for name in known if name in own and name not in given)
    raise ValueError(
        f"{writer} leave out column '{forgotten}', whose record says that they fill it (`by`)"
    )
