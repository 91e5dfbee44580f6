"""Excess risk under a shift: (b - b_te)' M (b - b_te), M and b_te by their definitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.sweep.population import (
    BASIS,
    SPECTRUM,
    TURN,
    Population,
    orthonormal,
    power_law,
    study_stream,
)


@dataclass(frozen=True)
class Shift:
    """A second moment, a target and the budget of an adversary."""

    moment: np.ndarray
    target: np.ndarray
    budget: float = 0.0
    noise: float = 0.0

    def excess(self, fitted: np.ndarray) -> np.ndarray:
        """Excess risk of coefficients (count, d)."""
        error = fitted - self.target
        excess = np.einsum("ri,ij,rj->r", error, self.moment, error, optimize=True)
        if not self.budget:
            return excess
        length, risk = np.linalg.norm(fitted, axis=1), excess + self.noise**2
        cross = 2 * self.budget * length * np.sqrt(risk) * np.sqrt(2 / np.pi)
        return risk + cross + (self.budget * length) ** 2 - self.noise**2


def custom_moment(d: int) -> np.ndarray:
    """The matrix that cells with `custom` read from a file."""
    root = np.random.default_rng([5, d]).standard_normal((d, d + 2))
    return root @ root.T / d


def read_shift(text: str, population: Population) -> Shift:
    """A shift from its text."""
    kind, *parts = text.split(":")
    value = float(parts[0]) if parts and kind != "custom" else np.nan
    along = parts[1] if len(parts) > 1 else ""
    d, k = population.d, population.k
    A, beta, target = population.brain, population.beta, population.beta
    u = population.frame[:, k] if k < d else np.zeros(d)
    o = population.frame[:, k + 1] if k + 1 < d else np.zeros(d)
    inside, whitened, added = A @ A.T, np.eye(d), np.zeros((d, d))
    budget = 0.0
    if kind == "scale":
        whitened = value * np.eye(d)
    elif kind == "brain-insensitive":
        whitened = inside + value * (np.eye(d) - inside)
    elif kind == "brain-aligned":
        whitened = value * inside + (np.eye(d) - inside)
    elif kind == "missed-direction":
        whitened = np.eye(d) + (value - 1) * np.outer(u, u)
    elif kind == "mean":
        v = {"brain": A @ population.loadings, "missed": u, "orthogonal": o}[along]
        added = value**2 * np.outer(v, v)
    elif kind == "spectrum":
        basis = orthonormal(study_stream(population.seed, SPECTRUM).standard_normal((d, d)))
        whitened = basis.T @ (power_law(d, value)[:, None] * basis)
    elif kind == "concept":
        toward = o
        if along == "brain":
            turn = study_stream(population.seed, TURN).standard_normal(k)
            turn = turn - turn @ population.loadings * population.loadings
            toward = A @ (turn / np.linalg.norm(turn))
        target = np.cos(value) * beta + np.sin(value) * population.norm * toward
    elif kind == "adversarial":
        budget = value
    elif kind == "custom":
        # In the coordinates of x, in which brain and task lie along the first axes.
        turned = population.frame
        if population.model.get("basis", "haar") == "haar" and not np.all(turned == np.eye(d)):
            turned = orthonormal(study_stream(population.seed, BASIS).standard_normal((d, d))).T
        return Shift(turned @ custom_moment(d) @ turned.T, target)
    elif kind != "id":
        raise ValueError(text)
    root = np.diag(population.scale)
    return Shift(root @ whitened @ root + added, target, budget, population.task_noise)
