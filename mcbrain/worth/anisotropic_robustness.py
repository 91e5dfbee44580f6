"""BEFS and its baseline under any test inputs, for any covariance and encoder (README 5f, 5g)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from mcbrain.asking.encoders import Encoder
from mcbrain.asking.studies import Point
from mcbrain.blocks.query import Fit
from mcbrain.errors import InputError
from mcbrain.plan.anisotropic import AnisotropicLaw
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.results.reasons import INTERPOLATING
from mcbrain.typing import Floats
from mcbrain.worth.anisotropic import AnisotropicCurves, check_lawful, encoding_penalty

__all__ = ["AnisotropicRobustness"]


class AnisotropicRobustness:
    """Errors of BEFS and of its baseline at penalties that are tuned under `id`.

    Parameters
    ----------
    model : Model
        Gaussian, with task noise.
    encoder : Encoder
        Of the default rank.
    n_task, n_brain : int
        Numbers of samples.
    seed : int
        Of the directions in which brain and task lie, and of imagined recordings.

    Raises
    ------
    InputError
        A model that is not Gaussian, or without task noise, or an encoder whose penalty each
        replicate chooses.
    """

    def __init__(
        self, model: Model, encoder: Encoder, n_task: int, n_brain: int, seed: int
    ) -> None:
        check_lawful(model)
        self.model = model
        self.brain, self.alone = (Point(0, model, n_task, n) for n in (n_brain, 0))
        law = AnisotropicLaw(seed)
        penalty = encoding_penalty(encoder, law, self.brain)
        self.curves = AnisotropicCurves(model, penalty, law)
        self._geometry = Geometry(model, seed)

    @cached_property
    def _missed(self) -> Floats:
        """The part of beta outside the latents, shape (q,)."""
        beta, brain = self._geometry.beta, self._geometry.brain
        return np.asarray(beta - brain.T @ (brain @ beta))

    def kinds(self) -> Floats:
        """Second moments of trace 1, each of one kind of direction alone.

        Returns
        -------
        ndarray, shape (3, q, q)
            Outside the latents and what they miss, over the latents, and along what they miss: the
            first again where that is nothing. Along the principal axes of the inputs.
        """
        brain, missed = self._geometry.brain, self._missed
        size = float(np.linalg.norm(missed))
        nothing = size < 1e-12 * np.linalg.norm(self._geometry.beta)
        frame = brain if nothing else np.vstack([brain, missed / size])
        rest = np.eye(brain.shape[1]) - frame.T @ frame
        rest /= np.trace(rest)
        along = rest if nothing else np.outer(missed, missed) / size**2
        return np.stack([rest, brain.T @ brain / len(brain), along])

    def errors(
        self, baseline: str, penalties: tuple[float, float] | None = None
    ) -> tuple[Floats, Floats]:
        """Error covariances of BEFS and of the baseline, in units of |beta|^2.

        Parameters
        ----------
        baseline : str
            "ridge" or "ols"; n_task > rank + 1.
        penalties : tuple of float, optional
            Of BEFS and of the baseline, per sample; default those that are best under `id`.

        Returns
        -------
        befs, baseline : ndarray, shape (q, q)
            Along the principal axes of the inputs.

        Raises
        ------
        InputError
            One of the two all but interpolates, so that its law is not given.
        """
        fits = self._fits(baseline, penalties)
        found = []
        for fit, point in zip(fits, (self.brain, self.alone), strict=True):
            error = self.curves.law.error_covariance(point, fit)
            if np.isnan(error).any():
                raise InputError(f"n_task = {point.n_task}: {fit.estimator.name}: {INTERPOLATING}")
            found.append(error / self.model.signal_norm**2)
        return found[0], found[1]

    def risks(self, shifts: Sequence[Shift], baseline: str) -> list[tuple[float, float]]:
        """Mean excess of the baseline and of BEFS under each shift.

        Parameters
        ----------
        shifts : sequence of Shift
            What the risk is tested on.
        baseline : str
            "ridge" or "ols".

        Returns
        -------
        list of (float, float)
            NaN where a fit all but interpolates.
        """
        befs, base = self._fits(baseline)
        law = self.curves.law
        return [
            (law.risk(self.alone, shift, base).value, law.risk(self.brain, shift, befs).value)
            for shift in shifts
        ]

    def _fits(self, baseline: str, penalties: tuple[float, float] | None = None) -> tuple[Fit, Fit]:
        """BEFS and the baseline at given penalties or at their best; a guess where one must do."""
        n_task, best = self.brain.n_task, self.curves.best_fit
        befs = best("befs", n_task, self.brain.n_brain, guess=True)
        base = best(baseline, n_task, guess=True)
        if penalties is None:
            return befs, base
        return replace(befs, penalty=penalties[0]), replace(base, penalty=penalties[1])
