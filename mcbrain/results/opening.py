"""The plan of a study by the name of its engine."""

from __future__ import annotations

from typing import Any

from mcbrain.asking.engines import engine_of
from mcbrain.asking.studies import Study
from mcbrain.errors import unhandled
from mcbrain.plan.penalties import Penalties
from mcbrain.plan.plans import Plan
from mcbrain.plan.risks import SideRisks
from mcbrain.plan.subspaces import PilotSubspaces
from mcbrain.results.grid_rows import GridRows
from mcbrain.results.law_rows import LawRows
from mcbrain.results.point_rows import PointRows
from mcbrain.store.protocol import Store

__all__ = ["open_plan"]


# Any: who uses a problem is known to the plan alone, and only handed back to it.
def open_plan(study: Study, engine: str, store: Store) -> Plan[Any]:
    """The plan of a study; penalties are resolved when asked for, from pilots in the store.

    Parameters
    ----------
    study : Study
    engine : str
        A name in the table of engines.
    store : Store

    Returns
    -------
    Plan
    """
    kind = engine_of(engine).plan
    match kind:
        case "points":
            penalties = Penalties(study, PilotSubspaces(study, store), store)
            return PointRows(study, engine, penalties)
        case "grid":
            subspaces = PilotSubspaces(study, store)
            return GridRows(SideRisks(study, Penalties(study, subspaces, store), subspaces))
        case "laws":
            return LawRows(study)
    raise unhandled("plan", kind, "the opening of plans (mcbrain/results/opening.py)")
