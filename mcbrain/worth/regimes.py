"""Where brain data is worth collecting, over prices and one other quantity (theory/README.md 6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mcbrain.errors import InputError
from mcbrain.population.model import Model
from mcbrain.typing import Floats
from mcbrain.worth.surface import Surface

__all__ = ["RegimeMap", "regime_map"]


_SCAN = 600
_COARSE = 200
_FINE = 24


@dataclass(frozen=True)
class RegimeMap:
    """The best split over a plane of prices and of one other quantity; arrays (y, x).

    Attributes
    ----------
    price : array (x,)
        cost_brain / cost_task.
    axis : str
        What y is: "budget", "misalignment", "neural_noise" or "task_noise".
    y : array (y,)
        Its values, in the units of the model; a budget in task samples.
    n_brain, n_task : array (y, x)
        Best split, as real numbers; n_brain = 0 is the corner.
    share : array (y, x)
        Share of the budget that goes to brain data.
    gain : array (y, x)
        Risk of tuned ridge on the whole budget over the risk of the best split, >= 1.
    surely, possibly : array of bool (y, x)
        Whether any split with brain data wins where m_bar is larger, or smaller, than law 5b has it
        by what that law stays within in 95 % of models: the break-even line lies between the two.
    """

    price: Floats
    axis: str
    y: Floats
    n_brain: Floats
    n_task: Floats
    share: Floats
    gain: Floats
    surely: NDArray[np.bool_]
    possibly: NDArray[np.bool_]


def regime_map(
    model: Model,
    price: ArrayLike,
    axis: str,
    y: ArrayLike,
    *,
    budget: float = 10_000.0,
    splits: int = 48,
) -> RegimeMap:
    """Where brain data is worth collecting, over price ratio and one other quantity.

    Parameters
    ----------
    model : Model
        Isotropic and Gaussian, with task noise.
    price : array_like, shape (x,)
        cost_brain / cost_task > 0.
    axis : str
        "budget" (in task samples), "misalignment", "neural_noise" or "task_noise".
    y : array_like, shape (y,)
        Values along that axis.
    budget : float
        In task samples, where it is not the axis.
    splits : int
        Numbers of brain samples that are compared in each cell, geometric between the rank and what
        the budget buys.

    Returns
    -------
    RegimeMap
        By the laws.

    Raises
    ------
    InputError
        Values that are not positive, or another axis.
    """
    axes = ("budget", "misalignment", "neural_noise", "task_noise")
    if axis not in axes:
        raise InputError(f"axis = {axis!r}: allowed: {', '.join(axes)}")
    c, rows = np.asarray(price, dtype=float), np.asarray(y, dtype=float)
    low = 0.0 if axis == "misalignment" else 1e-300
    if np.any(c <= 0) or np.any(rows < low) or budget <= 0:
        raise InputError(f"price, {axis} and budget: numbers > 0 are allowed")
    surface = Surface(model)
    money = rows if axis == "budget" else np.full(rows.shape, float(budget))
    noise = rows if axis == "task_noise" else np.full(rows.shape, surface.sigma)
    corner = surface.ridge(money, noise)[:, None]
    counts, missed = _missed_by_count(surface, axis, rows, money.max() / c.min())
    (risk, n_brain), (worst, _), (kindest, _) = (
        _solve(surface, money, noise, c, counts, table, splits)
        for table in surface.missed_range(missed)
    )
    worth = risk < corner
    n_brain = np.where(worth, n_brain, 0.0)
    spent = n_brain * c
    return RegimeMap(
        price=c,
        axis=axis,
        y=rows,
        n_brain=n_brain,
        n_task=money[:, None] - spent,
        share=spent / money[:, None],
        gain=np.where(worth, corner / np.where(worth, risk, 1.0), 1.0),
        surely=worst < corner,
        possibly=kindest < corner,
    )


def _solve(
    surface: Surface,
    money: Floats,
    noise: Floats,
    price: Floats,
    counts: Floats,
    missed: Floats,
    splits: int,
) -> tuple[Floats, Floats]:
    """Least risk and its n_brain, (y, x) each, from m_bar at counts, (rows or 1, points)."""
    cells: list[tuple[Floats, Floats]] = []
    # One row of the map at a time keeps the arrays small.
    for i in range(money.size):

        def risk_of(n_brain: Floats, i: int = i) -> Floats:
            m_bar = np.interp(np.log(n_brain), counts, missed[min(i, len(missed) - 1)])
            return surface.befs(money[i] - price * n_brain, m_bar, noise[i])

        least = np.full(price.shape, surface.r, float)
        most = np.maximum((money[i] - surface.r - 2.0) / price, least * (1 + 1e-9))
        above = _best(risk_of, _grid(least, most, splits))
        # Numbers of task samples below the rank, from the largest at which the risk has a mean down
        # to none.
        task = np.linspace(max(surface.r - 1.0, 0.0), 0.0, splits)[1:, None]
        below = _best(risk_of, np.maximum((money[i] - task) / price, least))
        cells.append(_lesser(above, below))
    return np.array([risk for risk, _ in cells]), np.array([n for _, n in cells])


def _missed_by_count(
    surface: Surface, axis: str, rows: Floats, largest: float
) -> tuple[Floats, Floats]:
    """The logarithm of n_brain and m_bar, (rows or 1, points), to interpolate in each cell."""
    # Each noise needs its own evaluation of the law, so that fewer points are taken.
    size = _COARSE if axis == "neural_noise" else _SCAN
    n = np.geomspace(surface.r, max(largest, 2.0 * surface.r), size)
    column = rows[:, None]
    if axis == "misalignment":
        return np.log(n), surface.m_bar(n, misalignment=column)
    if axis == "neural_noise":
        return np.log(n), surface.m_bar(
            np.broadcast_to(n, (rows.size, n.size)), neural_noise=column
        )
    return np.log(n), surface.m_bar(n)[None, :]


def _best(risk_of: Callable[[Floats], Floats], grid: Floats) -> tuple[Floats, Floats]:
    """Least risk and its split, (x,) each: the best of a grid (splits, x), then near it."""
    best = np.argmin(risk_of(grid), axis=0)
    across = np.arange(grid.shape[1])
    low, high = (
        grid[np.maximum(best - 1, 0), across],
        grid[np.minimum(best + 1, len(grid) - 1), across],
    )
    fine = np.concatenate([_grid(low, high, _FINE), grid[best, across][None, :]])
    risk = risk_of(fine)
    place = np.argmin(risk, axis=0)
    return risk[place, across], fine[place, across]


def _lesser(one: tuple[Floats, Floats], two: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    """The lesser risk and its split, where a split is either's."""
    return np.minimum(one[0], two[0]), np.where(two[0] < one[0], two[1], one[1])


def _grid(low: ArrayLike, high: ArrayLike, size: int) -> Floats:
    """Geometric from low to high, (size, ...)."""
    bottom, top = np.asarray(low, dtype=float), np.asarray(high, dtype=float)
    share = np.linspace(0.0, 1.0, size).reshape(-1, *([1] * top.ndim))
    return np.asarray(bottom * (top / bottom) ** share)
