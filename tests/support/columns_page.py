"""The page of result columns, docs/columns.md, from their records.

python -m tests.support.columns_page    # writes it
"""

from pathlib import Path

import pyarrow as pa

from mcbrain.results.column import GRID_ROWS, LAW_ROWS, POINT_ROWS, Column
from mcbrain.results.columns import RESULT_COLUMNS
from mcbrain.results.other_columns import BRAIN_COLUMNS

PAGE = Path(__file__).parents[2] / "docs" / "columns.md"

_HEAD = """# Columns

This page is written from the records of the columns (`mcbrain/results/columns.py`) by
`python -m tests.support.columns_page`. In the file, each column carries its meaning as metadata.

## results.arrow

A row for each output. "Who" is the engines whose rows have the column, where not all do: whole
replicates are those of `raw` and `sufficient`.

| column | type | what it says | who | null |
|---|---|---|---|---|
"""
_BRAIN = """
## brain.arrow

A row for each moment of each brain problem.

| column | type | what it says |
|---|---|---|
"""
_WHO = {
    (POINT_ROWS, GRID_ROWS, LAW_ROWS): "",
    (POINT_ROWS, GRID_ROWS): "not `law`",
    (POINT_ROWS,): "`raw`, `sufficient`",
}


def page():
    """The page as text."""
    results = [
        f"| `{c.name}` | {_kind(c)} | {c.meaning} | {_WHO[c.by]} | {c.null} |"
        for c in RESULT_COLUMNS
    ]
    brain = [f"| `{c.name}` | {_kind(c)} | {c.meaning} |" for c in BRAIN_COLUMNS]
    return _HEAD + _lines(results) + _BRAIN + _lines(brain)


def _kind(column: Column):
    if pa.types.is_list(column.kind):
        return f"list of {column.kind.value_type}"
    return "word" if pa.types.is_dictionary(column.kind) else str(column.kind)


def _lines(rows):
    """A cell may hold |beta|: within a table, a bar is written with a stroke before it."""
    return "".join(row.replace("|beta|", "\\|beta\\|") + "\n" for row in rows)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
