"""Figures: gains under shift, and how far simulation and law are apart."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from mcbrain.errors import InputError
from mcbrain.population.shifts import SHIFTS
from mcbrain.reporting.curves import Places, law_of, line_handles, need_gain, pick
from mcbrain.reporting.style import (
    COLOURS,
    errorbars,
    figure,
    label_panels,
    legend_below,
    legend_under,
    ramp,
    same_limits,
)
from mcbrain.reporting.words import model_words
from mcbrain.results.view import Results
from mcbrain.typing import Floats
from mcbrain.worth.robustness import gain

__all__ = ["residual_figure", "residuals", "shift_figure"]


def shift_figure(results: Results) -> Figure:
    """Gain of BEFS over the baseline against shift strength, a panel for each kind of shift.

    Parameters
    ----------
    results : Results
        With BEFS and a baseline.

    Returns
    -------
    matplotlib.figure.Figure
        Up to four panels.

    Raises
    ------
    InputError
        No kind of shift with three strengths, or no baseline.
    """
    study = results.study
    kinds: dict[tuple[str, str], list[int]] = {}
    for i, shift in enumerate(study.shifts):
        if np.isfinite(shift.value):
            kinds.setdefault((shift.kind, shift.along), []).append(i)
    kinds = {k: v for k, v in kinds.items() if len(v) >= 3}
    if not kinds:
        raise InputError("gains against shift strength need three strengths of one kind of shift")
    base, _ = need_gain(results)
    chosen = list(kinds)[:4]
    made, axes = figure(len(chosen), height=4.0, wide=3.5)
    gains, errors = (np.asarray(results.column(c), float) for c in ("gain", "gain_mcse"))
    labels = [s.label for s in study.shifts]
    for ax, kind in zip(axes[0], chosen, strict=True):
        places = kinds[kind]
        x = np.array([study.shifts[i].value for i in places])
        neutral = SHIFTS[kind[0]].neutral
        if "id" in labels and neutral is not None:
            places, x = [labels.index("id"), *places], np.append(neutral, x)
        handles = _gain_curves(ax, results, kind, (places, x), gains, errors)
        ax.axhline(1.0, color="#999999", lw=0.9, zorder=0)
        positive = bool(np.all(x > 0))
        ax.set(xscale="log" if positive else "linear", yscale="log", xlabel="strength of the shift")
        ax.set_title(SHIFTS[kind[0]].words + (f", {kind[1]}" if kind[1] else ""), loc="right")
    axes[0, 0].set_ylabel(f"gain (risk of {'tuned ridge' if base.tuned else 'OLS'} / risk)")
    where = f"$n_T$ = {study.n_task[_task(results)]:,}, {model_words(results, 0)}"
    legend_below(made, handles + line_handles(results, ("befs", "befs-oracle")), title=where)
    same_limits(list(axes[0]), "y")
    label_panels(axes)
    return made


def _task(results: Results) -> int:
    """The place of the number of task samples that gains are shown at: a third up the axis."""
    study = results.study
    enough = np.array(study.n_brain) >= study.rank(study.models[0])
    tasks = np.flatnonzero((results.asked[0] & enough).any(axis=1))
    return int(tasks[tasks.size // 3]) if tasks.size else len(study.n_task) // 3


def _gain_curves(
    ax: Axes,
    results: Results,
    kind: tuple[str, str],
    over: tuple[list[int], Floats],
    gains: Floats,
    errors: Floats,
) -> list[Line2D]:
    """Draw the gains of one panel, and return the entries of its legend."""
    study, (places, x) = results.study, over
    model, t = 0, _task(results)
    rank, asked = study.rank(study.models[model]), results.asked[model, t]
    brains = [b for b, n in enumerate(study.n_brain) if n >= rank and asked[b]]
    shown = [brains[i] for i in pick(brains, 3)]
    befs = results.need("befs", "a gain")
    base = study.baseline()
    lawful = (
        law_of(results, model) is not None
        and base is not None
        and base.tuned
        and study.methods[befs].rule.record.under == "id"
        and SHIFTS[kind[0]].moment is not None
    )
    handles = []
    for b, colour in zip(shown, ramp(len(shown)), strict=True):
        row = (model, t, b, befs, places)
        errorbars(ax, x, gains[row], errors[row], colour, simulated=results.simulated[row])
        if lawful:
            fine = np.geomspace(x.min(), x.max(), 25)
            ending = f":{kind[1]}" if kind[1] else ""
            texts = [f"{kind[0]}:{v!r}{ending}" for v in fine.tolist()]
            point = (study.n_task[t], study.n_brain[b])
            law = gain(study.models[model], *point, texts, "ridge", study.seed)
            ax.plot(fine, law, color=colour, ls="--")
        handles.append(Line2D([], [], color=colour, label=f"BEFS, $n_B$ = {study.n_brain[b]:,}"))
    oracle = results.method("befs-oracle")
    if oracle is not None:
        row = (model, t, int(results.without_brain(model, 0)[t]), oracle, places)
        errorbars(ax, x, gains[row], errors[row], COLOURS[1], simulated=results.simulated[row])
        _oracle_law(ax, results, x, row)
        handles.append(Line2D([], [], color=COLOURS[1], label="BEFS, unlimited brain data"))
    return handles


def _oracle_law(ax: Axes, results: Results, x: Floats, row: Places) -> None:
    """The exact gain of BEFS with unlimited brain data over ridge, as the rows predict it."""
    ridge = results.method("ridge")
    if ridge is not None:
        model, t, b, _, places = row
        predicted = np.asarray(results.column("predicted"), float)
        ax.plot(x, predicted[model, t, b, ridge, places] / predicted[row], color=COLOURS[1])


def residuals(results: Results) -> tuple[Floats, NDArray[np.int64], int]:
    """How far simulation and law are apart, in standard errors, for each row that is evidence.

    A row is evidence for its law where its standard error can be trusted and is more than rounding:
    z = (mean - predicted) / sqrt(mcse^2 + prediction_se^2). Rows that were computed through the law
    themselves are counted apart.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    z : array (n,)
        Standard normal where the laws are right.
    rows : array (n,)
        Places of the rows in the flattened columns of the results.
    same : int
        How many rows were computed through their law.
    """
    column = {n: results.column(n).ravel() for n in ("mean", "mcse", "predicted", "prediction_se")}
    compared = (results.among("prediction", "exact", "semi-exact") & results.sound).ravel()
    error = np.hypot(column["mcse"], np.nan_to_num(column["prediction_se"]))
    # A risk that is the same on every data set has an error of nothing but rounding, and is no
    # evidence.
    spread = error > 1e-12 * np.abs(column["mean"])
    good = compared & np.isfinite(column["mean"]) & spread
    rows = np.flatnonzero(good)
    z = (column["mean"][rows] - column["predicted"][rows]) / error[rows]
    return np.asarray(z, float), rows, int(results.among("prediction", "same-law").sum())


def residual_figure(results: Results) -> Figure:
    """Law against simulation in standard errors: each row, and their distribution.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels.

    Raises
    ------
    InputError
        Fewer than ten rows that are evidence for a law.
    """
    z, rows, same = residuals(results)
    if z.size < 10:
        why = f"; {same} rows were computed through the law itself" if same else ""
        raise InputError(f"residuals need at least ten rows with an independent law{why}")
    made, axes = figure(2, height=3.2, wide=4.2)
    left, right = axes[0]
    predicted = results.column("predicted").ravel()[rows].astype(float)
    names = results.column("estimator").ravel()[rows]
    for name, colour in zip(sorted(set(names)), COLOURS, strict=False):
        mine = names == name
        left.plot(predicted[mine], z[mine], ".", ms=3.5, color=colour, label=name, alpha=0.8)
    for level in (-2, 2):
        left.axhline(level, color="#999999", lw=0.8, ls=":")
    left.axhline(0, color="#999999", lw=0.8)
    left.set(xscale="log", xlabel="excess risk by the law", ylabel="(simulated − law) / s.e.")
    legend_under(left, left.get_legend_handles_labels()[0], columns=4)
    top = max(4.0, float(np.abs(z).max()) + 0.3)
    left.set_ylim(-top, top)
    bins = np.linspace(-4.5, 4.5, 28)
    right.hist(np.clip(z, -4.4, 4.4), bins, density=True, color=COLOURS[4], alpha=0.7)
    x = np.linspace(-4.5, 4.5, 200)
    right.plot(
        x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=COLOURS[6], label="standard normal"
    )
    right.set(xlabel="(simulated − law) / s.e.", ylabel="density")
    legend_under(right, right.get_legend_handles_labels()[0])
    label_panels(axes)
    return made
