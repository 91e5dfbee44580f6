"""`brain.arrow`: the moments of C^ and of m_hat for each brain problem, with standard errors."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, product

import numpy as np
import pyarrow as pa

from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import BrainProblem
from mcbrain.blocks.series import Series
from mcbrain.plan.moments import brain_statistics
from mcbrain.plan.subspaces import PilotSubspaces, Subspaces
from mcbrain.population.model import Model
from mcbrain.results.column import BRAIN_ROWS
from mcbrain.results.other_columns import BRAIN_COLUMNS
from mcbrain.results.row_writers import RowWriter
from mcbrain.store.protocol import Store

__all__ = ["brain_batches"]

_MOMENTS = {"diagonal": "overlap", "square": "square", "product": "product"}


def brain_batches(study: Study, store: Store, subspaces: Subspaces) -> Iterator[pa.RecordBatch]:
    """A row per moment of each brain problem of the study that has been simulated.

    Parameters
    ----------
    study : Study
    store : Store
    subspaces : Subspaces
        Of the plan, which knows the encoders' penalties that were optimised.

    Yields
    ------
    pyarrow.RecordBatch
    """
    writer = RowWriter(BRAIN_COLUMNS, BRAIN_ROWS, study)
    done: set[bytes] = set()
    for index, (model, pairs) in enumerate(zip(study.models, study.design.pairs, strict=True)):
        for n_brain in (study.n_brain[b] for b in np.unique(pairs.brain).tolist()):
            encodings = chain(
                _numbered(study, model, n_brain), _optimised(study, subspaces, index, n_brain)
            )
            for rank, penalty in encodings:
                for source in ("pilot", "run"):
                    pilot = source == "pilot"
                    problem = BrainProblem.of(model, n_brain, rank, penalty, study.seed, pilot)
                    if problem.key in done:
                        continue
                    done.add(problem.key)
                    ids = [s.id for s in brain_statistics(model.k_m)]
                    _add(writer, problem, source, store.series(problem, ids))
    yield writer.take()


def _numbered(study: Study, model: Model, n_brain: int) -> Iterator[tuple[int, float]]:
    """Rank and penalty of each encoder with a number for one, at a model with moments."""
    for encoder in study.encoders:
        rank = encoder.rank_of(model)
        if encoder.rule.fixed and model.isotropic and n_brain >= rank:
            yield rank, encoder.rule.value


def _optimised(
    study: Study, subspaces: Subspaces, model: int, n_brain: int
) -> Iterator[tuple[int, float]]:
    """Rank and penalty of each encoder whose penalty was optimised for some point with moments."""
    methods = [m for m in study.methods if m.encoder.rule.record.by == "risk"]
    drawn = isinstance(subspaces, PilotSubspaces) and study.models[model].isotropic
    if not methods or not drawn or not n_brain:
        return
    points = (study.point(model, pair) for pair in range(study.design.pairs[model].size))
    for point, method in product((p for p in points if p.n_brain == n_brain), methods):
        if not study.undefined(method, point):
            encoding = subspaces.encoding(method, point)
            yield encoding.rank, encoding.penalty


def _add(writer: RowWriter, problem: BrainProblem, source: str, series: Series) -> None:
    if not series.n_blocks:
        return
    _, mean, _ = series.totals()
    shared = {**problem.content, "latent_gains": list(problem.latent_gains)}
    shared |= {"source": source, "replicates": int(series.replicates.sum())}
    statistics = brain_statistics(len(problem.latent_gains))
    for s, value, error in zip(statistics, mean, series.mcse(), strict=True):
        row = {**shared, "moment": _MOMENTS[s.name], "i": s.i, "j": s.j}
        writer.add(row | {"mean": float(value), "mcse": float(error)})
