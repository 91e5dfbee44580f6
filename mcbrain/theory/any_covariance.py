"""Risk of every estimator given its subspace, for inputs of any covariance (theory/README.md 5f).

Everything is written in the eigenbasis of the inputs' covariance, in which it is diagonal. Inside
the spared subspace least squares is exact at every sample size; what is left outside it is ridge,
whose moments come from `equivalents`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcbrain.errors import InputError
from mcbrain.theory.equivalents import Equivalent, Matrix
from mcbrain.theory.ridge_population import generalised, partialled
from mcbrain.theory.structured import Structured, solve_rows, trace_of_product
from mcbrain.typing import Floats

__all__ = [
    "TaskSetting",
    "error_covariance",
    "excess_risk",
    "free_rows",
    "generalised_excess_risk",
]


@dataclass(frozen=True)
class TaskSetting:
    """What the task's data is drawn from, and what the fit is tested on.

    Attributes
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the inputs' covariance.
    weights : ndarray, shape (d,)
        beta, in the eigenbasis of the covariance.
    second_moment : Structured or ndarray, shape (d, d)
        M of the test inputs, in the same basis.
    noise : float
        sigma_y, the standard deviation of the label noise.
    n_task : int
        Number of task samples.
    drift : ndarray, shape (d,), optional
        Change of beta at test time.
    """

    spectrum: Floats
    weights: Floats
    second_moment: Matrix
    noise: float
    n_task: int
    drift: Floats | None = None

    def __post_init__(self) -> None:
        """Refuse a setting without samples or without inputs that vary."""
        if self.n_task < 1:
            raise InputError(f"n_task must be at least 1, got {self.n_task}")
        if np.any(self.spectrum < 0) or not np.any(self.spectrum > 0):
            raise InputError("the covariance must be positive semi-definite and not zero")

    def moved(self, mean_error: Floats) -> float:
        """What a moved task adds: -2 E(error)'M drift + drift'M drift.

        Parameters
        ----------
        mean_error : ndarray, shape (d,)
            E e in the eigenbasis of the covariance, in the units of the coefficients.

        Returns
        -------
        float
            In the squared units of the coefficients; 0 without a drift.
        """
        if self.drift is None:
            return 0.0
        image = _image(self.second_moment, self.drift)
        return float(self.drift @ image - 2.0 * mean_error @ image)


@dataclass(frozen=True)
class _Split:
    """The task seen along a spared subspace V and outside it.

    With J = I - V (V'Sigma V)^-1 V'Sigma, which is zero on V, an error e outside the subspace
    becomes J e when least squares inside has made up for what it can.
    """

    setting: TaskSetting
    V: Floats

    @cached_property
    def _seen(self) -> Floats:
        """Sigma V, shape (d, r)."""
        return self.setting.spectrum[:, None] * self.V

    @cached_property
    def inside(self) -> Floats:
        """V'Sigma V, shape (r, r)."""
        return self.V.T @ self._seen

    @cached_property
    def outside(self) -> Floats:
        """(I - P) beta, shape (d,)."""
        return self.setting.weights - self.V @ (self.V.T @ self.setting.weights)

    @cached_property
    def form(self) -> Matrix:
        """J'MJ, the second moment by which an error outside is judged."""
        M, V = self.setting.second_moment, self.V
        if not V.shape[1]:
            return M
        Y = solve_rows(self.inside, self._seen)
        MV = _image(M, V)
        left, right = np.hstack([-MV, -Y, Y @ (V.T @ MV)]), np.hstack([Y, MV, Y])
        if isinstance(M, np.ndarray):
            return np.asarray(M + left @ right.T)
        return M + Structured(np.zeros(M.diagonal.size), left, right)

    @cached_property
    def leverage(self) -> float:
        """tr (V'MV)(V'Sigma V)^-1: how much noise inside the subspace costs."""
        MV = _image(self.setting.second_moment, self.V)
        return float(np.trace(np.linalg.solve(self.inside, self.V.T @ MV)))

    def corrected(self, error: Floats) -> Floats:
        """J e for an error e outside the subspace, shape (d,), or for columns of them."""
        return error - self.V @ np.linalg.solve(self.inside, self._seen.T @ error)


def excess_risk(
    setting: TaskSetting, penalty: float, spared: Floats | None = None, order: int = 1
) -> float:
    """E (beta_hat - beta_te)'M(beta_hat - beta_te) of ridge, BEFS or projection given P.

    Parameters
    ----------
    setting : TaskSetting
    penalty : float
        Per-sample penalty outside P, in [0, inf]; inf is projection.
    spared : ndarray, shape (d, r), optional
        Orthonormal basis of P in the eigenbasis of the covariance; None is ridge (OLS at 0).
    order : int
        0 is the deterministic equivalent, 1 its next order in 1/n.

    Returns
    -------
    float
        inf where n_task is within one of the rank of P: least squares inside has no mean.

    Raises
    ------
    InputError
        A negative penalty.
    """
    if not penalty >= 0.0:
        raise InputError(f"penalty = {penalty}: the law needs a penalty that is not negative")
    V = np.zeros((setting.spectrum.size, 0)) if spared is None else spared
    split, rank = _Split(setting, V), V.shape[1]
    if rank and abs(setting.n_task - rank) <= 1:
        return math.inf
    if setting.n_task < rank:
        return _interpolated(split, order)
    rows = setting.n_task - rank
    population = partialled(setting.spectrum, V)
    S, b, variance = population.covariance, split.outside, setting.noise**2

    if math.isinf(penalty):
        judged, seen, mean = float(b @ _image(split.form, b)), float(b @ S.apply(b)), -b
    else:
        law = Equivalent(population, rows, setting.n_task * penalty, order)
        # The noise's share is multiplied in last: without noise it may be infinite.
        judged, seen = (
            law.bias(N, b) + (variance * law.noise(N) if variance else 0.0) for N in (split.form, S)
        )
        mean = law.mean_error(b) if setting.drift is not None else b
    inside = (variance + seen) * split.leverage / (rows - 1.0) if rank else 0.0
    return float(judged + inside + setting.moved(split.corrected(mean)))


def error_covariance(setting: TaskSetting, penalty: float, spared: Floats | None = None) -> Floats:
    """E (beta_hat - beta)(beta_hat - beta)' of ridge, BEFS or projection given P.

    Its trace with any second moment M of the test inputs is `excess_risk` without a drift.

    Parameters
    ----------
    setting : TaskSetting
        Its second moment and drift play no part.
    penalty : float
        Per-sample penalty outside P, in [0, inf].
    spared : ndarray, shape (d, r), optional
        As for `excess_risk`; n_task > r + 1.

    Returns
    -------
    ndarray, shape (d, d)
        In the eigenbasis of the covariance.

    Raises
    ------
    InputError
        A negative penalty, or samples too few for least squares inside P to have a mean.
    """
    if not penalty >= 0.0:
        raise InputError(f"penalty = {penalty}: the law needs a penalty that is not negative")
    V = np.zeros((setting.spectrum.size, 0)) if spared is None else spared
    split, rank = _Split(setting, V), V.shape[1]
    if rank and setting.n_task <= rank + 1:
        raise InputError(f"n_task = {setting.n_task}: more than rank + 1 = {rank + 1} is needed")
    rows = setting.n_task - rank
    population, variance = partialled(setting.spectrum, V), setting.noise**2
    if math.isinf(penalty):
        outside = np.outer(split.outside, split.outside)
    else:
        law = Equivalent(population, rows, setting.n_task * penalty)
        outside = law.error_covariance(split.outside, variance)
    if not rank:
        return outside
    seen = variance + float(trace_of_product(outside, population.covariance))
    corrected = split.corrected(split.corrected(outside).T)
    inside = V @ np.linalg.solve(split.inside, V.T)
    return np.asarray(corrected + seen / (rows - 1.0) * inside)


def _interpolated(split: _Split, order: int) -> float:
    """n_task < r - 1: least squares of minimum norm inside P, where no penalty acts.

    X_U b is the part along X_V, which least squares takes for signal, plus independent noise.
    """
    setting, V = split.setting, split.V
    spectrum, axes = np.linalg.eigh(split.inside)
    basis = V @ axes
    lost = split.corrected(split.outside)  # (I - P) beta less what the inside mimics of it
    S = partialled(setting.spectrum, V).covariance
    variance = setting.noise**2 + float(split.outside @ S.apply(split.outside))
    signal = basis.T @ (setting.weights - lost)
    M_basis = _image(setting.second_moment, basis)
    form = basis.T @ M_basis
    law = Equivalent(partialled(spectrum), setting.n_task, 0.0, order)
    mean = law.mean_error(signal)
    image = _image(setting.second_moment, lost)
    return float(
        law.bias(form, signal)
        + variance * law.noise(form)
        + lost @ image
        - 2.0 * mean @ (basis.T @ image)
        + setting.moved(basis @ mean - lost)
    )


def free_rows(setting: TaskSetting, penalty: float, spared: Floats | None = None) -> float:
    """n' - tr (S G)^2 of ridge outside P: the expansion is in powers of one over it.

    Parameters
    ----------
    setting : TaskSetting
    penalty : float
        Per-sample penalty outside P, in [0, inf].
    spared : ndarray, shape (d, r), optional
        As for `excess_risk`.

    Returns
    -------
    float
        What `excess_risk` leaves out is a share of about one over its square: a quarter where it is
        2 (n_task = d + 2 without a penalty), 1 % where it is 10. inf where nothing is left out.
    """
    V = np.zeros((setting.spectrum.size, 0)) if spared is None else spared
    rows = setting.n_task - V.shape[1]
    if math.isinf(penalty) and rows > 0:
        return math.inf
    if rows < 1:
        inside: Floats = np.asarray(np.linalg.eigvalsh(_Split(setting, V).inside), dtype=float)
        law = Equivalent(partialled(inside), setting.n_task, 0.0)
    else:
        law = Equivalent(partialled(setting.spectrum, V), rows, setting.n_task * penalty)
    return law.rows - law.population.freedoms(law.kappa)[1]


def generalised_excess_risk(
    setting: TaskSetting, penalty: float, weights: Structured, order: int = 1
) -> float:
    """E (beta_hat - beta_te)'M(beta_hat - beta_te) of ridge with a penalty b'Omega b.

    Parameters
    ----------
    setting : TaskSetting
    penalty : float
        Per-sample penalty, in [0, inf).
    weights : Structured
        Omega, symmetric and positive definite, in the eigenbasis of the covariance.
    order : int
        0 is the deterministic equivalent, 1 its next order in 1/n.

    Returns
    -------
    float
        In the squared units of the coefficients.

    Raises
    ------
    InputError
        A penalty that is negative or infinite.
    """
    law = Equivalent(
        generalised(setting.spectrum, weights), setting.n_task, setting.n_task * penalty, order
    )
    M, beta, variance = setting.second_moment, setting.weights, setting.noise**2
    risk = law.bias(M, beta) + (variance * law.noise(M) if variance else 0.0)
    return risk + setting.moved(law.mean_error(beta))


def _image(matrix: Matrix, columns: Floats) -> Floats:
    """The product of a second moment with a vector (d,) or columns (d, m)."""
    if isinstance(matrix, np.ndarray):
        return np.asarray(matrix @ columns)
    return matrix.apply(columns)
