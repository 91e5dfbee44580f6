"""What leaving out a block does to mean risks: the errors of what is computed follow from it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mcbrain.asking.studies import Study
from mcbrain.blocks.series import FIRST_LOOK
from mcbrain.errors import InputError
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.results.point_rows import PointRows
from mcbrain.store.protocol import Store
from mcbrain.typing import Floats

__all__ = ["Jackknife", "as_if_of_blocks"]

KEPT_ROWS = 20_000
"""Outputs whose moves are kept: figures ask for the same ones again and again."""


class Jackknife:
    """The blocks behind the rows of an engine that draws whole replicates, left out one by one.

    Parameters
    ----------
    study : Study
        What was asked.
    engine : str
        "raw" or "sufficient".
    table : pyarrow.Table
        The rows of the study, which keep where each has stopped.
    store : Store
        Holds their blocks.
    place : str
        Where the results are, for sentences about them.
    """

    def __init__(
        self, study: Study, engine: str, table: pa.Table, store: Store, place: str
    ) -> None:
        self.study, self.store, self.place = study, store, place
        self.replicates: NDArray[np.int64] = table["replicates"].to_numpy()
        subspaces = PilotSubspaces(study, store)
        self.kept: dict[tuple[int, int], Floats] = {}
        self.plan = PointRows(study, engine, Penalties(study, subspaces, store))

    def of_point(self, number: int, outputs: NDArray[np.int64], errors: Floats) -> Floats:
        """How leaving out each block moves some outputs of a point.

        Parameters
        ----------
        number : int
            Of the point.
        outputs : ndarray of int, shape (outputs,)
            Places among its methods and shifts, shifts innermost.
        errors : ndarray, shape (outputs,)
            Their standard errors; what has none, NaN, moves by NaN.

        Returns
        -------
        ndarray, shape (blocks, outputs)
            Scaled so that the sum over blocks of the squares is a variance.

        Raises
        ------
        InputError
            Blocks are missing.
        """
        columns = [self._of_output(number, output) for output in outputs.tolist()]
        columns = [
            np.full(column.shape, np.nan) if np.isnan(error) else column
            for column, error in zip(columns, errors.tolist(), strict=True)
        ]
        moves = np.zeros((max(c.size for c in columns), len(columns)))
        for place, column in enumerate(columns):
            moves[: column.size, place] = column
        return moves

    def _of_output(self, number: int, output: int) -> Floats:
        """The same of one output; kept for whoever asks next."""
        if (number, output) not in self.kept:
            if len(self.kept) >= KEPT_ROWS:
                self.kept.clear()
            self.kept[number, output] = self._computed(number, output)
        return self.kept[number, output]

    def _computed(self, number: int, output: int) -> Floats:
        point = self.study.numbered(number)
        queries, problem = self.plan.queries(point), self.plan.problem(point)
        row, query = number * len(queries) + output, queries[output]
        series = self.store.of(problem).series([query.id]) if query else None
        if series is None or not series.n_blocks:
            raise InputError(f"{self.place}: the blocks of row {row} are missing")
        # The row has kept where it stopped, as a number of replicates.
        series = series.head(max(int(self.replicates[row]) // problem.block_size, 1))
        leave = series.without_each_block()[0]
        return np.asarray((leave - leave.mean()) * np.sqrt((leave.size - 1) / leave.size))


def as_if_of_blocks(errors: Floats) -> Iterator[Floats]:
    """Moves of rows that are known by their standard errors alone.

    Parameters
    ----------
    errors : ndarray, shape (rows,)
        Standard errors; NaN where there is none.

    Yields
    ------
    ndarray, shape (blocks, rows)
        For each row with an error, plus and minus that error, as if of the blocks of a first look.
    """
    for i in np.flatnonzero(errors != 0):
        one = np.zeros((FIRST_LOOK, errors.size))
        one[:, i] = errors[i] / np.sqrt(FIRST_LOOK)
        one[1::2] *= -1.0
        yield one
