"""Figure: the gain for every kind of inputs, latents and recordings, a line for each."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from mcbrain.errors import InputError
from mcbrain.reporting.curves import most_brain, need_gain, pick
from mcbrain.reporting.style import COLOURS, figure, label_panels
from mcbrain.reporting.words import departure_words
from mcbrain.results.view import Results

__all__ = ["departure_figure"]

_MOST = 40


def departure_figure(results: Results) -> Figure:
    """Gain of BEFS over the baseline for each model, a panel for each number of task samples.

    The gains are those under the study's first shift and with the most brain samples beside
    each n_task. The grey line through each panel is the gain of the linear Gaussian model.

    Parameters
    ----------
    results : Results
        Of a study whose models differ in inputs, latents or recordings alone.

    Returns
    -------
    matplotlib.figure.Figure
        A line for each model.

    Raises
    ------
    InputError
        No two models that differ in this way, more than can be read, or no baseline.
    """
    study = results.study
    models = study.models
    if len({departure_words(m) for m in models}) < len(models) or not 1 < len(models) <= _MOST:
        raise InputError(
            f"gains kind by kind need 2 to {_MOST} models that differ in their inputs, latents or "
            "recordings alone"
        )
    _, befs = need_gain(results)
    gain, error = (
        np.asarray(results.column(c), float)[..., befs, 0] for c in ("gain", "gain_mcse")
    )
    tasks, lines = pick(list(study.n_task), 3), np.arange(len(models))
    usual = [i for i, m in enumerate(models) if m.isotropic]
    shift = f" under {study.shifts[0].label}" if len(study.shifts) > 1 else ""
    made, axes = figure(len(tasks), height=0.8 + 0.17 * len(lines), wide=3.2)
    for ax, t in zip(axes[0], tasks, strict=True):
        b = most_brain(results, t)
        for i in usual:
            ax.axvline(gain[i, t, b], color="#999999", lw=0.9, zorder=0)
        bars = 2.0 * np.nan_to_num(error[:, t, b])
        ax.errorbar(gain[:, t, b], lines, xerr=bars, fmt="o", color=COLOURS[0], mfc="white")
        ax.set(xlabel=f"gain{shift}", ylim=(len(lines) - 0.5, -0.5))
        ax.set_title(f"$n_T$ = {study.n_task[t]:,}, $n_B$ = {study.n_brain[b]:,}", loc="right")
        ax.set_yticks(lines, [departure_words(m) for m in models] if ax is axes[0, 0] else [])
    label_panels(axes)
    return made
