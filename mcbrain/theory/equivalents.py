"""Risk of ridge under any covariance, to the next order in 1/n (theory/README.md 5f).

With X of n Gaussian rows of covariance S and R = (X'X + Omega)^-1, every moment of the error of
generalised ridge is a first or second derivative of the generating function E log det(X'X + Omega).
This module has those derivatives in closed form for Omega = z Omega_0, written so that they stay
finite for z -> 0. `order` 0 is the deterministic equivalent, order 1 adds the correction of
relative size 1/n, which leaves an error of 1/n^2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np

from mcbrain.errors import InputError
from mcbrain.theory.ridge_population import Population
from mcbrain.theory.structured import Structured, trace_of_product
from mcbrain.typing import Floats

__all__ = ["Equivalent", "Matrix"]

Matrix = Structured | Floats

NEWTON_STEPS = 200  # the start may be many decades above the root; each step then halves it
TOLERANCE = 1e-14

Linear = TypeVar("Linear", float, Floats)
"""What is linear in the form N of a moment: its value for one N, or the matrix for all."""


@dataclass(frozen=True)
class _SignalMoments:
    """What the bias takes from the signal: b_j and kappa_j = kappa (Omega_0 b)'b_j."""

    b0: Floats
    b1: Floats
    b2: Floats
    kappa1: float
    kappa2: float
    kappa3: float


@dataclass(frozen=True)
class Equivalent:
    """Moments of the error of ridge on n rows at one penalty.

    The error is e = beta_hat - b on the penalised directions; V-directions that were partialled
    out have none here.

    Attributes
    ----------
    population : Population
    rows : int
        n, the rows that are left when r directions have been partialled out.
    penalty_sum : float
        z, the penalty summed over samples, >= 0 and finite; 0 is the limit from above.
    order : int
        0 or 1.
    """

    population: Population
    rows: int
    penalty_sum: float
    order: int = 1

    def __post_init__(self) -> None:
        """Refuse an order, a penalty or a number of rows that the law does not cover."""
        if self.order not in (0, 1):
            raise InputError(f"order must be 0 or 1, got {self.order}")
        if not (0.0 <= self.penalty_sum < math.inf):
            raise InputError(f"penalty_sum must be finite and not negative, got {self.penalty_sum}")
        if self.rows < 1:
            raise InputError(f"rows must be at least 1, got {self.rows}")

    @cached_property
    def kappa(self) -> float:
        """The effective penalty: the root of kappa (n - tr S G) = z.

        The left side is convex and increasing where it is positive, with slope n - tr (S G)^2:
        Newton's method from the right falls monotonically.
        """
        n, z = self.rows, self.penalty_sum
        scale = float(np.mean(self.population.spectrum))
        floor = np.finfo(float).tiny / np.finfo(float).eps * max(scale, 1.0)
        if z == 0.0 and n >= self.population.dimension:
            return floor
        kappa = (z + 2.0 * float(np.sum(self.population.spectrum))) / n
        while (value := self._residual(kappa)[0]) < 0.0:
            kappa *= 16.0
        for _ in range(NEWTON_STEPS):
            value, slope = self._residual(kappa)
            step = value / slope
            if step <= TOLERANCE * kappa:
                break
            kappa = max(kappa - step, floor)
        return kappa

    def _residual(self, kappa: float) -> tuple[float, float]:
        first, second = self.population.freedoms(kappa)
        return kappa * (self.rows - first) - self.penalty_sum, self.rows - second

    @cached_property
    def _resolvent(self) -> tuple[Structured, Structured]:
        return self.population.resolvent(self.kappa)

    @cached_property
    def _covariances(self) -> tuple[Structured, ...]:
        """C_j = G (S G)^j for j = 1, 2, 3."""
        G, kept = self._resolvent
        first = G @ kept
        return first, (first @ kept), (first @ kept) @ kept

    @cached_property
    def _traces(self) -> tuple[float, float, float]:
        """T_j = tr (S G)^j for j = 2, 3, 4."""
        _, kept = self._resolvent
        square = kept @ kept
        return (
            square.trace,
            trace_of_product(square, kept),
            trace_of_product(square, square),
        )

    @property
    def _freedom(self) -> float:
        """w = n - tr (S G)^2."""
        return self.rows - self._traces[0]

    def _spread(self, form: Matrix) -> tuple[float, float, float]:
        """delta_N = tr(N C_1)/w and nu_j = tr(N C_j) for j = 2, 3."""
        first, second, third = (trace_of_product(form, C) for C in self._covariances)
        return first / self._freedom, second, third

    def noise(self, form: Matrix) -> float:
        """E e'Ne for unit label noise and no signal.

        Parameters
        ----------
        form : Structured or ndarray, shape (d, d)
            N, symmetric.

        Returns
        -------
        float
            Per unit of label noise variance.

        Notes
        -----
        Exact for least squares, which is z = 0 with more rows than directions: the mean of an
        inverse Wishart matrix. It is then infinite for n = q and n = q + 1.
        """
        surplus = self.rows - self.population.dimension
        if self.order == 1 and self.penalty_sum == 0.0 and 0 <= surplus <= 1:
            return math.inf
        return self._noise(*self._spread(form))

    def _noise(self, delta: Linear, nu2: Linear, nu3: Linear) -> Linear:
        """What is linear in delta_N, nu_2 and nu_3: numbers of one form N, or their matrices."""
        if self.order == 0:
            return delta
        surplus = self.rows - self.population.dimension
        if self.penalty_sum == 0.0 and surplus > 1:
            return delta * surplus / (surplus - 1.0)
        T2, T3, T4 = self._traces
        w = self._freedom
        slope = 2.0 * (nu2 + delta * (T3 - T2))
        correction = delta * (T2 - 4.0 * T3 + 3.0 * T4) - 2.0 * nu2 + 3.0 * nu3
        correction += (T2 - T3) * (2.0 * delta - 2.0 * slope / w)
        return delta + correction / w**2

    def _bias_vectors(self, signal: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """k = Omega_0 b, and b_j = kappa (G S)^j G k for j = 0, 1, 2."""
        G, kept = self._resolvent
        weights = self.population.weights
        k = signal if weights is None else weights.apply(signal)
        b0 = self.kappa * G.apply(k)
        b1 = kept.T.apply(b0)
        return k, b0, b1, kept.T.apply(b1)

    def bias(self, form: Matrix, signal: Floats) -> float:
        """E e'Ne for a signal b without label noise.

        Parameters
        ----------
        form : Structured or ndarray, shape (d, d)
            N, symmetric.
        signal : ndarray, shape (d,)
            b, without its part in the directions that were partialled out.

        Returns
        -------
        float
            In the squared units of the signal.
        """
        moments = self._signal_moments(signal)

        def between(x: Floats, y: Floats) -> float:
            image = form @ y if isinstance(form, np.ndarray) else form.apply(y)
            return float(x @ image)

        return self._bias(moments, between, *self._spread(form))

    def _signal_moments(self, signal: Floats) -> _SignalMoments:
        k, b0, b1, b2 = self._bias_vectors(signal)
        # b_i' S b_j = kappa k' b_{i+j+1}
        third = self._resolvent[1].T.apply(b2)
        kappa1, kappa2, kappa3 = (self.kappa * float(k @ b) for b in (b1, b2, third))
        return _SignalMoments(b0, b1, b2, kappa1, kappa2, kappa3)

    def _bias(
        self,
        signal: _SignalMoments,
        between: Callable[[Floats, Floats], Linear],
        delta: Linear,
        nu2: Linear,
        nu3: Linear,
    ) -> Linear:
        """What is linear in N: x'Ny and the numbers of `_spread`, or the matrices of both."""
        b0, b1, b2 = signal.b0, signal.b1, signal.b2
        kappa1, kappa2, kappa3 = signal.kappa1, signal.kappa2, signal.kappa3
        leading = between(b0, b0) + delta * kappa1
        if self.order == 0:
            return leading
        T2, T3, T4 = self._traces
        w = self._freedom
        d_K = kappa1 / w
        slope_N = 2.0 * (nu2 + delta * (T3 - T2))
        slope_K = 2.0 * (kappa2 + d_K * (T3 - T2))
        # b_i'N'b_j, N' = N + delta_N S
        phi10, phi11 = between(b1, b0) + delta * kappa2, between(b1, b1) + delta * kappa3
        phi20 = between(b2, b0) + delta * kappa3
        change = (2.0 * delta * kappa1 - 2.0 * phi10 - kappa1 * slope_N / w) / w
        curvature = -2.0 * (
            delta * d_K * T2
            + change * (T2 - T3)
            - 2.0 * d_K * (nu2 + delta * T3)
            - 2.0 * delta * (kappa2 + d_K * T3)
            + phi11
            + 2.0 * phi20
            + 3.0 * d_K * (nu3 + delta * T4)
        )
        return leading - 0.5 * (curvature / w - slope_N * slope_K / w**2)

    def error_covariance(self, signal: Floats, noise: float) -> Floats:
        """E ee', the matrix whose trace with N is E e'Ne, for any N.

        Parameters
        ----------
        signal : ndarray, shape (d,)
            b, without its part in the directions that were partialled out.
        noise : float
            Variance of the label noise.

        Returns
        -------
        ndarray, shape (d, d)
            Symmetric; infinite where `noise` is.
        """

        def between(x: Floats, y: Floats) -> Floats:
            return np.asarray(0.5 * (np.outer(x, y) + np.outer(y, x)))

        first, second, third = (np.asarray(C.dense()) for C in self._covariances)
        spread = first / self._freedom, second, third
        found = self._bias(self._signal_moments(signal), between, *spread)
        if noise:
            unit = self.noise(Structured.of_diagonal(np.ones(len(signal))))
            if math.isinf(unit):
                return np.full_like(found, math.inf)
            found = found + noise * self._noise(*spread)
        return np.asarray(0.5 * (found + found.T))

    def shrinkage(self, form: Matrix) -> float:
        """z E tr N (X'X + z Omega_0)^-1.

        Parameters
        ----------
        form : Structured or ndarray, shape (d, d)
            N, symmetric.

        Returns
        -------
        float
            For N = Omega_0, how many directions the penalty keeps from being learned.
        """
        leading = self.kappa * trace_of_product(form, self._resolvent[0])
        if self.order == 0:
            return leading
        first, second, _ = (trace_of_product(form, C) for C in self._covariances)
        T2, T3, _ = self._traces
        w = self._freedom
        return leading + self.kappa * (second + first * (T3 - T2) / w) / w

    def mean_error(self, signal: Floats) -> Floats:
        """E e, shape (d,).

        Parameters
        ----------
        signal : ndarray, shape (d,)
            b, without its part in the directions that were partialled out.

        Returns
        -------
        ndarray, shape (d,)
            In the units of the signal.
        """
        _, b0, b1, b2 = self._bias_vectors(signal)
        if self.order == 0:
            return -b0
        T2, T3, _ = self._traces
        w = self._freedom
        return np.asarray(-(b0 + (b2 + b1 * (T3 - T2) / w) / w))
