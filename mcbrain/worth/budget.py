"""How to split a budget between task and brain samples (theory/README.md 6).

Without brain data BEFS is tuned ridge, so the corner of the split is the fair opponent. Because a
latent is invisible below its threshold (5b), the best split jumps from the corner to an interior
point, and every search here scans the whole range instead of walking downhill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mcbrain.ask import check_model
from mcbrain.checks import affordable, integer, positive
from mcbrain.errors import InputError
from mcbrain.model import Model
from mcbrain.worth.surface import Surface, law_accuracy
from mcbrain.worth.value import value

__all__ = ["Allocation", "Schedule", "allocate", "exposed_latents"]

Array = NDArray[np.float64]

# m_eff of the task at a number of brain samples, where alignment improves with brain data.
Schedule = Callable[[Array], Array]

_SCAN = 600
_HIGHEST_PRICE = 1e9


@dataclass(frozen=True)
class Allocation:
    """The best split of a budget.

    Attributes
    ----------
    n_task, n_brain, repeats : int
        Task samples, brain stimuli, and recordings of each stimulus.
    worth_collecting : bool
        Whether the best split has any brain data.
    break_even_price : float
        Price of a brain sample at which the best split with brain data is as good as none; 0 where
        brain data is worth nothing at any price.
    break_even_range : tuple of float
        Its range when m_bar is off by twice the root-mean-square error of law 5b.
    risk, risk_without : float
        Excess risk over |beta|^2 of the best split, and of tuned ridge on the whole budget.
    marginal_rate : float
        Task samples that one more brain sample replaces there; at an interior optimum it equals the
        price ratio. NaN at the corner.
    cost : float
        What the split costs.
    kind : str
        "corner" (no brain data) or "interior".
    """

    n_task: int
    n_brain: int
    repeats: int
    worth_collecting: bool
    break_even_price: float
    break_even_range: tuple[float, float]
    risk: float
    risk_without: float
    marginal_rate: float
    cost: float
    kind: str


def allocate(
    model: Model,
    budget: float,
    cost_task: float = 1.0,
    cost_brain: float = 5.0,
    *,
    cost_repeat: float | None = None,
    max_repeats: int = 1,
    schedule: Schedule | None = None,
) -> Allocation:
    """Best split of a budget between task samples, brain samples and repeats of a stimulus.

    Parameters
    ----------
    model : Model
    budget, cost_task, cost_brain : float
        In one currency; n_task cost_task + n_brain (cost_brain + (repeats - 1) cost_repeat) is at
        most `budget`.
    cost_repeat : float, optional
        Price of recording a stimulus once more; default `cost_brain`.
    max_repeats : int
        Recordings of a stimulus at most: repeats average the noise, sigma_r^2/repeats.
    schedule : callable, optional
        n_brain -> m_eff, where alignment improves with brain data.

    Returns
    -------
    Allocation
        By the laws: whole numbers, found by a scan of the surface and a search of every whole
        number about its best point.

    Raises
    ------
    InputError
        A budget or cost that is not positive, or a budget below the cost of one task sample or
        beyond that of `MOST_SAMPLES`.
    """
    check_model(model)
    repeat = cost_brain if cost_repeat is None else cost_repeat
    check_prices(budget, cost_task=cost_task, cost_brain=cost_brain, cost_repeat=repeat)
    affordable(budget, cost_task=cost_task, cost_brain=cost_brain)
    most = integer("max_repeats", max_repeats, 1, 1000)
    market = _Market(Surface(model), budget, cost_task, repeat, most, schedule)
    return market.best(cost_brain)


def check_prices(budget: float, cost_task: float, **others: float) -> None:
    """Refuse a budget or prices that are not positive, and a budget without a task sample.

    Raises
    ------
    InputError
    """
    for name, price in ({"budget": budget, "cost_task": cost_task} | others).items():
        positive(name, price)
    if budget < cost_task:
        raise InputError(
            f"budget = {budget}: less than cost_task = {cost_task}, the price of one task sample"
        )


@dataclass(frozen=True)
class _Market:
    """A budget, and the risk that it buys."""

    surface: Surface
    budget: float
    cost_task: float
    cost_repeat: float
    max_repeats: int
    schedule: Schedule | None
    factor: float = 1.0
    """What the law's m_bar is multiplied by."""

    def best(self, cost_brain: float) -> Allocation:
        """The best split in whole numbers."""
        r, corner_task = self.surface.r, int(self.budget // self.cost_task)
        off = law_accuracy(self.surface.d)
        corner = float(self.surface.ridge(corner_task))
        risk, n_brain, repeats = self._interior(cost_brain)
        fee = cost_brain + (repeats - 1) * self.cost_repeat
        if not risk < corner:
            n_brain, repeats, risk, fee = 0, 1, corner, 0.0
        n_task = int((self.budget - n_brain * fee) // self.cost_task)
        return Allocation(
            n_task=n_task,
            n_brain=n_brain,
            repeats=repeats,
            worth_collecting=n_brain > 0,
            break_even_price=self._break_even(corner),
            break_even_range=(
                replace(self, factor=1.0 + off)._break_even(corner),
                replace(self, factor=1.0 - off)._break_even(corner),
            ),
            risk=risk,
            risk_without=corner,
            marginal_rate=self._rate(n_task, n_brain, repeats) if n_brain >= r else float("nan"),
            cost=n_task * self.cost_task + n_brain * fee,
            kind="interior" if n_brain else "corner",
        )

    def _risk(self, n_brain: Array, repeats: Array, cost_brain: float) -> Array:
        """Risk of splits with brain data, the rest of the budget spent on whole task samples."""
        fee = cost_brain + (repeats - 1.0) * self.cost_repeat
        n_task = np.floor((self.budget - n_brain * fee) / self.cost_task)
        noise = self.surface.model.measured.neural_noise / np.sqrt(repeats)
        m = None if self.schedule is None else np.clip(self.schedule(n_brain), 0.0, 1.0)
        m_bar = self.surface.m_bar(n_brain, neural_noise=noise, misalignment=m)
        return self.surface.befs(n_task, np.minimum(m_bar * self.factor, 1.0))

    def _interior(self, cost_brain: float, refine: bool = True) -> tuple[float, int, int]:
        """Best risk with brain data, its n_brain and its repeats; inf where none is affordable.

        Without `refine` n_brain is the best of the scan, whose risk is right to second order.
        """
        found = (np.inf, 0, 1)
        for repeats in range(1, self.max_repeats + 1):
            fee = cost_brain + (repeats - 1) * self.cost_repeat
            most = (self.budget - (self.surface.r + 2) * self.cost_task) / fee
            if most < self.surface.r:
                break
            scan = np.unique(np.round(np.geomspace(self.surface.r, most, _SCAN)))
            risk = self._risk(scan, np.asarray(float(repeats)), cost_brain)
            best = int(np.argmin(risk))
            if not refine:
                found = min(found, (float(risk[best]), int(scan[best]), repeats))
                continue
            low, high = scan[max(best - 1, 0)], scan[min(best + 1, scan.size - 1)]
            near: Array = np.unique(
                np.round(np.linspace(low, high, int(min(high - low, 4000)) + 1))
            )
            risk = self._risk(near, np.asarray(float(repeats)), cost_brain)
            best = int(np.argmin(risk))
            found = min(found, (float(risk[best]), int(near[best]), repeats))
        return found

    def _break_even(self, corner: float) -> float:
        """The price at which brain data and no brain data are equally good: risk grows with it."""
        low, high = 1e-9 * self.cost_task, _HIGHEST_PRICE * self.cost_task
        if not self._interior(low, refine=False)[0] < corner:
            return 0.0
        for _ in range(60):
            middle = np.sqrt(low * high)
            if self._interior(middle, refine=False)[0] < corner:
                low = middle
            else:
                high = middle
            if high / low < 1.0 + 1e-5:
                break
        return float(low)

    def _rate(self, n_task: int, n_brain: int, repeats: int) -> float:
        if self.schedule is not None:
            return float("nan")
        given = self.surface.model.given() | {
            "neural_noise": self.surface.model.sigma_r / np.sqrt(repeats)
        }
        return value(Model(**given), n_task, n_brain).marginal_rate


def exposed_latents(model: Model, latents_per_session: int, samples_per_session: int) -> Schedule:
    """m_eff(n_B) where each recording session exposes more latents, the first ones first.

    Parameters
    ----------
    model : Model
        Its `latent_dim` latents are what can be exposed at most.
    latents_per_session, samples_per_session : int
        Sessions are counted from 1; the last one may be incomplete.
    """
    for name, number in (
        ("latents_per_session", latents_per_session),
        ("samples_per_session", samples_per_session),
    ):
        if number < 1:
            raise InputError(f"{name} = {number}: a whole number >= 1 is allowed")
    carried = np.concatenate([[0.0], np.cumsum(model.loadings**2)])

    def schedule(n_brain: Array) -> Array:
        sessions = np.ceil(np.asarray(n_brain, dtype=float) / samples_per_session)
        exposed = np.minimum(sessions * latents_per_session, model.latent_dim).astype(int)
        m = model.misalignment
        return np.asarray(m + (1.0 - m) * (1.0 - carried[exposed]))

    return schedule
