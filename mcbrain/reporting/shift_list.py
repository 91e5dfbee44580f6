"""Figure: the gain under every shift of a study, one line each."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mcbrain.errors import InputError
from mcbrain.reporting.curves import most_brain, need_gain, pick
from mcbrain.reporting.style import figure, label_panels, legend_below, ramp, same_limits
from mcbrain.reporting.words import model_words
from mcbrain.results.view import Results

__all__ = ["shift_list_figure"]

_FEWEST = 4


def shift_list_figure(results: Results) -> Figure:
    """Gain of BEFS over the baseline under each shift, a panel for each number of task samples.

    Gains are those with the most brain samples beside each n_task, in a colour for each model;
    a bar marks what the laws predict.

    Parameters
    ----------
    results : Results
        With BEFS and a baseline.

    Returns
    -------
    matplotlib.figure.Figure
        A line for each shift.

    Raises
    ------
    InputError
        Fewer than four shifts, or no baseline.
    """
    study = results.study
    if len(study.shifts) < _FEWEST:
        raise InputError(f"gains shift by shift need {_FEWEST} shifts")
    base, befs = need_gain(results)
    gain, error, law = (
        np.asarray(results.column(c), float) for c in ("gain", "gain_mcse", "predicted")
    )
    law = law[:, :, :, study.methods.index(base), :] / law[:, :, :, befs, :]
    tasks, models = pick(list(study.n_task), 3), pick(list(study.models), 4)
    # Filled dots where nothing was simulated.
    marker, face = (".", None) if results.engine == "law" else ("o", "white")
    colours, lines = ramp(len(models)), np.arange(len(study.shifts))
    made, axes = figure(len(tasks), height=1.1 + 0.24 * len(lines), wide=3.4)
    for ax, t in zip(axes[0], tasks, strict=True):
        b = most_brain(results, t)
        for place, (i, colour) in enumerate(zip(models, colours, strict=True)):
            y = lines + 0.22 * (place - (len(models) - 1) / 2)
            ax.vlines(law[i, t, b], y - 0.16, y + 0.16, colour, lw=1.4, zorder=4)  # over points
            bars = 2.0 * np.nan_to_num(error[i, t, b, befs])
            x = gain[i, t, b, befs]
            ax.errorbar(x, y, xerr=bars, ls="", color=colour, marker=marker, mfc=face)
        ax.axvline(1.0, color="#999999", lw=0.9, zorder=0)
        ax.set(xscale="log", xlabel="gain", ylim=(len(lines) - 0.5, -0.5))
        ax.set_title(f"$n_T$ = {study.n_task[t]:,}, $n_B$ = {study.n_brain[b]:,}", loc="right")
        ax.set_yticks(lines, [s.label for s in study.shifts] if ax is axes[0, 0] else [])
    same_limits(list(axes[0]), "x")
    label_panels(axes)
    key = [
        Line2D([], [], color=c, ls="", label=model_words(results, i), marker=marker, mfc=face)
        for i, c in zip(models, colours, strict=True)
    ]
    key.append(Line2D([], [], color="#555555", marker="|", ms=9, ls="", label="law"))
    legend_below(made, key)
    return made
