"""`appraise`: from a user's arrays to estimates, predictions, measurements and one verdict."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mcbrain.appraisal.arrays import Complete, check, complete
from mcbrain.appraisal.brain_side import BrainSide, brain_side
from mcbrain.appraisal.columns import matched_by_position
from mcbrain.appraisal.comparison import compare, measured_worth
from mcbrain.appraisal.coordinates import Inputs, coordinates
from mcbrain.appraisal.diagnostics import (
    Diagnostic,
    alike_scales,
    alike_shapes,
    in_order,
    linear,
    repeated,
)
from mcbrain.appraisal.measure import DRAWN, best_ridge, measure
from mcbrain.appraisal.parameters import Estimates, Parameters, Shape
from mcbrain.appraisal.predict import DRAWS, Laws, worth_of
from mcbrain.appraisal.rows import Together, belonging, order_of
from mcbrain.appraisal.task_model import Fitted, TaskModel, TaskParameters
from mcbrain.appraisal.verdict import Evidence, control_p, judge, with_worth
from mcbrain.blas import one_blas_thread
from mcbrain.checks import affordable, integer, positive
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.typing import Floats

if TYPE_CHECKING:
    pass
from mcbrain.appraisal.result import Appraisal

__all__ = ["appraise"]

# Data are held out in turn, so that at least this many blocks are needed.
_FEWEST_BLOCKS = 10
# Brain rows above which products of their Gram matrix are worth several threads.
_MANY_ROWS = 3000
_NOISELESS = 1e-6


@numpy_defaults
def appraise(
    X: object,
    y: object,
    X_brain: object,
    R: object,
    *,
    groups: object = None,
    groups_brain: object = None,
    n_latents: int | None = None,
    cost_task: float = 1.0,
    cost_brain: float = 1.0,
    budget: float | None = None,
    block_length: int = 1,
    draws: int = 200,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Appraisal:
    """Estimate the model behind two data sets, predict what the brain data is worth, measure it.

    The brain data is worth what BEFS gains over the ridge regression that a careful user would run:
    on the inputs as they are or standardised, whichever is better on the training rows, at the
    penalty that is best there.

    Parameters
    ----------
    X, y : (n_task, d), (n_task,)
        Inputs and labels of the task.
    X_brain, R : (n_brain, d), (n_brain, p)
        The same inputs for other samples, and their recordings. If X and X_brain are both
        DataFrames (pandas, polars) or Arrow tables, their columns are matched by name; otherwise
        by position, of which the verdict warns where only one side has names. Columns may hold
        numbers of any type: decimal, nullable and dictionary columns and truth values too. There
        may be more inputs than rows, and inputs may be collinear. R is read once, in slices of
        channels; it may be mapped from a file. Rows and channels that miss values (NaN, masked) are
        left out.
    groups, groups_brain : (n_task,), (n_brain,), optional
        Which rows belong together: a run, session, subject or story for each row, values of any
        type. They are held out, drawn and shuffled together.
    n_latents : int, optional
        Rank of the brain stage; chosen by cross-validation by default.
    cost_task, cost_brain : float
        Price of one more row of either.
    budget : float, optional
        For the next purchase; by default a tenth of what the rows in hand cost.
    block_length : int
        Consecutive rows that belong together (time series), on sides without groups: they are held
        out together, with a gap of half a block around them. At most a tenth of the task rows.
    draws : int
        Sets of labels that are drawn for the intervals of the estimates, at least 100.
    seed : int
        Of everything that is drawn.
    progress : callable, optional
        Called with a word for the step and the share of it that is done.

    Returns
    -------
    Appraisal
        Its `summary()` is a text to read, its `verdict` the answer.

    Raises
    ------
    InputError
        For arrays or settings that cannot be used, for groups that leave nothing to hold out, and
        for names of inputs that differ.
    """
    arrays = check(X, y, X_brain, R)
    cost_task, cost_brain = positive("cost_task", cost_task), positive("cost_brain", cost_brain)
    budget = None if budget is None else positive("budget", budget)
    if n_latents is not None:
        n_latents = integer("n_latents", n_latents, 1, arrays.X.shape[1])
    block_length = integer("block_length", block_length, 1, arrays.y.size // _FEWEST_BLOCKS)
    draws = integer("draws", draws, 100, 1_000_000)
    seed = integer("seed", seed, 0, 2**63 - 1)
    if progress is not None and not callable(progress):
        raise InputError(f"progress = {progress!r}: a function of a step and a share is allowed")
    if budget is not None:
        affordable(budget, cost_task=cost_task, cost_brain=cost_brain)
    data = complete(arrays)
    sets = (
        _together(data.X, groups, block_length, "groups", data.task, arrays.y.size),
        _together(
            data.X_brain, groups_brain, block_length, "groups_brain", data.brain, len(arrays.R)
        ),
    )
    by_position = [said for said in [matched_by_position(X, X_brain)] if said]
    report = progress or (lambda step, share: None)
    # Small matrices are many: more BLAS threads would only wait for each other.
    wide = data.brain.size > _MANY_ROWS and arrays.R.shape[1] > data.brain.size
    with nullcontext() if wide else one_blas_thread():
        return _appraise(
            data,
            sets,
            by_position,
            n_latents=n_latents,
            costs=(cost_task, cost_brain, budget),
            draws=draws,
            seed=seed,
            report=report,
        )


def _together(
    X: Floats,
    groups: object,
    block_length: int,
    name: str,
    kept: NDArray[np.integer],
    size: int,
) -> Together:
    """Which of the rows that are left belong together."""
    if groups is not None:
        values = np.asarray(groups)
        if values.shape != (size,):
            raise InputError(
                f"{name} has shape {values.shape}: it must have one value a row, {(size,)}"
            )
        groups = values[kept]
    return belonging(X, groups, block_length, name)


@dataclass(frozen=True)
class _Task:
    """The task in the coordinates that ridge prefers."""

    place: int
    inputs: Inputs
    model: TaskModel
    fitted: Fitted
    may_be: TaskParameters


def _appraise(
    data: Complete,
    sets: tuple[Together, Together],
    said: list[str],
    *,
    n_latents: int | None,
    costs: tuple[float, float, float | None],
    draws: int,
    seed: int,
    report: Callable[[str, float], None],
) -> Appraisal:
    """The appraisal of complete rows."""
    inputs = coordinates(data.X, data.X_brain)
    brain = brain_side(
        inputs, data.R, data.brain, sets[1], n_latents=n_latents, seed=seed, report=report
    )
    report("estimate", 0.0)
    task = _task(inputs, data.y, brain, sets[0], draws, seed)
    estimates = _estimates(task, brain, data, seed)
    rng = np.random.default_rng([seed, 6])
    now = task.model.labels(task.fitted, task.fitted.parameters, DRAWN, rng)[0]
    some = _some(task.may_be, DRAWN)
    then, weights, part = task.model.labels(task.fitted, some, DRAWN, rng)
    alone = sets[0].alone
    shares = task.model.refitted(now), task.model.shares(some, weights, part)
    pairs = measure(
        inputs,
        np.column_stack([data.y, now, then]),
        shares if alone else None,
        sets[0],
        brain.levels,
        brain.subspace,
        brain.controls,
        rank=estimates.shape.r,
        rng=np.random.default_rng([seed, 7]),
        progress=lambda share: report("measure", share),
    )
    comparisons = compare(float(task.fitted.parameters.noise[0]), pairs)
    diagnostics = _diagnostics(data, inputs, sets, brain, task)
    measured = measured_worth(comparisons)
    lost = _lost_channels(brain)
    evidence = Evidence(
        estimates, brain.chance, comparisons, measured, diagnostics, [*said, *data.said, *lost]
    )
    verdict, worth = judge(evidence), None
    laws = Laws.of(task.inputs, estimates.subspace, alone)
    if verdict.answer == "agree" and laws is not None:
        report("predict", 0.0)
        worth = worth_of(
            estimates,
            laws,
            weights[:, :DRAWS],
            np.sqrt(task.may_be.noise[:DRAWS]),
            _improvement(task, brain, data.y, sets[0]),
            cost_task=costs[0],
            cost_brain=costs[1],
            budget=costs[2],
        )
    report("done", 1.0)
    return Appraisal(
        estimates,
        comparisons,
        worth,
        measured,
        with_worth(verdict, evidence, worth, Laws.lacking(task.inputs, alone)),
        diagnostics,
        brain.chance.p,
        control_p(evidence),
    )


def _task(
    inputs: tuple[Inputs, Inputs],
    y: Floats,
    brain: BrainSide,
    together: Together,
    draws: int,
    seed: int,
) -> _Task:
    """The linear model of the task, in the coordinates in which ridge is better on all rows."""
    place = best_ridge(inputs, y, together, np.arange(y.size))
    one = inputs[place]
    model = TaskModel.of(one.task, y, brain.full[place], together)
    fitted = model.fit(y)
    _not_exact(y, fitted)
    may_be = model.uncertainty(fitted, draws, np.random.default_rng([seed, 5]))
    return _Task(place, one, model, fitted, may_be)


def _not_exact(y: Floats, fitted: Fitted) -> None:
    """Refuse labels without noise."""
    if float(np.sqrt(np.mean(fitted.unfiltered**2))) <= _NOISELESS * float(np.std(y)):
        raise InputError("y is an exact linear function of the inputs: there is nothing to learn")


def _some(parameters: TaskParameters, count: int) -> TaskParameters:
    """The first draws of what the parameters may be."""
    return TaskParameters(*(getattr(parameters, f.name)[:count] for f in fields(TaskParameters)))


def _estimates(task: _Task, brain: BrainSide, data: Complete, seed: int) -> Estimates:
    """Values and draws of all parameters."""
    rng = np.random.default_rng([seed, 8])
    at, may_be = task.fitted.parameters, task.may_be
    draws = may_be.noise.size
    encoding = brain.encodings[task.place]
    # Latent gains without each fold in turn: the jackknife.
    folds = brain.encodings[0].gains * brain.recordings.scale
    count = folds.shape[0]
    error = np.sqrt((count - 1) / count * np.sum((folds - folds.mean(axis=0)) ** 2, axis=0))
    gains = brain.gains[: error.size]
    chance = rng.standard_t(max(brain.together.count - 1, 2), draws)
    size = np.sqrt(np.maximum(1.0 + brain.noise.error * chance, 0.05))
    value = Parameters(
        task_noise=np.sqrt(at.noise[0]),
        signal=at.signal[0],
        missed=at.missed[0],
        latent_gains=gains,
        neural_noise=np.asarray(brain.noise.size),
    )
    drawn = Parameters(
        task_noise=np.sqrt(may_be.noise),
        signal=may_be.signal,
        missed=may_be.missed,
        latent_gains=gains + error * rng.standard_t(count - 1, (draws, error.size)),
        neural_noise=brain.noise.size * size,
    )
    d = data.X.shape[1]
    rank = brain.full[task.place].shape[1]
    shape = Shape(data.y.size, data.brain.size, d, brain.recordings.channels, rank)
    assert rank <= encoding.rank
    return Estimates(
        value,
        drawn.bounded(),
        brain.full[task.place],
        shape,
        task.inputs.name,
        brain.chance.visible,
    )


def _improvement(
    task: _Task, brain: BrainSide, y: Floats, together: Together
) -> Callable[[float], float]:
    """What the subspace of more brain rows misses, over what it misses now.

    A subspace misses what the brain does not represent, and what too few rows did not find; the
    latter falls as one over the rows (theory/README.md 5a), and half of the rows tell its size.
    """
    n = brain.levels[0]
    now = max(float(task.fitted.parameters.missed[0]), 1e-3)
    lost = 0.0
    if len(brain.levels) > 1:
        halves = [
            TaskModel(task.inputs.task, brain.subspace(task.place, 1, draw), together).fit(y)
            for draw in range(2)
        ]
        missed = float(np.mean([half.parameters.missed[0] for half in halves]))
        share = 1.0 / brain.levels[1] - 1.0 / n
        lost = min(max(missed - now, 0.0) / share, now * n)

    def of(rows: float) -> float:
        return 1.0 - lost * (1.0 / n - 1.0 / rows) / now

    return of


def _lost_channels(brain: BrainSide) -> list[str]:
    """What was left out of the recordings, and what was whitened."""
    found = brain.recordings
    said = []
    if found.dropped:
        said.append(
            f"{found.dropped} of {found.channels + found.dropped} channels miss values or do not "
            "vary and were left out"
        )
    return said


def _diagnostics(
    data: Complete,
    inputs: tuple[Inputs, Inputs],
    sets: tuple[Together, Together],
    brain: BrainSide,
    task: _Task,
) -> list[Diagnostic]:
    """The assumptions, each held against the data."""
    residual = task.fitted.unfiltered
    order = order_of(residual[1:] * residual[:-1], float(np.mean(residual**2)), sets[0])
    found = [
        in_order(order, "labels", "groups", sets[0].given),
        in_order(brain.noise.order, "recordings", "groups_brain", sets[1].given),
        repeated(sets[0], "task", "groups"),
        repeated(sets[1], "brain", "groups_brain"),
        alike_scales(data.X, data.X_brain, sets),
        alike_shapes(inputs[1].task, inputs[1].brain),
        linear(residual, data.y - data.y.mean() - residual),
    ]
    return [one for one in found if one is not None]
