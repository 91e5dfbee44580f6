"""The best purchase among the points of a results folder: a budget split by simulated risks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.errors import InputError
from mcbrain.results.view import Results
from mcbrain.worth.allocation import check_prices
from mcbrain.worth.simulated import value_in_results

__all__ = ["Purchase", "purchase_in_results", "with_brain_data"]


@dataclass(frozen=True)
class Purchase:
    """The simulated point with the least risk that a budget buys, and what it is worth.

    Attributes
    ----------
    n_task, n_brain : int
        Numbers of samples of the point.
    cost : float
        What they cost.
    risk : float
        Mean excess risk of BEFS there.
    task_samples : float
        Task samples with which tuned ridge has that risk, n_task + v_T; NaN where it never has it.
    interval : tuple of float
        95 %, by jackknife over blocks; without an end where ridge reaches the risk beyond all
        simulated numbers of task samples.
    break_even_price : float
        Price of a brain sample at which this point costs as much as ridge of the same risk.
    verdict : str
        "worth", "not worth" or "cannot tell": where the interval lies about the task samples
        that the whole budget buys.
    note : str
        Why these results cannot tell; empty if they can.
    """

    n_task: int
    n_brain: int
    cost: float
    risk: float
    task_samples: float
    interval: tuple[float, float]
    break_even_price: float
    verdict: str
    note: str


def with_brain_data(results: Results, model: int) -> NDArray[np.bool_]:
    """Which points of a model a study asks for with brain samples enough for its rank.

    Parameters
    ----------
    results : Results
    model : int
        Place among the study's models.

    Returns
    -------
    ndarray of bool, shape (n_task, n_brain)
    """
    enough = np.array(results.study.n_brain) >= results.study.rank(results.study.models[model])
    return np.asarray(results.asked[model] & enough[None, :])


def purchase_in_results(
    results: Results, model: int, budget: float, cost_task: float = 1.0, cost_brain: float = 5.0
) -> Purchase:
    """The best affordable point with brain data, against tuned ridge on the whole budget.

    Parameters
    ----------
    results : Results
        With tuned BEFS and ridge, and at least two numbers of task samples.
    model : int
        Place among the study's models.
    budget, cost_task, cost_brain : float
        In one currency.

    Returns
    -------
    Purchase
        The point of least risk.

    Raises
    ------
    InputError
        Prices that are not positive, results without BEFS or ridge, or a budget that buys no
        simulated point.
    """
    check_prices(budget, cost_task=cost_task, cost_brain=cost_brain)
    study, folder = results.study, results.folder.path
    befs = results.need("befs", "a budget")
    ridge = results.need("ridge", "a budget")
    cost = np.add.outer(
        cost_task * np.array(study.n_task, float), cost_brain * np.array(study.n_brain, float)
    )
    risk = results.mean[model, :, :, befs, results.shift()]
    known = with_brain_data(results, model) & np.isfinite(risk)
    if not known.any():
        raise InputError(
            f"{folder}: no point with brain data, as many samples as the rank or more, has a mean "
            "risk of BEFS; add some to [design] and run again"
        )
    open_to = (cost <= budget) & known
    if not open_to.any():
        cheapest = cost[known].min()
        raise InputError(
            f"{folder}: a budget of {budget:g} buys none of the simulated points with brain data, "
            f"the cheapest of which costs {cheapest:g}; raise it or add smaller n_task and n_brain"
        )
    t, b = np.unravel_index(np.argmin(np.where(open_to, risk, np.inf)), risk.shape)
    found, note = value_in_results(results, model, int(t), int(b))
    n_task, n_brain, affordable = study.n_task[t], study.n_brain[b], budget / cost_task
    low, high = n_task + float(found.low), n_task + float(found.high)
    brains = results.without_brain(model, int(b))
    last = int(np.argmax(np.where(results.asked[model].any(axis=1), study.n_task, 0)))
    rows = model, np.array([last, t]), [brains[last], b], np.array([ridge, befs]), results.shift()
    if not np.isfinite(low) and float(results.measure(_first_less_second, rows).low[0]) > 0:
        low, high = float(study.n_task[last]), np.inf
    verdict = "worth" if low >= affordable else "not worth" if high < affordable else "cannot tell"
    return Purchase(
        n_task=n_task,
        n_brain=n_brain,
        cost=float(cost[t, b]),
        risk=float(risk[t, b]),
        task_samples=n_task + float(found.value),
        interval=(low, high),
        break_even_price=float(found.value) * cost_task / n_brain,
        verdict=verdict,
        note=note if verdict == "cannot tell" else "",
    )


def _first_less_second(risks: NDArray[np.float64]) -> NDArray[np.float64]:
    """The difference (..., 1) of two risks (..., 2)."""
    return risks[..., :1] - risks[..., 1:]
