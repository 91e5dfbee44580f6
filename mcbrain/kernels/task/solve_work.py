"""Room and coefficients of the task stage (`solve`)."""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.householder import Reduction, make_reduction
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.linear.tridiagonal import (
    ALONG,
    FINITE,
    FIRST,
    FOUND,
    IDENTITY,
    INNER,
    OUTER,
    PARAMETERS,
    SECOND,
    SHIFT,
)
from mcbrain.kernels.types import DUAL, LANES, PRIMAL, Fits
from mcbrain.typing import Floats, Integers


class SolveWork(NamedTuple):
    """Buffers of the task stage; m = min(n_task, d), r the larger rank.

    Attributes
    ----------
    matrix : ndarray, shape (m, m)
        G or XX', lost to its tridiagonal form.
    moment : ndarray, shape (d,)
        X'y.
    ranks : ndarray of int, shape (3,)
        Ranks of the subspaces by their code, 0 for one that no fit uses.
    parameters : ndarray, shape (batches, PARAMETERS)
        Of `tridiagonal`.
    found : ndarray, shape (FOUND,)
        Of `tridiagonal`.
    done : ndarray of int, shape (batches,)
        1 while solving, for what another batch has finished.
    reduction : Reduction
        T and Q of `matrix`.
    rotated : ndarray, shape (m, columns)
        Q'c, Q'A and the frame as columns, in the dual Q'y and Q'Z, in eights.
    left, right, solution, sums : ndarray
        Flat: (1 + 2 r, m); (m, 1 + r); (m, 1 + r, 8); (1 + 2 r, r, 8).
    inverse, ratio : ndarray, shape (8 m,)
    tall : ndarray, shape (m, lanes)
        Solutions in the dual's own coordinates, empty in the primal.
    inside : ndarray, shape (r, lanes)
        What is added along the basis.
    projected : ndarray, shape (m r,)
        X A and then its QR form.
    coefficients : ndarray, shape (r,)
    scratch, reflectors : ndarray, shape (m,)
    """

    matrix: Floats
    moment: Floats
    ranks: Integers
    parameters: Floats
    found: Floats
    done: Integers
    reduction: Reduction
    rotated: Floats
    left: Floats
    right: Floats
    solution: Floats
    sums: Floats
    inverse: Floats
    ratio: Floats
    tall: Floats
    inside: Floats
    projected: Floats
    coefficients: Floats
    scratch: Floats
    reflectors: Floats


@kernel
def set_lane(parameters: Floats, j: int, penalty: float, eta: float, form: int) -> None:
    """Write the coefficients of the formulas of `solve` to lane j of a batch's parameters.

    An infinite penalty leaves least squares inside P where P is free, and nothing otherwise. One
    that is not a number gives no numbers.

    Parameters
    ----------
    parameters : ndarray, shape (PARAMETERS,)
        Of the batch; lane j is filled.
    j : int
        The lane.
    penalty : float
        Summed over samples; it may be infinite.
    eta : float
        Relative penalty inside the subspace.
    form : int
        PRIMAL or DUAL.
    """
    finite = penalty != np.inf
    free = 1.0 - eta if finite else (1.0 if eta == 0.0 else 0.0)
    shift, weight = (penalty, 1.0) if finite else (0.0, 0.0)
    parameters[SHIFT + j], parameters[FINITE + j], parameters[OUTER + j] = shift, weight, weight
    if form == DUAL:
        parameters[INNER + j] = -free if finite else 0.0
        parameters[FIRST + j], parameters[SECOND + j] = free, 0.0
        parameters[IDENTITY + j] = eta if finite else 1.0 - free
        parameters[ALONG + j] = free
    else:
        parameters[INNER + j] = free * penalty if finite else free
        parameters[FIRST + j], parameters[SECOND + j] = 1.0, eta * shift
        parameters[IDENTITY + j], parameters[ALONG + j] = 0.0, 0.0


def lane_parameters(fits: Fits, form: int) -> Floats:
    """Return the coefficients of every batch, (batches, PARAMETERS), for `tridiagonal`.

    Parameters
    ----------
    fits : Fits
        What is fitted.
    form : int
        PRIMAL or DUAL.

    Returns
    -------
    ndarray, shape (batches, PARAMETERS)
        By `set_lane`.
    """
    parameters = np.zeros((len(fits.batches), PARAMETERS))
    for place, batch in enumerate(fits.batches):
        for j, fit in enumerate(batch):
            penalty, eta = float(fits.penalty_sum[fit]), float(fits.eta[fit])
            set_lane(parameters[place], j, penalty, eta, form)
    return parameters


def make_solve_work(
    input_dim: int,
    n_task: int,
    estimated_rank: int,
    measured_rank: int,
    fits: Fits,
    frame: int = 0,
) -> SolveWork:
    """Return the buffers of the task stage.

    Parameters
    ----------
    input_dim, n_task : int
        d and n_T.
    estimated_rank, measured_rank : int
        Ranks of the subspaces that some fit uses, 0 for one that none uses.
    fits : Fits
        What is fitted.
    frame : int
        Rows of the frame of `solve_primal`.

    Returns
    -------
    SolveWork
        Zeros, but for the parameters and the ranks.
    """
    m, dual = min(input_dim, n_task), n_task < input_dim
    r, lanes = max(estimated_rank, measured_rank), fits.batches.size
    return SolveWork(
        matrix=np.zeros((m, m)),
        moment=np.zeros(input_dim),
        ranks=np.array([0, estimated_rank, measured_rank]),
        parameters=lane_parameters(fits, DUAL if dual else PRIMAL),
        found=np.zeros(FOUND),
        done=np.zeros(len(fits.batches), dtype=np.int64),
        reduction=make_reduction(m),
        rotated=np.zeros((m, padded(1 + estimated_rank + measured_rank + frame))),
        left=np.zeros((1 + 2 * r) * m),
        right=np.zeros(m * (1 + r)),
        solution=np.zeros(m * (1 + r) * LANES),
        sums=np.zeros((1 + 2 * r) * r * LANES),
        inverse=np.zeros(LANES * m),
        ratio=np.zeros(LANES * m),
        tall=np.zeros((m if dual else 0, lanes)),
        inside=np.zeros((r, lanes)),
        projected=np.zeros(m * r if dual else 0),
        coefficients=np.zeros(r),
        scratch=np.zeros(64 * (m + r)),
        reflectors=np.zeros(m),
    )
