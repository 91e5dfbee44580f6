"""Every output of a cell by plain NumPy: the excess risks of replicates of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.sweep.design import Cell
from tests.sweep.domains import undefined, uses_brain
from tests.sweep.estimators import chosen_penalty, encode, fit, times, transposed
from tests.sweep.population import Population, populate
from tests.sweep.shifts import Shift, read_shift

ENTRIES = 2_000_000  # of the largest array in memory
COMPARED = 3000  # replicates on which an optimum is held against other penalties
NEIGHBOURS = (0.1, 0.25, 0.5, 0.71, 1.41, 2.0, 4.0, 10.0)


@dataclass(frozen=True)
class Output:
    """What a row is about: the penalty is a number, or `loo` or `gcv`."""

    name: str
    penalty: Any
    eta: float
    shift: str

    @property
    def subspace(self) -> str:
        if self.name in ("ols", "ridge"):
            return "none"
        return "measured" if self.name == "befs-oracle" else "estimated"


@dataclass
class Truth:
    """Excess risks by row, and for optima those of other penalties on the same data."""

    population: Population
    outputs: dict[int, Output]
    baselines: dict[int, Output]
    rivals: dict[int, list[Output]]
    excess: dict[Output, np.ndarray] = field(default_factory=dict)
    missed: np.ndarray = field(default_factory=lambda: np.zeros(0))  # m_hat of the replicates

    def of(self, row: int) -> np.ndarray:
        return self.excess[self.outputs[row]]


def replicates(cell: Cell) -> int:
    """How many replicates NumPy can draw in some four seconds."""
    d, n = cell.model["input_dim"], max(cell.n_task, 1)
    selects = sum(rule in ("loo", "gcv") for _, rule in cell.methods)
    per_fit = d**3 + n * d * d
    work = 2e4 + 0.6 * per_fit * (2 + len(cell.methods)) + 130 * selects * n * d
    work += cell.n_brain * d * (d + cell.model["n_channels"])
    return int(np.clip(8e9 / work, 400, 30_000))


def ask(cell: Cell, rows: list[dict[str, Any]]) -> Truth:
    """What the rows of a cell are about; an optimal penalty is the one that they state."""
    population = populate(cell.model, cell.index, list(cell.shifts))
    outputs, baselines, rivals = {}, {}, {}
    for i, ((name, rule, shift), row) in enumerate(zip(cell.outputs, rows, strict=True)):
        if undefined(cell, name):
            continue
        if name == "projection":
            outputs[i] = Output(name, np.inf, 0.0, shift)
        elif rule in ("loo", "gcv"):
            outputs[i] = Output(name, rule, _eta(cell, name), shift)
        elif isinstance(rule, str):
            if row["penalty"] is None:
                continue
            eta = _eta(cell, name, row["penalty"], rule, population)
            outputs[i] = Output(name, row["penalty"], eta, shift)
            rivals[i] = list(_rivals(cell, population, outputs[i], rule))
        else:
            scale = cell.n_task if cell.penalty_scale == "sum" and name != "ols" else 1
            outputs[i] = Output(name, rule / scale, _eta(cell, name), shift)
    if (base := baseline(cell)) is not None:
        for i in outputs:
            at = base * len(cell.shifts) + i % len(cell.shifts)
            if at in outputs:
                baselines[i] = outputs[at]
    return Truth(population, outputs, baselines, rivals)


def baseline(cell: Cell) -> int | None:
    """The choice that gains are measured against: the first tuned ridge, else OLS."""
    flat = [(name, rule) for name, rules in cell.estimators.items() for rule in rules]
    tuned = [i for i, (name, rule) in enumerate(flat) if name == "ridge" and isinstance(rule, str)]
    plain = [i for i, (name, _) in enumerate(flat) if name == "ols"]
    return next(iter(tuned + plain), None)


def _eta(
    cell: Cell, name: str, penalty: float = np.nan, rule: str = "", p: Population | None = None
) -> float:
    """Penalty inside the subspace over penalty outside; `optimal` has a closed form for each."""
    if not name.startswith("two-penalty"):
        return 1.0 if name in ("ols", "ridge") or _blind(cell, name) else 0.0
    if _blind(cell, name):
        return 1.0
    if rule == "optimal" and p is not None and p.isotropic:
        q, r, noise = p.d - cell.spared, cell.spared, (p.task_noise / p.norm) ** 2
        if noise > 0:  # the share that was used follows from the penalty that is stated
            missed = noise * q / (cell.n_task * penalty) if penalty > 0 else 0.0
        else:
            missed = mean_missed(cell, p)
        return r * missed / (q * max(1 - missed, 1e-12)) if q else 1.0  # one band is ridge
    return float(name.partition(":")[2])


def mean_missed(cell: Cell, population: Population) -> float:
    """m_bar, the mean share of beta outside the estimated subspace, from 4,000 replicates.

    Of directions that no recording tells apart each has the same share of what is left: that is
    averaged exactly, and m_bar is exact where all shares are equal.
    """
    rng, found = np.random.default_rng([3, cell.index]), []
    known = population.frame[:, : population.measured]
    inside = known.T @ population.beta
    rest = population.norm**2 - inside @ inside
    for _ in range(40):
        X = population.inputs(rng, 100, cell.n_brain)
        recorded = population.recordings(rng, X)
        A = encode(X, recorded, cell.spared, cell.encoding_penalty, population.discrete)
        cosines = transposed(A) @ known
        left = cell.spared - np.sum(cosines**2, axis=(1, 2))
        each = rest / max(population.d - population.measured, 1)
        found.append(np.sum(times(cosines, inside) ** 2, axis=1) + each * left)
    return float(1 - np.mean(found) / population.norm**2)


def _blind(cell: Cell, name: str) -> bool:
    return uses_brain(name) and cell.n_brain == 0


def _rivals(cell: Cell, population: Population, asked: Output, rule: str) -> Iterator[Output]:
    """The output under the shift it was optimised for, then other penalties."""
    shift = "id" if rule == "optimal" else asked.shift
    yield Output(asked.name, asked.penalty, asked.eta, shift)
    if 0 < asked.penalty < np.inf:
        others = [asked.penalty * f for f in NEIGHBOURS]
    else:
        centre = (population.task_noise / population.norm) ** 2 * population.d / cell.n_task
        others = [(centre or 1.0) * f for f in (1e-2, 0.1, 1.0, 10.0, 100.0)]
    if asked.eta == 0.0 or rule == "optimal-shift":
        others.append(np.inf)
    for penalty in others:
        if penalty != asked.penalty:
            yield Output(asked.name, penalty, asked.eta, shift)


def simulate(cell: Cell, truth: Truth, count: int) -> None:
    """Draw replicates and fill in the excess risks."""
    population = truth.population
    wanted = list(dict.fromkeys([*truth.outputs.values(), *truth.baselines.values()]))
    others = [o for group in truth.rivals.values() for o in group]
    extra = [o for o in dict.fromkeys(others) if o not in wanted]
    laws = {o.shift: read_shift(o.shift, population) for o in wanted + extra}
    rng = np.random.default_rng([20261128, cell.index])
    n, d = max(cell.n_task, cell.n_brain, population.d), population.d
    selects = any(isinstance(o.penalty, str) for o in wanted)
    chunk = max(1, min(count, ENTRIES // (n * max(d, 51 if selects else 1, population.k))))
    parts: dict[Output, list[np.ndarray]] = {o: [] for o in wanted + extra}
    missed, done = [], 0
    while done < count:
        size = min(chunk, count - done)
        asked = wanted + (extra if done < COMPARED else [])
        found, miss = _draw(cell, population, asked, laws, rng, size)
        for output, values in found.items():
            parts[output].append(values)
        missed.append(miss)
        done += size
    truth.excess = {o: np.concatenate(found) for o, found in parts.items()}
    truth.missed = np.concatenate(missed)


def _draw(
    cell: Cell,
    population: Population,
    asked: list[Output],
    laws: dict[str, Shift],
    rng: np.random.Generator,
    size: int,
) -> tuple[dict[Output, np.ndarray], np.ndarray]:
    X = population.inputs(rng, size, cell.n_task)
    y = population.labels(rng, X)
    known = population.frame[:, : population.measured]
    spaces: dict[str, np.ndarray | None] = {
        "none": None,
        "measured": np.broadcast_to(known, (size, *known.shape)),
        "estimated": None,
    }
    missed = np.full(size, np.nan)
    if cell.n_brain >= cell.spared and any(o.subspace == "estimated" for o in asked):
        X_brain = population.inputs(rng, size, cell.n_brain)
        recorded = population.recordings(rng, X_brain)
        basis = encode(X_brain, recorded, cell.spared, cell.encoding_penalty, population.discrete)
        spaces["estimated"] = basis
        seen = np.einsum("rij,i->rj", basis, population.beta)
        missed = 1 - np.sum(seen**2, axis=1) / population.norm**2
    fits: dict[Any, np.ndarray] = {}
    found = {}
    for output in asked:
        A = spaces[output.subspace]
        key = (output.subspace, output.eta, output.penalty)
        if key not in fits:
            fits[key] = _fit(X, y, A, output)
        found[output] = laws[output.shift].excess(fits[key])
    return found, missed


def _fit(X: np.ndarray, y: np.ndarray, A: np.ndarray | None, output: Output) -> np.ndarray:
    if output.name == "projection" and A is None:
        return np.zeros((len(X), X.shape[2]))
    eta = output.eta if A is not None else 1.0
    lost = np.zeros(len(X), bool) if A is None else ~np.isfinite(A).all(axis=(1, 2))
    if lost.any():
        assert A is not None
        A = np.where(lost[:, None, None], np.eye(X.shape[2])[:, : A.shape[2]], A)
    penalty = output.penalty
    if isinstance(penalty, str):
        penalty = chosen_penalty(X, y, A, eta, penalty)
    fitted = fit(X, y, A, eta, penalty)
    fitted[lost] = np.nan
    return fitted
