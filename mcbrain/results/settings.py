"""What a row is about: the columns that tell it from its neighbours, the same for every engine.

Each function has the columns that depend on its arguments alone, so that a writer of whole columns
asks once for each model, method or shift and repeats the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
import pyarrow as pa

from mcbrain.asking.designs import Pairs
from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.canonical import latest
from mcbrain.blocks.query import Fit
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.results.row_writers import ColumnWriter

__all__ = ["ENCODER", "GridSettings", "of_fit", "of_method", "of_samples", "of_shift", "settings"]


ENCODER = ("rank", "encoding_rule", "encoding_penalty")
"""The columns that tell the encoders of rows apart."""


def of_samples(point: Point) -> dict[str, int]:
    """The columns that a point has beside those of its model.

    Parameters
    ----------
    point : Point

    Returns
    -------
    dict
        Value by column.
    """
    return {"point": point.index, "n_task": point.n_task, "n_brain": point.n_brain}


def of_method(model: Model, method: Method) -> dict[str, object]:
    """The columns that a method has for a model; those of the encoding where it uses brain data.

    Parameters
    ----------
    model : Model
    method : Method

    Returns
    -------
    dict
        Value by column.
    """
    encoded, encoder = method.estimator.uses_brain, method.encoder
    return {
        "estimator": method.estimator.name,
        "parameters": None if method.estimator.own is None else method.estimator.own.spelt,
        "penalty_rule": method.rule.kind,
        "rank": encoder.rank_of(model) if encoded else None,
        "encoding_rule": encoder.rule.kind if encoded else None,
        "encoding_penalty": encoder.rule.value if encoded and encoder.rule.fixed else None,
    }


def of_fit(method: Method, point: Point, fit: Fit) -> dict[str, float | None]:
    """The penalties of a row, which a rule may have found for its point.

    Parameters
    ----------
    method : Method
    point : Point
    fit : Fit
        The method's at the point.

    Returns
    -------
    dict
        Value by column.
    """
    found: dict[str, float | None] = {"penalty": fit.shown}
    if method.estimator.uses_brain and method.encoder.rule.record.by == "risk":
        found["encoding_penalty"] = fit.encoding.shown if point.n_brain else None
    return found


def of_shift(shift: Shift) -> dict[str, object]:
    """The columns that a shift has.

    Parameters
    ----------
    shift : Shift

    Returns
    -------
    dict
        Value by column.
    """
    return {"shift": shift.label}


def settings(
    study: Study, engine: str, point: Point
) -> Iterator[tuple[Method, Shift, dict[str, object]]]:
    """What each row of a point is about, in the order of the results.

    Parameters
    ----------
    study : Study
    engine : str
        Name of the engine that computes the rows.
    point : Point

    Yields
    ------
    method, shift, row
        The row's method and shift, and the values of its columns so far.
    """
    shared = {**_of_model(point.model), **of_samples(point), "engine": engine}
    methods = [(m, of_method(point.model, m)) for m in study.methods]
    shifts = [(s, of_shift(s)) for s in study.shifts]
    for (method, own), (shift, test) in product(methods, shifts):
        yield method, shift, {**shared, **own, **test}


@latest
def _of_model(model: Model) -> dict[str, object]:
    return model.columns()


class GridSettings:
    """`settings` for all rows of a model, a column at a time.

    Rows stand in the order pair of samples, method, shift. What a model shares with the one before
    it is made once.

    Parameters
    ----------
    study : Study
    engine : str
        Name of the engine that computes the rows.
    writer : ColumnWriter
        Makes the columns.
    """

    def __init__(self, study: Study, engine: str, writer: ColumnWriter) -> None:
        self.study, self.engine, self._writer = study, engine, writer
        self._per_pair = len(study.methods) * len(study.shifts)
        self._of_pairs: tuple[Pairs, dict[str, pa.Array]] | None = None
        self._of_methods: tuple[str, dict[str, pa.Array]] | None = None

    def rows(self, pairs: Pairs) -> int:
        """How many rows a model has.

        Parameters
        ----------
        pairs : Pairs
            The pairs of samples that are asked of it.

        Returns
        -------
        int
        """
        return pairs.size * self._per_pair

    def of(self, index: int, model: Model, pairs: Pairs) -> dict[str, object]:
        """The columns of a model that say what its rows are about.

        Parameters
        ----------
        index : int
            Place of the model in the study.
        model : Model
        pairs : Pairs
            The pairs of samples that are asked of it.

        Returns
        -------
        dict
            By column what `ColumnWriter.batch` takes.
        """
        if self._of_pairs is None or self._of_pairs[0] is not pairs:
            self._of_pairs, self._of_methods = (pairs, self._shared(pairs)), None
        methods = [of_method(model, m) for m in self.study.methods]
        name = repr(methods)
        if self._of_methods is None or self._of_methods[0] != name:
            rows = [row for row in methods for _ in self.study.shifts]
            self._of_methods = name, self._made(pairs, rows)
        first = self.study.design.starts[index]
        points = np.repeat(first + np.arange(pairs.size), self._per_pair)
        return {**model.columns(), **self._of_pairs[1], **self._of_methods[1], "point": points}

    def _shared(self, pairs: Pairs) -> dict[str, pa.Array]:
        """Columns of samples, shifts and engine: the same for every model with these pairs."""
        study, rows = self.study, self.rows(pairs)
        samples = {
            "n_task": np.repeat(np.array(study.n_task)[pairs.task], self._per_pair),
            "n_brain": np.repeat(np.array(study.n_brain)[pairs.brain], self._per_pair),
        }
        found = {name: self._writer.column(name, rows, samples) for name in samples}
        tests = [of_shift(shift) for _ in study.methods for shift in study.shifts]
        return found | self._made(pairs, tests) | self._made(pairs, [{"engine": self.engine}])

    def _made(self, pairs: Pairs, rows: list[dict[str, object]]) -> dict[str, pa.Array]:
        """Columns that repeat some rows."""
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return {n: self._writer.column(n, self.rows(pairs), columns) for n in columns}
