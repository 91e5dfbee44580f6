"""One cell of the design of any covariance: its means by simulation and by law (README 5f, 5g)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Study
from mcbrain.blas import one_blas_thread
from mcbrain.certificate.covariance_cells import (
    POWER_LAW,
    PRECISION,
    CovarianceCell,
    draw_cells,
)
from mcbrain.certificate.covariance_tables import CovarianceRow
from mcbrain.certificate.design import Extent
from mcbrain.certificate.features import SOUND
from mcbrain.certificate.law_checks import ResultRow, fit_of, outputs
from mcbrain.plan.anisotropic import DRAWS, AnisotropicLaw
from mcbrain.population.shifts import Shift
from mcbrain.running.computing import compute

__all__ = ["compare", "covariance_rows"]

_MOST_DRAWS = 768
"""Imagined recordings at most, up to d = 60; fewer above it, where one takes longer."""


def compare(
    cell: CovarianceCell, threads: int | None = 1, precision: float = PRECISION
) -> list[CovarianceRow]:
    """Hold the laws of one cell against its simulated means.

    Parameters
    ----------
    cell : CovarianceCell
        What to simulate.
    threads : int, optional
        Threads of the run; all cores by default. No number depends on it.
    precision : float
        Relative standard error of every mean, where that is affordable; that of the law is 3/4 of
        it.

    Returns
    -------
    list of CovarianceRow
        One for each estimator under each shift, those without a law too.
    """
    with TemporaryDirectory(prefix="mcbrain-covariance-") as folder:
        study = cell.study(Path(folder), precision)
        found = compute(study, threads=threads).table.to_pylist()
        law = AnisotropicLaw(study.seed, _draws(found, study, 0.75 * precision))
        # Matrices are small here, so that more threads of BLAS would only wait for each other.
        with one_blas_thread():
            return [
                _row(cell, study, law, row, method, shift)
                for (method, shift), row in zip(outputs(study), found, strict=True)
                if row["mean"] is not None
            ]


def covariance_rows(extent: Extent, seed: int, threads: int | None) -> list[CovarianceRow]:
    """The rows of the first cells of the design whose features come with mcbrain's own libraries.

    Parameters
    ----------
    extent : Extent
        How many cells, and up to which dimension.
    seed : int
        Fixes design and data.
    threads : int, optional
        Threads of the runs; all cores by default. No number depends on it.

    Returns
    -------
    list of CovarianceRow
        Of all of these cells.
    """
    cells = draw_cells(extent.covariance_cells, seed, extent.largest_dim)
    precision = extent.covariance_precision
    return [row for c in cells if c.spectrum != SOUND for row in compare(c, threads, precision)]


def _draws(found: Sequence[ResultRow], study: Study, precision: float) -> int:
    """Imagined recordings for a law of a relative precision, or as many as are affordable."""
    spread: float = max((r["prediction_se"] or 0.0) / r["mean"] for r in found if r["mean"])
    wanted = math.ceil(DRAWS * (spread / precision) ** 2)
    affordable = int(_MOST_DRAWS * min(1.0, (60 / study.models[0].input_dim) ** 1.3))
    return min(max(wanted, DRAWS), affordable)


def _row(
    cell: CovarianceCell,
    study: Study,
    law: AnisotropicLaw,
    row: ResultRow,
    method: Method,
    shift: Shift,
) -> CovarianceRow:
    """One row of a cell, with the law's value from many imagined recordings."""
    point, fit = next(study.points()), fit_of(study, method, row)
    model, lawful = point.model, row["prediction"] != "none"
    found = law.risk(point, shift, fit) if lawful else None
    return CovarianceRow(
        cell=cell.index,
        spectrum=str(model.covariance) if cell.spectrum == POWER_LAW else cell.spectrum,
        input_dim=model.input_dim,
        directions=model.native_dim,
        n_task=point.n_task,
        n_brain=point.n_brain,
        rank=fit.rank,
        estimator=row["estimator"],
        shift=row["shift"].split("/")[-1],
        penalty=fit.penalty,
        encoder_penalty=fit.encoding_penalty,
        replicates=row["replicates"],
        mean=row["mean"],
        mcse=row["mcse"],
        prediction=row["prediction"],
        law=None if found is None else found.value,
        law_se=None if found is None else found.standard_error,
        free_rows=law.free_rows(point, fit),
    )
