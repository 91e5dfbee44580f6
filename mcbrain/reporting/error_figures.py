"""Figure: error rates against task samples, simulation beside the laws."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType

from mcbrain.asking.metrics import ERROR_RATE
from mcbrain.errors import InputError
from mcbrain.reporting.curves import pick
from mcbrain.reporting.style import COLOURS, errorbars, figure, label_panels, legend_under, ramp
from mcbrain.results.view import Results

__all__ = ["error_figure"]

_FEWEST = 3  # numbers of task samples that make a curve


def error_figure(results: Results) -> Figure:
    """Error rate of each estimator against task samples, a panel for each shift.

    Parameters
    ----------
    results : Results
        Of a study with the metric error_rate.

    Returns
    -------
    matplotlib.figure.Figure
        Up to four panels, of the study's first model.

    Raises
    ------
    InputError
        The study does not ask for the error rate, or for too few numbers of task samples.
    """
    study = results.study
    if ERROR_RATE not in [metric.name for metric in study.metrics]:
        raise InputError("error rates need the metric error_rate")
    if len(study.n_task) < _FEWEST:
        raise InputError(f"error rates against n_task need {_FEWEST} numbers of task samples")
    shown = pick(study.shifts)
    made, axes = figure(len(shown), height=3.4, wide=3.6)
    for ax, shift in zip(axes[0], shown, strict=True):
        _curves(ax, results, shift)
        ax.set(xscale="log", xlabel="task samples $n_T$", title=study.shifts[shift].label)
    axes[0, 0].set_ylabel("error rate")
    label_panels(axes)
    for ax in axes[0]:
        legend_under(ax, _handles(results))
    return made


def _lines(results: Results) -> Iterator[tuple[int, int, str, ColorType]]:
    """Method, place of its brain samples, words and colour of each curve.

    An estimator that uses brain data has a curve for each number of brain samples.
    """
    study = results.study
    plain = iter([*COLOURS[1:], *COLOURS] * len(study.methods))
    for place, method in enumerate(study.methods):
        name = f"{method.estimator.name} {'' if method.rule.fixed else method.rule.kind}".strip()
        if not method.estimator.uses_brain:
            yield place, len(study.n_brain) - 1, name, next(plain)
            continue
        brains = pick(study.n_brain)
        for b, colour in zip(brains, ramp(len(brains)), strict=True):
            yield place, b, f"{name}, $n_B$ = {study.n_brain[b]:,}", colour


def _handles(results: Results) -> list[Line2D]:
    return [
        Line2D([], [], color=colour, marker="o", mfc="white", ls="--", lw=1.0, label=name)
        for _, _, name, colour in _lines(results)
    ]


def _curves(ax: Axes, results: Results, shift: int) -> None:
    """Points that were simulated, and dashed lines of the law between its values there."""
    n_task = np.array(results.study.n_task, float)
    rate, error, law = (
        np.asarray(results.column(f"{ERROR_RATE}{end}"), float)[0, ..., shift]
        for end in ("", "_mcse", "_predicted")
    )
    for place, b, _, colour in _lines(results):
        errorbars(ax, n_task, rate[:, b, place], error[:, b, place], colour)
        ax.plot(n_task, law[:, b, place], "--", color=colour, lw=1.0, zorder=0)
