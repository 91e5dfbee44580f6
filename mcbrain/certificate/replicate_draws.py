"""Replicates of a point one by one, where block sums would not do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.asking.studies import Study
from mcbrain.blas import one_blas_thread
from mcbrain.engines import raw, sufficient
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.point_plan import SampledPlan, block_size
from mcbrain.plan.subspaces import LawSubspaces
from mcbrain.typing import Floats

__all__ = ["Draws", "draws", "sampled_plan"]


_BENCHES = {"raw": raw.bench, "sufficient": sufficient.bench}


@dataclass(frozen=True)
class Draws:
    """Replicates of one point: excess risk (n, queries), m_hat (n,), C^ (n, k, k)."""

    excess: Floats
    m_hat: Floats
    overlap: Floats


def sampled_plan(study: Study, kind: str) -> SampledPlan:
    """The plan of a study whose penalties need no pilot."""
    return SampledPlan(study, kind, Penalties(study, LawSubspaces(study)))


def draws(study: Study, kind: str, count: int) -> Draws:
    """At least `count` replicates of a study's only point, in whole blocks.

    Parameters
    ----------
    study : Study
        With fixed penalties.
    kind : str
        "raw" or "sufficient".
    count : int
    """
    plan, point = sampled_plan(study, kind), next(study.points())
    problem = plan.problem(point)
    queries = tuple(q for q in plan.queries(point) if q is not None)
    length = block_size(problem)
    bench = _BENCHES[kind](problem, queries, length)
    parts = []
    with one_blas_thread():  # as in a run, whose bits they have
        for index in range(-(-count // length)):
            excess, _, _ = bench.replicates(index)
            outcome = bench.outcome
            parts.append((excess.copy(), outcome.m_hat.copy(), outcome.overlap.copy()))
    return Draws(*(np.concatenate(values) for values in zip(*parts, strict=True)))
