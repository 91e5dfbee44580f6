"""The risk as a surface over task and brain samples, at tuned penalties (theory/README.md 4, 5).

There are two evaluations of the same surface. Those called `exact` take whole numbers of task
samples and use the closed form of the task stage. The others take any real numbers of samples, for
searches over hundreds of thousands of points, and are within 2e-6 of it (`mean_shrinkage`). Both
take the brain stage from law 5b.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.errors import InputError
from mcbrain.population.model import Model
from mcbrain.theory import exact, first_order
from mcbrain.theory.accuracy import law_accuracy
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.tuned import tuned_excess
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = ["Surface"]


@dataclass(frozen=True)
class Surface:
    """Excess risk under `id` of ridge, OLS and BEFS, each at its optimal penalty; |beta| = 1.

    Parameters
    ----------
    model : Model
        Isotropic and Gaussian, with task noise.

    Raises
    ------
    InputError
        A model that no law covers, or one without task noise.
    """

    model: Model

    def __post_init__(self) -> None:
        """Refuse a model that the laws do not cover."""
        if not self.model.linear_labels:
            raise InputError(
                f"labels = {self.model.labels!r}: the laws of value and budgets hold for linear "
                "labels; for this model run a study and ask `mcbrain budget DIR` or "
                "`mcbrain value DIR`"
            )
        if not self.model.isotropic:
            raise InputError(
                "the laws of budgets hold for isotropic Gaussian inputs, linear latents and "
                "Gaussian recordings; for this model run a study and ask `mcbrain budget DIR`"
            )
        if self.model.sigma_y == 0:
            raise InputError(
                "task_noise = 0: without label noise input_dim task samples are enough, and brain "
                "data has no exchange rate; a number > 0 is allowed"
            )

    @property
    def d(self) -> int:
        """Input dimension."""
        return self.model.input_dim

    @property
    def r(self) -> int:
        """Rank of the estimated subspace."""
        return self.model.k_m

    @property
    def sigma(self) -> float:
        """sigma_y / |beta|."""
        return self.model.recorded.task_noise

    @cached_property
    def delta(self) -> float:
        """The delta of m_bar = m_eff + delta/(n_B - d - 1); infinite where a latent has no gain."""
        block = self.model.recorded
        if np.any(block.gains == 0):
            return float("inf")
        return float(
            first_order.brain_error(
                block.misalignment,
                block.loadings,
                block.gains,
                neural_noise=block.neural_noise,
                input_dim=self.d,
            )
        )

    # Brain stage --------------------------------------------------------------------------------

    def m_bar(
        self,
        n_brain: ArrayLike,
        *,
        misalignment: ArrayLike | None = None,
        neural_noise: ArrayLike | None = None,
    ) -> Floats:
        """Share of beta that the estimated subspace misses (theory/README.md 4e, 5b).

        Parameters
        ----------
        n_brain : (...)
            Real numbers >= r, or inf for unlimited brain data; NaN below r.
        misalignment, neural_noise : (...), optional
            m_eff and sigma_r in place of the model's.

        Returns
        -------
        array (...)
            From 0 to 1.
        """
        block, q = self.model.recorded, self.d - self.r
        m = np.asarray(block.misalignment if misalignment is None else misalignment, dtype=float)
        noise = block.neural_noise if neural_noise is None else neural_noise
        n = np.asarray(n_brain, dtype=float)
        finite = np.where(np.isinf(n), 1e15, n)
        law = subspace_law(
            finite,
            block.gains,
            neural_noise=np.asarray(noise, dtype=float),
            input_dim=self.d,
            n_channels=self.model.n_channels,
        )
        overlap = np.diagonal(law.c, axis1=-2, axis2=-1)
        seen = np.sum(block.loadings**2 * overlap, axis=-1)
        by_chance = (self.r - overlap.sum(axis=-1)) / q if q else np.zeros(())
        missed = 1.0 - (1.0 - m) * seen - m * by_chance
        clipped = np.clip(missed, 0.0, 1.0)
        return np.asarray(np.where(np.isinf(n) & np.all(block.gains > 0), m, clipped))

    @property
    def accuracy(self) -> float:
        """Relative error of m_bar that 95 % of models stay within (`law_accuracy`)."""
        return law_accuracy(self.d, self.r)

    def missed_range(self, m_bar: ArrayLike) -> Floats:
        """The range of m_bar within the accuracy of law 5b.

        Parameters
        ----------
        m_bar : (...)
            From 0 to 1.

        Returns
        -------
        array (3, ...)
            The same, larger and smaller by the accuracy, at most 1.
        """
        off = self.accuracy
        factors = [1.0, 1.0 + off, max(1.0 - off, 0.0)]
        return np.minimum(np.multiply.outer(factors, m_bar), 1.0)

    # Risk -----------------------------------------------------------------------------------------

    def befs(
        self, n_task: ArrayLike, m_bar: ArrayLike, task_noise: ArrayLike | None = None
    ) -> Floats:
        """Excess risk of BEFS on a subspace that misses a share of beta.

        With fewer task samples than the rank the data are interpolated inside the subspace.

        Parameters
        ----------
        n_task : (...)
            Real numbers >= 0.
        m_bar : (...)
            Share of beta that the subspace misses, from 0 to 1.
        task_noise : (...), optional
            sigma_y / |beta| in place of the model's.

        Returns
        -------
        array (...)
            In units of |beta|^2; infinite within 1 of the rank.
        """
        return tuned_excess(n_task, self.r, self.d, self._noise(task_noise), m_bar)

    def ridge(self, n_task: ArrayLike, task_noise: ArrayLike | None = None) -> Floats:
        """Excess risk of tuned ridge.

        Parameters
        ----------
        n_task : (...)
            Real numbers >= 0.
        task_noise : (...), optional
            sigma_y / |beta| in place of the model's.

        Returns
        -------
        array (...)
            In units of |beta|^2; 1 at n_task = 0.
        """
        return tuned_excess(n_task, 0, self.d, self._noise(task_noise), 1.0)

    def ols(self, n_task: ArrayLike, task_noise: ArrayLike | None = None) -> Floats:
        """Excess risk of OLS on its branch n_task > d + 1 (theory/README.md 4a).

        Parameters
        ----------
        n_task : (...)
            Real numbers.
        task_noise : (...), optional
            sigma_y / |beta| in place of the model's.

        Returns
        -------
        array (...)
            In units of |beta|^2; infinite below the branch.
        """
        gap = np.asarray(n_task, dtype=float) - self.d - 1.0
        with np.errstate(divide="ignore"):
            return np.where(gap > 0, self._noise(task_noise) ** 2 * self.d / gap, np.inf)

    def risk(self, n_task: ArrayLike, n_brain: ArrayLike) -> Floats:
        """Excess risk of BEFS from n_brain samples, or of tuned ridge without any.

        Parameters
        ----------
        n_task, n_brain : (...)
            Real numbers >= 0, which broadcast.

        Returns
        -------
        array (...)
            In units of |beta|^2; infinite for 0 < n_brain < r.
        """
        n = np.asarray(n_brain, dtype=float)
        usable = n >= self.r
        befs = self.befs(n_task, self.m_bar(np.where(usable, n, np.inf)))
        return np.where(usable, befs, np.where(n == 0, self.ridge(n_task), np.inf))

    def exact_befs(self, n_task: int, m_bar: float) -> float:
        """Excess risk of BEFS by the closed form, n_task < r included (theory/README.md 4b).

        Parameters
        ----------
        n_task : int
            Task samples.
        m_bar : float
            Share of beta that the subspace misses, from 0 to 1.

        Returns
        -------
        float
            In units of |beta|^2.
        """
        return self._exact(n_task, self.r, m_bar)

    def exact_ridge(self, n_task: ArrayLike) -> Floats:
        """Excess risk of tuned ridge by the closed form (theory/README.md 4f).

        Parameters
        ----------
        n_task : (...)
            Whole numbers >= 0.

        Returns
        -------
        array (...)
            In units of |beta|^2.
        """
        n = np.asarray(n_task, dtype=float)
        penalty = exact.optimal_penalty(self.sigma, np.maximum(n, 1.0), 0, self.d)
        shrinkage = task_moments(n, 0, self.d, penalty).mean_f
        return np.asarray(np.where(n == 0, 1.0, shrinkage))

    def _exact(self, n_task: int, rank: int, m_bar: float) -> float:
        """Excess risk at the optimal penalty by the closed form, at one whole n_task."""
        d = self.d
        penalty = exact.optimal_penalty(self.sigma, n_task, rank, d, m_bar)
        brain = exact.BrainMoments.under_id(m_bar, rank, d)
        task = task_moments(n_task, rank, d, penalty)
        return float(
            exact.excess_risk(
                task, brain, n_task=n_task, rank=rank, input_dim=d, task_noise=self.sigma
            )
        )

    def _noise(self, task_noise: ArrayLike | None) -> Floats:
        """The model's sigma_y / |beta|, or others in its place."""
        return np.asarray(self.sigma if task_noise is None else task_noise, dtype=float)
