"""The population of a cell and its data, in stacks of replicates (theory/README.md 1).

Where the risk depends on directions only through angles (elliptical inputs of covariance I), brain
and task lie along axes of our own choice. Elsewhere they are those of the study's seed, by the
lines that `mcbrain replay` prints; the two words of `spectrum` and `concept:ANGLE:brain`, which it
does not print, follow them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

BASIS, CHANNELS, SPECTRUM, TURN = 0xB0000001, 0xB0000002, 0xB0000003, 0xB0000004


def study_stream(seed: int, word: int) -> np.random.Generator:
    """A stream of the study's own, as `mcbrain replay` prints it."""
    key = np.random.SeedSequence(seed, spawn_key=(word,))
    return np.random.Generator(np.random.SFC64(key))


def orthonormal(gaussian: np.ndarray) -> np.ndarray:
    """Orthonormal rows, as `mcbrain replay` prints it."""
    q, r = np.linalg.qr(gaussian.T)
    return (q * np.where(np.diag(r) < 0, -1.0, 1.0)).T


def power_law(d: int, exponent: float) -> np.ndarray:
    """Eigenvalues proportional to j^-exponent, of trace d."""
    values = np.arange(1, d + 1, dtype=float) ** -exponent
    return values * d / values.sum()


def split(text: str) -> tuple[str, float]:
    """A name and the number behind its colon."""
    name, _, number = text.partition(":")
    return name, float(number or "nan")


@dataclass(frozen=True)
class Population:
    """One model in coordinates in which the components of x are scale * independent."""

    model: dict[str, Any]
    seed: int
    frame: np.ndarray  # (d, d): A, u, o and the rest, as columns
    scale: np.ndarray  # (d,) square roots of the eigenvalues of Sigma
    loadings: np.ndarray  # (k,) unit vector
    channels: np.ndarray  # (p, k)
    task_noise: float
    neural_noise: float

    @property
    def d(self) -> int:
        return int(self.model["input_dim"])

    @property
    def k(self) -> int:
        return int(self.model["latent_dim"])

    @property
    def measured(self) -> int:
        return int(self.model.get("measured_latents") or self.k)

    @property
    def norm(self) -> float:
        return float(self.model.get("signal_norm", 1.0))

    @property
    def brain(self) -> np.ndarray:
        """A, (d, k)."""
        return self.frame[:, : self.k]

    @property
    def beta(self) -> np.ndarray:
        m = self.model.get("misalignment", 0.0)
        beta = np.sqrt(1 - m) * self.brain @ self.loadings
        if self.k < self.d:
            beta = beta + np.sqrt(m) * self.frame[:, self.k]
        return self.norm * beta

    @property
    def missed_share(self) -> float:
        """m_eff, the share of beta outside the measured latents."""
        seen = self.frame[:, : self.measured].T @ self.beta
        return max(0.0, 1.0 - float(seen @ seen) / self.norm**2)

    @property
    def discrete(self) -> bool:
        return split(self.model.get("inputs", "gaussian"))[0] in ("rademacher", "sparse")

    @property
    def gaussian(self) -> bool:
        """Whether inputs, latents and recordings follow the linear Gaussian model."""
        told = (self.model.get(key, d) for key, d in _LINEAR.items())
        return tuple(told) == tuple(_LINEAR.values())

    @property
    def round(self) -> bool:
        """Whether inputs are Gaussian and alike in every direction."""
        told = (self.model.get(key, d) for key, d in _ROUND.items())
        return tuple(told) == tuple(_ROUND.values())

    @property
    def isotropic(self) -> bool:
        return self.gaussian and self.round

    def inputs(self, rng: np.random.Generator, count: int, n: int) -> np.ndarray:
        """Inputs, (count, n, d)."""
        name, number = split(self.model.get("inputs", "gaussian"))
        shape = (count, n, self.d)
        if name == "rademacher":
            z = rng.integers(0, 2, shape) * 2.0 - 1.0
        elif name == "uniform":
            z = rng.uniform(-np.sqrt(3), np.sqrt(3), shape)
        elif name == "laplace":
            z = rng.choice([-1.0, 1.0], shape) * rng.exponential(np.sqrt(0.5), shape)
        elif name == "sparse":
            z = rng.standard_normal(shape) * rng.binomial(1, number, shape) / np.sqrt(number)
        elif name == "student":
            mixing = rng.gamma(number / 2, 2.0, (count, n, 1))  # a chi-square
            z = rng.standard_normal(shape) * np.sqrt((number - 2) / mixing)
        elif name == "gaussian":
            z = rng.standard_normal(shape)
        else:
            raise ValueError(name)
        return z * self.scale

    def labels(self, rng: np.random.Generator, X: np.ndarray) -> np.ndarray:
        """Labels, (count, n)."""
        return X @ self.beta + self.task_noise * rng.standard_normal(X.shape[:2])

    def recordings(self, rng: np.random.Generator, X: np.ndarray) -> np.ndarray:
        """Recordings, (count, n, p)."""
        latents = X @ self.brain
        if self.model.get("latents", "linear") == "tanh":
            latents = np.tanh(latents) / 0.628
        drive = latents @ self.channels.T
        if self.model.get("neural_law", "gaussian") == "poisson":
            return rng.poisson(self.model.get("baseline_rate", 1.0) * np.exp(drive)).astype(float)
        return drive + self.neural_noise * rng.standard_normal(drive.shape)


_ROUND = {"inputs": "gaussian", "covariance": "identity"}
_LINEAR = {"inputs": "gaussian", "latents": "linear", "neural_law": "gaussian"}


def populate(model: dict[str, Any], seed: int, shifts: list[str]) -> Population:
    """The population that the options of a model describe, under a study's seed."""
    d, k, p = model["input_dim"], model["latent_dim"], model["n_channels"]
    name, exponent = split(model.get("covariance", "identity"))
    scale = np.sqrt(power_law(d, exponent)) if name == "powerlaw" else np.ones(d)
    elliptical = split(model.get("inputs", "gaussian"))[0] in ("gaussian", "student")
    free = elliptical and name == "identity" and not any(s.startswith("spectrum") for s in shifts)
    if model.get("basis", "haar") == "axes" or free:
        frame = np.eye(d)
    else:
        frame = orthonormal(study_stream(seed, BASIS).standard_normal((d, d))).T
    loadings = np.asarray(model.get("task_loadings") or np.ones(k), float)
    loadings = loadings / np.linalg.norm(loadings)
    measured = model.get("measured_latents") or k
    gains = np.broadcast_to(np.asarray(model.get("latent_gains", 1.0), float), k)[:measured]
    if model.get("neural_law", "gaussian") == "poisson":
        rows = orthonormal(study_stream(seed, CHANNELS).standard_normal((measured, p)))
    else:  # the noise of the channels is the same in every direction
        rows = np.linalg.qr(np.random.default_rng([71, seed]).standard_normal((p, measured)))[0].T
    channels = np.zeros((p, k))
    channels[:, :measured] = rows.T * gains
    norm = model.get("signal_norm", 1.0)
    noise = model.get("task_noise", 1.0)
    if "snr_task" in model:
        noise = norm / np.sqrt(model["snr_task"])
    recorded = model.get("neural_noise", 1.0)
    if "snr_brain" in model:
        a = loadings[:measured] / np.linalg.norm(loadings[:measured])
        recorded = 1 / np.sqrt(model["snr_brain"] * np.sum(a**2 / gains**2))
    return Population(model, seed, frame, scale, loadings, channels, noise, recorded)
