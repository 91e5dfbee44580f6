"""The engines: what each is, for which studies it is exact, what it draws and how it plans.

This table is all that names them. What a study file may say, which engine is chosen, which plan is
made and which kernels are compiled are read from it; what an entry names and nobody can do ends in
a sentence that names the place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcbrain.asking.penalty_rules import REDUCIBLE
from mcbrain.errors import unhandled
from mcbrain.population.shifts import SHIFTS

if TYPE_CHECKING:
    from mcbrain.asking.studies import Study

__all__ = ["AUTOMATIC", "ENGINES", "ENGINE_NAMES", "Engine", "engine_of"]


def _never(study: Study) -> None:
    """Every study is served, exactly."""
    return


@dataclass(frozen=True)
class Engine:
    """One way to the rows of a study.

    Attributes
    ----------
    name : str
        As study files spell it.
    reason : str
        Why it is chosen where nothing speaks against it.
    plan : str
        What its problems stand for: "points" (one problem for each), "grid" (problems on either
        axis of a grid) or "laws" (no problem at all).
    draws : tuple of str
        The kinds of problems that it and its pilots draw.
    objection : callable
        Study -> why the engine would be wrong for it, as a sentence; None where it can serve.
    approximation : callable
        Study -> why its rows would rest on an approximation; None where they are exact. Such an
        engine is taken only by name, and its rows have a `law_error`.
    """

    name: str
    reason: str
    plan: str
    draws: tuple[str, ...]
    objection: Callable[[Study], str | None]
    approximation: Callable[[Study], str | None] = _never


def _sufficient_objection(study: Study) -> str | None:
    """Sufficient statistics are those of Gaussian data, and no penalty may look at the rest."""
    for model in study.models:
        if not model.linear_labels:
            return f"labels '{model.labels}' are not linear; use raw"
        if model.input_distribution.name != "gaussian":
            return f"inputs '{model.inputs}' are not Gaussian; use raw"
        if not model.linear_latents:
            return f"latents '{model.latents}' are not linear; use raw"
        if not model.recordings.gaussian:
            return "recordings are not Gaussian; use raw"
    for method in study.methods:
        if method.estimator.own is not None:
            return f"plug-in '{method.estimator.name}' reads whole data sets; use raw"
        if method.rule.selects:
            return f"the rule '{method.rule.kind}' chooses on whole data sets; use raw"
        encoder = method.encoder.rule
        if encoder.selects and encoder.kind not in REDUCIBLE:
            return f"the encoder's rule '{encoder.kind}' looks at single recordings; use raw"
    return None


def _law_objection(study: Study) -> str | None:
    """Laws know means, and no replicate."""
    if study.output.whole:
        return f"it does not draw {study.output.whole}; use auto, sufficient or raw"
    return None


def _spectral_objection(study: Study) -> str | None:
    """The two stages of a risk come apart where one penalty acts outside the subspace alone."""
    if study.output.whole:
        return f"it does not draw {study.output.whole}; use sufficient or raw"
    if why := _sufficient_objection(study):
        return why
    if study.metrics:
        return f"metric '{study.metrics[0].name}' needs coefficients; use sufficient"
    moved = _through_the_law(study) is not None
    if moved and not study.exact_task_stage:
        return (
            "exact_task_stage = false simulates the task stage for the identity covariance alone; "
            "use sufficient"
        )
    for method in study.methods:
        name = method.estimator.name
        if method.estimator.banded:
            return f"'{name}' penalises inside the subspace; use sufficient"
        if method.rule.fixed and method.rule.value < 0:
            return f"'{name}' has a negative penalty; use sufficient"
        if not method.encoder.rule.fixed:
            return (
                f"the encoder's penalty '{method.encoder.rule.kind}' is no number; use sufficient"
            )
    for shift in study.shifts:
        if not shift.has_moment:
            return f"'{shift.label}' is not a second moment; use sufficient"
        if moved and SHIFTS[shift.kind].moves_target:
            return f"'{shift.label}' moves the task under another covariance; use sufficient"
    return None


def _through_the_law(study: Study) -> str | None:
    """Under another covariance than the identity the task stage is an expansion in 1/n."""
    if all(model.input_covariance.identity for model in study.models):
        return None
    return "the covariance is not the identity, for which its rows go through an approximate law"


# The fastest first: of the automatic ones, the first without an objection is chosen.
ENGINES: dict[str, Engine] = {
    engine.name: engine
    for engine in (
        Engine(
            "spectral",
            "isotropic Gaussian data and fixed penalties, so spectrum and subspace suffice",
            "grid",
            ("brain", "task"),
            _spectral_objection,
            _through_the_law,
        ),
        Engine(
            "sufficient",
            "Gaussian data, so the sufficient statistics suffice",
            "points",
            ("sufficient", "brain"),
            _sufficient_objection,
        ),
        Engine("raw", "whole data sets are drawn", "points", ("raw", "brain"), _never),
        Engine("law", "nothing is simulated", "laws", (), _law_objection),
    )
}
AUTOMATIC = "auto"
"""What a study says that leaves the engine open; one that simulates nothing is never chosen so."""

ENGINE_NAMES = (AUTOMATIC, *ENGINES)
"""What a study file may say."""


def engine_of(name: str) -> Engine:
    """The engine of a name.

    Parameters
    ----------
    name : str
        As in `ENGINES`.

    Returns
    -------
    Engine
        Its entry in the table.

    Raises
    ------
    NotImplementedError
        No engine of that name is in the table.
    """
    if name not in ENGINES:
        raise unhandled("engine", name, "the table of engines (mcbrain/asking/engines.py)")
    return ENGINES[name]
