"""Scaling laws fitted to the curves of a report, beside the exponents that the laws have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcbrain.errors import InputError
from mcbrain.reporting.curves import Places, has_its_best, law_of, pick
from mcbrain.reporting.words import signed
from mcbrain.results.view import Results
from mcbrain.worth.scaling import Fit, fit, fit_two_resources, local_exponent

__all__ = ["fit_rows"]

# A row whose relative error is below this was computed by a law, so that there is nothing to fit.
_TIGHT = 1e-6
# Points that a form over n_task, and over n_brain, is fitted to at least.
_FEWEST_TASKS, _FEWEST_BRAINS = 5, 4
# A form is rejected below this p value.
_REJECTED = 0.001
_FORMS = {
    "power-floor": "floor + A n^−a",
    "brain-law": "floor + slope/(n_B − d − 1)",
    "task-law": "noise/(n_T − d − 1) − saved/n_T²",
    "additive": "floor + A n_T^−a + B n_B^−b",
}
_LETTERS = {
    "scale": "A",
    "exponent": "a",
    "scale_task": "A",
    "exponent_task": "a",
    "scale_brain": "B",
    "exponent_brain": "b",
}


def fit_rows(results: Results) -> list[list[str]]:
    """Scaling laws fitted to the curves of a study, as rows of a table.

    The curves are those of the first model under the first shift: each estimator over n_task, and
    BEFS over n_brain and over both. Curves of too few trustworthy points are left out.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    list of list of str
        Curve, form, parameters, chi-square per degree of freedom, p value, local exponents.
    """
    rows = []
    for name in ("ols", "ridge", "befs"):
        place = results.method(name)
        if place is None:
            continue
        brains = [
            b
            for b, n in enumerate(results.study.n_brain)
            if n > 0 and results.asked[0, :, b].sum() >= _FEWEST_TASKS
        ]
        brains = brains if name == "befs" else [0]
        for b in [brains[i] for i in pick(brains, 3)]:
            rows += _over_task(results, name, place, b)
    place = results.method("befs")
    if place is not None:
        tasks = [
            t
            for t, n in enumerate(results.study.n_task)
            if n > _rank(results) + 7 and results.asked[0, t].sum() >= _FEWEST_BRAINS
        ]
        for t in [tasks[i] for i in pick(tasks, 3)]:
            rows += _over_brain(results, place, t)
        rows += _over_both(results, place)
    return rows


def _rank(results: Results) -> int:
    """The rank of the first model's subspace."""
    return results.study.rank(results.study.models[0])


def _sound(results: Results, place: Places) -> NDArray[np.bool_]:
    """The points of a curve whose standard errors can weigh them in a fit."""
    mean, error = results.mean[place], results.mcse[place]
    return np.asarray(results.sound[place] & np.isfinite(mean) & (error > _TIGHT * mean))


def _over_task(results: Results, name: str, place: int, b: int) -> list[list[str]]:
    """The row of one estimator's curve over n_task, or none."""
    study, surface = results.study, law_of(results, 0)
    n = np.array(study.n_task, float)
    brains = b if name == "befs" else results.without_brain(0, b)
    at: Places = (0, np.arange(n.size), brains, place, 0)
    good = _sound(results, at) & (n > _rank(results) + 7)
    d = study.models[0].native_dim
    if name == "ols":
        good &= n > d + 8
    label = "ridge" if name == "ridge" else f"BEFS, n_B = {study.n_brain[b]:,}"
    mean, error = results.mean[at][good], results.mcse[at][good]
    if good.sum() < _FEWEST_TASKS:
        return []
    local = ""
    if surface is not None and study.shifts[0].label == "id" and has_its_best(results, place):
        n_brain = study.n_brain[b] if name == "befs" else 0
        ends = local_exponent(surface, [n[good].min(), n[good].max()], n_brain, "n_task")
        local = f"{ends[0]:.2f} to {ends[1]:.2f}"
    if name == "ols":
        ends = n[good][[0, -1]] / (n[good][[0, -1]] - d - 1)
        local = f"{ends[0]:.2f} to {ends[1]:.2f}"
    # Above its pole OLS has the form of the law of large n_T.
    if name == "ols":
        found = fit(n[good], mean, error, "task-law", d)
        return [_row("OLS, over n_T > d + 1", found, local)]
    return [_row(f"{label}, over n_T", fit(n[good], mean, error, "power-floor"), local)]


def _over_brain(results: Results, place: int, t: int) -> list[list[str]]:
    """The row of BEFS's curve over n_brain, or none."""
    study, surface = results.study, law_of(results, 0)
    n, d = np.array(study.n_brain, float), study.models[0].native_dim
    at = (0, t, slice(None), place, 0)
    # The form is that of the law of large n_B, which an encoder without a penalty has.
    good = _sound(results, at) & (n > 2 * d)
    if good.sum() < _FEWEST_BRAINS:
        return []
    form = "brain-law" if study.methods[place].encoder.rule.value == 0 else "power-floor"
    found = fit(n[good], results.mean[at][good], results.mcse[at][good], form, d)
    local = ""
    if surface is not None and study.shifts[0].label == "id" and has_its_best(results, place):
        rest = surface.risk(study.n_task[t], np.inf)
        ends = local_exponent(
            surface, study.n_task[t], [n[good].min(), n[good].max()], "n_brain", rest
        )
        local = f"{ends[0]:.2f} to {ends[1]:.2f}"
    return [_row(f"BEFS, n_T = {study.n_task[t]:,}, over n_B", found, local)]


def _over_both(results: Results, place: int) -> list[list[str]]:
    """The row of BEFS's risk over both numbers of samples, or none."""
    study = results.study
    t, b = np.meshgrid(study.n_task, study.n_brain, indexing="ij")
    at = (0, slice(None), slice(None), place, 0)
    good = _sound(results, at) & (t > _rank(results) + 7) & (b > study.models[0].native_dim + 1)
    try:
        found = fit_two_resources(t[good], b[good], results.mean[at][good], results.mcse[at][good])
    except InputError:
        return []
    return [_row("BEFS, over n_T and n_B", found, "")]


def _row(label: str, found: Fit, local: str) -> list[str]:
    """A fit in the words of a table's row."""
    quality = f"{found.chi2 / found.freedom:,.2f} on {found.freedom}"
    p = f"{found.p_value:.2g}" if found.p_value > 1e-4 else "< 0.0001"
    return [label, _FORMS[found.form], _estimate(found), quality, p, local or "–"]


def _estimate(found: Fit) -> str:
    """Every parameter with its interval; none of a form that the data reject."""
    if found.p_value < _REJECTED:
        return "rejected: no estimate"
    words = []
    for name, *numbers in zip(found.names, found.values, found.low, found.high, strict=True):
        # The logarithm of a scale was fitted; what is beyond all numbers is unbounded.
        if name.startswith("scale"):
            with np.errstate(over="ignore"):
                numbers = [float(np.exp(v)) for v in numbers]
        value, low, high = (signed(float(v), ".3g").replace("inf", "∞") for v in numbers)
        words.append(f"{_LETTERS.get(name, name)} = {value} ({low} to {high})")
    return "; ".join(words)
