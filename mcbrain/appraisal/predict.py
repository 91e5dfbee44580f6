"""What the laws say about the user's data: risks, value, exchange rate and the next purchase.

Everything takes `Parameters` with or without a leading axis of bootstrap draws. Fits have an
intercept: n rows leave n - 1 for the laws, and the mean adds its own error (theory/README.md 4b).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcbrain.appraisal.parameters import Estimates, Parameters, Shape, missed_signal
from mcbrain.checks import affordable
from mcbrain.theory.exact import BrainMoments, excess_risk, optimal_penalty
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = [
    "BUDGET_SHARE",
    "FARTHEST",
    "Purchase",
    "Worth",
    "best_penalty",
    "missed_at",
    "risk",
    "task_samples",
    "worth_of",
]

_GRID = 49
FARTHEST = 64.0  # times n_task: how far a curve of ridge is searched for the risk of BEFS
BUDGET_SHARE = 0.1  # of what the rows in hand cost: the budget where none is given
_SHARES = 11


@dataclass(frozen=True)
class Purchase:
    """The best use of a budget on top of what there is.

    Attributes
    ----------
    budget, cost_task, cost_brain, in_hand : float
        Of the purchase, of a row of either, and of the rows in hand, in the same money.
    n_task, n_brain : int
        Rows to add.
    risk_now, risk_then, risk_task_only : float
        Predicted excess risk of BEFS now, after the best purchase, and if all went into task rows
        (all in the units of y squared).
    confidence : float
        Share of bootstrap draws in which some brain rows beat task rows alone.
    """

    budget: float
    cost_task: float
    cost_brain: float
    in_hand: float
    n_task: int
    n_brain: int
    risk_now: float
    risk_then: float
    risk_task_only: float
    confidence: float


@dataclass(frozen=True)
class Worth:
    """Predicted worth of the brain data in hand, each (value, low, high), theory/README.md 6.

    Attributes
    ----------
    task_samples : tuple of float
        v_T, task rows that would help tuned ridge as much as the brain data does.
    exchange_rate : tuple of float
        v_T / n_brain.
    marginal_rate : tuple of float
        Task rows that one more brain row is worth to BEFS.
    purchase : Purchase
        The best use of the next budget.
    """

    task_samples: tuple[float, float, float]
    exchange_rate: tuple[float, float, float]
    marginal_rate: tuple[float, float, float]
    purchase: Purchase


def best_penalty(
    parameters: Parameters, n_task: float, rank: int, missed: Floats | float, d: int
) -> Floats:
    """Per-sample penalty that minimises the expected risk of a fit to n_task rows (4c).

    Parameters
    ----------
    parameters : Parameters
        Within bounds.
    n_task : float
        Rows that the fit sees.
    rank : int
        Of the subspace; 0 is ridge.
    missed : array or float
        m_hat, the share of the signal outside the subspace; 1 for ridge.
    d : int
        Inputs.

    Returns
    -------
    array (...)
        0 to infinity.
    """
    noise = parameters.task_noise / np.sqrt(parameters.signal)
    penalty = optimal_penalty(noise, n_task - 1, rank, d, missed)
    return np.asarray(penalty * (n_task - 1) / n_task)


def risk(
    parameters: Parameters,
    n_task: float,
    rank: int,
    missed: Floats | float,
    d: int,
    penalty: Floats | float | None = None,
) -> Floats:
    """Expected excess risk of ridge (rank 0, missed 1) or of BEFS, exact given `missed` (4b).

    Parameters
    ----------
    parameters : Parameters
        Within bounds.
    n_task : float
        Rows that the fit sees.
    rank : int
        Of the subspace; 0 is ridge.
    missed : array or float
        m_hat, the share of the signal outside the subspace.
    d : int
        Inputs.
    penalty : array or float, optional
        Per-sample penalty; the best one by default.

    Returns
    -------
    array (...)
        Mean squared error on new rows less that of the noise, in the units of y squared.
    """
    if penalty is None:
        penalty = best_penalty(parameters, n_task, rank, missed, d)
    rows = np.floor(n_task) - 1
    noise = parameters.task_noise / np.sqrt(parameters.signal)
    brain = BrainMoments.under_id(missed, rank, d)
    task = task_moments(rows, rank, d, np.asarray(penalty) * n_task / rows)
    excess = excess_risk(task, brain, n_task=rows, rank=rank, input_dim=d, task_noise=noise)
    excess = excess * parameters.signal
    return np.asarray(excess + (excess + parameters.task_noise**2) / n_task)


def missed_at(parameters: Parameters, estimates: Estimates, n_brain: float) -> Floats:
    """Share of the signal that the subspace would miss with n_brain rows instead of those in hand.

    What this very subspace misses is known better than what subspaces miss on average, so the law
    (4e, 5b) only carries it from the rows in hand to n_brain.

    Parameters
    ----------
    parameters : Parameters
        Within bounds.
    estimates : Estimates
        For the sizes in hand.
    n_brain : float
        Rows, before centring.

    Returns
    -------
    array (...)
        From 0 to 1.
    """
    s = estimates.shape
    if n_brain == s.n_brain + 1:
        return parameters.missed
    now = missed_signal(parameters, s.n_brain + 1.0, s.d, s.p)
    then = missed_signal(parameters, n_brain, s.d, s.p)
    return np.clip(parameters.missed * then / np.maximum(now, 1e-12), 0.0, 1.0)


def worth_of(
    estimates: Estimates, *, cost_task: float, cost_brain: float, budget: float | None
) -> Worth:
    """What the brain data in hand is worth, and how to spend the next budget.

    Parameters
    ----------
    estimates : Estimates
        The model, and its bootstrap draws.
    cost_task, cost_brain : float
        Price of a row.
    budget : float, optional
        By default a tenth of what the rows in hand cost.

    Returns
    -------
    Worth
        With 95 % bootstrap intervals.

    Raises
    ------
    InputError
        The budget buys more rows than a law is asked about.
    """
    s = estimates.shape
    n_task, n_brain = s.n_task + 1, s.n_brain + 1
    value, draws = estimates.value.bounded(), estimates.draws
    worth, spread = (task_samples(x, s, n_task) for x in (value, draws))
    marginal, marginals = _marginal_rate(value, estimates), _marginal_rate(draws, estimates)
    return Worth(
        _with_interval(worth, spread),
        _with_interval(worth / n_brain, spread / n_brain),
        _with_interval(marginal, marginals),
        _purchase(estimates, budget, cost_task, cost_brain),
    )


def _with_interval(value: Floats, draws: Floats) -> tuple[float, float, float]:
    # Infinite draws are values beyond the range that was searched; they sort last.
    """A value and its 95 % bootstrap interval."""
    low, high = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    return float(value), float(low), float(high)


def task_samples(parameters: Parameters, s: Shape, n_task: int) -> Floats:
    """v_T: where the curve of tuned ridge passes the risk of BEFS at n_task rows, less n_task (6).

    Parameters
    ----------
    parameters : Parameters
        Within bounds.
    s : Shape
        For the rank and the inputs.
    n_task : int
        Rows of the BEFS fit.

    Returns
    -------
    array (...)
        Task rows; infinite beyond `FARTHEST` n_task.
    """
    sizes = np.unique(np.geomspace(max(3, n_task / 16), n_task * FARTHEST, _GRID).astype(int))
    ridge = np.stack([risk(parameters, n, 0, 1.0, s.d) for n in sizes], axis=-1)
    befs = risk(parameters, n_task, s.r, parameters.missed, s.d)
    flat = ridge.reshape(-1, sizes.size)
    reached = [
        np.exp(np.interp(-np.log(at), -np.log(curve), np.log(sizes), right=np.inf))
        for at, curve in zip(np.ravel(befs), flat, strict=True)
    ]
    return np.reshape(reached, befs.shape) - n_task


def _marginal_rate(parameters: Parameters, estimates: Estimates) -> Floats:
    """Task rows that one more brain row replaces, from a tenth more of either."""
    s = estimates.shape
    n_task, n_brain = s.n_task + 1, s.n_brain + 1
    now = risk(parameters, n_task, s.r, parameters.missed, s.d)
    more_task = risk(parameters, 1.1 * n_task, s.r, parameters.missed, s.d)
    missed = missed_at(parameters, estimates, 1.1 * n_brain)
    more_brain = risk(parameters, n_task, s.r, missed, s.d)
    return np.asarray(
        (more_brain - now) / n_brain / np.minimum((more_task - now) / n_task, -1e-300)
    )


def _purchase(
    estimates: Estimates, budget: float | None, cost_task: float, cost_brain: float
) -> Purchase:
    """The best of eleven ways to split a budget between rows of the two kinds."""
    s = estimates.shape
    in_hand = cost_task * (s.n_task + 1) + cost_brain * (s.n_brain + 1)
    budget = BUDGET_SHARE * in_hand if budget is None else budget
    affordable(budget, cost_task=cost_task, cost_brain=cost_brain)
    value = estimates.value.bounded()

    def risks(parameters: Parameters) -> Floats:
        columns = []
        for share in np.linspace(0.0, 1.0, _SHARES):
            n_task = s.n_task + 1 + np.floor((1.0 - share) * budget / cost_task)
            n_brain = s.n_brain + 1 + np.floor(share * budget / cost_brain)
            missed = missed_at(parameters, estimates, n_brain)
            columns.append(risk(parameters, n_task, s.r, missed, s.d))
        return np.stack(columns, axis=-1)

    at, drawn = risks(value), risks(estimates.draws)
    best = int(np.argmin(at))
    share = best / (_SHARES - 1)
    return Purchase(
        budget=budget,
        cost_task=cost_task,
        cost_brain=cost_brain,
        in_hand=in_hand,
        n_task=int((1.0 - share) * budget / cost_task),
        n_brain=int(share * budget / cost_brain),
        risk_now=float(risk(value, s.n_task + 1, s.r, value.missed, s.d)),
        risk_then=float(at[best]),
        risk_task_only=float(at[0]),
        confidence=float(np.mean(drawn[:, 1:].min(axis=1) < drawn[:, 0])),
    )
