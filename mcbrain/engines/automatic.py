"""Which engine is exact for a study, and the fastest of those."""

from __future__ import annotations

from mcbrain.asking.engines import AUTOMATIC, ENGINES, engine_of
from mcbrain.asking.studies import Study
from mcbrain.errors import InputError

__all__ = ["engine_for"]


def engine_for(study: Study) -> tuple[str, str]:
    """The engine of a study, and why.

    Parameters
    ----------
    study : Study
        Names an engine, or leaves the choice open: then the fastest engine that draws replicates
        and is exact for this study is taken.

    Returns
    -------
    engine : str
        Name of the engine.
    reason : str
        Why it is exact for the study, and why each faster engine is not; a sentence for a person.

    Raises
    ------
    InputError
        The study names an engine that would be wrong for it.
    """
    if study.engine != AUTOMATIC:
        engine = engine_of(study.engine)
        if why_not := engine.objection(study):
            raise InputError(f"engine = '{engine.name}': {why_not}")
        return engine.name, engine.approximation(study) or engine.reason
    faster: list[str] = []
    for engine in ENGINES.values():
        if engine.draws:  # the laws alone are taken only by name
            if (why_not := engine.objection(study) or engine.approximation(study)) is None:
                return engine.name, "; ".join([engine.reason, *faster])
            faster.append(f"not {engine.name}: {why_not}")
    raise AssertionError("the raw engine serves every study")
