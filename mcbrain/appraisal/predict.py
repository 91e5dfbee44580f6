"""What the laws say beyond the rows in hand: the worth of the brain data, and what to buy next.

The laws are those of inputs of any covariance (theory/README.md 5f), at the covariance of the
inputs of both sides together and at weights drawn from what the fitted model allows. Fits have an
intercept, so that n rows leave n - 1 for the laws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from mcbrain.appraisal.coordinates import Inputs
from mcbrain.appraisal.parameters import Estimates
from mcbrain.checks import affordable
from mcbrain.theory.any_covariance import TaskSetting, excess_risk
from mcbrain.theory.structured import Structured
from mcbrain.typing import Floats

__all__ = ["BUDGET_SHARE", "DRAWS", "FARTHEST", "Laws", "Purchase", "Worth", "worth_of"]

FARTHEST = 16.0  # times n_task: how far a curve of ridge is searched for the risk of BEFS
BUDGET_SHARE = 0.1  # of what the rows in hand cost: the budget where none is given
DRAWS = 12
_MOST_INPUTS = 600
_ROWS_PER_INPUT = 2.0  # of both sides together, for a covariance that can be estimated
_DECADES = np.linspace(-2.5, 1.5, 4)
_SHARES = 5
_PURCHASE_DRAWS = 6


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
        Share of draws in which some brain rows beat task rows alone.
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
    purchase : Purchase
        The best use of the next budget.
    """

    task_samples: tuple[float, float, float]
    exchange_rate: tuple[float, float, float]
    purchase: Purchase


@dataclass(frozen=True)
class Laws:
    """The laws at an estimated covariance.

    Attributes
    ----------
    spectrum : (d,)
        Eigenvalues of the covariance.
    axes : (d, d)
        Its eigenvectors.
    spared : (d, r)
        The subspace on these axes.
    """

    spectrum: Floats
    axes: Floats
    spared: Floats

    @staticmethod
    def lacking(inputs: Inputs, alone: bool) -> str:
        """Why the laws cannot be used.

        Parameters
        ----------
        inputs : Inputs
            Of both sides.
        alone : bool
            Whether task rows are independent of each other.

        Returns
        -------
        str
            The end of a sentence; empty where they can be used.
        """
        d = inputs.task.shape[1]
        rows = inputs.task.shape[0] + inputs.brain.shape[0]
        if not alone:
            return (
                "the laws are those of independent rows, and here task rows belong together "
                "(groups, blocks or repeats)"
            )
        if d > _MOST_INPUTS:
            return f"the laws are computed for up to {_MOST_INPUTS} inputs, and there are {d}"
        if rows < _ROWS_PER_INPUT * d:
            return (
                f"{rows} rows of both sides do not tell the covariance of {d} inputs, for which "
                f"the laws ask {_ROWS_PER_INPUT:g} rows an input"
            )
        return ""

    @classmethod
    def of(cls, inputs: Inputs, basis: Floats, alone: bool) -> Laws | None:
        """The laws of these inputs; None where they are `lacking`.

        Parameters
        ----------
        inputs : Inputs
            Of both sides.
        basis : (d, r)
            The subspace.
        alone : bool
            Whether task rows are independent of each other.

        Returns
        -------
        Laws or None
            None where only measurement is left.
        """
        if cls.lacking(inputs, alone):
            return None
        rows = inputs.task.shape[0] + inputs.brain.shape[0]
        moments = inputs.task.T @ inputs.task + inputs.brain.T @ inputs.brain
        spectrum, axes = linalg.eigh(moments / (rows - 2.0), driver="evd")
        return cls(np.maximum(spectrum, 0.0), axes, axes.T @ basis)

    def risk(self, weights: Floats, noise: float, n_task: float, befs: bool) -> float:
        """Excess risk at the best penalty.

        Parameters
        ----------
        weights : (d,)
            Effects of the inputs.
        noise : float
            Standard deviation of the noise.
        n_task : float
            Task rows.
        befs : bool
            Whether the subspace is spared.

        Returns
        -------
        float
            In the units of y squared.
        """
        rows = max(int(n_task) - 1, 1)
        moment = Structured.of_diagonal(self.spectrum)
        setting = TaskSetting(self.spectrum, self.axes.T @ weights, moment, noise, rows)
        unit = float(np.mean(self.spectrum)) * self.spectrum.size / rows

        def at(decade: float) -> float:
            spared = self.spared if befs else None
            return excess_risk(setting, unit * 10.0**decade, spared)

        coarse = [at(x) for x in _DECADES]
        best = int(np.argmin(coarse))
        low, high = _DECADES[max(best - 1, 0)], _DECADES[min(best + 1, _DECADES.size - 1)]
        fine = optimize.minimize_scalar(
            at, bounds=(low, high), method="bounded", options={"xatol": 0.3}
        )
        excess = min(float(fine.fun), coarse[best])
        return excess + (excess + noise**2) / n_task


def worth_of(
    estimates: Estimates,
    laws: Laws,
    weights: Floats,
    noise: Floats,
    improvement: Callable[[float], float],
    *,
    cost_task: float,
    cost_brain: float,
    budget: float | None,
) -> Worth:
    """What the brain data in hand is worth, and how to spend the next budget.

    Parameters
    ----------
    estimates : Estimates
        For the sizes.
    laws : Laws
        In the coordinates of the estimates.
    weights : (d, draws)
        Effects that the fitted model allows.
    noise : (draws,)
        Standard deviations of the noise that go with them.
    improvement : callable
        Of a number of brain rows: what the subspace then misses over what it misses now.
    cost_task, cost_brain : float
        Price of a row.
    budget : float, optional
        By default a tenth of what the rows in hand cost.

    Returns
    -------
    Worth
        Medians and 95 % intervals over the draws.

    Raises
    ------
    InputError
        The budget buys more rows than a law is asked about.
    """
    s = estimates.shape
    in_hand = cost_task * s.n_task + cost_brain * s.n_brain
    budget = BUDGET_SHARE * in_hand if budget is None else budget
    affordable(budget, cost_task=cost_task, cost_brain=cost_brain)
    pairs = list(zip(weights.T, noise, strict=True))
    rows = np.array([_further_rows(laws, w, float(e), s.n_task) for w, e in pairs])
    value = tuple(float(x) for x in np.quantile(rows, _QUANTILES, method="inverted_cdf"))
    each = tuple(x / s.n_brain for x in value)
    risks = np.array(
        [
            [
                _after(
                    laws, w, float(e), estimates, improvement, share, budget, cost_task, cost_brain
                )
                for share in np.linspace(0.0, 1.0, _SHARES)
            ]
            for w, e in pairs[:_PURCHASE_DRAWS]
        ]
    )
    now = np.mean([laws.risk(w, float(e), s.n_task, befs=True) for w, e in pairs[:_PURCHASE_DRAWS]])
    middle = risks.mean(axis=0)
    best = int(np.argmin(middle))
    share = best / (_SHARES - 1)
    purchase = Purchase(
        budget=budget,
        cost_task=cost_task,
        cost_brain=cost_brain,
        in_hand=in_hand,
        n_task=int((1.0 - share) * budget / cost_task),
        n_brain=int(share * budget / cost_brain),
        risk_now=float(now),
        risk_then=float(middle[best]),
        risk_task_only=float(middle[0]),
        confidence=float(np.mean(risks[:, 1:].min(axis=1) < risks[:, 0])),
    )
    return Worth((value[0], value[1], value[2]), (each[0], each[1], each[2]), purchase)


_QUANTILES = (0.5, 0.025, 0.975)


def _further_rows(laws: Laws, weights: Floats, noise: float, n_task: int) -> float:
    """v_T: where tuned ridge reaches the risk of BEFS at n_task rows, less n_task (6)."""
    reached = laws.risk(weights, noise, n_task, befs=True)

    def above(log_rows: float) -> float:
        return laws.risk(weights, noise, float(np.exp(log_rows)), befs=False) / reached - 1.0

    low, high = np.log(max(4.0, n_task / 16.0)), np.log(n_task * FARTHEST)
    if above(high) > 0.0:
        return np.inf
    if above(low) < 0.0:
        return float(np.exp(low)) - n_task
    return float(np.exp(optimize.brentq(above, low, high, xtol=0.01))) - n_task


def _after(
    laws: Laws,
    weights: Floats,
    noise: float,
    estimates: Estimates,
    improvement: Callable[[float], float],
    share: float,
    budget: float,
    cost_task: float,
    cost_brain: float,
) -> float:
    """Risk of BEFS when a share of the budget has gone into brain rows, the rest into task rows.

    With more brain rows the subspace misses less: effects outside it shrink, those along it grow,
    so that the size of the effects as a whole stays.
    """
    s, basis = estimates.shape, estimates.subspace
    n_task = s.n_task + np.floor((1.0 - share) * budget / cost_task)
    n_brain = s.n_brain + np.floor(share * budget / cost_brain)
    inside = basis @ (basis.T @ weights)
    outside = weights - inside
    kept = improvement(float(n_brain))
    gained = (1.0 - kept) * float(outside @ outside) / max(float(inside @ inside), 1e-300)
    moved = inside * np.sqrt(1.0 + gained) + outside * np.sqrt(kept)
    return laws.risk(moved, noise, float(n_task), befs=True)
