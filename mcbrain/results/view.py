"""A results folder as arrays over its grid, with intervals for whatever is computed from them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from mcbrain.asking.design_section import MOST_ROWS
from mcbrain.asking.studies import Study
from mcbrain.errors import InputError
from mcbrain.population.model import MODEL_FIELDS
from mcbrain.results.jackknife import Jackknife, as_if_of_blocks
from mcbrain.results.tables import open_results, select
from mcbrain.store.blockstore import blocks_behind
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.protocol import Store
from mcbrain.typing import Floats

if TYPE_CHECKING:
    from mcbrain.results.comparisons import Comparison

__all__ = ["Results", "Simulated"]

_PIECE = 1_000_000  # risks that are moved at a time


@dataclass(frozen=True)
class Simulated:
    """Numbers computed from results, with standard errors and 95 % intervals; arrays of one shape.

    Attributes
    ----------
    value, error, low, high : ndarray
    """

    value: Floats
    error: Floats
    low: Floats
    high: Floats


class Results:
    """The results of a study: every column over (model, n_task, n_brain, method, shift).

    Parameters
    ----------
    path : str or Path
        A results folder.

    Raises
    ------
    InputError
        No results there, or results that do not cover the folder's study.
    """

    def __init__(self, path: str | Path) -> None:
        home = ResultsFolder(path)
        table = open_results(home.path)
        self._hold(home.study(), table, home, None)
        if self.table.num_rows != self.study.n_rows:
            raise InputError(
                f"{self.folder.path}: results.arrow has {self.table.num_rows} rows and its study "
                f"{self.study.n_rows}; merge all shards, or run the study again"
            )

    @classmethod
    def in_memory(cls, study: Study, table: pa.Table, store: Store) -> Results:
        """Results that are in no folder.

        Parameters
        ----------
        study : Study
        table : pyarrow.Table
            Its rows, all of them.
        store : Store
            The blocks behind them.

        Returns
        -------
        Results
        """
        results = cls.__new__(cls)
        results._hold(study, table, None, store)
        return results

    def _hold(
        self, study: Study, table: pa.Table, home: ResultsFolder | None, store: Store | None
    ) -> None:
        self.study, self.table = study, table
        self._home, self._kept = home, store

    @property
    def folder(self) -> ResultsFolder:
        """The folder that holds the results.

        Raises
        ------
        InputError
            They are in memory alone.
        """
        if self._home is None:
            raise InputError(f"{self.place} are in memory and have no folder")
        return self._home

    @property
    def place(self) -> str:
        """Where the results are, for sentences about them."""
        return "these results" if self._home is None else str(self._home.path)

    @property
    def shape(self) -> tuple[int, int, int, int, int]:
        """Models, task samples, brain samples, methods, shifts."""
        s = self.study
        return len(s.models), len(s.n_task), len(s.n_brain), len(s.methods), len(s.shifts)

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """Number of the point at each (model, n_task, n_brain); -1 where the study asks for none.

        Raises
        ------
        InputError
            The study's points are few among those of the grid of its samples, which has too many.
        """
        if math.prod(self.shape) > max(MOST_ROWS, self.study.n_rows):
            raise InputError(
                f"{self.place}: the study's {self.study.n_points:,} points lie on a grid of "
                f"{math.prod(self.shape[:3]):,} cells, too many for a table over it; "
                "results.arrow holds the rows"
            )
        return self.study.design.numbers()

    @cached_property
    def asked(self) -> NDArray[np.bool_]:
        """Which (model, n_task, n_brain) are points of the study; columns are NaN at the others."""
        return np.asarray(self.numbers >= 0)

    def row(self, place: tuple[ArrayLike, ...]) -> NDArray[np.int64]:
        """The numbers of some rows in the table.

        Parameters
        ----------
        place : tuple of array_like of int
            Places (model, n_task, n_brain, method, shift), broadcast against each other.

        Returns
        -------
        ndarray of int
            Negative where the study asks for no such point.
        """
        model, task, brain, method, shift = np.broadcast_arrays(*place)
        point = self.numbers[model, task, brain]
        return np.asarray((point * self.shape[3] + method) * self.shape[4] + shift)

    def without_brain(self, model: int, n_brain: int) -> NDArray[np.int64]:
        """Where to read, at each n_task, a row of a method that uses no brain data.

        Any n_brain will do; the nearest to the wanted one is its own, where the methods share data.

        Parameters
        ----------
        model, n_brain : int
            Place of a model, and place on the axis n_brain of what the rows are compared with.

        Returns
        -------
        ndarray of int, shape (n_task,)
            Places on the axis n_brain: the given one where the study asks for it, else the first
            that it asks for.
        """
        asked = self.asked[model]
        return np.where(asked[:, n_brain], n_brain, asked.argmax(axis=1))

    @cached_property
    def provenance(self) -> Mapping[str, object]:
        """Versions, machine, seed, times and study text of the run."""
        found = (self.table.schema.metadata or {}).get(b"mcbrain.provenance", b"{}")
        try:
            record: dict[str, object] = json.loads(found)
        except ValueError as error:
            raise InputError(
                f"{self.place}: its provenance is damaged ({error}); run the study again"
            ) from None
        return record

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Model fields in which the study's models differ; a noise stands for its ratio."""
        fields = (f for f in MODEL_FIELDS if f not in ("snr_task", "snr_brain"))
        return tuple(f for f in fields if len({getattr(m, f) for m in self.study.models}) > 1)

    @cached_property
    def engine(self) -> str:
        """The engine that computed the rows."""
        return str(self.table["engine"][0].as_py())

    def column(self, name: str) -> NDArray[Any]:
        """A column of the table over the grid.

        Parameters
        ----------
        name : str
            Of the column.

        Returns
        -------
        ndarray, shape (models, n_task, n_brain, methods, shifts)
            Nulls of numbers are NaN, and so is what was not asked; a word that is not there is
            None. Whole numbers are floats where something was not asked.
        """
        if pa.types.is_dictionary(self.table[name].type):
            words, places = self._words(name)
            return np.asarray(words[places])
        found = self.table[name].to_numpy()
        return self._over_grid(found, math.nan)

    def _over_grid(self, values: NDArray[Any], missing: object) -> NDArray[Any]:
        """What the rows of the table hold, over the grid."""
        if self.study.design.full:
            return values.reshape(self.shape)
        asked, of_points = self.asked, values.reshape(-1, *self.shape[3:])
        kind = values.dtype if asked.all() else np.result_type(values.dtype, type(missing))
        found = np.full(self.shape, missing, kind)
        found[asked] = of_points[self.numbers[asked]]
        return found

    def among(self, name: str, *allowed: str) -> NDArray[np.bool_]:
        """Which rows have one of some words in a column.

        Parameters
        ----------
        name : str
            A column of words.
        *allowed : str

        Returns
        -------
        ndarray of bool, shape `shape`
        """
        words, places = self._words(name)
        return np.asarray(np.isin(words, allowed)[places])

    def _words(self, name: str) -> tuple[NDArray[np.object_], NDArray[np.integer]]:
        """The few words of a column, None last, and which of them each row has, over the grid."""
        chunks = self.table[name].unify_dictionaries().chunks
        words = np.array([*chunks[0].dictionary.to_pylist(), None], dtype=object)
        places = [c.indices.fill_null(len(words) - 1).to_numpy() for c in chunks]
        return words, self._over_grid(np.concatenate(places), len(words) - 1)

    @cached_property
    def mean(self) -> Floats:
        """Mean excess risk over the grid: simulated, or the law's under engine `law`."""
        name = "predicted" if self.engine == "law" else "mean"
        return np.asarray(self.column(name), dtype=float)

    @cached_property
    def mcse(self) -> Floats:
        """Standard error of `mean`; 0 under engine `law`."""
        if self.engine == "law":
            return np.zeros(self.shape)
        return np.asarray(self.column("mcse"), dtype=float)

    @cached_property
    def simulated(self) -> NDArray[np.bool_]:
        """Which rows have replicates of their own, over the grid; the others are a law's."""
        drawn: NDArray[np.bool_] = self.column("replicates") > 0
        return drawn

    @cached_property
    def sound(self) -> NDArray[np.bool_]:
        """Which rows have a standard error that can be trusted, over the grid."""
        return self.among("status", "ok", "mcse_not_met")

    @cached_property
    def unreached(self) -> NDArray[np.bool_]:
        """Which rows a run that was stopped has left without a mean, over the grid."""
        return self.among("status", "mcse_not_met") & ~np.isfinite(self.mean)

    def method(self, estimator: str, rule: str | None = None) -> int | None:
        """Place of an estimator among the methods: of a rule, or tuned before fixed.

        Of several encoders it is the first; `one_of_several` says so.

        Parameters
        ----------
        estimator : str
        rule : str, optional

        Returns
        -------
        int or None
            None where the study does not ask for it.
        """
        found = [
            (c.rule.fixed and c.estimator.penalised, i)
            for i, c in enumerate(self.study.methods)
            if c.estimator.name == estimator and rule in (None, c.rule.kind)
        ]
        return min(found)[1] if found else None

    def one_of_several(self) -> str:
        """Which BEFS an answer is about, as a sentence where the study has several encoders.

        Returns
        -------
        str
            Empty where there is one, or no BEFS.
        """
        place, count = self.method("befs"), len(self.study.encoders)
        if place is None or count == 1:
            return ""
        label = self.study.methods[place].label
        return f"BEFS is here {label}, the first of {count} encoders; the table has them all."

    def need(self, estimator: str, why: str) -> int:
        """`method`, or the sentence that says how to get it; of ridge, what is tuned.

        Ridge is the fair opponent, which at a penalty that somebody chose it need not be.

        Parameters
        ----------
        estimator : str
        why : str
            What needs it, as the subject of the sentence.

        Returns
        -------
        int

        Raises
        ------
        InputError
            The results do not hold the estimator, or ridge at fixed penalties alone.
        """
        place = self.method(estimator)
        if place is not None and estimator == "ridge" and not self.study.methods[place].tuned:
            raise InputError(
                f"{self.place}: {why} needs tuned ridge, and these results hold ridge at fixed "
                'penalties alone; add "optimal" to its rules in [estimators] and run again'
            )
        if place is None:
            setting = "0.0" if estimator in ("ols", "projection") else '"optimal"'
            raise InputError(
                f"{self.place}: {why} needs the estimator '{estimator}', which these results "
                f"do not hold; add `{estimator} = {setting}` to [estimators] and run again"
            )
        return place

    def shift(self, label: str = "id") -> int:
        """Place of a shift.

        Parameters
        ----------
        label : str
            As column `shift` spells it.

        Returns
        -------
        int

        Raises
        ------
        InputError
            The results do not hold it.
        """
        labels = [s.label for s in self.study.shifts]
        if label not in labels:
            raise InputError(
                f"{self.place}: no shift '{label}' in these results, which hold "
                f"{', '.join(labels)}; add it to [shifts] and run again"
            )
        return labels.index(label)

    def compare(self, a: str, b: str, where: Sequence[str] = ()) -> Comparison:
        """Two outputs on the same data: difference, ratio and share of wins, with paired errors.

        Parameters
        ----------
        a, b : str
            An estimator that the study has once, or with its rule: "befs", "befs=optimal",
            "ridge=0.3".
        where : sequence of str
            Conditions on the rows, as `mcbrain show --where` takes them, such as "n_task>=100".

        Returns
        -------
        Comparison

        Raises
        ------
        InputError
            No such output, a condition that cannot be read, or an engine that draws no whole
            replicates.
        """
        from mcbrain.results.comparisons import compared

        rows = select(self.table, list(where))
        return compared(self.study, self.engine, self._store, self.table, rows, (a, b), self.varied)

    # Intervals --------------------------------------------------------------------------------

    def measure(self, f: Callable[[Floats], Floats], cells: tuple[ArrayLike, ...]) -> Simulated:
        """A function of mean risks, with its 95 % interval by delete-one-block jackknife.

        Blocks of one problem carry all rows of their data, so what rows share cancels in ratios and
        differences. Rows of engines that combine moments (`spectral`, `law`) enter with their own
        standard errors, which are jackknifed over blocks already. What depends on a row without a
        variance has no error.

        Parameters
        ----------
        f : callable
            (..., rows) -> (..., outputs), vectorised over the leading axes.
        cells : tuple of array
            Places (model, n_task, n_brain, method, shift) of the rows, broadcast against each
            other.

        Returns
        -------
        Simulated
        """
        from scipy.special import stdtrit

        rows = np.ravel_multi_index(np.broadcast_arrays(*cells), self.shape).ravel()
        centre = self.mean.ravel()[rows]
        value = np.asarray(f(centre), dtype=float)
        variance, freedom = np.zeros(value.shape), np.inf
        for some in _batches(self._moves(rows)):
            # All at once, since what is computed from risks may search for its answer.
            moved = np.asarray(f(centre + np.concatenate(some)), dtype=float)
            ends = np.cumsum([len(moves) for moves in some])[:-1]
            for of_problem in np.split(moved, ends):
                variance += np.sum((of_problem - value) ** 2, axis=0)
                freedom = min(freedom, max(len(of_problem) - 1, 1))
        error = np.sqrt(variance)
        reach = float(stdtrit(freedom, 0.975)) * error
        return Simulated(value, error, value - reach, value + reach)

    @cached_property
    def _store(self) -> Store:
        if self._kept is not None:
            return self._kept
        if not self.folder.blocks.is_dir():
            raise InputError(
                f"{self.place}: intervals need the block sums in blocks/, which are not "
                "there; copy them with the results, or run the study again"
            )
        return blocks_behind(self.folder)

    @cached_property
    def _jackknife(self) -> Jackknife:
        return Jackknife(self.study, self.engine, self.table, self._store, self.place)

    def _moves(self, rows: NDArray[np.int64]) -> Iterator[Floats]:
        """For each problem behind the rows, what leaving out a block does to them, (blocks, rows).

        Scaled so that the sum over blocks of the squared change of a number is its variance.
        """
        errors = self.mcse.ravel()[rows]
        if self.engine not in ("raw", "sufficient"):
            yield from as_if_of_blocks(errors)
            return
        each = self.shape[3] * self.shape[4]
        points = self.numbers.ravel()[rows // each]
        for point in np.unique(points[points >= 0]).tolist():
            mine = np.flatnonzero(points == point)
            of_point = self._jackknife.of_point(point, rows[mine] % each, errors[mine])
            spread = np.zeros((len(of_point), rows.size))
            spread[:, mine] = of_point
            yield spread


def _batches(moves: Iterator[Floats]) -> Iterator[list[Floats]]:
    """The same arrays, as many together as fill a piece of memory."""
    some: list[Floats] = []
    size = 0
    for one in moves:
        some.append(one)
        size += one.size
        if size > _PIECE:
            yield some
            some, size = [], 0
    if some:
        yield some
