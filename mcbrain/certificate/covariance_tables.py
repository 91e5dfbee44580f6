"""What was found of the laws of any covariance: kept as text, and gathered in tables."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mcbrain.certificate.covariance_cells import DIM_EDGES
from mcbrain.certificate.scores import Check, family_bound
from mcbrain.errors import unhandled

__all__ = [
    "HEAD",
    "STAGES",
    "TARGETS",
    "CovarianceRow",
    "ErrorSummary",
    "append_rows",
    "covariance_check",
    "covariance_table",
    "read_rows",
    "summaries",
    "tables",
]

STAGES = {"task": "Subspace known", "whole": "Both stages"}
"""Which laws an error is of, and their titles."""

TARGETS = {"task": 0.005, "whole": 0.01}
"""Relative error at most, from `TARGET_DIM` inputs on: of the task stage, and of both stages."""

TARGET_DIM = 60

# An output misses its target where its error exceeds it by more than so many standard errors.
_BEYOND = 3.0


@dataclass(frozen=True)
class CovarianceRow:
    """One output of a cell: its mean by simulation and by law.

    Attributes
    ----------
    cell : int
        Place in the design.
    spectrum : str
        A power law as the model spells it, or a kind of real features.
    input_dim, directions : int
        d, and how many directions the inputs vary in.
    n_task, n_brain, rank : int
        The sizes.
    estimator, shift : str
        What was fitted, and what it was tested on.
    penalty : float
        Per sample.
    encoder_penalty : float
        Of the ridge regression that estimates the subspace, per brain sample.
    replicates : int
        Behind `mean`.
    mean, mcse : float
        Mean excess risk and its standard error.
    prediction : str
        What kind of law there is; "none" where it is not given.
    law, law_se : float or None
        The mean by the law, and its standard error from imagined recordings.
    free_rows : float or None
        n' - tr (S G)^2, which the law is an expansion in.
    """

    cell: int
    spectrum: str
    input_dim: int
    directions: int
    n_task: int
    n_brain: int
    rank: int
    estimator: str
    shift: str
    penalty: float
    encoder_penalty: float
    replicates: int
    mean: float
    mcse: float
    prediction: str
    law: float | None
    law_se: float | None
    free_rows: float | None

    @property
    def stage(self) -> str:
        """Which stages the law stands for: "task" where the subspace is known, else "whole"."""
        return "whole" if self.estimator == "befs" else "task"

    @property
    def error(self) -> float:
        """Relative error of the law; NaN where there is none."""
        return math.nan if self.law is None else self.law / self.mean - 1.0

    @property
    def noise(self) -> float:
        """Standard error of `error`, from the simulation and from imagined recordings."""
        return math.hypot(self.mcse, self.law_se or 0.0) / self.mean


def read_rows(path: Path) -> list[CovarianceRow]:
    """The rows of a table that this module wrote.

    Parameters
    ----------
    path : Path
        A CSV file; none is an empty table.

    Returns
    -------
    list of CovarianceRow
        In the order in which cells were done.
    """
    if not path.exists():
        return []
    types = {field.name: str(field.type) for field in fields(CovarianceRow)}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            CovarianceRow(**{name: _parsed(word, types[name]) for name, word in row.items()})
            for row in csv.DictReader(file)
        ]


def _parsed(word: str, kind: str) -> Any:
    """A value of a row from its text; no text is None."""
    match kind:
        case "str":
            return word
        case "int":
            return int(word)
        case "float":
            return float(word)
        case "float | None":
            return float(word) if word else None
    raise unhandled("type of a column", kind, "certificate/covariance_tables.py")


def append_rows(path: Path, rows: Sequence[CovarianceRow]) -> None:
    """Add the rows of a cell in one write, so that a run that is killed leaves whole cells.

    Parameters
    ----------
    path : Path
        A CSV file, which is begun if there is none.
    rows : sequence of CovarianceRow
        All rows of the cell.
    """
    new, text = not path.exists(), io.StringIO()
    table = csv.DictWriter(text, [f.name for f in fields(CovarianceRow)], lineterminator="\n")
    if new:
        table.writeheader()
    table.writerows(asdict(row) for row in rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(text.getvalue())


@dataclass(frozen=True)
class ErrorSummary:
    """Errors of the outputs of one class.

    Attributes
    ----------
    name : str
        The class in words.
    cells, outputs : int
        How many cells there are, and outputs of them that have a law.
    rms, noise : float
        Root mean square of the errors, and of their standard errors.
    largest, largest_noise : float
        The error that is largest, and its standard error.
    missed : int
        Outputs whose error is beyond the target, in any dimension, by three standard errors.
    """

    name: str
    cells: int
    outputs: int
    rms: float
    noise: float
    largest: float
    largest_noise: float
    missed: int

    @classmethod
    def of(cls, name: str, rows: Sequence[CovarianceRow]) -> ErrorSummary:
        """The summary of rows that have a law, at least one.

        Parameters
        ----------
        name : str
            Of the class.
        rows : sequence of CovarianceRow
            All of one stage.

        Returns
        -------
        ErrorSummary
            In shares of the mean.
        """
        errors, noise = (np.array([getattr(r, n) for r in rows]) for n in ("error", "noise"))
        worst = int(np.argmax(np.abs(errors)))
        return cls(
            name=name,
            cells=len({row.cell for row in rows}),
            outputs=len(rows),
            rms=float(np.sqrt(np.mean(errors**2))),
            noise=float(np.sqrt(np.mean(noise**2))),
            largest=float(errors[worst]),
            largest_noise=float(noise[worst]),
            missed=sum(excess(row) > 0.0 for row in rows),
        )

    def words(self) -> list[str]:
        """The summary as the row of a table, in percent.

        Returns
        -------
        list of str
            As `HEAD` names them.
        """
        return [
            self.name,
            str(self.cells),
            str(self.outputs),
            f"{100 * self.rms:.2f}",
            f"{100 * self.noise:.2f}",
            f"{100 * self.largest:+.2f} ± {100 * self.largest_noise:.2f}",
            str(self.missed),
        ]


HEAD = ("", "cells", "outputs", "rms error, %", "rms noise, %", "largest, %", "beyond target")


def excess(row: CovarianceRow) -> float:
    """By how much the error of a row exceeds its target and three standard errors; negative inside.

    Parameters
    ----------
    row : CovarianceRow
        With a law.

    Returns
    -------
    float
        As a share of the mean.
    """
    return abs(row.error) - TARGETS[row.stage] - _BEYOND * row.noise


def covariance_check(name: str, rows: Sequence[CovarianceRow], alarm: float) -> Check:
    """Whether errors are larger than the laws may have them, beyond chance.

    A law may be off by its target, or by the share of one over the squared rows that the fit leaves
    free where that is more: the order of what its expansion leaves out (theory/README.md 5f).

    Parameters
    ----------
    name : str
        Of the check.
    rows : sequence of CovarianceRow
        Those without a law are counted.
    alarm : float
        Probability at most that the check fails although no law is off by more.

    Returns
    -------
    Check
        Failed where there is no row with a law.
    """
    known = [row for row in rows if row.law is not None]
    bound = family_bound(len(known), alarm)
    beyond = [(abs(row.error) - _allowed(row)) / row.noise for row in known]
    worst = max(beyond, default=math.nan)
    largest = 100.0 * max((abs(row.error) for row in known), default=math.nan)
    sentence = (
        f"{len(known)} means, largest error {largest:.2f} %, at most {worst:.2f} standard errors "
        f"beyond what is allowed, bound {bound:.2f}; {len(rows) - len(known)} without a law"
    )
    return Check(name, len(known), worst, bound, alarm, sentence)


def _allowed(row: CovarianceRow) -> float:
    """The relative error that a law may have."""
    free = row.free_rows or math.inf
    return max(TARGETS[row.stage], 1.0 / free**2)


def covariance_table(rows: Sequence[CovarianceRow]) -> pa.Table:
    """The rows as an Arrow table.

    Parameters
    ----------
    rows : sequence of CovarianceRow
        Of any cells.

    Returns
    -------
    pyarrow.Table
        A column for each field.
    """
    types = {"str": pa.string(), "int": pa.int64()}
    schema = [pa.field(f.name, types.get(str(f.type), pa.float64())) for f in fields(CovarianceRow)]
    return pa.Table.from_pylist([asdict(row) for row in rows], pa.schema(schema))


_Axis = tuple[str, Callable[[CovarianceRow], str]]


def _classed(value: float, edges: Sequence[float], unit: str) -> str:
    """The class of a value in words; edges ascending."""
    inside = [edge for edge in edges if edge <= value]
    if not inside:
        return f"{unit} below {edges[0]:g}"
    above = edges[len(inside)] if len(inside) < len(edges) else None
    return f"{unit} from {inside[-1]:g}" + (f" to {above:g}" if above else "")


def _spectrum(row: CovarianceRow) -> str:
    """The class of a spectrum."""
    if not row.spectrum.startswith("powerlaw:"):
        return row.spectrum
    return _classed(float(row.spectrum.removeprefix("powerlaw:")), (0.3, 0.8, 1.4), "power law")


_AXES: tuple[_Axis, ...] = (
    ("dimension", lambda r: _classed(r.input_dim, DIM_EDGES, "d")),
    ("spectrum", _spectrum),
    ("task samples", lambda r: _classed(r.n_task / r.directions, (0.8, 1.25), "n_T / d")),
    ("free rows", lambda r: _classed(r.free_rows or 0.0, (5, 10, 20, 40), "free rows")),
)
_BRAIN: tuple[_Axis, ...] = (
    ("brain samples", lambda r: _classed(r.n_brain / r.directions, (0.8, 1.25), "n_B / d")),
    ("encoder", lambda r: "ridge" if r.encoder_penalty else "least squares"),
)


def summaries(rows: Sequence[CovarianceRow], stage: str) -> Iterator[ErrorSummary]:
    """The errors of a stage by dimension, spectrum, sample sizes and, of the whole, encoder.

    Parameters
    ----------
    rows : sequence of CovarianceRow
        Of any cells.
    stage : str
        "task" or "whole".

    Yields
    ------
    ErrorSummary
        Of all rows, of those from `TARGET_DIM` on, and of each class.
    """
    known = [row for row in rows if row.stage == stage and row.law is not None]
    if not known:
        return
    yield ErrorSummary.of("all", known)
    large = [row for row in known if row.input_dim >= TARGET_DIM]
    if large:
        yield ErrorSummary.of(f"d ≥ {TARGET_DIM}", large)
    for _, name_of in (*_AXES, *(_BRAIN if stage == "whole" else ())):
        names = sorted({name_of(row) for row in known}, key=_in_order)
        for name in names:
            yield ErrorSummary.of(name, [row for row in known if name_of(row) == name])


def _in_order(name: str) -> tuple[str, float]:
    """The words of a class, then where it begins."""
    words, _, edges = name.partition(" from ")
    return words.partition(" below ")[0], float(edges.split(" ")[0]) if edges else -math.inf


def tables(rows: Sequence[CovarianceRow]) -> str:
    """What was found, as Markdown: a table for each stage, and what has no law.

    Parameters
    ----------
    rows : sequence of CovarianceRow
        Of any cells.

    Returns
    -------
    str
        Several lines.
    """
    lines = []
    for stage, title in STAGES.items():
        lines += [f"{title}, target {100 * TARGETS[stage]:g} % at d ≥ {TARGET_DIM}", ""]
        lines += [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
        lines += [f"| {' | '.join(one.words())} |" for one in summaries(rows, stage)]
        lines.append("")
    silent = sum(row.law is None for row in rows)
    return "\n".join([*lines, f"{silent} of {len(rows)} outputs have no law."])
