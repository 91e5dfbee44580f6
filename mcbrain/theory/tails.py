"""Which moments of a replicate's excess exist, and whether replicates show them (README 4a).

Least squares in w dimensions divides by the eigenvalues s of a Gram matrix. The chance that the
smallest one is below t falls like t^(k/2), k the number of conditions that make the matrix
singular, and where nothing is added to s the excess grows like 1/s: its moment of order j exists
iff k > 2j. A ridge z turns 1/s into s/(s+z)^2. Then every moment exists, and yet the mean may come
from events that are rarer than any that a run has seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from mcbrain.theory.singular_chances import (
    MOST_CONDITIONS,
    near_singular_chances,
    smallest_of_signs,
    unused_chances,
)

__all__ = [
    "STATUSES",
    "dominant_row_status",
    "least_squares_status",
    "nearly_along_status",
    "skewness",
    "status",
    "worst",
]

# From harmless to worst.
STATUSES = ("ok", "heavy_tail", "infinite_variance", "infinite_mean")

# Largest k at which the mean, the variance and the fourth moment are infinite: k <= 2j.
_MEAN, _VARIANCE, _FOURTH = 2, 4, MOST_CONDITIONS
# Rarer events are left out of account: of a thousand runs of 1e9 replicates one would see one.
_NEVER = 1e-12
# From this |n - w| on no event is too rare: the third moment of 1/s has logarithms at most.
_MILD = 5
# Squared skewness over replicates at which the interval of a mean covers 0.92 in place of 0.95.
_SKEWED = 0.02


def status(
    n_task: ArrayLike, rank: ArrayLike, input_dim: ArrayLike, penalty: ArrayLike
) -> NDArray[np.str_]:
    """Which moments of the excess exist for inputs with a density (theory/README.md 4a).

    Rank 0 is ridge, or OLS at penalty 0; penalty inf is projection. "ok", "heavy_tail" (the
    standard error is itself unreliable), "infinite_variance" or "infinite_mean".

    Parameters
    ----------
    n_task : array_like
        Number of task samples n_T.
    rank : array_like of int
        Rank r of the spared subspace P; 0 for ridge and OLS.
    input_dim : array_like of int
        Dimension d of the inputs.
    penalty : array_like
        Per-sample penalty, in [0, inf].

    Returns
    -------
    ndarray of str
        Words of `STATUSES`, of the shape of the arguments, broadcast.
    """
    n, r, d, lam = (np.asarray(x, float) for x in (n_task, rank, input_dim, penalty))
    # Least squares in w dimensions is wild where n is close to w: inside P, and, without a penalty,
    # in the whole space. With n <= rank nothing is left to fit outside P.
    inside = np.where(r > 0, np.abs(n - r), np.inf)
    whole = np.where((lam == 0) & (n > r), np.abs(n - d), np.inf)
    conditions = np.minimum(inside, whole) + 1
    code = sum((conditions <= k).astype(int) for k in (_MEAN, _VARIANCE, _FOURTH))
    code = np.where(lam < 0, 3, code)
    return np.asarray(np.asarray(STATUSES)[code])


def worst(words: Sequence[str]) -> str:
    """The worst of some statuses; "ok" of none.

    Parameters
    ----------
    words : sequence of str
        Words of `STATUSES`.

    Returns
    -------
    str
        One of `STATUSES`.
    """
    return max(words, key=STATUSES.index, default="ok")


def dominant_row_status(n: int, w: int, power: float) -> str:
    """The status of a fit in a subspace whose labels move with the inputs outside it as well.

    A row that is t times as long as the others decides the fit, unless it is short inside the
    subspace, in all w dimensions: then it moves the fit by t, and its share of the labels is large.
    So P(excess > u) falls like u^(-(nu + w)/2). Up to w samples every row decides, long or not.

    Parameters
    ----------
    n, w : int
        Samples, and dimensions of the subspace.
    power : float
        nu: the chance of a row longer than t falls like t^-nu.

    Returns
    -------
    str
        One of `STATUSES`.
    """
    if n <= w:
        return "ok"
    return STATUSES[sum(power + w <= k for k in (_MEAN, _VARIANCE, _FOURTH))]


def nearly_along_status(n: int, w: int, others: int, smoothness: str, share: float) -> str:
    """The status of a fit in a subspace that is w coordinates of the inputs but for its errors.

    Where the inputs leave a direction of the coordinates unused, the fit along it rests on the
    errors of the subspace, and divides by their square (`unused_chances`). Where too many numbers
    of those have to be small, every moment exists that the words ask for, and yet all hangs on
    events in which 1/s is the inverse square of small errors.

    Parameters
    ----------
    n, w, others : int
        Samples; dimensions; coordinates that are used beside the w.
    smoothness : str
        "sparse", or "signs" of which two columns may be equal up to sign; "density" is always ok.
    share : float
        Of numbers that are not zero.

    Returns
    -------
    str
        One of `STATUSES`.
    """
    if n < w or others == 0 or smoothness == "density":
        return "ok"
    chances, hidden = unused_chances(n, w, others, smoothness, share), "ok"
    if smoothness == "sparse" and near_singular_chances(n, w, w, share).sum() >= _NEVER:
        hidden = "heavy_tail"
    known = [chances[:k].sum() >= _NEVER for k in (_MEAN, _VARIANCE, _FOURTH)]
    return worst([hidden, STATUSES[sum(known)]])


# A grid asks for the same few sizes and penalties in each of its models.
@lru_cache(maxsize=100_000)
def least_squares_status(
    n: int,
    w: int,
    ridge: float,
    replicates: float,
    smoothness: str = "density",
    input_dim: int | None = None,
    share: float = 1.0,
) -> str:
    """The status that least squares in a space gives the estimators that contain it.

    Parameters
    ----------
    n, w : int
        Samples, and dimensions of the space.
    ridge : float
        What is added to the eigenvalues of the Gram matrix of unit inputs.
    replicates : float
        Over which a mean is taken; infinity asks for the moments alone.
    smoothness : str
        Of the numbers of an input: "density", "signs" (1 or -1) or "sparse" (zero with probability
        1 - share).
    input_dim : int, optional
        Number of coordinates of the inputs that the space is a generic subspace of; default w.
    share : float
        Of numbers that are not zero.

    Returns
    -------
    str
        One of `STATUSES`.

    Raises
    ------
    ValueError
        If `smoothness` is not one of the words above.
    """
    d = w if input_dim is None else input_dim
    if min(n, w) < 1:
        return "ok"
    if smoothness == "sparse":
        chances = near_singular_chances(n, w, d, share)
        if ridge == 0.0:
            likely = np.cumsum(chances) >= _NEVER
            return STATUSES[int(sum(likely[k - 1] for k in (_MEAN, _VARIANCE, _FOURTH)))]
        parts = [(float(p), k) for k, p in enumerate(chances[:_MEAN], 1) if p >= _NEVER]
        return _judge(n, w, ridge, replicates, tuple(parts), share)
    if smoothness == "signs" and w == d:
        return _judge(n, w, max(ridge, smallest_of_signs(n, w)), replicates)
    if smoothness not in ("density", "signs"):
        raise ValueError(f"smoothness {smoothness!r}")
    if ridge == 0.0:
        return str(status(n, w, 0, math.inf))
    return _judge(n, w, ridge, replicates)


def _judge(
    n: int,
    w: int,
    ridge: float,
    replicates: float,
    rare: tuple[tuple[float, int], ...] = (),
    share: float = 1.0,
) -> str:
    """Whether so many replicates show the tail of a fit whose moments all exist."""
    unseen = skewness(n, w, ridge, rare, share) - 1.0 > _SKEWED * replicates
    return "heavy_tail" if unseen else "ok"


@lru_cache(maxsize=100_000)
def skewness(
    n: int,
    w: int,
    ridge: float,
    rare: tuple[tuple[float, int], ...] = (),
    share: float = 1.0,
) -> float:
    """E[B^3]^2 / E[B^2]^3 of B = s/(s+z)^2, s the smallest eigenvalue of a Gram matrix.

    One without a tail, the inverse of its probability where one rare event is all there is. The
    distribution of s is taken to be the power law that it follows near 0, up to where that is 1:
    C s^((nu-1)/2) with nu = |n - w| (Edelman 1988, generalised to any nu).

    Parameters
    ----------
    n, w : int
        Samples and dimensions.
    ridge : float
        z > 0.
    rare : tuple of (float, int)
        Probabilities of inputs with zeros for which k conditions make the matrix singular, and k.
    share : float
        Of numbers that are not zero, where there are such events.

    Returns
    -------
    float
        At least 1; it has no unit.
    """
    large, small = max(n, w), min(n, w)
    nu = large - small
    if nu >= _MILD and not rare:
        return 1.0
    power = 0.5 * (nu + 1)
    log_constant = (
        0.5 * math.log(math.pi)
        - power * math.log(2.0)
        + gammaln(0.5 * (large + 1))
        - gammaln(0.5 * small)
        - gammaln(0.5 * (nu + 1))
        - gammaln(0.5 * (nu + 2))
    )
    typical = math.exp((math.log(power) - log_constant) / power)
    parts = [(max(1.0 - sum(p for p, _ in rare), 0.0), power, typical)]
    # The smallest of k squared normal numbers over the share: k = 1 or 2, exactly near 0.
    scales = {1: 0.5 * math.pi / share, 2: 2.0 / share}
    parts += [(min(p, 1.0), 0.5 * k, scales[k]) for p, k in rare]
    if all(ridge >= scale for _, _, scale in parts):
        return 1.0
    second, third = (
        np.logaddexp.reduce(
            [math.log(q) + _log_moment(j, a, ridge / scale) for q, a, scale in parts if q > 0.0]
        )
        for j in (2, 3)
    )
    return math.exp(min(max(2.0 * third - 3.0 * second, 0.0), 700.0))


def _log_moment(order: int, power: float, ridge: float) -> float:
    """log E[(4zs/(s+z)^2)^order] for P(s < t) = t^power on [0, 1]; the bracket is 1 at s = z."""
    # Uniform in log s, from where nothing is left of the integrand.
    log_z = math.log(ridge)
    t, step = np.linspace(min(log_z, 0.0) - 60.0 / (power + order), 0.0, 1001, retstep=True)
    bracket = math.log(4.0) + log_z + t - 2.0 * np.logaddexp(t, log_z)
    terms = power * t + order * bracket
    terms[[0, -1]] -= math.log(2.0)
    return float(np.logaddexp.reduce(terms)) + math.log(power * float(step))
