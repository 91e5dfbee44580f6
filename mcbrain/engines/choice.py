"""Which engine is exact for a study, and the fastest of those."""

from __future__ import annotations

from mcbrain.asking.studies import Study
from mcbrain.errors import InputError, unhandled

__all__ = ["choose", "objection"]

# Fastest first; `law` simulates nothing and is chosen only by name.
_ORDER = ("spectral", "sufficient", "raw")

_REASONS = {
    "spectral": "isotropic Gaussian data and fixed penalties, so spectrum and subspace suffice",
    "sufficient": "Gaussian data, so the sufficient statistics suffice",
    "raw": "whole data sets are drawn",
    "law": "nothing is simulated",
}


def choose(study: Study) -> tuple[str, str]:
    """The engine of a study, and why.

    Parameters
    ----------
    study : Study

    Returns
    -------
    engine, reason : str

    Raises
    ------
    InputError
        The study names an engine that would be wrong for it.
    """
    if study.engine != "auto":
        why_not = objection(study, study.engine)
        if why_not:
            raise InputError(f"engine = '{study.engine}': {why_not}")
        return study.engine, _REASONS[study.engine]
    for engine in _ORDER:
        if objection(study, engine) is None:
            faster = [f"{e}: {objection(study, e)}" for e in _ORDER[: _ORDER.index(engine)]]
            return engine, "; ".join([_REASONS[engine], *(f"not {text}" for text in faster)])
    raise AssertionError("the raw engine serves every study")


def objection(study: Study, engine: str) -> str | None:
    """Why an engine would be wrong for a study, as a sentence; None when it is exact."""
    match engine:
        case "raw" | "law":
            return None
        case "sufficient":
            return _sufficient_objection(study)
        case "spectral":
            return _sufficient_objection(study) or _spectral_objection(study)
    raise unhandled("engine", engine, "the choice of an engine")


def _sufficient_objection(study: Study) -> str | None:
    for model in study.models:
        if model.input_law.name != "gaussian":
            return f"inputs '{model.inputs}' are not Gaussian; use raw"
        if model.latents != "linear":
            return f"latents '{model.latents}' are not linear; use raw"
        if model.neural_law != "gaussian":
            return "recordings are not Gaussian; use raw"
    for choice in study.choices:
        if choice.rule.selects:
            return f"the rule '{choice.rule.kind}' chooses on whole data sets; use raw"
    return None


def _spectral_objection(study: Study) -> str | None:
    if any(m.spectrum_exponent for m in study.models):
        return "the covariance is not the identity; use sufficient"
    for choice in study.choices:
        name = choice.estimator.name
        if choice.estimator.two_bands:
            return f"'{name}' penalises inside the subspace; use sufficient"
        if choice.rule.kind == "fixed" and choice.rule.value < 0:
            return f"'{name}' has a negative penalty; use sufficient"
    for shift in study.shifts:
        if not shift.has_moment:
            return f"'{shift.label}' is not a second moment; use sufficient"
    return None
