"""The risk under any covariance and any linear encoder, by law (theory/README.md 5f, 5g).

The exact laws need inputs without a preferred direction and an encoder without a penalty. Here the
task stage is the generating function's, given the subspace; an estimated subspace is averaged over
imagined recordings, which cost no channels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from mcbrain.asking.estimators import Estimator
from mcbrain.asking.shift_text import parse_shift
from mcbrain.asking.studies import Point
from mcbrain.blocks.query import Fit
from mcbrain.errors import unhandled
from mcbrain.population.geometry import Geometry
from mcbrain.population.labels import equivalent_noise, label_slope
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift, law
from mcbrain.theory.any_covariance import (
    TaskSetting,
    error_covariance,
    excess_risk,
    free_rows,
    generalised_excess_risk,
)
from mcbrain.theory.labels import FitMoments
from mcbrain.theory.sampled_subspace import BrainSetting, drawn_subspaces
from mcbrain.theory.structured import Structured, diagonal_of
from mcbrain.typing import Floats

if TYPE_CHECKING:
    from mcbrain.theory.task_curves import TaskCurves

__all__ = ["AnisotropicLaw", "Estimate"]

DRAWS = 32
"""Imagined recordings over which the risk with an estimated subspace is averaged; their spread
gives the standard error of the mean.
"""

SEARCH_DRAWS = 4
"""The first of them, over which the risk is averaged while a penalty is optimised. So few are
enough, since the risk is flat about its minimum.
"""

FEWEST_FREE_ROWS = 5.0
"""Rows that a fit must leave free for its law to be given. What the expansion leaves out is a share
of about one over their square: 4 % here, and as much as the risk where a fit all but interpolates.
"""

SUBSPACES = 0xB0000005
"""First word of the stream of the imagined recordings, so that no block shares their numbers."""

DECADES = (-7.0, 7.0, 15)
"""Penalties from which the search of the best starts: decades about the mean input variance."""

FINE, ROUNDS = 9, 2
"""Penalties between the neighbours of the best so far, and how often it is done: 1/16 decade in the
end, where a parabola through the best three finds the minimum.
"""

DENSE_DIM = 1024
"""Most inputs whose covariance outside a subspace is made diagonal; with more, each penalty is a
law of its own.
"""

_ID = parse_shift("id")


@dataclass(frozen=True)
class Estimate:
    """A risk by law.

    Attributes
    ----------
    value : float
        inf where there is no mean; NaN where the fit all but interpolates (`FEWEST_FREE_ROWS`).
    standard_error : float, optional
        The standard error that comes from imagined recordings; None where one subspace is enough.
    exact : bool
        Whether the law is exact; else it is the expansion in 1/n.
    """

    value: float
    standard_error: float | None = None
    exact: bool = False


class AnisotropicLaw:
    """Risks of rows, and their best penalties, whatever the inputs' covariance.

    Parameters
    ----------
    seed : int
        The study's seed, which fixes random directions of brain and task, and imagined recordings.
    draws : int
        Imagined recordings over which a risk with an estimated subspace is averaged, at least two.
    """

    def __init__(self, seed: int, draws: int = DRAWS) -> None:
        self.seed = seed
        self.draws = draws
        self._geometry = lru_cache(64)(lambda model: Geometry(model, seed))
        self._bases = lru_cache(64)(self._draw)
        self._setting = lru_cache(256)(self._task)
        self._curves = lru_cache(64)(self._tabulate)

    def gaussian(self, estimator: Estimator, point: Point) -> bool:
        """Whether data is Gaussian as far as an estimator uses it.

        Recordings, and with them how the latents drive them, count only where a subspace is
        estimated from them.

        Parameters
        ----------
        estimator : Estimator
            What uses the data.
        point : Point
            The model, and the numbers of samples.

        Returns
        -------
        bool
            Whether all that it uses is Gaussian, as this law assumes.
        """
        model = point.model
        drawn = estimator.uses_brain and point.n_brain > 0
        return model.gaussian if drawn else model.input_distribution.name == "gaussian"

    def risk(
        self, point: Point, shift: Shift, fit: Fit, draws: int | None = None, *, guess: bool = False
    ) -> Estimate:
        """The mean excess risk of a fit.

        Parameters
        ----------
        point : Point
            The model, and the numbers of samples.
        shift : Shift
            What the risk is tested on; it has a second moment.
        fit : Fit
            An estimator with its penalty, a number per sample that is not negative.
        draws : int, optional
            How many of the imagined recordings to average over where the subspace is estimated;
            default all.
        guess : bool
            Whether the expansion's value is wanted also where the fit all but interpolates and
            the value is not to be relied on.

        Returns
        -------
        Estimate
            The risk in units of the squared response, and how far it is exact.

        Raises
        ------
        NotImplementedError
            The estimator spares a kind of subspace that is unknown here.
        """
        setting = self._setting(point.model, point.n_task, shift)
        if point.n_task == 0:
            return Estimate(excess_risk(setting, math.inf), exact=True)  # every fit predicts zero
        penalty = fit.estimator.in_force(fit.penalty)
        if penalty == 0.0 and point.n_task >= setting.spectrum.size - 1:
            return Estimate(_least_squares(setting), exact=True)
        spared = self._spared(point, fit, self.draws if draws is None else draws)
        found = [_given(setting, penalty, fit.eta, V, guess) for V in spared]
        mean = float(np.mean(found))
        if len(found) == 1 or not math.isfinite(mean):
            projects = math.isinf(penalty) and point.n_task > spared[0].shape[1] + 1
            return Estimate(mean, exact=projects)
        return Estimate(mean, float(np.std(found, ddof=1) / math.sqrt(len(found))))

    def error_covariance(self, point: Point, fit: Fit) -> Floats:
        """E (beta_hat - beta)(beta_hat - beta)', whose trace with a second moment is the excess.

        Parameters
        ----------
        point : Point
            The model, and the numbers of samples: more task samples than the rank and one.
        fit : Fit
            An estimator with one penalty per sample that is not negative.

        Returns
        -------
        ndarray, shape (q, q)
            Along the principal axes of the inputs, the largest variance first; NaN where the fit
            all but interpolates, and infinite where there is no mean.
        """
        setting = self._setting(point.model, point.n_task, _ID)
        penalty, q = fit.estimator.in_force(fit.penalty), setting.spectrum.size
        spared = self._spared(point, fit, self.draws)
        exact = math.isinf(penalty) or (penalty == 0.0 and point.n_task >= q - 1)
        if not exact and min(free_rows(setting, penalty, V) for V in spared) < FEWEST_FREE_ROWS:
            return np.full((q, q), math.nan)
        found = sum(error_covariance(setting, penalty, V) for V in spared)
        return np.asarray(found / len(spared))

    def moments(self, point: Point, shift: Shift, fit: Fit) -> FitMoments | None:
        """Moments of the coefficients and the task under a shift.

        E b'Mb is the excess risk over a task of zero, and with it the excess risk says E b'Mt.

        Parameters
        ----------
        point : Point
            The model, and the numbers of samples.
        shift : Shift
            With a second moment.
        fit : Fit
            An estimator with its penalty, a number per sample that is not negative.

        Returns
        -------
        FitMoments or None
            In units of the squared response; None where they are not known.
        """
        setting = self._setting(point.model, point.n_task, shift)
        drift = np.zeros(setting.weights.size) if setting.drift is None else setting.drift
        target = setting.weights + drift
        signal = replace(setting, drift=target).moved(np.zeros(target.size))
        nothing = replace(setting, drift=-setting.weights)
        excess, square = (self._mean(s, point, fit) for s in (setting, nothing))
        if not math.isfinite(excess) or not math.isfinite(square):
            return None
        cross = 0.5 * (square + signal - excess)
        return FitMoments(np.asarray(cross), np.asarray(square), np.asarray(signal))

    def _mean(self, setting: TaskSetting, point: Point, fit: Fit) -> float:
        """The mean excess risk in one setting, over the subspaces that a fit spares."""
        penalty = fit.estimator.in_force(fit.penalty)
        if penalty == 0.0 and point.n_task >= setting.spectrum.size - 1:
            return _least_squares(setting)
        spared = self._spared(point, fit, self.draws)
        return float(np.mean([_given(setting, penalty, fit.eta, V, False) for V in spared]))

    def free_rows(self, point: Point, fit: Fit) -> float:
        """Rows that a fit with one penalty leaves free: the law is in powers of one over them.

        Parameters
        ----------
        point : Point
            The model, and the numbers of samples.
        fit : Fit
            An estimator with its penalty per sample.

        Returns
        -------
        float
            Their mean over a few imagined recordings where the subspace is estimated.
        """
        setting = self._setting(point.model, point.n_task, _ID)
        penalty = fit.estimator.in_force(fit.penalty)
        spared = self._spared(point, fit, SEARCH_DRAWS)
        return float(np.mean([free_rows(setting, penalty, V) for V in spared]))

    def interpolates(self, point: Point, fit: Fit) -> bool:
        """Whether a fit with two penalties leaves too few rows free for an expansion in 1/n.

        The smaller of the two is taken for the whole space: it leaves no more rows free than both.

        Parameters
        ----------
        point : Point
            The model, and the numbers of samples.
        fit : Fit
            An estimator with its penalty per sample, and the share `eta` of it within the subspace.

        Returns
        -------
        bool
            Whether fewer than `FEWEST_FREE_ROWS` are left.
        """
        setting = self._setting(point.model, point.n_task, _ID)
        return free_rows(setting, min(1.0, fit.eta) * fit.penalty) < FEWEST_FREE_ROWS

    def best_penalty(
        self, point: Point, shift: Shift, fit_at: Callable[[float], Fit], *, guess: bool = False
    ) -> float:
        """The penalty of least risk, per sample; 0 or infinity where an end is best.

        NaN where the fit at that penalty all but interpolates, so that its risk is not known and no
        guess is wanted.

        Parameters
        ----------
        point : Point
            The model, and the numbers of samples.
        shift : Shift
            Under which the risk is to be least; it has a second moment.
        fit_at : callable
            Per-sample penalty -> the Fit that it makes.
        guess : bool
            Whether the penalty is wanted also where its risk cannot be relied on; see `risk`.

        Returns
        -------
        float
            The penalty, per sample.
        """
        grid = np.linspace(*DECADES)
        values = self._risks(point, shift, fit_at, 10.0**grid)
        best = int(np.argmin(np.where(np.isfinite(values), values, np.inf)))
        ends = np.array([0.0, math.inf])
        found = dict(zip(ends, self._risks(point, shift, fit_at, ends), strict=True))
        logarithm, least = float(grid[best]), float(values[best])
        for _ in range(ROUNDS):
            if 0 < best < len(grid) - 1:
                grid = np.linspace(grid[best - 1], grid[best + 1], FINE)
                values = self._risks(point, shift, fit_at, 10.0**grid)
                logarithm, least = _lowest(grid, values)
                best = int(np.argmin(values))
        found[10.0**logarithm] = least
        best_of_all = float(min(found, key=lambda p: (not math.isfinite(found[p]), found[p])))
        risk = self.risk(point, shift, fit_at(best_of_all), SEARCH_DRAWS, guess=guess).value
        return math.nan if math.isnan(risk) else best_of_all

    def _risks(
        self, point: Point, shift: Shift, fit_at: Callable[[float], Fit], penalties: Floats
    ) -> Floats:
        """The risk at several penalties, guessed where the fit all but interpolates."""
        fit, setting = fit_at(1.0), self._setting(point.model, point.n_task, shift)
        if _smooth(point, fit, setting, penalties):
            curves = self._curves(point.model, point.n_brain, shift, fit)
            found = [c.excess(point.n_task, penalties, setting.noise)[0] for c in curves]
            return np.asarray(np.mean(found, axis=0))
        fits = [fit_at(float(p)) for p in penalties]
        return np.array([self.risk(point, shift, f, SEARCH_DRAWS, guess=True).value for f in fits])

    def _tabulate(self, model: Model, n_brain: int, shift: Shift, fit: Fit) -> list[TaskCurves]:
        """The risk of a fit at any penalty and any n_task, for each imagined subspace."""
        # Only where it is asked for: it imports much of SciPy.
        from mcbrain.theory.task_curves import banded_curves, spared_curves

        setting, point = self._setting(model, 1, shift), Point(0, model, 1, n_brain)
        task = setting.spectrum, [setting.second_moment], setting.weights[:, None]
        spared = self._spared(point, fit, SEARCH_DRAWS)
        if fit.eta in (0.0, 1.0):
            return [spared_curves(*task, V) for V in spared]
        return [banded_curves(*task, V, fit.eta) for V in spared]

    def _task(self, model: Model, n_task: int, shift: Shift) -> TaskSetting:
        """The task's data and test inputs, in the eigenbasis of the covariance."""
        geometry = self._geometry(model)
        tested, spectrum = law(shift, geometry), model.input_variances
        probes = tested.probes.T
        moment = Structured(tested.scale * spectrum, probes * tested.weights, probes)
        # In units of the response, which labels that are signs are a multiple of on average.
        drift = tested.target / label_slope(geometry) - geometry.beta
        return TaskSetting(
            spectrum=spectrum,
            weights=geometry.beta,
            second_moment=moment if probes.shape[1] <= len(spectrum) // 4 else moment.dense(),
            noise=equivalent_noise(geometry),
            n_task=max(n_task, 1),
            drift=drift if np.any(np.abs(drift) > 1e-12 * np.abs(geometry.beta).max()) else None,
        )

    def _spared(self, point: Point, fit: Fit, draws: int) -> list[Floats]:
        """Bases of the subspace that a fit spares: of one that is known, or of imagined data."""
        model, d = point.model, point.model.native_dim
        match fit.estimator.subspace:
            case "none":
                return [np.zeros((d, 0))]
            case "measured":
                return [self._geometry(model).brain[: model.k_m].T]
            case "estimated":
                if point.n_brain == 0 or fit.eta == 1.0:
                    return [np.zeros((d, 0))]
                drawn = self._bases(model, point.n_brain, fit.rank, fit.encoding_penalty)
                kept, more = drawn
                kept.extend(islice(more, max(draws - len(kept), 0)))
                return kept[:draws]
        raise unhandled("subspace", fit.estimator.subspace, "plan/anisotropic.py")

    def setting(self, model: Model, n_task: int, shift: Shift) -> TaskSetting:
        """The task's data and test inputs.

        Parameters
        ----------
        model : Model
            What is asked about.
        n_task : int
            Task samples.
        shift : Shift
            What the risk is tested on; it has a second moment.

        Returns
        -------
        TaskSetting
            In the eigenbasis of the covariance.
        """
        return self._setting(model, n_task, shift)

    def measured(self, model: Model) -> Floats:
        """An orthonormal basis of the measured latents.

        Parameters
        ----------
        model : Model
            What is asked about.

        Returns
        -------
        ndarray, shape (d, k_m)
            In the eigenbasis of the covariance.
        """
        return self._geometry(model).brain[: model.k_m].T

    def _draw(
        self, model: Model, n_brain: int, rank: int, encoding: float
    ) -> tuple[list[Floats], Iterator[Floats]]:
        """Bases of the subspaces that imagined sets of recordings gave, and the next to come."""
        return [], self.imagined(model, n_brain, rank, encoding, self.draws)

    def imagined(
        self, model: Model, n_brain: int, rank: int, encoding: float, count: int
    ) -> Iterator[Floats]:
        """Subspaces that imagined recordings give, the same ones however many are asked for.

        Parameters
        ----------
        model : Model
            What is recorded.
        n_brain, rank : int
            Brain samples, and directions of the subspace.
        encoding : float
            Ridge penalty of the encoder, per brain sample.
        count : int
            How many.

        Returns
        -------
        iterator of ndarray, shape (d, r)
            Orthonormal bases in the eigenbasis of the covariance.
        """
        measured = model.k_m
        setting = BrainSetting(
            spectrum=model.input_variances,
            brain_map=self._geometry(model).brain[:measured].T,
            gains=model.gains[:measured],
            n_channels=model.n_channels,
            noise=model.sigma_r,
            n_brain=n_brain,
            rank=rank,
            penalty=encoding,
        )
        words = (SUBSPACES, n_brain, rank)
        seeds = np.random.SeedSequence(self.seed, spawn_key=words)
        return drawn_subspaces(setting, np.random.default_rng(seeds), count)


def _smooth(point: Point, fit: Fit, setting: TaskSetting, penalties: Floats) -> bool:
    """Whether curves give the risk at these penalties.

    They need penalties that are neither zero nor infinite, a task that does not move under the
    shift, more samples than spared directions, and inputs few enough that their covariance outside
    each subspace can be made diagonal.
    """
    spared = 0 if fit.estimator.subspace == "none" else max(fit.rank, point.model.k_m)
    return bool(
        np.all((penalties > 0.0) & np.isfinite(penalties))
        and setting.drift is None
        and point.n_task > spared + 1
        and (spared == 0 or len(setting.spectrum) <= DENSE_DIM)
    )


def _lowest(x: Floats, y: Floats) -> tuple[float, float]:
    """Where a smooth function on a regular grid is least, and its value there, by a parabola."""
    at = min(max(int(np.argmin(y)), 1), len(x) - 2)
    below, here, above = y[at - 1 : at + 2]
    bend = below - 2.0 * here + above
    if not bend > 0.0:
        return float(x[at]), float(here)
    step = min(max(0.5 * (below - above) / bend, -1.0), 1.0)
    return float(x[at] + step * (x[1] - x[0])), float(here - 0.25 * (below - above) * step)


def _given(setting: TaskSetting, penalty: float, eta: float, V: Floats, guess: bool) -> float:
    """The risk given the spared subspace, whose directions feel a share eta of the penalty."""
    one_band = eta == 0.0 or penalty == 0.0 or math.isinf(penalty)
    if not V.shape[1] or eta == 1.0 or one_band:
        V = V if one_band else V[:, :0]
        risk = excess_risk(setting, penalty, V)
        enough = guess or math.isinf(risk) or free_rows(setting, penalty, V) >= FEWEST_FREE_ROWS
        return risk if enough else math.nan
    # The smaller of the two penalties in the whole space leaves no more rows free than both do.
    if not guess and free_rows(setting, min(1.0, eta) * penalty) < FEWEST_FREE_ROWS:
        return math.nan
    weights = Structured(np.ones(len(V)), (eta - 1.0) * V, V)
    return generalised_excess_risk(setting, penalty, weights)


def _least_squares(setting: TaskSetting) -> float:
    """sigma_y^2 tr(M Sigma^-1)/(n - d - 1), the exact risk of every estimator without a penalty.

    It is infinite where samples are as many as inputs, or one more or less; fewer are not asked.
    """
    spectrum = setting.spectrum
    spare = setting.n_task - len(spectrum) - 1
    if spare <= 0:
        return math.inf
    noise = setting.noise**2 * float(np.sum(diagonal_of(setting.second_moment) / spectrum))
    return noise / spare + setting.moved(np.zeros(len(spectrum)))
