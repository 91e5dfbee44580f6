"""The figure of an appraisal: curves of the fitted model with bands, measured points with bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from mcbrain.appraisal.comparison import Comparison
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_RIDGE, _LEVELS = "#555555", ("#0072b2", "#e69f00", "#009e73")
# Keywords of a legend, above the axes because bars reach anywhere within them; of points with bars.
_ABOVE: dict[str, Any] = {
    "loc": "lower center",
    "bbox_to_anchor": (0.5, 1.0),
    "fontsize": 7,
    "frameon": False,
    "ncols": 3,
    "columnspacing": 1.2,
    "title": "lines: the fitted model; points: measured",
    "title_fontsize": 7,
}
_POINTS: dict[str, Any] = {"fmt": "o", "markersize": 4, "capsize": 2, "linewidth": 1}


def draw(estimates: Estimates, comparisons: Sequence[Comparison], verdict: Verdict) -> Figure:
    """Errors and their reductions against task rows, and measured against predicted reductions.

    Lines are the fitted model's predictions, bands their 95 % intervals; points are held-out
    measurements with 95 % intervals.

    Parameters
    ----------
    estimates : Estimates
        The model behind the predictions.
    comparisons : sequence of Comparison
        Measured and predicted errors.
    verdict : Verdict
        Its answer is the title.

    Returns
    -------
    matplotlib.figure.Figure
        Three panels.
    """
    figure = Figure(figsize=(12.5, 4.8), layout="constrained")
    errors, reductions, against = figure.subplots(1, 3)
    _errors(errors, estimates, comparisons)
    _reductions(reductions, comparisons)
    _against(against, comparisons)
    s = estimates.shape
    answer = {
        "agree": "prediction and measurement agree",
        "disagree": "prediction and measurement disagree",
        "cannot tell": "these data cannot tell",
    }[verdict.answer]
    figure.suptitle(
        f"{s.n_task} task rows, {s.n_brain} brain rows, {s.d} inputs, {s.p} channels, "
        f"{s.r} latent{'s' if s.r > 1 else ''}: {answer}",
        fontsize=11,
    )
    return figure


def _levels(comparisons: Sequence[Comparison]) -> list[int]:
    """Numbers of brain rows that were compared, the most first."""
    return sorted({c.held_out.n_brain for c in comparisons}, reverse=True)


def _task_axis(axes: Axes, sizes: list[int]) -> None:
    """A logarithmic axis of task rows, with a tick at each measured size."""
    ticks = sorted(set(sizes))
    axes.set(xscale="log", xlabel="task rows in training")
    axes.set_xticks(ticks, [str(n) for n in ticks])
    axes.set_xticks([], minor=True)


def _errors(axes: Axes, e: Estimates, comparisons: Sequence[Comparison]) -> None:
    """The panel of errors against task rows, with all brain rows."""
    noise = float(e.value.task_noise) ** 2
    full = _levels(comparisons)[0]
    chosen = [c for c in comparisons if c.held_out.n_brain == full]
    pairs, sizes = [c.held_out for c in chosen], [c.held_out.n_task for c in chosen]
    for befs, color, name in (
        (False, _RIDGE, f"tuned ridge ({e.coordinates} inputs)"),
        (True, _LEVELS[0], f"BEFS, {full} brain rows"),
    ):
        axes.plot(sizes, [c.befs if befs else c.ridge for c in chosen], color=color, label=name)
        axes.errorbar(
            [n * 1.03 ** (0.5 if befs else -0.5) for n in sizes],
            [c.befs if befs else c.ridge for c in pairs],
            [1.96 * (c.befs_se if befs else c.ridge_se) for c in pairs],
            color=color,
            **_POINTS,
        )
    axes.axhline(noise, color="black", linewidth=0.8, linestyle=":", label="noise (estimated)")
    axes.set(ylabel="mean squared error, held out")
    _task_axis(axes, sizes)
    axes.legend(**_ABOVE)


def _reductions(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    """The panel of reductions against task rows, a curve for each number of brain rows."""
    for index, level in enumerate(_levels(comparisons)):
        color = _LEVELS[index]
        chosen = [c for c in comparisons if c.held_out.n_brain == level]
        sizes = [c.held_out.n_task for c in chosen]
        axes.plot(sizes, [c.reduction for c in chosen], color=color, label=f"{level} brain rows")
        axes.fill_between(
            sizes,
            [c.reduction_low for c in chosen],
            [c.reduction_high for c in chosen],
            color=color,
            alpha=0.15,
            linewidth=0,
        )
        axes.errorbar(
            [n * 1.03 ** (index - 1) for n in sizes],
            [c.held_out.reduction for c in chosen],
            [1.96 * c.held_out.reduction_se for c in chosen],
            color=color,
            **_POINTS,
        )
    axes.axhline(0.0, color="black", linewidth=0.8)
    axes.set(ylabel="reduction: ridge error - BEFS error")
    _task_axis(axes, [c.held_out.n_task for c in comparisons])
    axes.legend(**_ABOVE)


def _against(axes: Axes, comparisons: Sequence[Comparison]) -> None:
    """The panel of measured against predicted reductions."""
    for index, level in enumerate(_levels(comparisons)):
        chosen = [c for c in comparisons if c.held_out.n_brain == level]
        axes.errorbar(
            [c.reduction for c in chosen],
            [c.held_out.reduction for c in chosen],
            yerr=[1.96 * c.held_out.reduction_se for c in chosen],
            xerr=np.transpose([_reach(c) for c in chosen]).clip(0),
            color=_LEVELS[index],
            **{**_POINTS, "capsize": 0},
        )
    ends = [f(f(c.reduction, c.held_out.reduction) for c in comparisons) for f in (min, max)]
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.set(xlabel="predicted reduction", ylabel="measured reduction", title="line: equality")
    axes.title.set_fontsize(8)


def _reach(c: Comparison) -> tuple[float, float]:
    """How far the interval of the prediction reaches to either side."""
    return c.reduction - c.reduction_low, c.reduction_high - c.reduction
