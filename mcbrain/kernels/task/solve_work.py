"""Room and coefficients of the task stage (`solve`)."""

from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import kernel
from mcbrain.kernels.linear.householder import Reduction, make_reduction
from mcbrain.kernels.linear.lanes import padded
from mcbrain.kernels.types import Queries
from mcbrain.typing import Floats, Integers


class SolveWork(NamedTuple):
    """Buffers of the task stage; m = min(n_task, d), r the larger rank."""

    matrix: Floats
    """(m, m) G or XX', lost to its tridiagonal form."""
    moment: Floats
    """(d,) X'y."""
    ranks: Integers
    """(3,) ranks of the subspaces by their code, 0 for one that no row uses."""
    parameters: Floats
    """(batches, 64) of `tridiagonal`."""
    found: Floats
    """(32,) of `tridiagonal`."""
    done: Integers
    """(batches,) 1 while solving, for what another batch has finished."""
    reduction: Reduction
    """T and Q of `matrix`."""
    rotated: Floats
    """(m, columns) Q'c, Q'A and the frame as columns, in the dual Q'y and Q'Z, in eights."""
    left: Floats
    right: Floats
    solution: Floats
    sums: Floats
    """Flat: (1 + 2 r, m); (m, 1 + r); (m, 1 + r, 8); (1 + 2 r, r, 8)."""
    inverse: Floats
    ratio: Floats
    """(8 m,)"""
    tall: Floats
    """(m, lanes) solutions in the dual's own coordinates, empty in the primal."""
    inside: Floats
    """(r, lanes) what is added along the basis."""
    projected: Floats
    """(m r,) X A and then its QR form."""
    coefficients: Floats
    """(r,)"""
    scratch: Floats
    reflectors: Floats
    """(m,)"""


@kernel
def set_lane(parameters: Floats, j: int, penalty: float, eta: float, dual: int) -> None:
    """Write the coefficients of the formulas of `solve` to lane j of a batch's (64,) parameters.

    An infinite penalty leaves least squares inside P where P is free, and nothing otherwise. One
    that is not a number gives no numbers.
    """
    finite = penalty != np.inf
    free = 1.0 - eta if finite else (1.0 if eta == 0.0 else 0.0)
    parameters[j] = penalty if finite else 0.0
    parameters[8 + j] = 1.0 if finite else 0.0
    parameters[16 + j] = parameters[8 + j]
    if dual == 1:
        parameters[24 + j] = -free if finite else 0.0
        parameters[32 + j], parameters[40 + j] = free, 0.0
        parameters[48 + j] = eta if finite else 1.0 - free
        parameters[56 + j] = free
    else:
        parameters[24 + j] = free * penalty if finite else free
        parameters[32 + j], parameters[40 + j] = 1.0, eta * parameters[j]
        parameters[48 + j], parameters[56 + j] = 0.0, 0.0


def lane_parameters(queries: Queries, dual: bool) -> Floats:
    """Return the coefficients of every batch, (batches, 64), for `tridiagonal`."""
    parameters = np.zeros((len(queries.batches), 64))
    for place, batch in enumerate(queries.batches):
        for j, row in enumerate(batch):
            penalty, eta = float(queries.penalty_sum[row]), float(queries.eta[row])
            set_lane(parameters[place], j, penalty, eta, int(dual))
    return parameters


def make_solve_work(
    input_dim: int,
    n_task: int,
    estimated_rank: int,
    measured_rank: int,
    queries: Queries,
    frame: int = 0,
) -> SolveWork:
    """Return the buffers of the task stage.

    Parameters
    ----------
    input_dim, n_task : int
        d and n_T.
    estimated_rank, measured_rank : int
        Ranks of the subspaces that some row uses, 0 for one that none uses.
    queries : Queries
        The rows.
    frame : int
        Rows of the frame of `solve_primal`.
    """
    m, dual = min(input_dim, n_task), n_task < input_dim
    r, lanes = max(estimated_rank, measured_rank), queries.batches.size
    return SolveWork(
        matrix=np.zeros((m, m)),
        moment=np.zeros(input_dim),
        ranks=np.array([0, estimated_rank, measured_rank]),
        parameters=lane_parameters(queries, dual),
        found=np.zeros(32),
        done=np.zeros(len(queries.batches), dtype=np.int64),
        reduction=make_reduction(m),
        rotated=np.zeros((m, padded(1 + estimated_rank + measured_rank + frame))),
        left=np.zeros((1 + 2 * r) * m),
        right=np.zeros(m * (1 + r)),
        solution=np.zeros(m * (1 + r) * 8),
        sums=np.zeros((1 + 2 * r) * r * 8),
        inverse=np.zeros(8 * m),
        ratio=np.zeros(8 * m),
        tall=np.zeros((m if dual else 0, lanes)),
        inside=np.zeros((r, lanes)),
        projected=np.zeros(m * r if dual else 0),
        coefficients=np.zeros(r),
        scratch=np.zeros(64 * (m + r)),
        reflectors=np.zeros(m),
    )
