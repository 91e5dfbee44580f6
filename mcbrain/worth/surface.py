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

from mcbrain.errors import InputError, did_you_mean
from mcbrain.population.model import Model
from mcbrain.theory import exact, first_order
from mcbrain.theory.accuracy import law_accuracy
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.marchenko_pastur import mean_shrinkage
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats

__all__ = ["BASELINES", "Surface", "check_baseline"]


BASELINES = ("ridge", "ols")
# A number of samples to compute with where the result is not used: the law is cheapest there.
_PLENTY = 1e9
# Below this m_bar the task is taken as exactly aligned, and the best penalty as infinite.
_SMALLEST = 1e-13


def check_baseline(baseline: str) -> str:
    """The baseline, if there is one of that name.

    Parameters
    ----------
    baseline : str
        "ridge" or "ols".

    Returns
    -------
    str
        The same.

    Raises
    ------
    InputError
        Another name.
    """
    if baseline not in BASELINES:
        raise InputError(f"baseline = {baseline!r}: {did_you_mean(str(baseline), BASELINES)}")
    return baseline


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
        return _tuned(n_task, self.r, self.d, self._noise(task_noise), m_bar)

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
        return _tuned(n_task, 0, self.d, self._noise(task_noise), 1.0)

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

    def best_below_rank(self, n_task: ArrayLike, m_bar: ArrayLike) -> Floats:
        """The number of task samples below the rank at which the risk is least, up to a given one.

        Parameters
        ----------
        n_task : (...)
            The samples that one has, real numbers >= 0.
        m_bar : (...)
            Share of beta that the subspace misses, from 0 to 1.

        Returns
        -------
        array (...)
            Whole numbers, or `n_task` itself.
        """
        missed, most = np.asarray(m_bar, dtype=float), np.asarray(n_task, dtype=float)
        spread = (self.sigma**2 + missed) * self.r * (self.r - 1.0)
        turn = self.r - 1.0 - np.sqrt(spread / np.maximum(1.0 - missed, 1e-300))
        low = np.clip(np.floor(turn), 0.0, most)
        high = np.clip(low + 1.0, 0.0, most)
        risks = (_below_rank(n, self.r, self.sigma**2, missed) for n in (low, high))
        return np.where(np.less_equal(*risks), low, high)

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

    # Inversion ------------------------------------------------------------------------------------

    def samples_for(self, risk: ArrayLike, baseline: str) -> Floats:
        """Real number of task samples at which a baseline has a risk; NaN where it never has it.

        Parameters
        ----------
        risk : (...)
            Excess over |beta|^2. Ridge takes every value in (0, 1]; OLS, on its branch
            n > d + 1, every value > 0.
        baseline : str
            "ridge" or "ols".

        Returns
        -------
        array (...)
            Real numbers of task samples.
        """
        target = np.asarray(risk, dtype=float)
        if check_baseline(baseline) == "ols":
            with np.errstate(divide="ignore", invalid="ignore"):
                n = self.d + 1.0 + self.sigma**2 * self.d / target
            return np.where((target > 0) & np.isfinite(target), n, np.nan)
        sought = (target > 0) & (target <= 1)
        aim = np.where(sought, target, 0.5)
        low = np.zeros_like(aim)
        # Tuned ridge is never worse than OLS, whose branch bounds the search from above.
        high = self.d + 2.0 + self.sigma**2 * self.d / aim
        for _ in range(60):
            middle = 0.5 * (low + high)
            above = self.ridge(middle) > aim
            low, high = np.where(above, middle, low), np.where(above, high, middle)
        return np.where(sought, 0.5 * (low + high), np.nan)

    def exact_samples_for(self, risk: float, baseline: str) -> float:
        """The same number by the exact law, linear in 1/risk between neighbouring whole numbers.

        Parameters
        ----------
        risk : float
            Excess over |beta|^2.
        baseline : str
            "ridge" or "ols".

        Returns
        -------
        float
            NaN where the baseline never has the risk.
        """
        first = float(self.samples_for(risk, baseline))
        if baseline == "ols" or not np.isfinite(first):
            return first
        low = int(first)
        for _ in range(64):
            below, above = self.exact_ridge([low, low + 1])
            if below < risk and low > 0:
                low -= 1
            elif above > risk:
                low += 1
            else:
                break
        share = (1.0 / risk - 1.0 / below) / (1.0 / above - 1.0 / below)
        return float(low + share)


def _tuned(
    n_task: ArrayLike, rank: int, input_dim: int, task_noise: Floats, m_bar: ArrayLike
) -> Floats:
    """Excess at the optimal penalty (theory/README.md 4a to 4c), where e_U = m_bar E sum f / q."""
    n, missed = np.asarray(n_task, dtype=float), np.asarray(m_bar, dtype=float)
    q, rows, variance = input_dim - rank, n - rank, task_noise**2
    fits = rows > (1.0 if rank else 0.0)
    if q == 0:
        outside = np.zeros(np.broadcast_shapes(n.shape, missed.shape))
    else:
        z = variance * q / np.maximum(missed, _SMALLEST)
        shrinkage = mean_shrinkage(np.where(fits, rows, _PLENTY), q, z)
        outside = np.where(missed > _SMALLEST, missed * shrinkage, 0.0)
    if rank == 0:
        return np.where(fits, outside, missed * np.ones_like(outside))
    gap = np.where(fits, n - rank - 1.0, 1.0)
    above = (outside * (n - 1.0) + variance * rank) / gap
    risk = np.where(fits, above, _below_rank(n, rank, variance, missed))
    return np.where(np.isnan(missed), np.inf, risk)


def _below_rank(n: Floats, rank: int, variance: Floats | float, missed: Floats) -> Floats:
    """Excess with n < rank - 1 samples, interpolated inside the subspace; else inf (4a)."""
    few = (n >= 0) & (n < rank - 1.0)
    gap = np.where(few, rank - n - 1.0, 1.0)
    risk = missed + (1.0 - missed) * (1.0 - n / rank) + (variance + missed) * n / gap
    return np.where(few, risk, np.inf)
