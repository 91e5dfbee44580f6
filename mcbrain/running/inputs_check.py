"""Inputs of a plug-in on trial: mean 0 and covariance I, the same numbers again, and their cost."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np

from mcbrain.plugins.record import Plugin
from mcbrain.population.own_inputs import OwnInputs
from mcbrain.typing import Floats

__all__ = ["FALSE_ALARM", "inputs_findings"]

FALSE_ALARM = 1e-6
"""Chance that inputs of mean 0 and covariance I fail, all components and products together."""

_ROWS, _CALLS, _DIM = 50, 400, 6


def inputs_findings(plugin: Plugin) -> Iterator[tuple[bool, str]]:
    """Try inputs at the defaults of their parameters.

    Parameters
    ----------
    plugin : Plugin
        Of kind inputs.

    Yields
    ------
    (bool, str)
        Whether a check is passed, and a sentence.

    Raises
    ------
    InputError
        The function raises an error or leaves numbers that are not finite.
    """
    own = OwnInputs(plugin, tuple(default for _, default in plugin.parameters))
    begun = time.perf_counter()
    X = _drawn(own)
    each = 1e9 * (time.perf_counter() - begun) / _CALLS
    yield _moments(X)
    yield np.array_equal(X, _drawn(own)), "the same generator gives the same bits"
    yield True, f"{each:,.0f} ns for {_ROWS} inputs of {_DIM} components"


def _drawn(own: OwnInputs) -> Floats:
    """Inputs of several calls, which go on in one stream."""
    rng = np.random.Generator(np.random.SFC64(0))
    return np.concatenate([own.drawn(rng, _ROWS, _DIM) for _ in range(_CALLS)])


def _moments(X: Floats) -> tuple[bool, str]:
    """z-tests of every mean and of every second moment, at Bonferroni's level."""
    d = X.shape[1]
    tried = [(f"E x{j + 1}", X[:, j], 0.0) for j in range(d)]
    tried += [
        (f"E x{i + 1} x{j + 1}", X[:, i] * X[:, j], float(i == j))
        for i in range(d)
        for j in range(i, d)
    ]
    limit = NormalDist().inv_cdf(1.0 - FALSE_ALARM / (2 * len(tried)))
    scores = [_score(values, wanted) for _, values, wanted in tried]
    worst = int(np.argmax(np.abs(scores)))
    name, values, wanted = tried[worst]
    good = abs(scores[worst]) <= limit
    said = (
        f"mean 0 and covariance I over {len(X):,} inputs: farthest is {name} = "
        f"{values.mean():.4f} for {wanted:g}, z = {scores[worst]:.1f} (|z| <= {limit:.1f} is "
        f"allowed; good inputs fail once in {1 / FALSE_ALARM:,.0f} times)"
    )
    return good, said


def _score(values: Floats, wanted: float) -> float:
    """How many standard errors a mean is from what it should be."""
    apart, spread = float(values.mean()) - wanted, float(values.std())
    if spread == 0.0:
        return 0.0 if abs(apart) < 1e-12 else math.copysign(math.inf, apart)
    return apart * math.sqrt(values.size) / spread
