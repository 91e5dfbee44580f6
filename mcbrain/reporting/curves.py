"""Figure: risk against task samples and against brain samples, simulation beside the laws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.typing import ColorType
from numpy.typing import NDArray

from mcbrain.asking.estimators import Method
from mcbrain.asking.studies import Study
from mcbrain.errors import InputError
from mcbrain.reporting.style import (
    COLOURS,
    DOT,
    errorbars,
    figure,
    label_panels,
    legend_under,
    ramp,
)
from mcbrain.reporting.words import setting_words
from mcbrain.results.view import Results
from mcbrain.typing import Floats
from mcbrain.worth.surface import Surface

__all__ = [
    "has_its_best",
    "law_of",
    "line_handles",
    "most_brain",
    "need_gain",
    "pick",
    "risk_figure",
]


# Places on the axes (model, n_task, n_brain, output, shift) of a study's arrays.
Places: TypeAlias = tuple[int | slice | list[int] | NDArray[np.int64], ...]

_COLOUR: dict[str, ColorType] = {"ols": COLOURS[6], "ridge": COLOURS[1], "befs-oracle": COLOURS[2]}
_CURVES = 4
# Numbers of task samples that a curve of its own needs at least, for a number of brain samples.
_LINE = 2


def pick(values: Sequence[object], most: int = _CURVES) -> list[int]:
    """Places of a few values, spread evenly from the first to the last.

    Parameters
    ----------
    values : sequence
        Any values in order.
    most : int
        How many at most, at least 2.

    Returns
    -------
    list of int
        Ascending; all places where there are no more than `most`.
    """
    n = len(values)
    if n <= most:
        return list(range(n))
    return sorted({round(i) for i in np.linspace(0, n - 1, most)})


def law_of(results: Results, model: int) -> Surface | None:
    """The risk by the laws, where they hold for a model and for the study's brain stage.

    Parameters
    ----------
    results : Results
        For the study.
    model : int
        Place among the study's models.

    Returns
    -------
    Surface or None
        None where the laws do not hold.
    """
    m = results.study.models[model]
    plain = all(
        encoder.rule.value == 0 and encoder.rank_of(m) == m.k_m
        for encoder in results.study.encoders
    )
    lawful = m.isotropic and m.linear_labels and m.sigma_y > 0
    return Surface(m) if lawful and plain else None


def encoder_words(results: Results, method: int) -> str:
    """What a legend adds to the name of an estimator, where the study has several encoders.

    Parameters
    ----------
    results : Results
        For the study.
    method : int
        Place among its methods, of an estimator of the subspace.

    Returns
    -------
    str
        Such as ", encoder loo"; empty where there is one encoder.
    """
    study = results.study
    if len(study.encoders) == 1:
        return ""
    return ", " + (study.methods[method].encoder.words or "encoder 0")


def need_gain(results: Results) -> tuple[Method, int]:
    """What a gain needs, or a sentence about what is missing.

    Parameters
    ----------
    results : Results
        For the study.

    Returns
    -------
    baseline : Method
        What gains are against.
    befs : int
        Place of BEFS among the study's estimators.

    Raises
    ------
    InputError
        No baseline, or no BEFS.
    """
    baseline, befs = results.study.baseline(), results.method("befs")
    if baseline is None or befs is None:
        raise InputError("a gain needs BEFS, and tuned ridge or ols")
    return baseline, befs


def most_brain(results: Results, task: int) -> int:
    """Place of the most brain samples that some model is asked beside a number of task samples.

    Parameters
    ----------
    results : Results
        For the study.
    task : int
        Place among its numbers of task samples.

    Returns
    -------
    int
        The last place on the axis n_brain with a point.
    """
    return int(np.flatnonzero(results.asked[:, task].any(axis=0))[-1])


def line_handles(
    results: Results, names: tuple[str, ...], exact: bool = True, asymptotic: bool = True
) -> list[Line2D]:
    """Entries of a legend that say what is simulated and which lines are laws.

    Parameters
    ----------
    results : Results
        Whose points are drawn.
    names : tuple of str
        Estimators whose points are drawn.
    exact, asymptotic : bool
        Whether there are solid, and dashed, lines.

    Returns
    -------
    list of Line2D
        One for each kind of mark that there is.
    """
    grey, handles = "#555555", []
    methods = [c for c in (results.method(name) for name in names) if c is not None]
    known = np.isfinite(results.mean[..., methods, :])
    simulated = results.simulated[..., methods, :]
    if np.any(known & simulated):
        label = "simulated, ±2 s.e."
        handles.append(Line2D([], [], color=grey, marker="o", mfc="white", ls="", label=label))
    if np.any(known & ~simulated):
        label = "law, not simulated"
        handles.append(Line2D([], [], color=grey, marker=".", ms=DOT, ls="", label=label))
    if exact:
        handles.append(Line2D([], [], color=grey, ls="-", label="exact law"))
    if asymptotic:
        handles.append(Line2D([], [], color=grey, ls="--", label="asymptotic law"))
    return handles


def risk_figure(results: Results) -> Figure:
    """Excess risk under `id` over n_task for several n_brain, and over n_brain for several n_task.

    Parameters
    ----------
    results : Results
        Of any engine.

    Returns
    -------
    matplotlib.figure.Figure
        A panel for each of the two axes that has enough samples.

    Raises
    ------
    InputError
        Fewer than three numbers of task samples and of brain samples.
    """
    study, model = results.study, 0
    brains = [b for b, n in enumerate(study.n_brain) if n > 0]
    over_task = int(results.asked[model].any(axis=1).sum()) >= 3
    over_brain = len(brains) >= 3 and _known_over_brain(results, model, brains)
    if not over_task and not over_brain:
        raise InputError(
            "a curve of the risk needs at least three n_task, or three n_brain beside one n_task, "
            "the estimator 'befs' and an n_task more than 7 from the rank"
        )
    shift = 0
    made, axes = figure(over_task + over_brain, height=4.3, wide=4.3)
    if over_task:
        _over_task(axes[0, 0], results, model, brains, shift)
    if over_brain:
        _over_brain(axes[0, -1], results, model, brains, shift)
    for ax in axes[0]:
        ax.set_title(setting_words(results, model, shift), loc="right")
    label_panels(axes)
    return made


def _over_task(ax: Axes, results: Results, model: int, brains: list[int], s: int) -> None:
    """The panel of the risk against task samples, a curve for each estimator and n_brain."""
    study, surface = results.study, law_of(results, model)
    n = np.array(study.n_task, float)
    fine = np.geomspace(n.min(), n.max(), 400)
    d, unit = study.models[model].input_dim, study.models[model].signal_norm ** 2
    lawful = surface is not None and study.shifts[s].label == "id"
    handles = []
    for name in ("ols", "ridge", "befs-oracle"):
        c = results.method(name)
        if c is None:
            continue
        if name == "befs-oracle" and not has_its_best(results, c):
            continue
        colour = _COLOUR[name]
        row: Places = (model, np.arange(n.size), results.without_brain(model, 0), c, s)
        _risks(ax, results, n, row, colour)
        if lawful and surface is not None and (has_its_best(results, c) or name == "ols"):
            exact = _exact_curve(surface, name, fine)
            ax.plot(fine, _finite(exact * unit), color=colour)
        words = {
            "ols": "OLS",
            "ridge": "tuned ridge" if study.methods[c].tuned else "ridge, fixed penalty",
            "befs-oracle": "BEFS, unlimited brain data",
        }
        handles.append(Line2D([], [], color=colour, label=words[name]))
    befs = results.method("befs")
    if befs is not None:
        encoder = encoder_words(results, befs)
        lines = [b for b in brains if np.count_nonzero(results.asked[model, :, b]) >= _LINE]
        shown = [lines[i] for i in pick(lines)]
        if not lines and brains:
            law = surface if lawful and has_its_best(results, befs) else None
            handles.append(_path(ax, results, (model, befs, s), brains, law))
        for b, colour in zip(shown, ramp(len(shown)), strict=True):
            _risks(ax, results, n, (model, slice(None), b, befs, s), colour)
            if lawful and surface is not None and has_its_best(results, befs):
                risk = surface.risk(fine, study.n_brain[b])
                ax.plot(fine, _finite(risk * unit), color=colour, ls="--")
            handles.append(
                Line2D([], [], color=colour, label=f"BEFS, $n_B$ = {study.n_brain[b]:,}{encoder}")
            )
    if n.min() <= d <= n.max():
        ax.axvline(d, color="#bbbbbb", lw=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="task samples $n_T$", ylabel="excess risk")
    _limit(ax, results, model, s)
    names = (*_COLOUR, "befs")
    handles += line_handles(results, names, exact=lawful, asymptotic=lawful and befs is not None)
    legend_under(ax, handles)


def _path(
    ax: Axes, results: Results, row: tuple[int, int, int], brains: list[int], law: Surface | None
) -> Line2D:
    """The risks of BEFS where no number of brain samples has a curve of its own: all in one.

    The law joins them where each number of task samples has one of brain samples beside it.
    """
    (model, befs, s), study = row, results.study
    tasks, places = (np.array(x) for x in np.nonzero(results.asked[model][:, brains]))
    chosen = np.array(brains)[places]
    n, n_brain = np.array(study.n_task, float)[tasks], np.array(study.n_brain, float)[chosen]
    _risks(ax, results, n, (model, tasks, chosen, befs, s), COLOURS[0])
    if law is not None and np.unique(tasks).size == tasks.size:
        risk = law.risk(n, n_brain) * study.models[model].signal_norm ** 2
        ax.plot(n, _finite(risk), color=COLOURS[0], ls="--")
    return Line2D([], [], color=COLOURS[0], label=f"BEFS, {_beside(study)}")


def _beside(study: Study) -> str:
    """How many brain samples are beside each number of task samples, in words."""
    asked = study.design.table.get("n_brain", [])
    rules = [rule for rule in (asked if isinstance(asked, list) else [asked]) if rule != 0]
    return f"n_brain = {rules[0]}" if len(rules) == 1 else "n_brain of each point"


def _over_brain(ax: Axes, results: Results, model: int, brains: list[int], s: int) -> None:
    """The panel of the risk of BEFS against brain samples, a curve for each n_task."""
    study, surface = results.study, law_of(results, model)
    befs = results.need("befs", "a curve over brain samples")
    n = np.array([study.n_brain[b] for b in brains], float)
    r = study.rank(study.models[model])
    fine = np.geomspace(max(n.min(), r), n.max(), 500)
    unit = study.models[model].signal_norm ** 2
    lawful = surface is not None and study.shifts[s].label == "id" and has_its_best(results, befs)
    fits = _clear_of_rank(results, model, brains)
    shown = [fits[i] for i in pick(fits)]
    handles = []
    for t, colour in zip(shown, ramp(len(shown)), strict=True):
        _risks(ax, results, n, (model, t, brains, befs, s), colour)
        if lawful and surface is not None:
            n_task = study.n_task[t]
            ax.plot(fine, surface.risk(n_task, fine) * unit, color=colour, ls="--")
            ridge = float(surface.ridge(n_task)) * unit
            ax.plot([fine[0], fine[-1]], [ridge, ridge], color=colour, lw=0.8)
        handles.append(Line2D([], [], color=colour, label=f"$n_T$ = {study.n_task[t]:,}"))
    d = study.models[model].input_dim
    if n.min() <= d <= n.max():
        ax.axvline(d, color="#bbbbbb", lw=0.8, zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="brain samples $n_B$", ylabel="excess risk of BEFS")
    if lawful:
        handles.append(Line2D([], [], color="#555555", lw=0.8, label="tuned ridge, no brain data"))
    handles += line_handles(results, ("befs",), exact=False, asymptotic=lawful)
    legend_under(ax, handles)


def _clear_of_rank(results: Results, model: int, brains: list[int]) -> list[int]:
    """Places of the numbers of task samples at which BEFS has risks to be drawn over n_brain."""
    study = results.study
    r, several = study.rank(study.models[model]), results.asked[model][:, brains].sum(axis=1) >= 2
    return [t for t, v in enumerate(study.n_task) if abs(v - r) > 7 and several[t]]


def _known_over_brain(results: Results, model: int, brains: list[int]) -> bool:
    """Whether there is a risk of BEFS to draw over brain samples."""
    befs, tasks = results.method("befs"), _clear_of_rank(results, model, brains)
    if befs is None:
        return False
    return bool(np.isfinite(results.mean[np.ix_([model], tasks, brains, [befs], [0])]).any())


def _risks(ax: Axes, results: Results, x: Floats, place: Places, colour: ColorType) -> None:
    """The risks of some rows over x."""
    y, error = results.mean[place], results.mcse[place]
    errorbars(ax, x, y, error, colour, simulated=results.simulated[place])


def has_its_best(results: Results, method: int) -> bool:
    """Whether an estimator has its optimal penalty.

    Parameters
    ----------
    results : Results
    method : int
        Place of the method in the study.

    Returns
    -------
    bool
        Whether its rule is the one that minimises the `id` risk.
    """
    return results.study.methods[method].rule.record.under == "id"


def _ols(surface: Surface, n: Floats) -> Floats:
    """Both branches of OLS (theory/README.md 4a, 4b); NaN next to interpolation."""
    d, v = surface.d, surface.sigma**2
    with np.errstate(divide="ignore", invalid="ignore"):
        under = 1.0 - n / d + v * n / (d - n - 1.0)
        over = v * d / (n - d - 1.0)
    return np.where(n < d - 1.5, under, np.where(n > d + 1.5, over, np.nan))


def _exact_curve(surface: Surface, name: str, n: Floats) -> Floats:
    """The exact law of an estimator that needs no brain law."""
    if name == "ols":
        return _ols(surface, n)
    return surface.ridge(n) if name == "ridge" else surface.befs(n, surface.m_bar(np.inf))


def _finite(values: Floats) -> Floats:
    """The same values with NaN, which is not drawn, in place of infinity."""
    return np.where(np.isfinite(values), values, np.nan)


def _limit(ax: Axes, results: Results, model: int, s: int) -> None:
    """End the y axis at ten times the worst risk of tuned ridge, so that no divergence fills it."""
    shown, ridge = [results.method(name) for name in (*_COLOUR, "befs")], results.method("ridge")
    place = (model, slice(None), slice(None), slice(None), s)
    # The values of the laws count too: their lines are drawn even where a run was stopped before.
    law = np.asarray(results.column("predicted"), float)[place]
    values = np.concatenate([results.mean[place], np.where(law > 0, law, np.nan)], axis=0)
    drawn = values[..., [c for c in shown if c is not None]]
    good = drawn[np.isfinite(drawn) & (drawn > 0)]
    if not good.size:
        return
    top = 2.0 * good.max()
    if ridge is not None and np.isfinite(values[..., ridge]).any():
        top = min(top, 10.0 * np.nanmax(values[..., ridge]))
    ax.set_ylim(good.min() / 1.6, top)
