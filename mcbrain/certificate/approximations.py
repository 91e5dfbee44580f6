"""How wrong each approximation is, by dimension and number of samples (theory/README.md 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from mcbrain.asking.from_python import adhoc_study
from mcbrain.certificate.design import Extent
from mcbrain.certificate.replicate_draws import draws
from mcbrain.population.model import Model
from mcbrain.theory import exact
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.brain import BrainMoments, brain_moments
from mcbrain.theory.first_order import brain_error, excess_at_optimum, missed_fraction
from mcbrain.theory.frame import ShiftCoefficients, signal_coordinates
from mcbrain.theory.marchenko_pastur import asymptotic_task_moments
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import TaskMoments, task_moments
from mcbrain.typing import Floats

__all__ = ["ErrorMap", "brain_maps", "error_table", "task_maps"]


_BRAIN_RATIOS = (0.5, 0.75, 1.5, 2.0, 4.0, 8.0, 16.0)
_TASK_RATIOS = (0.5, 0.8, 1.25, 2.0, 4.0, 10.0, 30.0, 100.0)
_TASK_DIMS = (10, 20, 50, 100, 200, 400)
_MISALIGNMENT = 0.1
_LATENTS = 3
_MAX_REPLICATES = 8192


@dataclass(frozen=True)
class ErrorMap:
    """Relative error of an approximation over a grid.

    Attributes
    ----------
    section : str
        Of theory/README.md.
    title : str
        What is approximated, and how.
    reference : str
        What it is held against, in words.
    samples : str
        What the second axis counts, over the dimension.
    dims : tuple of int
        Dimensions d of the input, the first axis.
    ratios : tuple of float
        Numbers of samples over d, the second axis.
    error, noise : array (dims, ratios)
        approximation / truth - 1, NaN where the approximation says nothing; and the standard error
        of the truth over the truth.
    """

    section: str
    title: str
    reference: str
    samples: str
    dims: tuple[int, ...]
    ratios: tuple[float, ...]
    error: Floats
    noise: Floats


def brain_maps(extent: Extent, seed: int) -> list[ErrorMap]:
    """Error maps of 5a and 5b: m_bar against simulated brain stages.

    The model has three latents, misalignment 0.1, and gains and recording noise of 1.

    Parameters
    ----------
    extent : Extent
        Its dimensions, and how many replicates.
    seed : int
        Of the replicates.

    Returns
    -------
    list of ErrorMap
        One map for each of the two laws.
    """
    shape = (len(extent.map_dims), len(_BRAIN_RATIOS))
    first, high, noise = np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape)
    for i, d in enumerate(extent.map_dims):
        model = Model(
            input_dim=d,
            latent_dim=_LATENTS,
            n_channels=max(_LATENTS, round(0.6 * d)),
            misalignment=_MISALIGNMENT,
        )
        for j, ratio in enumerate(_BRAIN_RATIOS):
            n_brain = max(_LATENTS + 1, round(ratio * d))
            truth, error = _simulated_miss(model, n_brain, extent, seed)
            noise[i, j] = error / truth
            first[i, j] = _first_order_miss(model, n_brain) / truth - 1.0
            high[i, j] = _high_dimensional_miss(model, n_brain) / truth - 1.0
    first[~np.isfinite(first)] = np.nan
    against = "raw brain stages"
    axes = ("n_B / d", extent.map_dims, _BRAIN_RATIOS)
    return [
        ErrorMap("5a", "m_bar to first order in 1/n_B", against, *axes, first, noise),
        ErrorMap("5b", "m_bar in high dimension", against, *axes, high, noise),
    ]


def _simulated_miss(model: Model, n_brain: int, extent: Extent, seed: int) -> tuple[float, float]:
    """Mean of m_hat over raw replicates, and its standard error."""
    from mcbrain.blocks.problem import RawProblem

    study = adhoc_study(model, 2, n_brain, {"befs": 1.0}, ["id"], seed=seed, name="map")
    block = RawProblem.of(model, 2, n_brain, seed).block_size
    m_hat = draws(study, "raw", min(extent.blocks * block, _MAX_REPLICATES)).m_hat
    return float(m_hat.mean()), float(m_hat.std(ddof=1) / np.sqrt(m_hat.size))


def _first_order_miss(model: Model, n_brain: int) -> float:
    """m_bar by law 5a, to first order in 1/n_brain."""
    d, block = model.input_dim, model.recorded
    delta = brain_error(
        block.misalignment, block.loadings, block.gains, neural_noise=model.sigma_r, input_dim=d
    )
    return float(missed_fraction(block.misalignment, delta, n_brain, d))


def _high_dimensional_miss(model: Model, n_brain: int) -> float:
    """m_bar by law 5b, in high dimension."""
    moments = subspace_law(
        n_brain,
        model.gains,
        neural_noise=model.sigma_r,
        input_dim=model.input_dim,
        n_channels=model.n_channels,
    )
    return float(_under_id(moments, model.misalignment, model.loadings, model.input_dim).m_hat)


def _under_id(moments: SubspaceMoments, m: float, loadings: Floats, d: int) -> BrainMoments:
    """Moments of the brain stage without a shift, from those of the subspace."""
    coefficients = ShiftCoefficients.structured(loadings.size)
    return brain_moments(moments, signal_coordinates(m, loadings), coefficients, d)


def task_maps() -> list[ErrorMap]:
    """Error maps of 5c and 5d: tuned ridge at sigma_y = |beta| against its exact law 4f.

    Returns
    -------
    list of ErrorMap
        One map for each approximation; nothing is simulated.
    """
    against = "the exact law 4f"
    axes = ("n_T / d", _TASK_DIMS, _TASK_RATIOS)
    blank = np.zeros((len(_TASK_DIMS), len(_TASK_RATIOS)))

    def order(k: int) -> Callable[[int, int, float], float]:
        return lambda n, d, lam: _ridge(asymptotic_task_moments(n, 0, d, lam, order=k), n, d)

    titles: Sequence[tuple[str, str, Callable[[int, int, float], float]]] = (
        ("5c", "task stage, Marchenko-Pastur limit", order(0)),
        ("5c", "task stage, first correction", order(1)),
        ("5c", "task stage, second correction", order(2)),
        ("5d", "excess at large n_T", _large_n_task),
    )
    return [
        ErrorMap(section, title, against, *axes, _relative(function), blank)
        for section, title, function in titles
    ]


def _relative(approximation: Callable[[int, int, float], float]) -> Floats:
    """Relative error of an approximation over the grid of the task maps."""
    error = np.full((len(_TASK_DIMS), len(_TASK_RATIOS)), np.nan)
    for i, d in enumerate(_TASK_DIMS):
        for j, ratio in enumerate(_TASK_RATIOS):
            n = round(ratio * d)
            penalty = float(exact.optimal_penalty(1.0, n, 0, d))
            truth = _ridge(task_moments(n, 0, d, penalty), n, d)
            error[i, j] = approximation(n, d, penalty) / truth - 1.0
    return error


def _ridge(moments: TaskMoments, n_task: int, d: int) -> float:
    """Excess of ridge at sigma_y = |beta| = 1 from the moments of its task stage."""
    brain = _under_id(SubspaceMoments.none(1), 0.0, np.ones(1), d)
    risk = exact.excess_risk(moments, brain, n_task=n_task, rank=0, input_dim=d, task_noise=1.0)
    return float(risk)


def _large_n_task(n_task: int, d: int, penalty: float) -> float:
    """The excess by law 5d, which holds above n_task = d + 1."""
    return float(excess_at_optimum(n_task, 0, d, 1.0)) if n_task > d + 1 else np.nan


def error_table(maps: Sequence[ErrorMap]) -> pa.Table:
    """The cells of all maps as a table.

    Parameters
    ----------
    maps : sequence of ErrorMap
        Any number of maps.

    Returns
    -------
    pyarrow.Table
        A row for each cell.
    """

    def rows() -> Iterator[dict[str, object]]:
        for one in maps:
            for i, d in enumerate(one.dims):
                for j, ratio in enumerate(one.ratios):
                    yield {
                        "section": one.section,
                        "approximation": one.title,
                        "reference": one.reference,
                        "input_dim": d,
                        "samples": one.samples,
                        "ratio": ratio,
                        "relative_error": float(one.error[i, j]),
                        "reference_relative_se": float(one.noise[i, j]),
                    }

    return pa.Table.from_pylist(list(rows()))
