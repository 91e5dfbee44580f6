"""The best quadratic penalty where the second moment of the task weights is known (README 5f)."""

from __future__ import annotations

import numpy as np

from mcbrain.errors import InputError
from mcbrain.theory.equivalents import Equivalent, Matrix
from mcbrain.theory.ridge_population import generalised
from mcbrain.theory.structured import Structured
from mcbrain.typing import Floats

__all__ = ["optimal_weights", "optimally_weighted_risk"]


def optimal_weights(second_moment: Structured) -> Structured:
    """Omega, the inverse of E beta beta': no linear estimator is better than ridge with it.

    Parameters
    ----------
    second_moment : Structured, shape (d, d)
        E beta beta' over tasks, positive definite, in the eigenbasis of the inputs' covariance.

    Returns
    -------
    Structured
        The weights of the penalty; the penalty itself is sigma_y^2/n_task per sample, whatever the
        covariance and the second moment of the test inputs.

    Raises
    ------
    InputError
        A second moment with a direction in which no task has weight: its penalty is infinite.
    """
    least = float(np.linalg.eigvalsh(second_moment.dense()).min())
    if not least > 0.0:
        raise InputError(
            f"the second moment of the task weights must be positive definite: its smallest "
            f"eigenvalue is {least:.3g}"
        )
    return second_moment.inverse()


def optimally_weighted_risk(
    spectrum: Floats,
    second_moment: Structured,
    tested: Matrix,
    noise: float,
    n_task: int,
    order: int = 1,
) -> float:
    """Mean excess risk of ridge with the optimal weights, over data and tasks.

    Parameters
    ----------
    spectrum : ndarray, shape (d,)
        Eigenvalues of the inputs' covariance.
    second_moment : Structured, shape (d, d)
        E beta beta' over tasks, positive definite.
    tested : Structured or ndarray, shape (d, d)
        M of the test inputs.
    noise : float
        sigma_y > 0, the standard deviation of the label noise.
    n_task : int
        Number of task samples.
    order : int
        0 is the deterministic equivalent, 1 its next order in 1/n.

    Returns
    -------
    float
        sigma_y^2 E tr M (X'X + sigma_y^2 Omega)^-1, in the squared units of the response.

    Raises
    ------
    InputError
        No label noise, or what `optimal_weights` refuses.
    """
    if not noise > 0.0:
        raise InputError(f"noise = {noise}: the optimal weights need label noise")
    population = generalised(spectrum, optimal_weights(second_moment))
    return Equivalent(population, n_task, noise**2, order).shrinkage(tested)
