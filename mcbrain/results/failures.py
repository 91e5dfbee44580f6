"""Replicates that failed: which, of what, and why; each can be drawn again with `replay`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mcbrain.asking.engines import engine_of
from mcbrain.errors import InputError
from mcbrain.results.opening import open_plan
from mcbrain.store.blockstore import blocks_behind
from mcbrain.store.folder import ResultsFolder

__all__ = ["FAILURE_SCHEMA", "failures"]

_WORD = pa.dictionary(pa.int32(), pa.string())

# Penalty, estimator and shift are null where a whole brain replicate failed, whatever its use.
FAILURE_SCHEMA = pa.schema(
    [
        ("point", pa.int32()),
        ("n_task", pa.int64()),
        ("n_brain", pa.int64()),
        ("estimator", _WORD),
        ("penalty", pa.float64()),
        ("shift", _WORD),
        ("block", pa.int64()),
        ("replicate", pa.int64()),
        ("reason", _WORD),
    ]
)


def failures(folder: str | Path) -> pa.Table:
    """The failed replicates behind the results of a folder, a row for each output that they hurt.

    Parameters
    ----------
    folder : str or Path
        A results folder with its blocks.

    Returns
    -------
    pyarrow.Table
        Columns as in `FAILURE_SCHEMA`; `replicate` is counted within the point, as `replay` counts.

    Raises
    ------
    InputError
        Not a results folder, or no run has come to its end there.
    """
    home = ResultsFolder(folder)
    study, engine = home.study(), home.record().get("engine")
    if engine is None:
        raise InputError(f"{home.path}: no run has come to its end here; run the study first")
    if not engine_of(engine).draws:
        return FAILURE_SCHEMA.empty_table()
    store = blocks_behind(home)
    return pa.Table.from_pylist(
        list(open_plan(study, engine, store).failures(store)), FAILURE_SCHEMA
    )
