"""How many task samples brain data replaces, and at what rate (theory/README.md 6)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.asking.encoders import PLAIN
from mcbrain.asking.from_python import check_model, one_encoder
from mcbrain.checks import MOST_SAMPLES, integer
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.population.model import Model
from mcbrain.typing import Floats
from mcbrain.worth.anisotropic import anisotropic_value
from mcbrain.worth.answer import Value
from mcbrain.worth.inversion import check_baseline, exact_samples_for, samples_for
from mcbrain.worth.surface import Surface

__all__ = ["saturation", "value", "value_curve"]


@numpy_defaults
def value(
    model: Model,
    n_task: int,
    n_brain: int,
    baseline: str = "ridge",
    *,
    encoding_penalty: float | str = 0.0,
    simulate: bool = False,
    precision: float = 0.005,
    max_replicates: int = 100_000,
    seed: int = 0,
    engine: str = "auto",
    threads: int | None = None,
) -> Value:
    """What brain data is worth in task samples (theory/README.md 6).

    Parameters
    ----------
    model : Model
        Gaussian, with task noise; any model with `simulate`.
    n_task, n_brain : int
        Numbers of samples.
    baseline : str
        "ridge" (tuned) or "ols".
    encoding_penalty : float or str
        Ridge penalty of the encoder: a number per brain sample, or "optimal"; with `simulate` also
        "loo" or "gcv".
    simulate : bool
        Whether BEFS and the baseline are simulated on a grid of task samples about the law's
        answer, and the simulated curve inverted, with an interval.
    precision, max_replicates, seed, engine, threads
        Of that simulation, as in `simulate`. Under a covariance other than the identity and for a
        penalised encoder `seed` is also that of the directions in which brain and task lie, and
        of the recordings that the law imagines.

    Returns
    -------
    Value
        The answer, and what belongs to it.

    Raises
    ------
    InputError
        A baseline, a number of samples or a model for which there is no value.
    """
    check_model(model)
    check_baseline(baseline)
    n_task = integer("n_task", n_task, 1, MOST_SAMPLES)
    n_brain = integer("n_brain", n_brain, 0, MOST_SAMPLES)
    if 0 < n_brain < model.k_m:
        raise InputError(
            f"n_brain = {n_brain}: at least measured_latents = {model.k_m} brain samples are "
            "needed to estimate that many directions (or 0)"
        )
    encoder = one_encoder(encoding_penalty)
    plain = encoder == PLAIN
    if not simulate and not (plain and model.isotropic):
        return anisotropic_value(model, n_task, n_brain, baseline, encoder, seed)
    if not simulate:
        return _from_law(Surface(model), n_task, n_brain, baseline)
    from mcbrain.worth.simulated import Effort, simulated_value

    effort = Effort(precision, max_replicates, seed, engine, threads)
    law = None
    if plain and model.isotropic and model.linear_labels and model.sigma_y > 0:
        law = _from_law(Surface(model), n_task, n_brain, baseline)
    found = simulated_value(model, n_task, n_brain, baseline, law, effort, encoding_penalty)
    if law is None:
        return found
    return replace(found, marginal_rate=law.marginal_rate, saturation=law.saturation)


def _from_law(surface: Surface, n_task: int, n_brain: int, baseline: str) -> Value:
    """The value by the laws."""
    m_bar = float(surface.m_bar(n_brain)) if n_brain else 1.0

    def worth(missed: float) -> tuple[float, float]:
        risk = surface.exact_befs(n_task, missed) if n_brain else _at(surface.exact_ridge(n_task))
        return exact_samples_for(surface, risk, baseline) - n_task, risk

    samples, risk = worth(m_bar)
    ends = sorted(worth(float(missed))[0] for missed in surface.missed_range(m_bar)[1:])
    infinite = surface.exact_befs(n_task, float(surface.m_bar(np.inf)))
    own = _at(surface.exact_ridge(n_task)) if baseline == "ridge" else _at(surface.ols(n_task))
    return Value(
        n_task=n_task,
        n_brain=n_brain,
        baseline=baseline,
        task_samples=samples,
        saved_fraction=samples / (n_task + samples),
        exchange_rate=samples / n_brain if n_brain else float("nan"),
        marginal_rate=_marginal_rate(surface, n_task, n_brain),
        interval=(ends[0], ends[1]),
        saturation=exact_samples_for(surface, infinite, baseline) - n_task,
        risk=risk,
        baseline_risk=own,
        note=_note(surface, n_task, n_brain, baseline, samples, risk, ends),
    )


def _note(
    surface: Surface,
    n_task: int,
    n_brain: int,
    baseline: str,
    samples: float,
    risk: float,
    ends: list[float],
) -> str:
    """What must be known to read a value that the laws gave."""
    words = []
    if not np.isfinite(risk):
        words.append(
            f"the mean risk of BEFS is infinite with n_task within 1 of its rank {surface.r}"
        )
    elif np.isnan(samples):
        words.append(
            f"BEFS has a risk of {risk:.3g}, worse than predicting zero; {baseline} never has it"
        )
    elif ends[1] < 0 and n_brain:
        words.append("brain data hurts here: the baseline does as well with fewer task samples")
    elif ends[0] < 0 <= ends[1] and n_brain:
        words.append("within the accuracy of the law, brain data may help or hurt here")
    if baseline == "ols" and n_task <= surface.d + 1:
        words.append(f"OLS is counted on its branch n > d + 1 = {surface.d + 1}, above this n_task")
    return "; ".join(words)


def _marginal_rate(surface: Surface, n_task: int, n_brain: int) -> float:
    """(dR/dn_B)/(dR/dn_T) on the surface of BEFS; NaN at n_B = 0, which is not on it."""
    if n_brain < surface.r or n_brain == 0 or n_task <= surface.r + 2:
        return float("nan")
    step = max(1e-3 * n_brain, 0.25)
    low, high = max(n_brain - step, float(surface.r)), n_brain + step
    in_brain = np.diff(surface.befs(n_task, surface.m_bar([low, high])))[0] / (high - low)
    h = min(1e-3 * n_task, 0.25)
    in_task = np.diff(surface.befs([n_task - h, n_task + h], surface.m_bar(n_brain)))[0] / (2 * h)
    return float(in_brain / in_task)


def value_curve(
    model: Model, n_task: ArrayLike, n_brain: ArrayLike, baseline: str = "ridge"
) -> Floats:
    """v_T for many numbers of samples at once, by the laws (theory/README.md 6).

    Parameters
    ----------
    model : Model
        Isotropic and Gaussian, with task noise.
    n_task, n_brain : array_like
        Broadcast against each other; real numbers are allowed, n_brain = inf gives the saturation.
    baseline : str
        "ridge" or "ols".

    Returns
    -------
    array
        Task samples, of the broadcast shape; NaN where the baseline never has the risk of BEFS.
    """
    surface = Surface(model)
    n_task = np.asarray(n_task, dtype=float)
    return np.asarray(samples_for(surface, surface.risk(n_task, n_brain), baseline) - n_task)


def saturation(model: Model, n_task: ArrayLike, baseline: str = "ridge") -> tuple[Floats, float]:
    """v_T with unlimited brain data, and delta/m, the samples beyond d + 1 that give half of it.

    Parameters
    ----------
    model : Model
        Isotropic and Gaussian, with task noise.
    n_task : array_like
        Real numbers.
    baseline : str
        "ridge" or "ols".

    Returns
    -------
    value : array
        Task samples, in the shape of `n_task`.
    half_point : float
        Infinite for an aligned task, whose value does not saturate in the limit of many task
        samples.
    """
    surface = Surface(model)
    m = model.recorded.misalignment
    half = surface.delta / m if m > 0 else float("inf")
    return value_curve(model, n_task, np.inf, baseline), half


def _at(values: Floats) -> float:
    """The one number of an array."""
    return float(np.asarray(values))
