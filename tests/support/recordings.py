"""Simulated recordings of a known population, as arrays that an appraisal takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from mcbrain.typing import Floats

__all__ = ["SMALL", "Scenario", "arrays_of"]


@dataclass(frozen=True)
class Scenario:
    """A truth to draw data sets from; the defaults are an ordinary well-specified case.

    Attributes
    ----------
    d, p, n_task, n_brain : int
    gains : tuple of float
        One for each latent.
    misalignment, signal, task_noise, neural_noise : float
    decay : float
        Eigenvalues of the input covariance fall as j^-decay.
    noise : str
        "gaussian", or "student" for labels with t noise of five degrees of freedom.
    copies : int
        Each task row appears this many times: a fault that the appraisal cannot know of.
    """

    d: int = 40
    p: int = 30
    n_task: int = 600
    n_brain: int = 800
    gains: tuple[float, ...] = (2.0, 1.5, 1.0)
    misalignment: float = 0.2
    signal: float = 1.0
    task_noise: float = 0.8
    neural_noise: float = 1.0
    decay: float = 0.0
    noise: str = "gaussian"
    copies: int = 1

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """X, y, X_brain, R and the true weights of y on the columns of X."""
        r = len(self.gains)
        turn = linalg.qr(rng.standard_normal((self.d, self.d)))[0]
        A, u = turn[:, :r], turn[:, r]
        channels = linalg.qr(rng.standard_normal((self.p, r)), mode="economic")[0]
        beta = np.sqrt((1 - self.misalignment) / r) * A.sum(axis=1)
        beta = np.sqrt(self.signal) * (beta + np.sqrt(self.misalignment) * u)
        axes = linalg.qr(rng.standard_normal((self.d, self.d)))[0]
        root = (axes * np.arange(1, self.d + 1) ** (-self.decay / 2)) @ axes.T
        Z = rng.standard_normal((self.n_task // self.copies, self.d))
        Z_brain = rng.standard_normal((self.n_brain, self.d))
        error = rng.standard_normal(len(Z))
        if self.noise == "student":
            error = rng.standard_t(5, len(Z)) * np.sqrt(3 / 5)
        y = Z @ beta + self.task_noise * error
        R = (Z_brain @ A * np.array(self.gains)) @ channels.T
        R += self.neural_noise * rng.standard_normal(R.shape)
        X = np.repeat(Z @ root, self.copies, axis=0)
        return X, np.repeat(y, self.copies), Z_brain @ root, R, linalg.solve(root, beta)


SMALL = Scenario(d=12, p=8, n_task=200, n_brain=150, gains=(2.0, 1.2))


def arrays_of(scenario=SMALL, seed=0):
    """X, y, X_brain, R, and the true weights of the task."""
    return scenario.draw(np.random.default_rng(seed))
