"""The status of an output, decided once: which moments it has, and what its run has shown of them.

A row's numbers follow from statuses: without a mean there is no mean and no gain, without a
variance no error, and a gain needs what both of its rows have.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mcbrain.asking.studies import Point
from mcbrain.blocks.canonical import latest
from mcbrain.blocks.query import Fit
from mcbrain.population.model import Model
from mcbrain.theory.tails import (
    dominant_row_status,
    least_squares_status,
    nearly_along_status,
    worst,
)

__all__ = [
    "HOPELESS",
    "NO_MEAN",
    "NO_VARIANCE",
    "Conditions",
    "conditions",
    "has_mean",
    "row_status",
]

NO_MEAN = ("undefined", "infinite_mean")
NO_VARIANCE = (*NO_MEAN, "infinite_variance")
# What no number of replicates would make precise.
HOPELESS = ("infinite_mean", "infinite_variance")


def has_mean(*words: str) -> bool:
    """Whether all of some rows have a mean.

    Parameters
    ----------
    *words : str
        The status of each row.

    Returns
    -------
    bool
        False where one of them is undefined or has an infinite mean.
    """
    return not any(word in NO_MEAN for word in words)


@dataclass(frozen=True)
class _Squares:
    """Least squares within an estimator: samples, dimensions, and the ridge on its Gram matrix.

    The space is a generic subspace of so many `coordinates` of the inputs.
    """

    n: int
    w: int
    ridge: float
    coordinates: int


def row_status(fit: Fit, point: Point, replicates: float = math.inf) -> str:
    """Which moments of an output exist, as the word of its `status` (theory/README.md 4a).

    Parameters
    ----------
    fit : Fit
        An estimator with its penalty.
    point : Point
        The model, and the numbers of samples.
    replicates : float
        How many replicates the output rests on. With few of them, moments that exist may come from
        events that none has seen; by default that is left out of account.

    Returns
    -------
    str
        "undefined" where more brain directions are asked for than there are brain samples; else the
        worst that holds of "ok", "heavy_tail", "infinite_variance" and "infinite_mean".
    """
    return conditions(fit, point).status(replicates)


@dataclass(frozen=True)
class Conditions:
    """What the moments of an output depend on, beside the number of its replicates.

    Attributes
    ----------
    word : str
        The worst status that holds whatever that number is; "undefined" ends the matter.
    squares : tuple
        Every least-squares problem whose eigenvalues the estimator divides by.
    point : Point
        The model, and the numbers of samples.
    """

    word: str
    squares: tuple[_Squares, ...]
    point: Point

    def status(self, replicates: float = math.inf) -> str:
        """The status of an output that rests on so many replicates; see `row_status`.

        Parameters
        ----------
        replicates : float
            By default as many as one likes.

        Returns
        -------
        str
            The word.
        """
        if not self.squares:
            return self.word
        inputs = self.point.model.input_distribution
        words = [
            least_squares_status(
                s.n,
                s.w,
                s.ridge,
                replicates,
                inputs.smoothness,
                s.coordinates,
                inputs.share,
            )
            for s in self.squares
        ]
        return worst([*words, self.word])


def conditions(fit: Fit, point: Point) -> Conditions:
    """What the moments of an output depend on (theory/README.md 4a).

    Parameters
    ----------
    fit : Fit
        An estimator with its penalty.
    point : Point
        The model, and the numbers of samples.

    Returns
    -------
    Conditions
        To be asked for the status at any number of replicates.
    """
    if fit.estimator.uses_brain and 0 < point.n_brain < fit.rank:
        return Conditions("undefined", (), point)
    if fit.estimator.own is not None:
        return Conditions("ok", (), point)  # nobody knows; its replicates say what they can
    if fit.penalty < 0:
        return Conditions("infinite_mean", (), point)
    words = [] if _blind(fit, point) else list(_subspace_words(fit, point))
    return Conditions(worst(words), tuple(_squares(fit, point)), point)


def _subspace_words(fit: Fit, point: Point) -> Iterator[str]:
    """Statuses that come from the spared subspace rather than from a singular Gram matrix.

    A single long input may decide the fit inside it. And where the subspace lies along coordinate
    axes but for its errors, and no sample uses one of these, the fit divides by the errors.
    """
    model, inputs, n = point.model, point.model.input_distribution, point.n_task
    spared = _spared(fit, point)
    if spared == 0 or fit.eta > 0.0:
        return
    exact = _is_exact(fit, point)
    explained = exact and model.misalignment == 0.0 and spared >= model.latent_dim
    shut = fit.in_force == math.inf
    if shut and spared < model.native_dim and not explained:
        yield dominant_row_status(n, spared, inputs.length_power)
    if model.brain.along_axes and not exact:
        others = _coordinates(fit, point, spared) - spared
        along = min(spared, model.k_m)
        yield nearly_along_status(n, along, others, inputs.smoothness, inputs.share)


def _blind(fit: Fit, point: Point) -> bool:
    return fit.estimator.uses_brain and point.n_brain == 0


def _spared(fit: Fit, point: Point) -> int:
    """Dimensions of the subspace of an estimator."""
    sizes = {"none": 0, "estimated": fit.rank, "measured": point.model.k_m}
    return sizes[fit.estimator.subspace]


def _is_exact(fit: Fit, point: Point) -> bool:
    """Whether a subspace is that of the latents, measured or found without any error."""
    model = point.model
    if fit.estimator.subspace == "measured":
        return True
    told = model.linear_latents and model.recordings.gaussian and model.sigma_r == 0.0
    return told and fit.encoding_penalty == 0.0 and point.n_brain >= model.native_dim


def _coordinates(fit: Fit, point: Point, spared: int) -> int:
    """Of how many coordinates of the inputs the spared subspace is a generic subspace.

    Latents along axes are coordinates themselves, and given ones are made of some. A subspace that
    is estimated from few sparse inputs has exact zeros in the coordinates that none of them used:
    the bound is five standard deviations below the mean number of those that some did.
    """
    model, d = point.model, point.model.native_dim
    if model.brain.word != "random" and _is_exact(fit, point):
        return max(spared, model.brain.coordinates_of(min(spared, model.latent_dim)))
    if fit.estimator.uses_brain and model.input_distribution.smoothness == "sparse":
        unused = (1.0 - model.input_distribution.share) ** point.n_brain
        sure = d * (1.0 - unused) - 5.0 * math.sqrt(d * unused * (1.0 - unused))
        return max(spared, math.floor(sure))
    return d


def _taken_outside(model: Model, n: int, spared: int) -> float:
    """What a penalised outside adds to the penalty inside, times eta.

    With beta_hat = A c + delta, c minimises the residuals of n samples in the metric
    (n lambda + WW')^-1, W = X(I - P). Along a direction that is short in Z = XA that is about
    n lambda + q - n - 1 for q > n inputs of variance 1, by the mean of an inverse Wishart matrix:
    what is short inside is fitted outside.
    """
    if model.input_distribution.smoothness == "sparse":
        return 0.0  # zeros may leave nothing outside
    variances = model.input_variances
    scale = float(variances.min() / variances.max())
    return scale * max(model.native_dim - spared - n - 1, 0)


def _squares(fit: Fit, point: Point) -> Iterator[_Squares]:
    """Every least-squares problem whose eigenvalues an estimator divides by."""
    model, n = point.model, point.n_task
    blind, spared = _blind(fit, point), _spared(fit, point)
    projects = fit.estimator.penalty == "infinite"
    if blind and projects:
        return  # predicts zero
    # A replicate that chooses its penalty may choose 0, whatever its smallest eigenvalue is.
    penalty = 0.0 if fit.selects else fit.penalty
    eta = 1.0 if blind or spared == 0 else fit.eta
    if eta == 0.0:
        yield _Squares(n, spared, 0.0, _coordinates(fit, point, spared))
    elif eta < 1.0 and penalty > 0.0:
        ridge = eta * (n * penalty + _taken_outside(model, n, spared))
        yield _Squares(n, spared, ridge, _coordinates(fit, point, spared))
    if projects or (eta == 0.0 and n <= spared):
        return  # nothing is left to fit outside P
    d = model.native_dim
    # A null direction of the Gram matrix of unit inputs, in the coordinates in which the penalty is
    # the same in every direction: the ridge that it meets on average.
    share = spared / d if eta > 0.0 else 0.0
    ridge = n * penalty * (1.0 + share * (eta - 1.0)) * _mean_inverse_variance(model)
    lost = spared if eta == 0.0 and model.input_distribution.smoothness == "density" else 0
    yield _Squares(n - lost, d - lost, ridge, d)


@latest
def _mean_inverse_variance(model: Model) -> float:
    """The mean of one over the variance, over the directions in which the inputs vary."""
    return float((1.0 / model.input_variances).mean())
