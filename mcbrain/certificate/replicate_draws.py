"""The replicates of a point one by one, for what their sums over blocks cannot show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.asking.studies import Study
from mcbrain.blas import one_blas_thread
from mcbrain.blocks.problem import DataProblem, RawProblem, SufficientProblem
from mcbrain.blocks.query import Query
from mcbrain.engines import raw, sufficient
from mcbrain.engines.sampled import Bench
from mcbrain.errors import unhandled
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.subspaces import LawSubspaces
from mcbrain.results.point_rows import PointRows
from mcbrain.typing import Floats

__all__ = ["Draws", "draws", "point_plan"]


@dataclass(frozen=True)
class Draws:
    """Replicates of one point.

    Attributes
    ----------
    excess : (n, queries)
        Excess risk of each output.
    m_hat : (n,)
        Share of beta that the estimated subspace misses.
    overlap : (n, k, k)
        C^ = A'PA, how the estimated subspace lies to the latents.
    """

    excess: Floats
    m_hat: Floats
    overlap: Floats


def point_plan(study: Study, kind: str) -> PointRows:
    """The plan of a study whose penalties need no pilot.

    Parameters
    ----------
    study : Study
        With penalties that need no pilot.
    kind : str
        "raw" or "sufficient".

    Returns
    -------
    PointRows
        As a run would make it.
    """
    return PointRows(study, kind, Penalties(study, LawSubspaces(study)))


def _bench(problem: DataProblem, queries: tuple[Query, ...], count: int) -> Bench:
    """Where a problem is drawn, replicate by replicate."""
    match problem:
        case RawProblem():
            return raw.bench(problem, queries, count)
        case SufficientProblem():
            return sufficient.bench(problem, queries, count)
    raise unhandled("kind of problem", problem.kind, "the certificate's replicates")


def draws(study: Study, kind: str, count: int) -> Draws:
    """At least `count` replicates of a study's only point, in whole blocks.

    Parameters
    ----------
    study : Study
        With fixed penalties.
    kind : str
        "raw" or "sufficient".
    count : int
        Replicates at least.

    Returns
    -------
    Draws
        The replicates that a run would draw, in its order.
    """
    plan, point = point_plan(study, kind), next(study.points())
    problem = plan.problem(point)
    queries = tuple(q for q in plan.queries(point) if q is not None)
    length = problem.block_size
    bench = _bench(problem, queries, length)
    parts = []
    # A run does so too, and these replicates are to have its bits.
    with one_blas_thread():
        for index in range(-(-count // length)):
            excess, _, _ = bench.replicates(index)
            outcome = bench.outcome
            parts.append((excess.copy(), outcome.m_hat.copy(), outcome.overlap.copy()))
    return Draws(*(np.concatenate(values) for values in zip(*parts, strict=True)))
