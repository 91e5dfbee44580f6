"""The plan of each simulating engine, and what all of them have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from mcbrain.asking.studies import Point, Study
from mcbrain.blocks.problem import Problem
from mcbrain.errors import unhandled
from mcbrain.plan.grid_plan import FactoredPlan
from mcbrain.plan.penalties import Penalties, pilots
from mcbrain.plan.point_plan import SampledPlan, Work
from mcbrain.plan.risks import SideRisks
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.store.blockstore import BlockStore

__all__ = ["Plan", "all_works", "open_plan", "pilots_of"]


class Plan(Protocol):
    """What the plans of all engines have in common."""

    kind: str
    stage: str
    study: Study
    penalties: Penalties

    def problems(self) -> Mapping[Problem, Sequence[Any]]:
        """Every problem and who uses it; no penalty is needed."""
        ...

    def points(self, users: Sequence[Any]) -> Sequence[Point]:
        """Points whose penalties the work of a problem with these users needs."""
        ...

    def works(self, problem: Problem, users: Sequence[Any]) -> Iterator[Work]:
        """What there is to do for a problem."""
        ...

    def describe(self, problem: Problem, users: Sequence[Any]) -> str:
        """A problem in words."""
        ...


def open_plan(study: Study, engine: str, store: BlockStore) -> FactoredPlan | SampledPlan:
    """The plan of a study; penalties are resolved when asked for, from pilots in the store.

    Parameters
    ----------
    study : Study
    engine : str
        "raw", "sufficient" or "spectral".
    store : BlockStore
    """
    subspaces = PilotSubspaces(study, store)
    penalties = Penalties(study, subspaces, store)
    match engine:
        case "raw" | "sufficient":
            return SampledPlan(study, engine, penalties)
        case "spectral":
            return FactoredPlan(SideRisks(study, penalties, subspaces))
    raise unhandled("engine", engine, "the plans (plan/plans.py)")


def all_works(plan: Plan, problems: Mapping[Problem, Sequence[Any]]) -> Iterator[Work]:
    """What there is to do for some of a plan's problems, in the order of the plan."""
    for problem, users in problems.items():
        yield from plan.works(problem, users)


def pilots_of(
    plan: Plan, problems: Mapping[Problem, Sequence[Any]]
) -> list[tuple[Problem, tuple[Any, ...]]]:
    """The pilots that some of a plan's problems need, and the statistics wanted of each."""
    points = [point for users in problems.values() for point in plan.points(users)]
    return list(pilots(plan.study, plan.penalties.subspaces, points))
