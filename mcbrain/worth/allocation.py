"""How to split a budget between task and brain samples (theory/README.md 6).

Without brain data BEFS is tuned ridge, so the corner of the split is the fair opponent. Because a
latent is invisible below its threshold (5b), the best split jumps from the corner to an interior
point, and every search here scans the whole range instead of walking downhill.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mcbrain.asking.encoders import PLAIN
from mcbrain.asking.from_python import check_model, one_encoder
from mcbrain.checks import affordable, integer, positive
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.population.model import Model
from mcbrain.theory.tuned import best_below_rank
from mcbrain.typing import Floats
from mcbrain.worth.surface import Surface
from mcbrain.worth.valuation import value

__all__ = ["Allocation", "Schedule", "allocate", "exposed_latents"]


# m_eff of the task at a number of brain samples, where alignment improves with brain data.
Schedule = Callable[[Floats], Floats]

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
        Its range when m_bar is off by as much as law 5b is in 95 % of models (`law_accuracy`).
    risk, risk_without : float
        Excess risk over |beta|^2 of the best split, and of tuned ridge on the whole budget.
    marginal_rate : float
        Task samples that one more brain sample replaces there; at an interior optimum it equals the
        price ratio. NaN at the corner, and with fewer than 3 task samples above the rank.
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


@numpy_defaults
def allocate(
    model: Model,
    budget: float,
    cost_task: float = 1.0,
    cost_brain: float = 5.0,
    *,
    cost_repeat: float | None = None,
    max_repeats: int = 1,
    schedule: Schedule | None = None,
    encoding_penalty: float | str = 0.0,
) -> Allocation:
    """Best split of a budget between task samples, brain samples and repeats of a stimulus.

    Parameters
    ----------
    model : Model
        Isotropic and Gaussian, with task noise.
    budget, cost_task, cost_brain : float
        In one currency; n_task cost_task + n_brain (cost_brain + (repeats - 1) cost_repeat) is at
        most `budget`.
    cost_repeat : float, optional
        Price of recording a stimulus once more; default `cost_brain`.
    max_repeats : int
        Recordings of a stimulus at most: repeats average the noise, sigma_r^2/repeats.
    schedule : callable, optional
        n_brain -> m_eff, where alignment improves with brain data.
    encoding_penalty : float or str
        Of the encoder; the surface of the laws is that of least squares, and nothing but 0 is
        allowed.

    Returns
    -------
    Allocation
        By the laws: whole numbers, found by a scan of the surface and a search of every whole
        number about its best point.

    Raises
    ------
    InputError
        A budget or cost that is not positive, or a budget below the cost of one task sample or
        beyond that of `MOST_SAMPLES`; or an encoder with a penalty.
    """
    check_model(model)
    if one_encoder(encoding_penalty) != PLAIN:
        raise InputError(
            f"encoding_penalty = {encoding_penalty!r}: the surface of the laws is that of an "
            "encoder without a penalty; run a study with [encoding] penalty on a grid of samples "
            "and ask `mcbrain budget DIR`"
        )
    repeat = cost_brain if cost_repeat is None else cost_repeat
    check_prices(budget, cost_task=cost_task, cost_brain=cost_brain, cost_repeat=repeat)
    affordable(budget, cost_task=cost_task, cost_brain=cost_brain)
    most = integer("max_repeats", max_repeats, 1, 1000)
    market = _Market(Surface(model), budget, cost_task, repeat, most, schedule)
    return market.best(cost_brain)


def check_prices(budget: float, cost_task: float, **others: float) -> None:
    """Refuse a budget or prices that are not positive, and a budget without a task sample.

    Parameters
    ----------
    budget : float
        What may be spent.
    cost_task : float
        Price of a task sample.
    **others : float
        Other prices, under the names that the sentence uses.

    Raises
    ------
    InputError
        A number that is not positive, or a budget below `cost_task`.
    """
    for name, price in ({"budget": budget, "cost_task": cost_task} | others).items():
        positive(name, price)
    if budget < cost_task:
        raise InputError(
            f"budget = {budget}: less than cost_task = {cost_task}, the price of one task sample"
        )


@dataclass(frozen=True)
class _Split:
    """A way to spend a budget, and the risk that it buys."""

    risk: float
    n_task: int
    n_brain: int
    repeats: int


@dataclass(frozen=True)
class _Market:
    """What a budget can buy at given prices; `factor` multiplies the law's m_bar."""

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
        off = self.surface.accuracy
        corner = float(self.surface.exact_ridge(corner_task))
        best = self._interior(cost_brain)
        risk = self._exact_risk(best)
        if not risk < corner:
            best, risk = _Split(corner, corner_task, 0, 1), corner
        n_task, n_brain, repeats = best.n_task, best.n_brain, best.repeats
        fee = cost_brain + (repeats - 1) * self.cost_repeat
        return Allocation(
            n_task=n_task,
            n_brain=n_brain,
            repeats=repeats,
            worth_collecting=n_brain > 0,
            break_even_price=self._break_even(corner),
            break_even_range=(
                replace(self, factor=1.0 + off)._break_even(corner),
                replace(self, factor=max(1.0 - off, 0.0))._break_even(corner),
            ),
            risk=risk,
            risk_without=corner,
            marginal_rate=self._rate(best) if n_brain >= r else float("nan"),
            cost=n_task * self.cost_task + n_brain * fee,
            kind="interior" if n_brain else "corner",
        )

    def _m_bar(self, n_brain: Floats, repeats: Floats) -> Floats:
        """Share of beta that the subspace misses, from n_brain stimuli recorded `repeats` times."""
        noise = self.surface.model.recorded.neural_noise / np.sqrt(repeats)
        m = None if self.schedule is None else np.clip(self.schedule(n_brain), 0.0, 1.0)
        m_bar = self.surface.m_bar(n_brain, neural_noise=noise, misalignment=m)
        return np.minimum(m_bar * self.factor, 1.0)

    def _best_of(self, n_brain: Floats, repeats: int, cost_brain: float) -> tuple[_Split, int]:
        """The best split among numbers of brain samples, and its place.

        The rest of the budget is spent on whole task samples, or on those of them that are of use
        below the rank.
        """
        fee = cost_brain + (repeats - 1) * self.cost_repeat
        missed = self._m_bar(n_brain, np.asarray(float(repeats)))
        most = np.floor((self.budget - n_brain * fee) / self.cost_task)
        n_task = np.stack([most, best_below_rank(most, self.surface.r, self.surface.sigma, missed)])
        risk = self.surface.befs(n_task, missed)
        side, place = np.unravel_index(np.argmin(risk), risk.shape)
        whole = int(n_task[side, place]), int(n_brain[place])
        return _Split(float(risk[side, place]), *whole, repeats), int(place)

    def _exact_risk(self, split: _Split) -> float:
        """The risk of a split by the closed form of the task stage; inf where there is none."""
        if not np.isfinite(split.risk):
            return float("inf")
        missed = self._m_bar(np.array([float(split.n_brain)]), np.asarray(float(split.repeats)))
        return self.surface.exact_befs(split.n_task, float(missed[0]))

    def _interior(self, cost_brain: float, refine: bool = True) -> _Split:
        """The best split with brain data, of risk inf where none is affordable.

        Without `refine` n_brain is the best of the scan, whose risk is right to second order.
        """
        found = _Split(np.inf, 0, 0, 1)
        for repeats in range(1, self.max_repeats + 1):
            scan = self._scan(cost_brain + (repeats - 1) * self.cost_repeat)
            if not scan.size:
                break
            split, best = self._best_of(scan, repeats, cost_brain)
            if refine:
                low, high = scan[max(best - 1, 0)], scan[min(best + 1, scan.size - 1)]
                near = np.round(np.linspace(low, high, int(min(high - low, 4000)) + 1))
                split, _ = self._best_of(np.unique(near), repeats, cost_brain)
            found = min(found, split, key=lambda s: s.risk)
        return found

    def _scan(self, fee: float) -> Floats:
        """Numbers of brain samples that leave money for a task sample, ascending; maybe none.

        Geometric up to where the rank takes the last task samples, beyond it again, and the most
        that each number of task samples below the rank leaves.
        """
        r = self.surface.r
        most = (self.budget - self.cost_task) / fee
        if most < r:
            return np.zeros(0)
        enough = (self.budget - (r + 2) * self.cost_task) / fee
        few = np.arange(1.0, min(r, self.budget // self.cost_task) + 1.0)
        ends = np.floor((self.budget - few * self.cost_task) / fee)
        parts = [ends[ends >= r], np.geomspace(max(enough, r), most, _SCAN // 4)]
        if enough >= r:
            parts.append(np.geomspace(r, enough, _SCAN))
        return np.unique(np.minimum(np.round(np.concatenate(parts)), np.floor(most)))

    def _break_even(self, corner: float) -> float:
        """The price at which brain data and no brain data are equally good: risk grows with it."""
        low, high = 1e-9 * self.cost_task, _HIGHEST_PRICE * self.cost_task
        if not self._interior(low, refine=False).risk < corner:
            return 0.0
        for _ in range(60):
            middle = np.sqrt(low * high)
            if self._interior(middle, refine=False).risk < corner:
                low = middle
            else:
                high = middle
            if high / low < 1.0 + 1e-5:
                break
        return float(low)

    def _rate(self, split: _Split) -> float:
        """The marginal rate at a split; NaN where a schedule changes the model along the way."""
        if self.schedule is not None:
            return float("nan")
        given = self.surface.model.given() | {
            "neural_noise": self.surface.model.sigma_r / np.sqrt(split.repeats)
        }
        return value(Model(**given), split.n_task, split.n_brain).marginal_rate


def exposed_latents(model: Model, latents_per_session: int, samples_per_session: int) -> Schedule:
    """A schedule for `allocate` in which each recording session exposes more latents.

    Latents are exposed in their order, the first ones first.

    Parameters
    ----------
    model : Model
        Its `latent_dim` latents are what can be exposed at most.
    latents_per_session, samples_per_session : int
        Sessions are counted from 1; the last one may be incomplete.

    Returns
    -------
    callable
        n_brain -> m_eff.

    Raises
    ------
    InputError
        A number below 1.
    """
    for name, number in (
        ("latents_per_session", latents_per_session),
        ("samples_per_session", samples_per_session),
    ):
        if number < 1:
            raise InputError(f"{name} = {number}: a whole number >= 1 is allowed")
    carried = np.concatenate([[0.0], np.cumsum(model.loadings**2)])

    def schedule(n_brain: Floats) -> Floats:
        sessions = np.ceil(np.asarray(n_brain, dtype=float) / samples_per_session)
        exposed = np.minimum(sessions * latents_per_session, model.latent_dim).astype(int)
        m = model.misalignment
        return np.asarray(m + (1.0 - m) * (1.0 - carried[exposed]))

    return schedule
