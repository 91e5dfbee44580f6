"""What functions of a user's are told of the truth, and test laws that they bring."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import lru_cache
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from mcbrain.errors import InputError
from mcbrain.plugins.loading import function_of
from mcbrain.plugins.record import Plugin
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.typing import Floats

__all__ = ["OwnShift", "Truth", "moment_of", "truth_of"]

_ROUNDING = 1e-10


class Truth(NamedTuple):
    """A population, in the coordinates that data sets have (`mb.replicates`).

    Attributes
    ----------
    beta : ndarray, shape (d,)
        Task weights.
    brain_map : ndarray, shape (k, d)
        Orthonormal rows: the directions of the latents.
    covariance : ndarray, shape (d, d)
        Of the inputs.
    task_noise : float
    labels : str
        "linear" or "sign".
    """

    beta: Floats
    brain_map: Floats
    covariance: Floats
    task_noise: float
    labels: str


@dataclass(frozen=True)
class OwnShift:
    """A test law that a user brings, at one setting of its parameters.

    Attributes
    ----------
    plugin : Plugin
    values : tuple of (str, float)
        Every parameter in its order, with its value.
    """

    plugin: Plugin
    values: tuple[tuple[str, float], ...]

    @property
    def label(self) -> str:
        """The name and the values, as tables and commands write them: `rotated:0.1`."""
        return ":".join([self.plugin.name, *(repr(value) for _, value in self.values)])


def truth_of(geometry: Geometry) -> Truth:
    """What functions of a user's are told of a population.

    Parameters
    ----------
    geometry : Geometry

    Returns
    -------
    Truth
        Copies that cannot be written, so that no function changes what others are told.
    """
    model = geometry.model
    root = geometry.as_given(np.diag(geometry.scale))
    return Truth(
        beta=_sealed(geometry.as_given(geometry.beta).copy()),
        brain_map=_sealed(geometry.as_given(geometry.brain).copy()),
        covariance=_sealed(root.T @ root),
        task_noise=model.sigma_y,
        labels=model.labels,
    )


def _sealed(values: Floats) -> Floats:
    values.flags.writeable = False
    return values


@lru_cache(maxsize=64)
def moment_of(shift: OwnShift, model: Model, seed: int) -> tuple[Floats, Floats | None]:
    """What a user's function says of the test inputs, once for a model.

    Parameters
    ----------
    shift : OwnShift
    model : Model
    seed : int
        The study's seed.

    Returns
    -------
    moment : ndarray, shape (d, d)
        Second moment of the test inputs, in the coordinates of data sets.
    beta : ndarray, shape (d,), or None
        Task weights at test time; None where they stay.

    Raises
    ------
    InputError
        The function raises an error, or returns something else; with its file and line.
    """
    truth = truth_of(Geometry(model, seed))
    where = f"{shift.plugin.where}: shift '{shift.label}'"
    function = function_of(shift.plugin)
    try:
        found = function(truth, SimpleNamespace(**dict(shift.values)))
    except (Exception, SystemExit) as error:
        file = inspect.unwrap(function).__code__.co_filename
        line, step = 0, error.__traceback__
        while step is not None:
            line = step.tb_lineno if step.tb_frame.f_code.co_filename == file else line
            step = step.tb_next
        where = f"{shift.plugin.source.at(line)}: shift '{shift.label}'"
        raise InputError(f"{where}: {type(error).__name__}: {error}") from None
    moment, beta = found if isinstance(found, tuple) and len(found) == 2 else (found, None)
    size = truth.beta.size
    moment = _numbers(moment, (size, size), f"{where}: the second moment")
    largest = max(float(np.abs(moment).max()), 1e-300)
    if np.abs(moment - moment.T).max() > _ROUNDING * largest:
        raise InputError(f"{where}: the second moment is not symmetric")
    if (lowest := float(np.linalg.eigvalsh(moment)[0])) < -_ROUNDING * largest:
        raise InputError(
            f"{where}: a second moment is positive semi-definite; the smallest eigenvalue here is "
            f"{lowest:.3g}"
        )
    if beta is not None:
        beta = _numbers(beta, (size,), f"{where}: beta at test time")
    return (moment + moment.T) / 2, beta


def _numbers(values: object, shape: tuple[int, ...], what: str) -> Floats:
    try:
        if np.array(values).dtype.kind == "c":
            raise InputError(f"{what} is complex; real numbers are allowed")
        found = np.array(values, float)
    except (TypeError, ValueError):
        raise InputError(f"{what} is {type(values).__name__}, not an array of numbers") from None
    if found.shape != shape or not np.all(np.isfinite(found)):
        raise InputError(
            f"{what} has the shape {found.shape}; finite numbers, {shape}, are allowed"
        )
    return found
