"""Figure: what it costs to choose a penalty from the data instead of knowing the best one."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mcbrain.asking.penalty_rules import RULES, rules_by
from mcbrain.errors import InputError
from mcbrain.reporting.style import (
    COLOURS,
    errorbars,
    figure,
    label_panels,
    legend_below,
    same_limits,
)
from mcbrain.reporting.words import setting_words
from mcbrain.results.view import Results

__all__ = ["rules_figure"]

# The rules by which a replicate chooses, and how each is drawn.
_CHOSEN = rules_by("replicate")
_MARKERS = dict(zip(_CHOSEN, cycle("osD^v"), strict=False))
_LINES = dict(zip(_CHOSEN, cycle(("-", ":", "--", "-.")), strict=False))
_BEST = next(name for name, kind in RULES.items() if kind.under == "id")


def rules_figure(results: Results) -> Figure:
    """Risk at the chosen penalty over risk at the optimal one, against task samples.

    The study's first model and shift, a panel for no brain data and for the most of it. Both risks
    are of the same data, so the bars, which add their errors, are too long.

    Parameters
    ----------
    results : Results
        With a rule that looks at the data beside "optimal" for an estimator.

    Returns
    -------
    matplotlib.figure.Figure
        One panel or two.

    Raises
    ------
    InputError
        No estimator with both "optimal" and a rule that looks at the data, or one n_task only.
    """
    study = results.study
    pairs = [
        (name, rule, results.method(name, rule), results.method(name, _BEST))
        for name in dict.fromkeys(c.estimator.name for c in study.methods)
        for rule in _MARKERS
    ]
    pairs = [pair for pair in pairs if None not in pair[2:]]
    if not pairs or len(study.n_task) < 2:
        raise InputError(
            f"what a rule costs needs {' or '.join(_CHOSEN)} beside {_BEST}, and several n_task"
        )
    names = list(dict.fromkeys(name for name, *_ in pairs))
    colours = dict(zip(names, cycle(COLOURS), strict=False))
    curves = np.flatnonzero(results.asked[0].sum(axis=0) >= 2)
    if not curves.size:
        raise InputError("what a rule costs needs several n_task beside one n_brain")
    brains = sorted({int(curves[0]), int(curves[-1])})
    made, axes = figure(len(brains), height=3.6, wide=3.6)
    x = np.array(study.n_task, float)
    for ax, b in zip(axes[0], brains, strict=True):
        for name, rule, chosen, best in pairs:
            mean, error = results.mean[0, :, b, :, 0], results.mcse[0, :, b, :, 0]
            ratio = mean[:, chosen] / mean[:, best]
            spread = np.hypot(error[:, chosen] / mean[:, chosen], error[:, best] / mean[:, best])
            ax.plot(x, ratio, color=colours[name], lw=1.0, ls=_LINES[rule])
            errorbars(ax, x, ratio, ratio * spread, colours[name], _MARKERS[rule])
        ax.axhline(1.0, color="#999999", lw=0.9, zorder=0)
        ax.axvline(study.models[0].input_dim, color="#bbbbbb", lw=1.0, zorder=0)
        ax.set(xscale="log", yscale="log", xlabel="task samples $n_T$")
        ax.set_title(f"$n_B$ = {study.n_brain[b]:,}", loc="right")
    axes[0, 0].set_ylabel("risk / risk at the optimal penalty")
    same_limits(list(axes[0]), "y")
    label_panels(axes)
    key = [_handle(name, rule, colours[name]) for name, rule, _, _ in pairs]
    legend_below(made, key, title=setting_words(results, 0, 0))
    return made


def _handle(name: str, rule: str, colour: str) -> Line2D:
    """The entry of the legend for an estimator and a rule."""
    word = f"{name}, {rule}"
    return Line2D(
        [], [], color=colour, ls=_LINES[rule], marker=_MARKERS[rule], mfc="white", label=word
    )
