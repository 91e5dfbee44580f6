"""What the linear Gaussian abstraction costs: gains and values of models that depart from it.

A simulation by the raw engine, which needs no assumption, is held against the laws of the model's
Gaussian twin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.encoders import Encoder
from mcbrain.errors import InputError
from mcbrain.population.model import Model
from mcbrain.results.view import Results, Simulated
from mcbrain.worth.anisotropic import anisotropic_value
from mcbrain.worth.inversion import samples_for
from mcbrain.worth.simulated import value_in_results
from mcbrain.worth.surface import Surface

__all__ = ["LINEAR_GAUSSIAN", "Departure", "departing", "departures", "gaussian_twin"]

# What a model says of inputs, labels, latents and recordings where it is linear and Gaussian.
LINEAR_GAUSSIAN = {
    "inputs": "gaussian",
    "covariance": "identity",
    "labels": "linear",
    "latents": "linear",
    "neural_law": "gaussian",
}


@dataclass(frozen=True)
class Departure:
    """One model against the law of its Gaussian twin.

    Attributes
    ----------
    model : Model
        Any model.
    words : str
        What departs: "inputs = student:5, latents = tanh"; "none" for the twin itself.
    gain_ratio : Simulated
        Simulated gain over tuned ridge, over the law's gain; with a 95 % interval.
    value_ratio : Simulated or None
        The same of v_T; None where the simulated curve of ridge does not reach the risk.
    """

    model: Model
    words: str
    gain_ratio: Simulated
    value_ratio: Simulated | None


def departing(model: Model) -> dict[str, str]:
    """What a model says of inputs, labels, latents and recordings that is not linear and Gaussian.

    Parameters
    ----------
    model : Model
        Any model.

    Returns
    -------
    dict
        The fields of the model that depart, and what they are.
    """
    columns = model.columns()
    said = {name: str(columns[name]) for name in LINEAR_GAUSSIAN}
    return {name: value for name, value in said.items() if value != LINEAR_GAUSSIAN[name]}


def gaussian_twin(model: Model) -> Model:
    """The linear Gaussian model with the same dimensions, signal and noise.

    Recordings without a noise of their own have the one that says as much where the signal is
    small (`population/distributions.RecordingFamily`).

    Parameters
    ----------
    model : Model
        Any model.

    Returns
    -------
    Model
        Isotropic and Gaussian; the model itself where it is so already.
    """
    changes: dict[str, object] = {**LINEAR_GAUSSIAN, "baseline_rate": None}
    if (twin_noise := model.recordings.twin_noise) is not None:
        assert model.baseline_rate is not None
        changes["neural_noise"] = twin_noise(model.baseline_rate)
    return Model(**{**model.given(), **changes})


def departures(results: Results, n_task: int, n_brain: int) -> list[Departure]:
    """Each model of a study against its Gaussian twin, at one point of its grid.

    Parameters
    ----------
    results : Results
        With tuned ridge and BEFS under `id`, by the raw or the sufficient engine.
    n_task, n_brain : int
        Places in the study's grid.

    Returns
    -------
    list of Departure
        One for each model.

    Raises
    ------
    InputError
        Rows that were computed through a law, estimators that are missing, or a rank that is not
        the number of measured latents.
    """
    if results.engine not in ("raw", "sufficient"):
        raise InputError(
            f"engine = '{results.engine}': only data that was drawn can tell whether the "
            "abstraction holds; run the study with --engine raw"
        )
    ridge, befs = (results.need(n, "a departure") for n in ("ridge", "befs"))
    s, study = results.shift(), results.study
    task, brain = study.n_task[n_task], study.n_brain[n_brain]
    found, encoder = [], study.methods[befs].encoder
    for i, model in enumerate(study.models):
        expected, worth = _by_law(gaussian_twin(model), task, brain, encoder, study.seed)
        places = (i, n_task, n_brain, np.array([ridge, befs]), s)
        gain = results.measure(_gain, places)
        value, _ = value_in_results(results, i, n_task, n_brain, "ridge")
        scaled = None
        if np.isfinite(value.value) and worth > 0:
            parts = (value.value, value.error, value.low, value.high)
            scaled = Simulated(*(np.asarray(x / worth) for x in parts))
        parts = (gain.value, gain.error, gain.low, gain.high)
        single = Simulated(*(np.asarray(x[0] / expected) for x in parts))
        found.append(Departure(model, _words(model), single, scaled))
    return found


def _by_law(
    twin: Model, n_task: int, n_brain: int, encoder: Encoder, seed: int
) -> tuple[float, float]:
    """Gain over tuned ridge and value of brain data by law, with the encoder that was run."""
    rank = encoder.rank_of(twin)
    if rank != twin.k_m:
        raise InputError(
            f"rank = {rank}: a departure is held against the law of measured_latents = {twin.k_m} "
            "directions"
        )
    if encoder.rule.value != 0:
        found = anisotropic_value(twin, n_task, n_brain, "ridge", encoder, seed)
        return found.baseline_risk / found.risk, found.task_samples
    law = Surface(twin)
    risk = law.risk(n_task, n_brain)
    return float(law.ridge(n_task) / risk), float(samples_for(law, risk, "ridge")) - n_task


def _gain(risks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The gain (..., 1) from the risks of ridge and BEFS (..., 2)."""
    return np.asarray(risks[..., :1] / risks[..., 1:])


def _words(model: Model) -> str:
    """What of a model departs from the linear Gaussian one, in the keys of a study."""
    return ", ".join(f"{name} = {value}" for name, value in departing(model).items()) or "none"
