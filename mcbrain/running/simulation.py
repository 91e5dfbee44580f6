"""One model simulated at once, its rows in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from mcbrain.asking.from_python import EncoderPenalty, Rank, Samples, adhoc_study
from mcbrain.asking.older_names import keyword
from mcbrain.checks import number
from mcbrain.plain import numpy_defaults
from mcbrain.plugins.record import Plugin
from mcbrain.population.model import Model
from mcbrain.running.computing import compute

__all__ = ["simulate"]


@numpy_defaults
def simulate(
    model: Model,
    n_task: Samples | None = None,
    n_brain: Samples | str | None = None,
    estimators: Mapping[str, object] | Mapping[str | Plugin, object] | None = None,
    shifts: Iterable[str | Plugin] = ("id",),
    *,
    precision: float = 0.01,
    absolute: float | None = None,
    max_replicates: int = 1_000_000,
    seed: int = 0,
    engine: str = "auto",
    exact_task_stage: bool = True,
    threads: int | None = None,
    rank: Rank = None,
    encoding_penalty: EncoderPenalty = 0.0,
    penalty_scale: str = "per-sample",
    points: Iterable[Sequence[int]] | None = None,
    where: str | None = None,
    law: bool | None = None,
    metrics: str | Plugin | Iterable[str | Plugin] = (),
) -> pa.Table:
    """Simulate one model; the same numbers as `mcbrain run` gives for the same seed.

    Parameters
    ----------
    model : Model
        What data is drawn from and tested on.
    n_task, n_brain : int or iterable of int, optional
        Task and brain samples; a grid of both is simulated. `n_brain` may be an expression of
        n_task, such as "2 * n_task"; without it there is no brain data.
    estimators : mapping, optional
        Name to penalty rule, as in a study; default ols, ridge, befs and befs-oracle, tuned. A
        plug-in (`mb.estimator`) stands for its own name, with a table of its parameters.
    shifts : iterable of str
        Test laws in text, such as "brain-insensitive:4"; or plug-ins (`mb.shift`), at their
        defaults, or a mapping of names to settings as in a study.
    precision, absolute : float
        Targets of each output: standard error / mean, and standard error. A precision of 0 runs
        exactly `max_replicates`, rounded up to whole blocks.
    max_replicates : int
        Replicates that an output has at most, rounded up to whole blocks.
    seed : int
        Of every random stream, and of random directions of brain and task.
    engine : str
        "auto", "raw", "sufficient", "spectral" or "law".
    exact_task_stage : bool
        Engine spectral: whether the exact law of the task stage stands for its simulation.
    threads : int, optional
        Threads on this machine, 1 to 4096; default all cores that this process may use. No number
        depends on it.
    rank : int, optional
        Of the brain subspace that stage 1 estimates; default the number of measured latents.
    encoding_penalty : float
        Ridge penalty of stage 1, the regression of recordings on inputs, for each brain sample
        whatever `penalty_scale` is; 0 is least squares.
    penalty_scale : str
        What the number of a fixed penalty multiplies: "per-sample" penalties stand beside the mean
        square over the task samples, "sum" ones beside the sum.
    points : iterable of pairs of int, optional
        (n_task, n_brain), in the place of `n_task` and `n_brain`.
    where : str, optional
        A condition on the points, such as "n_brain <= 10 * n_task"; as in a study.
    law : bool, optional
        The older name of `exact_task_stage`, read until release 0.3 with a warning.
    metrics : iterable of str
        What is measured beside the excess risk, such as "error_rate" or a plug-in (`mb.metric`):
        for each a column of its name and one of its standard error, NAME_mcse.

    Returns
    -------
    pyarrow.Table
        A row per output, columns as in a results file.

    Raises
    ------
    InputError
        What was asked has no meaning for the model, or is of the wrong type or out of range.
    """
    targets = {"relative": number("precision", precision, 0.0, 1e150)}
    if absolute is not None:
        targets["absolute"] = number("absolute", absolute, 0.0, 1e150)
    study = adhoc_study(
        model,
        n_task,
        n_brain,
        estimators,
        shifts,
        seed=seed,
        rank=rank,
        encoding_penalty=encoding_penalty,
        penalty_scale=penalty_scale,
        points=points,
        where=where,
        metrics=metrics,
        engine=engine,
        exact_task_stage=keyword("law", law, exact_task_stage),
        precision={**targets, "max_replicates": max_replicates},
    )
    return compute(study, threads=threads).table
