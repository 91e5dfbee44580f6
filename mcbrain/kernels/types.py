"""What the raw kernels read: the population, the sizes, the estimators asked for, the shifts.

Everything is in *native coordinates*: the coordinates in which the inputs' components are
independent. An input is ``x = scale * z``, z iid of mean 0 and variance 1; the caller turns the
brain map, the task weights, targets and probes into these coordinates once.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.typing import Floats, Integers

CodeArray = NDArray[np.int8]

LINEAR, TANH = range(2)
"""Latents (`Population.latents`): A'x, or tanh(A'x)/0.628."""

GAUSSIAN_NOISE, POISSON = range(2)
"""Recordings (`Population.neural_law`)."""

REAL, SIGN = range(2)
"""Labels (`Population.labels`): beta'x and noise, or the sign of their sum."""

GIVEN = -1
"""Inputs, labels or recordings that the caller lays down (`Population.rows`)."""

EXCESS, ERROR_RATE = range(2)
"""What is measured of a fit (`Shifts.measure`)."""

NO_SUBSPACE, ESTIMATED, MEASURED = range(3)
"""Subspaces of an estimator (`Fits.subspace`): none, A_hat, the measured latents' own."""

LANES = 8
"""How many floats are one value (`linear.lanes`), so that as many penalties are solved at once."""

LEAVE_ONE_OUT, GENERALISED = range(2)
"""Rules by which a replicate chooses a penalty (`select.Rules.rule`)."""

PRIMAL, DUAL = range(2)
"""Forms of least squares: from X'X, or from XX' where there are fewer samples than inputs."""

FINE, SINGULAR, NOT_POSITIVE_DEFINITE, NOT_FINITE, UNKNOWN_CODE = range(5)
"""Why a fit has no value (`failures`)."""

SOUND, LOST, DOUBTFUL, BROKEN = range(4)
"""What became of a factorisation or a subspace: trusted; of too small a rank; computed, but with
pivots so small that singular values must decide; not computed, and they must decide as well."""

ROUNDING = 2.3e-16
"""A little above the unit roundoff."""

SUSPECT = 64.0 * ROUNDING
"""An eigenvalue below m times this share of the largest may be 0: the Gram matrix of (., m) data
and its tridiagonal form are that inexact at most (1/80 of it has been seen)."""

DOUBTFUL_PIVOT = 1e-8
"""Share of a diagonal entry below which a Cholesky pivot may be 0. The pivot of a column that
depends on others is rounding times the square of its weights on them."""


class Population(NamedTuple):
    """What data is drawn from (theory/README.md 1), in native coordinates.

    Attributes
    ----------
    scale : ndarray, shape (d,)
        Square roots of the eigenvalues of Sigma.
    brain_map : ndarray, shape (k, d)
        A', orthonormal rows.
    beta : ndarray, shape (d,)
        Task weights.
    channels : ndarray, shape (p, k)
        H, the latent-to-channel map, or fewer rows that stand for it (`sufficient_draw`).
    n_channels : int
        p.
    law : int
        Input distribution, a value of `draw.INPUT_CODES`.
    law_parameter : float
        nu of student, the share of sparse.
    latents : int
        LINEAR or TANH.
    neural_law : int
        GAUSSIAN_NOISE or POISSON.
    log_baseline : float
        Poisson recordings have the rate exp(log_baseline + H z).
    task_noise : float
        sigma_y, standard deviation of the label noise.
    neural_noise : float
        sigma_r, standard deviation of the recording noise.
    labels : int
        REAL, SIGN or GIVEN.
    rows : ndarray, shape (samples, d)
        Where `law` is GIVEN, the inputs of one stage, replicate after replicate: the first word of
        a stream's state is then the place of the next row. Without rows where they are drawn.
    outcomes : ndarray, shape (samples, 1 or p)
        The same of labels or recordings.
    """

    scale: Floats
    brain_map: Floats
    beta: Floats
    channels: Floats
    n_channels: int
    law: int
    law_parameter: float
    latents: int
    neural_law: int
    log_baseline: float
    task_noise: float
    neural_noise: float
    labels: int
    rows: Floats
    outcomes: Floats


class Sizes(NamedTuple):
    """How much data, and how the brain stage uses it.

    Attributes
    ----------
    n_task : int
        Task samples.
    n_brain : int
        0: there is no brain stage, and no fit may ask for the estimated subspace.
    rank : int
        r of the estimated subspace.
    measured : int
        Rank of the measured subspace, the first rows of `Population.brain_map`.
    encoding_penalty : float
        Ridge penalty of stage 1, summed over samples (n_brain times the penalty per sample).
    """

    n_task: int
    n_brain: int
    rank: int
    measured: int
    encoding_penalty: float


class Fits(NamedTuple):
    """What is fitted: estimators with penalty eta on P and 1 on I - P, times a penalty.

    ols and ridge have no subspace, befs has eta = 0, the oracle eta = 0 with the measured
    subspace, projection an infinite penalty, two-penalty its eta.

    Attributes
    ----------
    subspace : ndarray of int, shape (fits,)
        NO_SUBSPACE, ESTIMATED or MEASURED.
    eta : ndarray, shape (fits,)
    penalty_sum : ndarray, shape (fits,)
        n_task times the penalty per sample: 0, positive, infinite or negative.
    batches : ndarray of int, shape (batches, lanes)
        The fits solved together; they have one subspace. A fit may repeat.
    """

    subspace: Integers
    eta: Floats
    penalty_sum: Floats
    batches: Integers


class Shifts(NamedTuple):
    """Test inputs: excess = scale |Sigma^(1/2) delta|^2 + sum_j weights_j (probe_j' delta)^2.

    A shift stands here once for everything that is measured under it.

    Attributes
    ----------
    scale : ndarray, shape (shifts,)
    weights : ndarray, shape (shifts, probes)
    probes : ndarray, shape (probes, d)
    targets : ndarray, shape (targets, d)
        Task weights that beta_hat is held against; delta = beta_hat - target.
    target : ndarray of int, shape (shifts,)
        Which target.
    adversary : ndarray, shape (shifts,)
        L2 budget of an adversary, 0 for none.
    measure : ndarray of int, shape (shifts,)
        EXCESS or ERROR_RATE.
    """

    scale: Floats
    weights: Floats
    probes: Floats
    targets: Floats
    target: Integers
    adversary: Floats
    measure: Integers


class Setting(NamedTuple):
    """What is the same for every replicate of a block.

    Attributes
    ----------
    population : Population
        What the data are drawn from.
    sizes : Sizes
        How many data, and their use.
    fits : Fits
        What is fitted to each replicate.
    shifts : Shifts
        What each fit is tested on.
    """

    population: Population
    sizes: Sizes
    fits: Fits
    shifts: Shifts


def make_fits(subspace: Sequence[int], eta: Sequence[float], penalty_sum: Sequence[float]) -> Fits:
    """Return the fits, grouped into batches of one subspace each.

    Parameters
    ----------
    subspace : sequence of int, (fits,)
        NO_SUBSPACE, ESTIMATED or MEASURED.
    eta, penalty_sum : sequence of float, (fits,)
        Relative penalty inside the subspace; n_task times the penalty per sample.

    Returns
    -------
    Fits
        With every fit in at least one batch.
    """
    codes = np.asarray(subspace, dtype=np.int64)
    batches = []
    for code in np.unique(codes):
        members = np.flatnonzero(codes == code)
        full = -(-members.size // LANES) * LANES
        batches.append(np.resize(members, full).reshape(-1, LANES))
    return Fits(
        codes,
        np.asarray(eta, dtype=np.float64),
        np.asarray(penalty_sum, dtype=np.float64),
        np.concatenate(batches).astype(np.int64),
    )
