"""Figures: value and exchange rates, and what alignment and noise do to them."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mcbrain.errors import InputError
from mcbrain.model import Model
from mcbrain.report.curves import law_of, line_key, pick
from mcbrain.report.style import barred_points, figure, label_panels, ramp
from mcbrain.worth.measured import value_in_results
from mcbrain.worth.results_view import Results
from mcbrain.worth.surface import Surface

__all__ = ["alignment_figure", "measured_curve", "value_figure"]

Array = NDArray[np.float64]
Cells = list[tuple[int, int, int]]


def measured_curve(results: Results, cells: Cells, baseline: str) -> Array:
    """v_T with its interval at (model, n_task, n_brain) places, (cells, 3); NaN where none."""
    rows = []
    for model, task, brain in cells:
        found, _ = value_in_results(results, model, task, brain, baseline)
        rows.append([float(found.value), float(found.low), float(found.high)])
    return np.array(rows).reshape(-1, 3)


def _baseline(results: Results) -> str:
    for name in ("ridge", "ols"):
        place = results.choice(name)
        if place is not None and (name == "ols" or results.study.choices[place].tuned):
            return name
    raise InputError("a value needs tuned ridge or ols among the estimators")


def _points(ax: Any, x: Array, found: Array, colour: Any) -> None:
    """Values with their intervals: columns of `found` are value, low and high."""
    good = np.isfinite(found[:, 0])
    bars = np.abs(found[good, 1:] - found[good, :1]).T
    barred_points(ax, x[good], found[good, 0], bars, colour)


def _require(results: Results) -> tuple[str, list[int]]:
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


def value_figure(results: Results) -> Any:
    """v_T and the exchange rate over n_brain, a column for each of up to three models.

    Raises
    ------
    InputError
        Results without a baseline, BEFS, two n_task or two n_brain.
    """
    study = results.study
    base, brains = _require(results)
    if len(brains) < 2:
        raise InputError("a curve of the value needs at least two n_brain above the rank")
    models = pick(list(study.models), 3)
    stacked = len(models) > 1
    made, axes = figure(*((len(models), 2) if stacked else (2, 1)), height=3.1, wide=4.1)
    n = np.array([study.n_brain[b] for b in brains], float)
    fits = [
        t for t, v in enumerate(study.n_task) if v > max(study.rank(m) for m in study.models) + 7
    ]
    tasks = [fits[i] for i in pick(fits[: max(1, len(fits) - 2)], 3)]
    for column, model in enumerate(models):
        top, low = axes[:, column] if stacked else axes[0]
        surface = law_of(results, model)
        fine = np.geomspace(n.min(), n.max() * 4, 300)
        handles = []
        for t, colour in zip(tasks, ramp(len(tasks)), strict=True):
            n_task = study.n_task[t]
            found = measured_curve(results, [(model, t, b) for b in brains], base)
            _points(top, n, found, colour)
            _points(low, n, found / n[:, None], colour)
            if surface is not None:
                law = surface.samples_for(surface.risk(n_task, fine), base) - n_task
                top.plot(fine, law, color=colour, ls="--")
                low.plot(fine, law / fine, color=colour, ls="--")
                if study.models[model].measured.misalignment > 0:
                    full = surface.risk(n_task, np.inf)
                    top.axhline(
                        float(surface.samples_for(full, base)) - n_task, color=colour, lw=0.8
                    )
            handles.append(Line2D([], [], color=colour, label=f"$n_T$ = {n_task:,}"))
        _decorate(top, low, study.models[model], base, handles, surface is not None)
    label_panels(axes)
    return made


def _decorate(
    top: Any, low: Any, model: Model, base: str, handles: list[Any], lawful: bool
) -> None:
    name = "tuned ridge" if base == "ridge" else "OLS"
    top.set_title(f"misalignment m = {model.misalignment:g}, vs {name}", loc="right")
    top.set(xscale="log", xlabel="brain samples $n_B$", ylabel="value $v_T$ (task samples)")
    top.set_yscale("symlog", linthresh=10.0)
    low.set(xscale="log", xlabel="brain samples $n_B$", ylabel="exchange rate $v_T/n_B$")
    for ax in (top, low):
        ax.axhline(0.0, color="#bbbbbb", lw=0.8, zorder=0)
        low_n, high_n = ax.get_xlim()
        if low_n <= model.input_dim <= high_n:
            ax.axvline(model.input_dim, color="#bbbbbb", lw=0.8, zorder=0)
    if lawful and model.measured.misalignment > 0:
        handles = [*handles, Line2D([], [], color="#555", lw=0.8, label="saturation (exact law)")]
    top.legend(handles=handles, loc="lower right")
    line_key(low, exact=False, asymptotic=lawful, loc="lower right")


_FIELDS = {
    "misalignment": "misalignment m",
    "neural_noise": r"neural noise $\sigma_r$",
    "task_noise": r"task noise $\sigma_y$",
    "latent_dim": "latent dimension k",
}


def alignment_figure(results: Results) -> Any:
    """v_T over the first model field that varies, curves along the second, panels along the third.

    Raises
    ------
    InputError
        Fewer than three values of every field, or what the value itself needs is missing.
    """
    study = results.study
    base, brains = _require(results)
    found_in = {f: {getattr(m, f) for m in study.models} for f in _FIELDS}
    # Poisson recordings have no noise of their own, so a study with both laws has no such axis.
    varied = {f: sorted(values) for f, values in found_in.items() if None not in values}
    order = [f for f, v in varied.items() if len(v) >= 2]
    if not order or len(varied[order[0]]) < 3:
        raise InputError("what alignment and noise do needs at least three misalignments or noises")
    x, curve, panel = (*order, None, None)[:3]
    panels = [varied[panel][i] for i in pick(varied[panel], 3)] if panel else [None]
    curves = [varied[curve][i] for i in pick(varied[curve], 5)] if curve else [None]
    ranks = max(study.rank(m) for m in study.models)
    fits = [t for t, v in enumerate(study.n_task) if v > ranks + 7]
    task, brain = fits[len(fits) // 3], brains[-1]
    made, axes = figure(len(panels), height=3.5, wide=4.2)
    for ax, p in zip(axes[0], panels, strict=True):
        handles = []
        for c, colour in zip(curves, ramp(len(curves)), strict=True):
            want = {f: v for f, v in ((curve, c), (panel, p)) if f is not None}
            places = [
                i
                for i, m in enumerate(study.models)
                if all(getattr(m, f) == v for f, v in want.items())
            ]
            chosen = {getattr(study.models[i], str(x)): i for i in places}
            found = measured_curve(results, [(i, task, brain) for i in chosen.values()], base)
            _points(ax, np.array(list(chosen), float), found, colour)
            _law_over(ax, results, places[0], str(x), (task, brain), base, colour)
            label = f"{_FIELDS[curve]} = {c:g}" if curve else "BEFS"
            handles.append(Line2D([], [], color=colour, label=label))
        ax.axhline(0.0, color="#bbbbbb", lw=0.8, zorder=0)
        where = f"$n_T$ = {study.n_task[task]:,}, $n_B$ = {study.n_brain[brain]:,}"
        ax.set_title(where + (f", {_FIELDS[panel]} = {p:g}" if panel else ""), loc="right")
        ax.set(xlabel=_FIELDS[str(x)], ylabel=f"value $v_T$ vs {base} (task samples)")
        ax.add_artist(ax.legend(handles=handles, loc="upper right"))
        line_key(ax, exact=False, loc="center right")
    label_panels(axes)
    return made


def _law_over(
    ax: Any,
    results: Results,
    model: int,
    x: str,
    cell: tuple[int, int],
    base: str,
    colour: Any,
) -> None:
    """The law's curve over a real-valued field, other fields as in one model."""
    study = results.study
    values = [getattr(m, x) for m in study.models]
    if x == "latent_dim" or law_of(results, model) is None:
        return
    fine = np.linspace(min(values), max(values), 60)
    n_task, n_brain = study.n_task[cell[0]], study.n_brain[cell[1]]
    law = []
    for v in fine:
        surface = Surface(Model(**study.models[model].given() | {x: float(v)}))
        law.append(float(surface.samples_for(surface.risk(n_task, n_brain), base)) - n_task)
    ax.plot(fine, law, color=colour, ls="--")
