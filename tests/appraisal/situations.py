"""What laboratories have, with the truth known: data sets that an appraisal must judge rightly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import linalg

from mcbrain.typing import Floats

__all__ = ["SITUATIONS", "Situation", "Truth"]

Rng = np.random.Generator


@dataclass(frozen=True)
class Truth:
    """A data set and where it comes from.

    Attributes
    ----------
    arrays : tuple
        X, y, X_brain, R.
    root : (d, d)
        Inputs are white rows times this matrix.
    weights : (d,)
        Effects of the task inputs on y.
    task_noise : float
        sigma_y.
    neural_noise : float
        sigma_r, the geometric mean over channels; NaN where it has no meaning.
    options : dict
        What a user who knows the data would add to the call.
    """

    arrays: tuple[Floats, Floats, Floats, Floats]
    root: Floats
    weights: Floats
    task_noise: float
    neural_noise: float
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Situation:
    """A kind of data and the answers that are right for it.

    Attributes
    ----------
    draw : callable
        Of a random generator: a data set.
    right : tuple of str
        Right answers of the verdict.
    words : str
        What the verdict must say.
    contradicted : str
        Beginning of the name of an assumption that must be found contradicted; empty for none.
    """

    draw: Callable[[Rng], Truth]
    right: tuple[str, ...]
    words: str = ""
    contradicted: str = ""


def _orthonormal(rng: Rng, d: int, r: int) -> Floats:
    return np.asarray(linalg.qr(rng.standard_normal((d, r)), mode="economic")[0])


def _slow(rng: Rng, n: int, k: int, rho: float) -> Floats:
    """Rows (n, k) of variance one that follow themselves."""
    rows = rng.standard_normal((n, k))
    for t in range(1, n):
        rows[t] = rho * rows[t - 1] + np.sqrt(1 - rho**2) * rows[t]
    return rows


def ordinary(
    rng: Rng,
    *,
    d: int = 40,
    p: int = 30,
    n_task: int = 600,
    n_brain: int = 800,
    decay: float = 0.0,
    misalignment: float = 0.2,
    gains: tuple[float, ...] = (2.0, 1.5, 1.0),
    task_noise: float = 0.8,
    shared: float = 0.0,
    uneven: float = 0.0,
    rho: float = 0.0,
) -> Truth:
    """The model itself, with inputs of any covariance and noise of several kinds.

    `shared` is the size of two factors of noise over that of a channel, `uneven` the standard
    deviation of the logarithm of the channels' noise, `rho` the correlation of neighbouring rows.
    """
    r = len(gains)
    turn = _orthonormal(rng, d, d)
    spectrum = np.arange(1.0, d + 1) ** -decay
    root = (turn * np.sqrt(spectrum / spectrum.mean())) @ turn.T
    A = _orthonormal(rng, d, r + 1)
    beta = np.sqrt((1 - misalignment) / r) * A[:, :r].sum(axis=1)
    beta = beta + np.sqrt(misalignment) * A[:, r]
    C = _orthonormal(rng, p, r)
    X, X_brain = (_slow(rng, n, d, rho) @ root for n in (n_task, n_brain))
    noise = np.exp(uneven * rng.standard_normal(p))
    noise /= np.exp(np.mean(np.log(noise)))
    R = X_brain @ A[:, :r] * np.array(gains) @ C.T + noise * _slow(rng, n_brain, p, rho)
    if shared:
        R += shared * rng.standard_normal((n_brain, 2)) @ rng.standard_normal((2, p))
    y = X @ beta + task_noise * _slow(rng, n_task, 1, rho)[:, 0]
    return Truth((X, y, X_brain, R), root, beta, task_noise, np.nan if shared else 1.0)


def shared_noise_alone(rng: Rng) -> Truth:
    """Recordings without a response, whose channels share two factors."""
    return ordinary(rng, gains=(0.0,), shared=2.0, d=20, n_brain=300, n_task=200)


def in_blocks(rng: Rng) -> Truth:
    """Rows that follow each other, said to belong together in blocks."""
    truth = ordinary(rng, rho=0.9, n_task=600, n_brain=600, d=10)
    return Truth(*_fields(truth)[:5], {"block_length": 30})


def _fields(t: Truth) -> tuple[Any, ...]:
    return (t.arrays, t.root, t.weights, t.task_noise, t.neural_noise, t.options)


def repeats(rng: Rng) -> Truth:
    """Each stimulus five times with a jitter, residuals shared within a stimulus."""
    t = ordinary(rng, n_task=80, n_brain=300, d=15)
    X, y, X_brain, R = t.arrays
    X = np.repeat(X, 5, axis=0) + 1e-6 * rng.standard_normal((400, 15))
    return Truth((X, np.repeat(y, 5), X_brain, R), *_fields(t)[1:])


def other_units(rng: Rng) -> Truth:
    """Columns of the brain inputs in units that differ from column to column."""
    t = ordinary(rng)
    X, y, X_brain, R = t.arrays
    return Truth((X, y, X_brain * np.exp(0.5 * rng.standard_normal(40)), R), *_fields(t)[1:])


def twice_as_large(rng: Rng) -> Truth:
    """All brain inputs twice as large."""
    t = ordinary(rng)
    X, y, X_brain, R = t.arrays
    return Truth((X, y, 2.0 * X_brain, R), *_fields(t)[1:])


def collinear(rng: Rng) -> Truth:
    """One-hot columns, a duplicated one, and rows with the average taken out."""
    t = ordinary(rng, d=20, n_task=300, n_brain=400)
    X, y, X_brain, R = t.arrays
    more = [
        np.column_stack(
            [
                rows - rows.mean(axis=1, keepdims=True),
                rows[:, 0],
                np.eye(4)[rng.integers(0, 4, len(rows))],
            ]
        )
        for rows in (X, X_brain)
    ]
    return Truth((more[0], y, more[1], R), *_fields(t)[1:])


def holes(rng: Rng) -> Truth:
    """A channel and a row that miss a value."""
    t = ordinary(rng)
    X, y, X_brain, R = (np.array(a) for a in t.arrays)
    R[7, 3] = np.nan
    X[11, 2] = np.nan
    return Truth((X, y, X_brain, R), *_fields(t)[1:])


def useless(rng: Rng) -> Truth:
    """A brain that sees only what does not matter for the task."""
    return ordinary(rng, misalignment=1.0)


SITUATIONS = {
    "ordinary": Situation(ordinary, ("agree",)),
    "power-law inputs": Situation(
        lambda rng: ordinary(rng, decay=1.0, d=60, n_task=140, n_brain=400, p=40),
        ("agree", "cannot tell"),
    ),
    "useless brain": Situation(useless, ("agree", "cannot tell")),
    "rows in time, nothing said": Situation(
        lambda rng: ordinary(rng, rho=0.9, n_task=300, n_brain=300, d=20),
        ("cannot tell",),
        "say which rows belong together (groups",
        "independent rows",
    ),
    "rows in time, blocks given": Situation(in_blocks, ("agree", "cannot tell")),
    "near repeats": Situation(
        repeats, ("agree", "cannot tell"), "320 of 400 task inputs repeat", "no repeats (task)"
    ),
    "shared noise alone": Situation(shared_noise_alone, ("cannot tell",), "no response"),
    "shared noise and a response": Situation(
        lambda rng: ordinary(rng, shared=1.0), ("agree", "cannot tell")
    ),
    "channels of unequal noise": Situation(
        lambda rng: ordinary(rng, uneven=1.0), ("agree", "cannot tell")
    ),
    "brain inputs twice as large": Situation(
        twice_as_large, ("agree",), "all by one factor", "the same scales"
    ),
    "brain inputs in other units": Situation(
        other_units, ("disagree",), "the same scales on both sides", "the same scales"
    ),
    "collinear inputs": Situation(collinear, ("agree", "cannot tell")),
    "more inputs than rows": Situation(
        lambda rng: ordinary(rng, d=300, n_task=120, n_brain=200, decay=1.0),
        ("agree", "cannot tell"),
    ),
    "more channels than rows": Situation(
        lambda rng: ordinary(rng, p=600, gains=(6.0, 5.0, 4.0), n_task=300, n_brain=300),
        ("agree", "cannot tell"),
    ),
    "missing values": Situation(holes, ("agree",), "1 of 30 channels miss values"),
}
