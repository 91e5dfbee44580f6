"""Figure: risk against task samples under power laws, and how fast it falls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.typing import ColorType

from mcbrain.errors import InputError
from mcbrain.population.brain_map import PLACES
from mcbrain.population.covariance import parse_covariance
from mcbrain.population.given import Given
from mcbrain.population.model import Model
from mcbrain.reporting.curves import has_its_best, pick
from mcbrain.reporting.style import (
    COLOURS,
    errorbars,
    figure,
    label_panels,
    legend_below,
    ramp,
    same_limits,
)
from mcbrain.reporting.words import model_words
from mcbrain.results.view import Results
from mcbrain.theory.exponents import random_source, ridge_exponent
from mcbrain.typing import Floats

__all__ = ["exponent_figure", "local_exponents"]

_FEWEST = 4  # numbers of task samples that make a curve of local exponents
_PALE = 0.16
_BANDS = (
    (COLOURS[1], "published range of ridge, noisy to noiseless"),
    (COLOURS[2], "the same for what the brain misses alone"),
)


def local_exponents(n_task: Floats, risk: Floats, error: Floats) -> tuple[Floats, Floats, Floats]:
    """-d log risk / d log n_task between neighbouring numbers of task samples.

    Parameters
    ----------
    n_task, risk, error : ndarray, shape (n,)
        Numbers of samples, ascending; risks, above 0; and their standard errors.

    Returns
    -------
    middle : ndarray, shape (n - 1,)
        Geometric means of the neighbours.
    exponent : ndarray, shape (n - 1,)
        Above 0 where more samples have less risk.
    spread : ndarray, shape (n - 1,)
        Its standard error, for risks of separate replicates.
    """
    step = np.diff(np.log(n_task))
    share = error / risk
    middle = np.sqrt(n_task[1:] * n_task[:-1])
    return middle, -np.diff(np.log(risk)) / step, np.hypot(share[1:], share[:-1]) / step


def exponent_figure(results: Results) -> Figure:
    """Risk under `id` against task samples, and below it the local exponent, for each model.

    Parameters
    ----------
    results : Results
        Of a study of models with power-law inputs.

    Returns
    -------
    matplotlib.figure.Figure
        Two rows of panels; up to four models.

    Raises
    ------
    InputError
        No model with a power law and a source exponent, too few n_task, or no tuned ridge.
    """
    study = results.study
    ridge = results.method("ridge")
    models = [i for i, model in enumerate(study.models) if _published(model)]
    if (
        not models
        or len(study.n_task) < _FEWEST
        or ridge is None
        or not has_its_best(results, ridge)
    ):
        raise InputError(
            "exponents need a covariance powerlaw:ALPHA with a task source:S, ridge with its "
            f"optimal penalty and {_FEWEST} numbers of task samples"
        )
    shown = [models[i] for i in pick(models)]
    made, axes = figure(len(shown), 2, height=2.9, wide=2.9)
    for (upper, lower), model in zip(axes.T, shown, strict=True):
        _panels(upper, lower, results, model)
        for ax in (upper, lower):
            ax.axvline(study.models[model].input_dim, color="#bbbbbb", lw=0.8, zorder=0)
        upper.set(xscale="log", yscale="log")
        upper.set_title(model_words(results, model), loc="right", fontsize=7.0)
        lower.set(xscale="log", xlabel="task samples $n_T$", xlim=upper.get_xlim())
        for ends, (colour, _) in zip(_published(study.models[model]) or (), _BANDS, strict=True):
            _band(lower, ends, study.models[model].input_dim, colour)
    axes[0, 0].set_ylabel("excess risk")
    axes[1, 0].set_ylabel("local exponent")
    for row in axes:
        same_limits(list(row), "y")
    label_panels(axes)
    legend_below(made, _handles(results))
    return made


def _band(ax: Axes, ends: tuple[float, float], right: int, colour: ColorType) -> None:
    """A range of exponents, as far as the number of inputs: beyond it they hold no longer."""
    left = ax.get_xlim()[0]
    size = max(right - left, 0.0), ends[1] - ends[0]
    ax.add_patch(Rectangle((left, ends[0]), *size, color=colour, alpha=_PALE, lw=0, zorder=0))
    ax.autoscale_view(scalex=False)


def _published(model: Model) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Exponents of ridge with and without noise: of the whole task, and of what the brain misses.

    The roughest part of the task decides. None where no exponents are known.
    """
    if isinstance(model.covariance, Given) or model.source is None:
        return None
    alpha = parse_covariance(model.covariance)
    place = model.brain.word
    if not alpha > 1.0 or place not in PLACES.values():
        return None
    missed, whole = model.source, model.source
    if place == PLACES["haar"] and model.misalignment < 1.0:
        whole = min(missed, random_source(alpha))
    noisy, free = (
        tuple(ridge_exponent(alpha, source, noisy=noisy) for source in (whole, missed))
        for noisy in (True, False)
    )
    return (noisy[0], free[0]), (noisy[1], free[1])


def _curves(results: Results) -> Iterator[tuple[int, int, str, ColorType]]:
    """Method, place of its brain samples, words and colour of each curve."""
    study = results.study
    ridge, befs = results.need("ridge", "an exponent"), results.method("befs")
    yield ridge, len(study.n_brain) - 1, "tuned ridge", COLOURS[1]
    brains = [b for b, n in enumerate(study.n_brain) if n > 0]
    if befs is None or not brains:
        return
    few = [brains[i] for i in pick(brains, 3)]
    for b, colour in zip(few, ramp(len(few)), strict=True):
        yield befs, b, f"BEFS, $n_B$ = {study.n_brain[b]:,}", colour


def _panels(upper: Axes, lower: Axes, results: Results, model: int) -> None:
    """The risks of a model, and their local exponents: points simulated, lines by law."""
    n_task = np.array(results.study.n_task, float)
    law = np.asarray(results.column("predicted"), float)
    for method, b, _, colour in _curves(results):
        place = (model, slice(None), b, method, 0)
        risk, error, simulated = results.mean[place], results.mcse[place], results.simulated[place]
        line = np.where(law[place] > 0, law[place], np.nan)
        errorbars(upper, n_task, risk, error, colour, simulated=simulated)
        upper.plot(n_task, line, color=colour, ls="--", zorder=1)
        middle, slope, spread = local_exponents(n_task, risk, error)
        errorbars(lower, middle, slope, spread, colour, simulated=simulated[1:] & simulated[:-1])
        lower.plot(middle, local_exponents(n_task, line, error)[1], color=colour, ls="--", zorder=1)


def _handles(results: Results) -> list[Line2D]:
    curves = [
        Line2D([], [], color=colour, marker="o", mfc="white", ls="--", label=words)
        for _, _, words, colour in _curves(results)
    ]
    published = [
        Line2D([], [], color=colour, alpha=_PALE, lw=7, label=words) for colour, words in _BANDS
    ]
    return [*curves, *published]
