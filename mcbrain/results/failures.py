"""Replicates that failed: which, of what, and why; each can be drawn again with `replay`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from mcbrain.asking.engines import engine_of
from mcbrain.errors import InputError
from mcbrain.results.column import FAILURES
from mcbrain.results.opening import open_plan
from mcbrain.results.other_columns import FAILURE_COLUMNS, FAILURE_SCHEMA
from mcbrain.results.row_writers import checked_table
from mcbrain.store.blockstore import blocks_behind
from mcbrain.store.folder import ResultsFolder

__all__ = ["failures"]


def failures(folder: str | Path) -> pa.Table:
    """The failed replicates behind the results of a folder, a row for each output that they hurt.

    Parameters
    ----------
    folder : str or Path
        A results folder with its blocks.

    Returns
    -------
    pyarrow.Table
        Columns as in `other_columns.FAILURE_COLUMNS`.

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
    found = open_plan(study, engine, store).failures(store)
    return checked_table(FAILURE_COLUMNS, FAILURES, found)
