"""Figure: the risk along a budget, and where brain data is worth collecting."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mcbrain.errors import InputError
from mcbrain.population.model import Model
from mcbrain.reporting.curves import law_of, line_handles
from mcbrain.reporting.style import COLOURS, errorbars, figure, label_panels, legend_under
from mcbrain.reporting.words import model_words
from mcbrain.results.view import Results
from mcbrain.typing import Floats
from mcbrain.worth.allocation import allocate
from mcbrain.worth.regimes import RegimeMap, regime_map
from mcbrain.worth.surface import Surface

__all__ = ["budget_figure", "budget_line"]

# Least distances of a contour's label from the edge and from other labels, as shares of the panel.
_EDGE, _APART = 0.06, 0.14
Line = tuple[float, float, list[tuple[int, int]]]


def budget_line(results: Results) -> Line | None:
    """The straight line of one budget on which most points of a study's grid lie.

    The line starts at the largest n_task with no brain data.

    Parameters
    ----------
    results : Results
        Of a study with n_brain = 0.

    Returns
    -------
    tuple or None
        The price of a brain sample in task samples, the budget in task samples, and the places
        (n_task, n_brain) on the line; None where no line holds four points.
    """
    study = results.study
    if 0 not in study.n_brain:
        return None
    budget = max(study.n_task)
    prices = [(budget - t) / b for t in study.n_task for b in study.n_brain if b > 0 and t < budget]
    best: Line | None = None
    for price in sorted(set(prices)):
        points = [
            (i, j)
            for i, t in enumerate(study.n_task)
            for j, b in enumerate(study.n_brain)
            if abs(t + price * b - budget) <= 0.5 and results.asked[0, i, j]
        ]
        if len(points) >= 4 and (best is None or len(points) > len(best[2])):
            best = (price, float(budget), points)
    return best


def budget_figure(results: Results) -> Figure:
    """The risk along the study's budget line, and two regime maps from the laws.

    Parameters
    ----------
    results : Results
        With BEFS, and at least three n_task and three n_brain.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels, or three where points of the study share a budget.

    Raises
    ------
    InputError
        No law for the first model, or a grid too small to hold against it.
    """
    surface = law_of(results, 0)
    if surface is None:
        raise InputError(
            "regimes of a budget are drawn from the laws, which do not cover this model"
        )
    results.need("befs", "a budget")
    if len(results.study.n_task) < 3 or len(results.study.n_brain) < 3:
        raise InputError("regimes of a budget need at least three n_task and three n_brain")
    line = budget_line(results)
    model = results.study.models[0]
    budget = float(max(results.study.n_task)) if line is None else line[1]
    price = _prices(model, budget)
    made, axes = figure(2 + (line is not None), height=3.9, wide=3.9)
    panels = list(axes[0])
    if line is not None:
        _along(panels.pop(0), results, surface, line)
    money = np.geomspace(2.0 * model.input_dim, 1e3 * model.input_dim, 200)
    _map(made, panels[0], regime_map(model, price, "budget", money), "budget (task samples)")
    panels[0].set_title(model_words(results, 0), loc="right")
    misaligned = regime_map(model, price, "misalignment", np.linspace(0, 0.6, 200), budget=budget)
    _map(made, panels[1], misaligned, "misalignment m")
    others = model_words(results, 0, known=("misalignment",))
    title = f"budget of {budget:,.0f} task samples" + (f"\n{others}" if others else "")
    panels[1].set_title(title, loc="right")
    label_panels(axes)
    return made


def _prices(model: Model, budget: float) -> Floats:
    """Prices of a brain sample on both sides of the one at which the answer changes."""
    even = allocate(model, budget).break_even_price
    if even == 0:
        raise InputError(
            f"by the laws brain data is worth nothing at any price with a budget of {budget:,.0f} "
            "task samples"
        )
    low, high = (0.01, 10.0) if 0.03 < even < 3.0 else (even / 30.0, even * 30.0)
    return np.asarray(np.geomspace(low, high, 200))


def _along(ax: Axes, results: Results, surface: Surface, line: Line) -> None:
    """The panel of the risk along a budget line, points and law."""
    price, budget, points = line
    study = results.study
    befs, s = results.need("befs", "a budget"), 0
    unit = study.models[0].signal_norm ** 2
    share = np.array([price * study.n_brain[j] / budget for _, j in points])
    order = np.argsort(share)
    places = ([points[i][0] for i in order], [points[i][1] for i in order])
    y = results.mean[0, places[0], places[1], befs, s]
    row = (0, *places, befs, s)
    bars = results.mcse[row]
    errorbars(ax, share[order], y, bars, COLOURS[0], simulated=results.simulated[row])
    lowest = surface.r * price / budget
    fine = np.linspace(lowest, min(share.max() * 1.15, 0.97), 400)
    risk = surface.risk(budget * (1.0 - fine), fine * budget / price) * unit
    ax.plot(fine, np.where(np.isfinite(risk), risk, np.nan), color=COLOURS[0], ls="--")
    corner = float(surface.ridge(budget)) * unit
    ax.axhline(corner, color=COLOURS[1])
    ax.set(xlabel="share of the budget spent on brain data", ylabel="excess risk")
    ax.set_title(f"{budget:,.0f} task samples; one of brain costs {price:.3g}", loc="right")
    seen = np.concatenate([y, risk, [corner]])
    seen = seen[np.isfinite(seen)]
    ax.set_ylim(0.95 * seen.min(), min(1.05 * seen.max(), 2.0 * corner))
    handles = [
        Line2D([], [], color=COLOURS[0], label=f"BEFS, {model_words(results, 0)}"),
        Line2D([], [], color=COLOURS[1], label="tuned ridge only"),
    ]
    legend_under(ax, handles + line_handles(results, ("befs",)))


def _map(made: Figure, ax: Axes, found: RegimeMap, label: str) -> None:
    """Share of the budget for brain data, the break-even line, and contours of the gain."""
    ax.set(xscale="log", xlabel="price of a brain sample / task sample", ylabel=label)
    if found.axis != "misalignment":
        # The scale must be set before the contours are drawn, since labels are placed by their
        # position on the page.
        ax.set_yscale("log")
    share = np.where(found.n_brain > 0, found.share, np.nan)
    top = float(np.nanmax(share, initial=0.1))
    image = ax.pcolormesh(
        found.price,
        found.y,
        share,
        cmap="viridis",
        vmin=0,
        vmax=top,
        shading="nearest",
        rasterized=True,
    )
    for worth, width, dashes in (
        (found.n_brain > 0, 1.6, "solid"),
        (found.surely, 0.8, "dashed"),
        (found.possibly, 0.8, "dashed"),
    ):
        if 0 < worth.mean() < 1:
            ax.contour(
                found.price,
                found.y,
                worth.astype(float),
                [0.5],
                colors=COLOURS[1],
                linewidths=width,
                linestyles=dashes,
            )
    _gain_contours(ax, found)
    ax.set_facecolor("#eeeeee")
    ax.text(0.96, 0.93, "no brain data", transform=ax.transAxes, ha="right", fontsize=8)
    bar = made.colorbar(image, ax=ax, fraction=0.06, pad=0.02)
    bar.set_label("share for brain data", fontsize=8)


def _gain_contours(ax: Axes, found: RegimeMap) -> None:
    """Lines of equal gain, those alone whose label finds a place clear of labels and edges."""
    axes_of = ax.transData + ax.transAxes.inverted()
    taken: list[Floats] = []
    for level in (1.1, 1.5, 2, 3, 5, 10):
        if level >= found.gain.max():
            break
        line = ax.contour(found.price, found.y, found.gain, [level], colors="white", linewidths=0.8)
        vertices = np.concatenate([p.vertices for p in line.get_paths()])
        at = axes_of.transform(vertices)
        room = np.minimum(at, 1.0 - at).min(axis=1) / _EDGE
        for other in taken:
            room = np.minimum(room, np.hypot(*(at - other).T) / _APART)
        free = np.flatnonzero(room >= 1.0)
        if not free.size:
            line.remove()
            continue
        best = int(free[free.size // 2])
        taken.append(at[best])
        ax.clabel(line, fmt=f"×{level:g}", fontsize=7, manual=[tuple(vertices[best])])
