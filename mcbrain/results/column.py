"""The record of a column of a table that mcbrain writes, and who writes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

if TYPE_CHECKING:
    from mcbrain.asking.studies import Study

__all__ = [
    "BRAIN_ROWS",
    "EVERY",
    "FAILURES",
    "GRID_ROWS",
    "LAW_ROWS",
    "POINT_ROWS",
    "REAL",
    "SHORT",
    "SIMULATED",
    "WHOLE",
    "WORD",
    "Column",
    "Moment",
    "Source",
    "schema_of",
]

# Who makes rows, as errors name them.
POINT_ROWS, GRID_ROWS, LAW_ROWS = "point rows", "grid rows", "law rows"
BRAIN_ROWS, FAILURES = "brain rows", "failures"
EVERY = (POINT_ROWS, GRID_ROWS, LAW_ROWS)
SIMULATED = (POINT_ROWS, GRID_ROWS)

WORD = pa.dictionary(pa.int32(), pa.string())
REAL, WHOLE, SHORT = pa.float64(), pa.int64(), pa.int32()

Source = Literal["model", "setting", "replicates", "metric", "law", "standing"]
Moment = Literal["", "mean", "variance"]


@dataclass(frozen=True)
class Column:
    """A column of a table that mcbrain writes.

    Attributes
    ----------
    name : str
    kind : pyarrow.DataType
    meaning : str
        What it says, for the schema and for readers.
    source : {"model", "setting", "replicates", "metric", "law", "standing"}
        What fills it: a field of the model, what else tells a row from its neighbours, the
        replicates behind the row, a metric of the study's, a law, or what became of the row.
    by : tuple of str
        Who fills it, of `POINT_ROWS`, `GRID_ROWS`, ...; it is null in the rows of others.
    null : str
        Where a row that it is filled for has null; empty: in none.
    needs : {"", "mean", "variance"}
        Which moment of the excess risk must exist: without it the number is null.
    against : bool
        Whether the same moment of the baseline must exist too.
    words : callable, optional
        Of a column of words: study -> every word that may occur in it.
    shown : int
        Place from the left where nothing says what to print; 0: not printed then.
    spare : int
        Turn in which a terminal that is too narrow leaves it out; 0: never.
    form : str
        How a number is printed.
    """

    name: str
    kind: pa.DataType
    meaning: str
    source: Source
    by: tuple[str, ...] = EVERY
    null: str = ""
    needs: Moment = ""
    against: bool = False
    words: Callable[[Study], Iterable[str]] | None = None
    shown: int = 0
    spare: int = 0
    form: str = ".5g"


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """The Arrow schema of a table; what a column means, and where it is null, is its metadata.

    Parameters
    ----------
    columns : iterable of Column

    Returns
    -------
    pyarrow.Schema
    """
    return pa.schema(
        [
            pa.field(
                c.name,
                c.kind,
                metadata={"meaning": c.meaning} | ({"null": c.null} if c.null else {}),
            )
            for c in columns
        ]
    )
