"""Values found by simulation: the baseline's curve inverted, with intervals over blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.studies import Study
from mcbrain.checks import number
from mcbrain.errors import InputError
from mcbrain.population.model import Model
from mcbrain.results.view import Results, Simulated
from mcbrain.typing import Floats
from mcbrain.worth.answer import Value
from mcbrain.worth.inversion import samples_for
from mcbrain.worth.surface import Surface

__all__ = ["Effort", "SimulatedValue", "simulated_value", "value_in_results"]


class Effort(NamedTuple):
    """How much is simulated for a value, and by what; see `simulate`.

    Attributes
    ----------
    precision : float
        Target standard error over the mean.
    max_replicates : int
        Replicates at most.
    seed : int
        Of all random numbers.
    engine : str
        Name of an engine, or "auto".
    threads : int or None
        Threads of this machine; None for all cores.
    """

    precision: float
    max_replicates: int
    seed: int
    engine: str
    threads: int | None


@dataclass(frozen=True)
class SimulatedValue(Simulated):
    """v_T with its interval, or with a bound where it lies beyond the baseline's curve.

    Attributes
    ----------
    bound : str
        Such as "> 120"; empty where there is a value.
    """

    bound: str = ""


def value_in_results(
    results: Results,
    model: int,
    n_task: int,
    n_brain: int,
    baseline: str = "ridge",
    shift: str = "id",
) -> tuple[SimulatedValue, str]:
    """The value v_T at one point of a results folder (theory/README.md 6).

    Between neighbouring numbers of task samples the baseline's curve is interpolated in the scale
    of its Gaussian law, n(R), in which it is straight where that law holds; the law moves no point.

    Parameters
    ----------
    results : Results
        With BEFS and the baseline, at two or more numbers of task samples.
    model, n_task, n_brain : int
        Places in the study's grid.
    baseline : str
        "ridge" or "ols".
    shift : str
        In text, one of the study's.

    Returns
    -------
    value : SimulatedValue
        In task samples, with its 95 % interval.
    note : str
        Why there is no value, or whether it differs from 0; empty if nothing must be said.

    Raises
    ------
    InputError
        No such point, or results without the baseline, without BEFS, or of a single number of task
        samples.
    """
    study = results.study
    base = results.need(baseline, f"the value against {baseline}")
    befs = results.need("befs", "the value of brain data")
    if study.n_brain[n_brain] == 0:
        raise InputError("n_brain = 0: brain data that was not collected has no value")
    if not results.asked[model, n_task, n_brain]:
        raise InputError(
            f"{results.place}: n_task = {study.n_task[n_task]} with n_brain = "
            f"{study.n_brain[n_brain]} is no point of the study; add it to [design] and run again"
        )
    s, samples = results.shift(shift), np.array(study.n_task, dtype=float)
    # The baseline uses no brain data: where a point was not asked, one of other brain data serves.
    brains = results.without_brain(model, n_brain)
    row = (model, np.arange(samples.size), brains, base, s)
    curve, places = results.mean[row], _usable(results, row, model, baseline)
    scale = _Scale(study.models[model], baseline, samples[places], samples[n_task])
    tasks, brains = np.append(places, n_task), np.append(brains[places], n_brain)
    methods = np.append(np.full(places.size, base), befs)
    found = results.measure(scale, (model, tasks, brains, methods, s))
    place = (model, n_task, n_brain, befs, s)
    risk, lowest = results.mean[place], curve[places[-1]]
    single = SimulatedValue(
        value=found.value[..., 0],
        error=found.error[..., 0],
        low=found.low[..., 0],
        high=found.high[..., 0],
        bound="" if np.isfinite(found.value).all() else scale.bound(risk, lowest),
    )
    if results.unreached[place]:
        return single, "this point has no mean yet; run the study again to finish it"
    return single, scale.note(single, risk, lowest)


def _usable(
    results: Results, row: tuple[int | NDArray[np.int64], ...], model: int, baseline: str
) -> NDArray[np.int64]:
    """Places on the n_task axis at which the baseline's curve can be inverted: two at least.

    A mean without a variance is none: no interval could be given for what is read from it.
    """
    study = results.study
    samples, input_dim = np.array(study.n_task), study.models[model].native_dim
    within = (samples > input_dim + 1) | (baseline == "ridge")
    there = np.isfinite(results.mean[row])
    usable = there & np.isfinite(results.mcse[row]) & within
    if usable.sum() < 2 <= (usable | (within & ~there)).sum():
        raise InputError(
            f"{results.place}: {baseline} has a mean at fewer than two of its "
            f"{within.sum()} numbers of task samples, so the curve cannot be inverted; "
            "run the study again to finish it"
        )
    if usable.sum() < 2:
        above = f" above d + 3 = {input_dim + 3}" if baseline == "ols" else ""
        raise InputError(
            f"{results.place}: inverting the curve of {baseline} needs at least two numbers "
            f"of task samples{above}; add some to [design] and run again"
        )
    return np.flatnonzero(usable)


class _Scale:
    """From the risks of the baseline and of BEFS, (..., points + 1), to v_T, (..., 1)."""

    def __init__(self, model: Model, baseline: str, samples: Floats, n_task: float) -> None:
        noise = model.recorded.task_noise
        self.twin = Surface(
            Model(input_dim=model.input_dim, latent_dim=1, n_channels=1, task_noise=noise or 1e-3)
        )
        self.baseline, self.samples, self.n_task = baseline, samples, n_task
        self.unit = model.signal_norm**2

    def __call__(self, risks: Floats) -> Floats:
        # Leaving out a block moves one risk of a curve: the others are inverted once for all.
        known, which = np.unique(risks / self.unit, return_inverse=True)
        scaled = samples_for(self.twin, known, self.baseline)[which].reshape(risks.shape)
        flat = np.atleast_2d(scaled)
        out = np.array([self._invert(row[:-1], row[-1]) for row in flat])
        return np.asarray(out.reshape(*scaled.shape[:-1], 1) - self.n_task)

    def _invert(self, curve: Floats, target: float) -> float:
        """Task samples at which the baseline's curve has the target risk; NaN beyond its ends."""
        known = np.isfinite(curve)
        n, scale = self.samples[known], np.maximum.accumulate(curve[known])
        # Without data the risk of ridge is 1, which needs no simulation.
        if self.baseline == "ridge":
            n, scale = np.append(0.0, n), np.append(0.0, scale)
        if not scale.size or not scale[0] <= target <= scale[-1]:
            return float("nan")
        return float(np.interp(target, scale, n))

    def bound(self, risk: float, lowest: float) -> str:
        """Which end of the baseline's curve a risk is beyond; empty where ridge never has it."""
        if not np.isfinite(risk) or (self.baseline == "ridge" and risk >= self.unit):
            return ""
        first, last = self.samples[[0, -1]] - self.n_task
        return f"> {last:,.0f}" if risk < lowest else f"< {first:,.0f}"

    def note(self, found: Simulated, risk: float, lowest: float) -> str:
        """Why there is no value, in words; empty where there is one.

        Parameters
        ----------
        found : Simulated
        risk, lowest : float
            Of BEFS, and of the baseline at the largest number of task samples that has one.
        """
        if np.isfinite(found.value):
            if found.high < 0:
                return "brain data hurts here"
            return "" if found.low > 0 else "cannot tell whether brain data helps here"
        if not np.isfinite(risk):
            return "the mean risk of BEFS is infinite at this number of task samples"
        if self.baseline == "ridge" and risk >= self.unit:
            return "BEFS is worse here than predicting zero, a risk that ridge never has"
        name = "tuned ridge" if self.baseline == "ridge" else "OLS"
        first, last = self.samples[[0, -1]]
        if risk < lowest:
            bound = f"still has more with n_task = {last:,.0f}, the most that was simulated"
            end, side = f"above {last - self.n_task:,.0f}", "larger"
        else:
            bound = (
                f"has less even with n_task = {first:,.0f}, the fewest of the study that it can use"
            )
            end, side = f"below {first - self.n_task:,.0f}", "smaller"
        return (
            f"BEFS has a risk of {risk:.4g} here and {name} {bound}, so the value is {end} task "
            f"samples; to measure it, run a study with {side} numbers in [design] n_task"
        )


def simulated_value(
    model: Model,
    n_task: int,
    n_brain: int,
    baseline: str,
    law: Value | None,
    effort: Effort,
    encoding_penalty: float | str = 0.0,
) -> Value:
    """Simulate BEFS, and the baseline about the law's answer, and invert its curve; see `value`.

    Parameters
    ----------
    model : Model
        Any model.
    n_task, n_brain : int
        Numbers of samples.
    baseline : str
        "ridge" or "ols".
    law : Value or None
        The law's answer, about which to simulate; None where no law holds.
    effort : Effort
        How much is simulated, and by what.
    encoding_penalty : float or str
        Of the encoder, as for `simulate`.

    Returns
    -------
    Value
        Without what only a law can say: its marginal rate and saturation are NaN.

    Raises
    ------
    InputError
        No brain samples, or an option that is not allowed.
    """
    from mcbrain.running.computing import compute

    if n_brain == 0:
        raise InputError("n_brain = 0: brain data that was not collected has no value to measure")
    tasks = _grid(model, n_task, law, baseline)
    study = _study(model, tasks, n_brain, baseline, effort, encoding_penalty)
    results = compute(study, threads=effort.threads)
    place = study.n_task.index(n_task)
    found, note = value_in_results(results, 0, place, 0, baseline)
    base, befs = (results.need(name, "value") for name in (baseline, "befs"))
    risks = results.mean[0, place, 0, :, 0] / model.signal_norm**2
    samples = float(found.value)
    return Value(
        n_task=n_task,
        n_brain=n_brain,
        baseline=baseline,
        task_samples=samples,
        saved_fraction=samples / (n_task + samples),
        exchange_rate=samples / n_brain,
        marginal_rate=float("nan"),
        interval=(float(found.low), float(found.high)),
        saturation=float("nan"),
        risk=float(risks[befs]),
        baseline_risk=float(risks[base]),
        source="measured",
        note=note,
    )


def _study(
    model: Model,
    n_task: list[int],
    n_brain: int,
    baseline: str,
    effort: Effort,
    encoding_penalty: float | str,
) -> Study:
    """The study that finds a value: BEFS and the baseline at their best, without shift."""
    from mcbrain.asking.from_python import adhoc_study

    return adhoc_study(
        model,
        n_task,
        n_brain,
        {baseline: "optimal" if baseline == "ridge" else 0.0, "befs": "optimal"},
        ("id",),
        seed=effort.seed,
        encoding_penalty=encoding_penalty,
        engine=effort.engine,
        precision={
            "relative": number("precision", effort.precision, 0.0, 1e150),
            "max_replicates": effort.max_replicates,
        },
        name="value",
    )


def _grid(model: Model, n_task: int, law: Value | None, baseline: str) -> list[int]:
    """Task samples at which to simulate: about the law's answer, or wide where there is none."""
    lowest = model.native_dim + 9 if baseline == "ols" else 1
    if law is not None and np.isfinite(law.task_samples):
        around = (n_task + law.task_samples) * np.array([0.75, 0.9, 1.0, 1.1, 1.3])
    else:
        around = n_task * np.geomspace(0.5, 16.0, 8)
    wanted = {max(lowest, round(float(n))) for n in around}
    return sorted(wanted | {n_task})
