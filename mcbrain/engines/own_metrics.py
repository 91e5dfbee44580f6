"""Metrics that a user brings: a number of each fit, from its coefficients and test inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcbrain.blocks.problem import DataProblem
from mcbrain.engines.bridge import Asked
from mcbrain.engines.own_judge import Judge
from mcbrain.engines.sampled import Bench
from mcbrain.errors import InputError
from mcbrain.kernels.replicate.own import only_to_read
from mcbrain.kernels.replicate.own_function import line_of
from mcbrain.kernels.replicate.workspace import Outcome
from mcbrain.kernels.types import FINE
from mcbrain.plugins.loading import function_of
from mcbrain.plugins.record import Plugin
from mcbrain.population.geometry import Geometry
from mcbrain.population.own import truth_of
from mcbrain.typing import Floats

__all__ = ["Tests", "with_metrics"]

_LARGEST = 1e100  # whose square is a number too, and the sum of many


class Tests(NamedTuple):
    """Test inputs of a replicate under a shift.

    Attributes
    ----------
    X : ndarray, shape (1000, d)
        In the coordinates of data sets; nothing here can be written.
    signal : ndarray, shape (1000,)
        What the best linear predictor says of them.
    """

    X: Floats
    signal: Floats


def with_metrics(problem: DataProblem, bench: Bench) -> Bench:
    """A bench whose outcome has a column too for each metric of a user's under each shift.

    Parameters
    ----------
    problem : DataProblem
    bench : Bench
        Whose outcome keeps coefficients, if metrics of a user's are wanted.

    Returns
    -------
    Bench
        The same where none is.
    """
    if not bench.wanted.measured:
        return bench
    stage = _Stage(problem, bench.wanted, bench.outcome)

    def draw(index: int) -> NDArray[np.float64] | None:
        picked = bench.draw(index)
        stage.measure(index)
        return picked

    return replace(bench, draw=draw, outcome=stage.outcome)


class _Stage:
    """Measures the fits of a block once they are there."""

    def __init__(self, problem: DataProblem, wanted: Asked, found: Outcome) -> None:
        self._found, self._wanted = found, wanted
        self._truth = truth_of(Geometry(problem.model, problem.seed))
        self._as_given = Geometry(problem.model, problem.seed).as_given
        self._judge = Judge(problem, replace(wanted, shifts=tuple(s for s, _ in wanted.measured)))
        plugins = [own for _, metric in wanted.measured if (own := metric.own) is not None]
        self._functions = [(plugin, function_of(plugin)) for plugin in plugins]
        count, fits, shifts = found.excess.shape
        columns = shifts + len(wanted.measured)
        self.outcome = found._replace(excess=np.full((count, fits, columns), np.nan))

    def measure(self, index: int) -> None:
        """Fill the columns of a block."""
        found, excess = self._found, self.outcome.excess
        shifts = found.excess.shape[2]
        excess[:, :, :shifts] = found.excess
        excess[:, :, shifts:] = np.nan
        self._judge.begin(index)
        for at in range(len(excess)):
            inputs, signals = self._judge.tests(at)
            for fit in range(self._wanted.built):
                if found.failures[at, fit] != FINE:
                    continue
                beta = np.array(self._as_given(found.coefs[at, fit]))
                for j, (plugin, function) in enumerate(self._functions):
                    tests = Tests(only_to_read(inputs[j]), only_to_read(signals[j]))
                    excess[at, fit, shifts + j] = _value(plugin, function, beta, self._truth, tests)


# Any: what a user's function takes and returns.
def _value(plugin: Plugin, function: Callable[..., Any], *arguments: Any) -> float:
    """What a user's function says of a fit: a finite number, so that means are of every fit."""
    try:
        value = float(function(*arguments))
    except (Exception, SystemExit) as error:
        line = line_of(error, function.__code__.co_filename)
        where = plugin.source.at(line) if line else plugin.where
        raise InputError(
            f"{where}: metric '{plugin.name}': {type(error).__name__}: {error}"
        ) from None
    if not abs(value) < _LARGEST:
        raise InputError(
            f"{plugin.where}: metric '{plugin.name}' gave {value}; a number below {_LARGEST:g} in "
            "size is allowed, of every fit"
        )
    return value
