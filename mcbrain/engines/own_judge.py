"""The risk of what a user's Python function returns: exact where that is linear, else by draws.

An object that only predicts is judged on test inputs of a role stream of its own
(theory/README.md 3): 1,000 a replicate, the same for every fit and, up to the shift, every test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mcbrain.blocks.problem import DataProblem
from mcbrain.engines.bridge import Asked
from mcbrain.engines.supply import own_rows
from mcbrain.errors import InputError
from mcbrain.kernels.random.draw import draw_inputs
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.random.seeds import open_roles
from mcbrain.population.geometry import Geometry
from mcbrain.population.shifts import law
from mcbrain.typing import Floats

__all__ = ["TEST_DRAWS", "TEST_ROLE", "Judge"]

TEST_DRAWS = 1000
"""Test inputs of a replicate, for what only predicts."""

TEST_ROLE = 6
"""The role of the test inputs of a block's first replicate; each has two, and the next follow."""

More = Callable[[Floats], None]
"""Changes the excess risks of a fit, shape (shifts,), by what is more than its coefficients."""


class Judge:
    """Takes what a function returned to coefficients, or to what predicts.

    Parameters
    ----------
    problem : DataProblem
    wanted : Asked
        Its shifts.
    """

    def __init__(self, problem: DataProblem, wanted: Asked) -> None:
        self._problem, self._index = problem, 0
        self._geometry = Geometry(problem.model, problem.seed)
        self._population = wanted.setting.population
        self._shifts = wanted.shifts
        self._laws = [law(shift, self._geometry) for shift in wanted.shifts]
        self._roots: list[Floats] | None = None
        self._drawn: tuple[tuple[int, int], list[Floats], list[Floats]] | None = None

    def begin(self, index: int) -> None:
        """Get ready for a block.

        Parameters
        ----------
        index : int
            Its number.
        """
        self._index = index

    # Any: whatever a user's function returns.
    def take(self, found: Any, at: int, beta: Floats) -> More | None:
        """Write the coefficients of what a function returned.

        Parameters
        ----------
        found : object
            Coefficients, or a fitted object.
        at : int
            The replicate, by its place in the block.
        beta : ndarray, shape (d,)
            Filled.

        Returns
        -------
        callable or None
            Changes the exact risks of these coefficients to those of `found`.

        Raises
        ------
        ValueError
            It is neither, or of another shape.
        """
        if hasattr(found, "coef_"):
            intercept = float(np.sum(getattr(found, "intercept_", 0.0)))
            _shape(found.coef_, beta)
            return None if intercept == 0.0 else self._with_intercept(intercept, beta)
        if hasattr(found, "predict"):
            beta[:] = 0.0
            return self._predicted(found, at)
        _shape(found, beta)
        return None

    def _with_intercept(self, intercept: float, beta: Floats) -> More:
        """E (x'delta + b)^2 = E (x'delta)^2 + 2 b E[x]'delta + b^2."""

        def more(excess: Floats) -> None:
            native = self._native(beta)
            for s, (shift, one) in enumerate(zip(self._shifts, self._laws, strict=True)):
                if shift.kind == "adversarial":
                    raise InputError(_no_adversary("an intercept"))
                excess[s] += intercept**2
                if shift.kind == "mean":
                    moved = shift.value * one.probes[0]
                    excess[s] += 2.0 * intercept * float(moved @ (native - one.target))

        return more

    def _native(self, beta: Floats) -> Floats:
        axes = self._geometry.model.input_covariance.axes
        return beta if axes is None else axes @ beta

    def _predicted(self, found: Any, at: int) -> More:
        """The mean squared difference from x'beta over the test inputs of the replicate."""
        inputs, signals = self.tests(at)
        risks = []
        for X, signal in zip(inputs, signals, strict=True):
            said = np.asarray(found.predict(X), float)
            if said.shape not in ((TEST_DRAWS,), (TEST_DRAWS, 1)):
                raise ValueError(f"predict gave the shape {said.shape} for {TEST_DRAWS} inputs")
            risks.append(float(np.mean((said.ravel() - signal) ** 2)))

        def more(excess: Floats) -> None:
            excess[:] = risks

        return more

    def tests(self, at: int) -> tuple[list[Floats], list[Floats]]:
        """Test inputs of a replicate under each shift, as the user knows them, and their signal.

        Parameters
        ----------
        at : int
            The replicate, by its place in the block.

        Returns
        -------
        inputs : list of ndarray, shape (1000, d)
        signals : list of ndarray, shape (1000,)
        """
        name = self._index, at
        if self._drawn is None or self._drawn[0] != name:
            Z = self._standard(at)
            native = [
                Z @ root + _moved(shift, one)
                for shift, one, root in zip(self._shifts, self._laws, self._root(), strict=True)
            ]
            signals = [X @ one.target for X, one in zip(native, self._laws, strict=True)]
            self._drawn = name, [self._geometry.as_given(X) for X in native], signals
        return self._drawn[1:]

    def _standard(self, at: int) -> Floats:
        """z, iid components of the study's distribution of inputs, of variance 1."""
        problem, role = self._problem, TEST_ROLE + 2 * at
        if problem.model.own_inputs is not None:
            return own_rows(problem, (self._index, role), TEST_DRAWS, 1)
        inputs, auxiliary = open_roles(problem.seed, problem.words, self._index, role, 2)
        q = problem.model.native_dim
        Z = np.zeros((TEST_DRAWS, q))
        plain = self._population._replace(scale=np.ones(q))
        draw_inputs(plain, StageStreams(inputs, auxiliary, auxiliary), Z)
        return Z

    def _root(self) -> list[Floats]:
        """M^(1/2) of each shift, symmetric, in native coordinates; of `mean` that of Sigma."""
        if self._roots is None:
            self._roots = []
            scale = self._population.scale
            for shift, one in zip(self._shifts, self._laws, strict=True):
                if shift.kind == "adversarial":
                    raise InputError(_no_adversary("what only predicts"))
                moment = one.scale * np.diag(scale**2)
                if shift.kind != "mean":
                    moment = moment + (one.probes.T * one.weights) @ one.probes
                values, vectors = np.linalg.eigh(moment)
                self._roots.append((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
        return self._roots


def _moved(shift: Any, one: Any) -> Floats | float:
    """How far the mean of the test inputs has moved."""
    return np.asarray(shift.value * one.probes[0]) if shift.kind == "mean" else 0.0


def _no_adversary(what: str) -> str:
    return (
        f"[shifts] adversarial: its risk is known of coefficients alone, and a plug-in returned "
        f"{what}; leave the shift out"
    )


def _shape(values: Any, beta: Floats) -> None:
    """Write coefficients of any shape that holds as many numbers."""
    if np.iscomplexobj(values):
        raise ValueError("coefficients are complex; real numbers are allowed")
    found = np.asarray(values, float)
    if found.size != beta.size or found.ndim > 2:
        raise ValueError(f"coefficients have the shape {found.shape}; ({beta.size},) is allowed")
    beta[:] = found.ravel()
