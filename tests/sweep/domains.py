"""Which moments of an output exist, what its status may say, and what kind of law it has.

The rule is that of theory/README.md 4a: least squares in w dimensions on n rows with a density has
a finite moment of order j iff |n - w| + 1 > 2j. It acts with w = r inside a subspace that feels no
penalty, with w = d where the penalty is or may be 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tests.sweep.design import Cell
from tests.sweep.population import Population, split

WORDS = ("infinite_mean", "infinite_variance", "heavy_tail")
NEVER = 10**6
HIDDEN = 1e-6  # a penalty that no error bar can do justice to: its row must say so
TINY = 0.05  # a penalty that leaves error bars useless near n = d, though every moment is finite


@dataclass(frozen=True)
class Domain:
    """The distance |n - w| of an output, and the statuses that its row may have.

    `plain` is the distance by which errors are believed: less where moments exist in name only.
    """

    gap: int
    allowed: frozenset[str]
    plain: int = NEVER

    def has_moment(self, order: int) -> bool:
        return self.gap + 1 > 2 * order

    def has_plain_moment(self, order: int) -> bool:
        return min(self.gap, self.plain) + 1 > 2 * order


def word(gap: int) -> str:
    """The status at a distance."""
    return WORDS[0] if gap <= 1 else WORDS[1] if gap <= 3 else WORDS[2] if gap <= 7 else "ok"


def undefined(cell: Cell, name: str) -> bool:
    return uses_brain(name) and 0 < cell.n_brain < cell.spared


def uses_brain(name: str) -> bool:
    return name in ("befs", "projection") or name.startswith("two-penalty")


def domain(cell: Cell, population: Population, name: str, penalty: Any, eta: float) -> Domain:
    """The domain of an output; `penalty` is per sample, or the rule if each replicate chooses."""
    n, d = cell.n_task, population.d
    blind = uses_brain(name) and cell.n_brain == 0
    if blind and name == "projection":
        return Domain(NEVER, frozenset({"ok"}))
    rank = {"befs": cell.spared, "projection": cell.spared, "befs-oracle": cell.measured}.get(name)
    rank = cell.spared if name.startswith("two-penalty") and eta == 0 else rank
    rank = None if blind else rank
    inside = NEVER if rank is None else abs(n - rank)
    idle = rank is not None and n <= rank  # nothing is left to fit outside
    whole = abs(n - d) if penalty in (0.0, "loo", "gcv") and not idle else NEVER
    if not isinstance(penalty, str) and penalty < 0:
        return Domain(0, frozenset({"infinite_mean"}))
    gap, allowed, plain = min(inside, whole), {word(min(inside, whole))}, NEVER
    law, shape = split(population.model.get("inputs", "gaussian"))
    if cell.engine in ("spectral", "auto") and inside > 1:
        allowed.add(word(whole))  # this engine integrates what is inside
        if whole > 1 and cell.law:
            allowed.add("ok")  # and the law stands for the rest
    if population.task_noise == 0.0:  # rows without noise may be fitted without error
        allowed.add(word(inside))
        if population.missed_share < 1e-12 or (rank or 0) >= population.k:
            allowed.add("ok")
    tiny = not isinstance(penalty, str) and 0 < penalty < TINY and population.task_noise > 0
    if tiny and abs(n - d) <= 7:
        plain = abs(n - d)
        allowed = allowed | {"ok", *WORDS[1:]} if penalty > HIDDEN else set(WORDS[1:])
    if law == "student" and rank and rank < min(n, d):
        # A row that dwarfs all others, by a power of nu, and is short inside, by one of the rank.
        plain = min(plain, int(np.ceil(shape)) - 1 + rank)
        if penalty == np.inf:
            gap = min(gap, plain)
            allowed = {word(gap)}
    if law == "rademacher":  # finitely many inputs: what is not singular has every moment
        gap, allowed, plain = NEVER, allowed | {"ok", word(inside)}, min(plain, gap)
        if uses_brain(name) and 2 <= (rank or 0) <= n and cell.model.get("basis") == "axes":
            # Two equal columns: the fit rests on the errors of the subspace, d - r numbers.
            chance = cell.measured * (cell.measured - 1) * 2.0**-n
            if chance > 1e-13 and d - cell.spared <= 8:
                gap, allowed = d - cell.spared - 1, {word(d - cell.spared - 1)} | allowed
    if law == "sparse" and (whole < NEVER or rank):
        # With some probability a single entry is all that a fit rests on, whatever n is.
        gap, allowed = 0, {"infinite_mean"} | (set() if penalty == 0.0 else allowed)
    return Domain(gap, frozenset(allowed), plain)


def free_rows(population: Population, n: int, penalty: float) -> float:
    """n - tr (Sigma/(Sigma + kappa))^2 of ridge, by bisection of kappa (n - df1) = n penalty."""
    spectrum = population.scale**2
    if penalty == 0.0 and n >= population.d:
        return float(n - population.d)
    low, high = 0.0, 1e12
    for _ in range(200):
        kappa = np.sqrt(max(low, 1e-300) * high)
        used = np.sum(spectrum / (spectrum + kappa))
        low, high = (low, kappa) if kappa * (n - used) > n * penalty else (kappa, high)
    return float(n - np.sum((spectrum / (spectrum + high)) ** 2))


def law_kind(cell: Cell, population: Population, output: tuple[str, Any, str], eta: float) -> str:
    """exact, semi-exact, asymptotic, same-law or none, for a row whose mean is finite."""
    name, rule, shift = output
    estimated = uses_brain(name) and cell.n_brain > 0 and eta != 1.0
    normal = population.model.get("inputs", "gaussian") == "gaussian"
    if not normal or shift.startswith("adversarial") or undefined(cell, name):
        return "none"
    if rule in ("loo", "gcv") or (not isinstance(rule, str) and rule < 0):
        return "none"
    banded, free = name.startswith("two-penalty"), rule == 0.0 and name != "projection"
    free |= rule == "optimal" and population.task_noise == 0.0 and (population.round or not banded)
    if not population.round:
        if estimated and not population.gaussian and not banded:
            return "none"
        if (free and cell.n_task >= population.d) or cell.n_task == 0:
            return "exact"  # least squares, whatever the subspace
        lawless = (estimated and not population.gaussian) or (banded and free)
        return "none" if lawless else "asymptotic"
    if not estimated:
        return "exact"  # no recordings are used, whatever they are
    if banded and free and cell.n_task >= population.d:
        return "exact"  # least squares, whatever the subspace
    if not population.gaussian:
        return "none"
    if cell.engine == "law" or (banded and eta > 0):
        return "asymptotic"
    return "semi-exact"
