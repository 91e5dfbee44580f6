"""Figures: value and exchange rates, and what alignment and noise do to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from mcbrain.asking.studies import Study
from mcbrain.errors import InputError
from mcbrain.population.model import Model
from mcbrain.reporting.curves import law_of, line_handles, pick
from mcbrain.reporting.style import (
    barred_points,
    dots,
    figure,
    label_panels,
    legend_below,
    ramp,
    signed_log,
)
from mcbrain.reporting.words import setting_words
from mcbrain.results.view import Results
from mcbrain.typing import Floats
from mcbrain.worth.inversion import samples_for
from mcbrain.worth.simulated import value_in_results
from mcbrain.worth.surface import Surface

__all__ = ["alignment_figure", "simulated_values", "value_figure"]

Places = list[tuple[int, int, int]]


def simulated_values(results: Results, places: Places, baseline: str) -> Floats:
    """Simulated values of brain data at some points.

    Parameters
    ----------
    results : Results
        With BEFS and the baseline.
    places : list of tuple
        (model, n_task, n_brain), places in the study's grid.
    baseline : str
        "ridge" or "ols".

    Returns
    -------
    array (places, 3)
        v_T and the ends of its 95 % interval; NaN where there is none.
    """
    rows = []
    for model, task, brain in places:
        found, _ = value_in_results(results, model, task, brain, baseline)
        rows.append([float(found.value), float(found.low), float(found.high)])
    return np.array(rows).reshape(-1, 3)


def _baseline(results: Results) -> str:
    """The baseline that a value is against: tuned ridge if it is there, else OLS."""
    for name in ("ridge", "ols"):
        place = results.method(name)
        if place is not None and (name == "ols" or results.study.methods[place].tuned):
            return name
    raise InputError("a value needs tuned ridge or ols among the estimators")


def _points(ax: Axes, results: Results, x: Floats, found: Floats, colour: ColorType) -> None:
    """Values with their intervals: columns of `found` are value, low and high."""
    good = np.isfinite(found[:, 0])
    if results.engine == "law":
        dots(ax, x[good], found[good, 0], colour)
        return
    bars = np.abs(found[good, 1:] - found[good, :1]).T
    barred_points(ax, x[good], found[good, 0], bars, colour)


def _require(results: Results) -> tuple[str, list[int]]:
    """The baseline and the usable places of n_brain, or a sentence about what a value lacks."""
    study = results.study
    base = _baseline(results)
    results.need("befs", "the value of brain data")
    if len(study.n_task) < 2:
        raise InputError("a value needs at least two numbers of task samples")
    ranks = max(study.rank(m) for m in study.models)
    brains = [b for b, n in enumerate(study.n_brain) if n >= ranks]
    if not brains:
        raise InputError("a value needs brain samples")
    return base, brains


def _tasks(study: Study) -> list[int]:
    """Places of the numbers of task samples at which the value has a finite variance.

    Raises
    ------
    InputError
        There is none.
    """
    ranks = max(study.rank(m) for m in study.models)
    fits = [t for t, n in enumerate(study.n_task) if n > ranks + 7]
    if not fits:
        raise InputError(f"a value needs task samples, more than the rank {ranks} plus 7")
    return fits


def value_figure(results: Results) -> Figure:
    """v_T and the exchange rate over n_brain, a column for each of up to three models.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    matplotlib.figure.Figure
        Values above or left, exchange rates below or right.

    Raises
    ------
    InputError
        Results without a baseline, BEFS, two n_task or two n_brain.
    """
    study = results.study
    base, brains = _require(results)
    if len(brains) < 2:
        raise InputError("a curve of the value needs at least two n_brain above the rank")
    several = results.asked[:, :, brains].sum(axis=2).max(axis=0) >= 2
    fits = [t for t in _tasks(study) if several[t]]
    if not fits:
        raise InputError(
            "a curve of the value needs two n_brain beside one n_task; the points of this study "
            "are in the table of values"
        )
    tasks = [fits[i] for i in pick(fits[: max(1, len(fits) - 2)], 3)]
    shown = np.flatnonzero(results.asked[:, tasks][:, :, brains].any(axis=(1, 2))).tolist()
    models = [shown[i] for i in pick(shown, 3)]
    stacked = len(models) > 1
    made, axes = figure(*((len(models), 2) if stacked else (2, 1)), height=3.3, wide=4.1)
    colours = ramp(len(tasks))
    for column, model in enumerate(models):
        panels = axes[:, column] if stacked else axes[0]
        for t, colour in zip(tasks, colours, strict=True):
            _value_curve(list(panels), results, (model, t), brains, base, colour)
        words = setting_words(results, model, results.shift())
        name = "tuned ridge" if base == "ridge" else "OLS"
        panels[0].set_title(f"{words}, vs {name}", loc="right")
        _decorate(panels[0], panels[1], study.models[model])
    lawful = [study.models[m] for m in models if law_of(results, m) is not None]
    handles = [
        Line2D([], [], color=colour, label=f"$n_T$ = {study.n_task[t]:,}")
        for t, colour in zip(tasks, colours, strict=True)
    ]
    handles += line_handles(results, ("befs",), exact=False, asymptotic=bool(lawful))
    if any(m.recorded.misalignment > 0 for m in lawful):
        handles.append(Line2D([], [], color="#555555", lw=0.8, label="saturation (exact law)"))
    legend_below(made, handles)
    label_panels(axes)
    return made


def _value_curve(
    panels: Sequence[Axes],
    results: Results,
    at: tuple[int, int],
    brains: list[int],
    base: str,
    colour: ColorType,
) -> None:
    """Value and exchange rate over n_brain at one (model, n_task): points, law and saturation."""
    (top, low), (model, t), study = panels, at, results.study
    brains = [b for b in brains if results.asked[model, t, b]]
    if not brains:
        return
    n, n_task = np.array([study.n_brain[b] for b in brains], float), study.n_task[t]
    found = simulated_values(results, [(model, t, b) for b in brains], base)
    _points(top, results, n, found, colour)
    _points(low, results, n, found / n[:, None], colour)
    surface = law_of(results, model)
    if surface is None:
        return
    fine = np.geomspace(n.min(), n.max() * 4, 300)
    law = samples_for(surface, surface.risk(n_task, fine), base) - n_task
    top.plot(fine, law, color=colour, ls="--")
    low.plot(fine, law / fine, color=colour, ls="--")
    if study.models[model].recorded.misalignment > 0:
        full = samples_for(surface, surface.risk(n_task, np.inf), base)
        top.axhline(float(full) - n_task, color=colour, lw=0.8)


def _decorate(top: Axes, low: Axes, model: Model) -> None:
    """Label the axes of a value and of an exchange rate, and mark 0 and n_brain = d."""
    top.set(xscale="log", xlabel="brain samples $n_B$", ylabel="value $v_T$ (task samples)")
    signed_log(top)
    low.set(xscale="log", xlabel="brain samples $n_B$", ylabel="exchange rate $v_T/n_B$")
    for ax in (top, low):
        ax.axhline(0.0, color="#bbbbbb", lw=0.8, zorder=0)
        low_n, high_n = ax.get_xlim()
        if low_n <= model.input_dim <= high_n:
            ax.axvline(model.input_dim, color="#bbbbbb", lw=0.8, zorder=0)


_FIELDS = {
    "misalignment": "misalignment m",
    "neural_noise": r"neural noise $\sigma_r$",
    "task_noise": r"task noise $\sigma_y$",
    "latent_dim": "latent dimension k",
}


def alignment_figure(results: Results) -> Figure:
    """v_T over the first model field that varies, curves along the second, panels along the third.

    Parameters
    ----------
    results : Results
        Of a study over misalignment, noise or the latent dimension.

    Returns
    -------
    matplotlib.figure.Figure
        Up to three panels.

    Raises
    ------
    InputError
        Fewer than three values of every field, or what the value itself needs is missing.
    """
    study = results.study
    base, brains = _require(results)
    varied = _varied(study)
    x, curve, panel = (*varied, None, None)[:3]
    panels = [varied[panel][i] for i in pick(varied[panel], 3)] if panel else [None]
    curves = [varied[curve][i] for i in pick(varied[curve], 5)] if curve else [None]
    task, brain = _common_point(results, _tasks(study), brains)
    rest = {f: getattr(study.models[0], f) for f in results.varied if f not in (x, curve, panel)}
    made, axes = figure(len(panels), height=4.0, wide=4.4)
    colours = ramp(len(curves))
    for ax, p in zip(axes[0], panels, strict=True):
        for c, colour in zip(curves, colours, strict=True):
            want = rest | {f: v for f, v in ((curve, c), (panel, p)) if f is not None}
            _alignment_curve(ax, results, want, str(x), (task, brain), base, colour)
    where = f"$n_T$ = {study.n_task[task]:,}, $n_B$ = {study.n_brain[brain]:,}"
    others = setting_words(results, 0, results.shift(), known=(x, curve, panel))
    words = f"{where}, {others}" if others else where
    for ax, p in zip(axes[0], panels, strict=True):
        ax.axhline(0.0, color="#bbbbbb", lw=0.8, zorder=0)
        ax.set_title(f"{_FIELDS[panel]} = {p:g}" if panel else words, loc="right")
        ax.set(xlabel=_FIELDS[str(x)], ylabel=f"value $v_T$ vs {base} (task samples)")
    labels = [f"{_FIELDS[curve]} = {c:g}" if curve else "BEFS" for c in curves]
    handles = [Line2D([], [], color=c, label=w) for c, w in zip(colours, labels, strict=True)]
    lawful = law_of(results, 0) is not None and x != "latent_dim"
    handles += line_handles(results, ("befs",), exact=False, asymptotic=lawful)
    legend_below(made, handles, title=words if panel else "")
    label_panels(axes)
    return made


def _common_point(results: Results, tasks: list[int], brains: list[int]) -> tuple[int, int]:
    """A point that every model is asked: of the most brain samples, a third up those of tasks."""
    common = np.asarray(results.asked.all(axis=0))
    for brain in reversed(brains):
        shared = [t for t in tasks if common[t, brain]]
        if shared:
            return shared[len(shared) // 3], brain
    raise InputError("what alignment and noise do needs a point that every model is asked")


def _varied(study: Study) -> dict[str, list[float]]:
    """Fields that vary and their values, the first with three at least."""
    found_in = {f: {getattr(m, f) for m in study.models} for f in _FIELDS}
    # Poisson recordings have no noise of their own, so a study with both kinds has no such axis.
    usable = {f: sorted(values) for f, values in found_in.items() if None not in values}
    varied = {f: values for f, values in usable.items() if len(values) >= 2}
    if len(next(iter(varied.values()), [])) < 3:
        raise InputError("what alignment and noise do needs at least three misalignments or noises")
    return varied


def _alignment_curve(
    ax: Axes,
    results: Results,
    want: dict[str, object],
    x: str,
    point: tuple[int, int],
    base: str,
    colour: ColorType,
) -> None:
    """v_T over a field among the models whose other fields are as wanted, and its law."""
    models = results.study.models
    places = [i for i, m in enumerate(models) if all(getattr(m, f) == v for f, v in want.items())]
    found = simulated_values(results, [(i, *point) for i in places], base)
    over = np.array([getattr(models[i], x) for i in places], float)
    _points(ax, results, over, found, colour)
    _law_over(ax, results, places[0], x, point, base, colour)


def _law_over(
    ax: Axes,
    results: Results,
    model: int,
    x: str,
    point: tuple[int, int],
    base: str,
    colour: ColorType,
) -> None:
    """The law's curve over a real-valued field, other fields as in one model."""
    study = results.study
    values = [getattr(m, x) for m in study.models]
    if x == "latent_dim" or law_of(results, model) is None:
        return
    fine = np.linspace(min(values), max(values), 60)
    n_task, n_brain = study.n_task[point[0]], study.n_brain[point[1]]
    law = []
    for v in fine:
        surface = Surface(Model(**study.models[model].given() | {x: float(v)}))
        law.append(float(samples_for(surface, surface.risk(n_task, n_brain), base)) - n_task)
    ax.plot(fine, law, color=colour, ls="--")
