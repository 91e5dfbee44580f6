"""Under which test distributions brain data helps: a half-space (theory/README.md 4b, 6).

At penalties that do not depend on the shift the excess of each estimator is linear in the second
moment M of the test inputs. So the advantage of BEFS is tr(M D) for one matrix D, and BEFS wins
exactly on the half-space tr(M D) > 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.asking.shift_text import parse_shift
from mcbrain.errors import InputError
from mcbrain.plan.moments import shift_coefficients, shift_drift, signal
from mcbrain.population.model import Model
from mcbrain.theory import exact
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats
from mcbrain.worth.inversion import check_baseline
from mcbrain.worth.surface import Surface

__all__ = ["HalfSpace", "gain", "half_space"]


@dataclass(frozen=True)
class HalfSpace:
    """The set of second moments in which BEFS beats its baseline: tr(M normal) > 0.

    Matrices are written in the frame A_1..A_k, u (task weights that the brain misses), o (any one
    direction outside both); every direction outside the frame is like o and uncoupled.

    Attributes
    ----------
    normal : array (k + 2, k + 2)
        D, error covariance of the baseline minus that of BEFS.
    befs, baseline : array (k + 2, k + 2)
        The two error covariances, E (beta_hat - beta)(beta_hat - beta)'.
    favourable, adverse : array (k + 2,)
        The unit directions v whose shift M = vv' is best and worst for BEFS.
    best, worst : float
        tr(M D) there: the largest and smallest eigenvalue of D.
    on_brain, on_missed, on_rest : float
        tr(M D) per unit of trace spread evenly over span(A), on u, and on any direction outside.
    """

    normal: Floats
    befs: Floats
    baseline: Floats
    favourable: Floats
    adverse: Floats
    best: float
    worst: float
    on_brain: float
    on_missed: float
    on_rest: float

    @property
    def wins_everywhere(self) -> bool:
        """Whether BEFS beats its baseline under every second moment."""
        return self.worst > 0

    def gain(self, direction: Floats) -> float:
        """Risk of the baseline over that of BEFS where test inputs vary along v alone, M = vv'.

        Parameters
        ----------
        direction : (k + 2,)
            v in the frame.

        Returns
        -------
        float
            Above 1 where BEFS wins.
        """
        v = np.asarray(direction, dtype=float)
        return _ratio(v @ self.baseline @ v, v @ self.befs @ v)

    def gains(self) -> tuple[float, float, float]:
        """The gains where all test inputs vary in one kind of direction alone.

        Returns
        -------
        rest, brain, missed : float
            Outside the frame, over span(A), and along u.
        """
        over, under = np.diag(self.baseline), np.diag(self.befs)
        k = over.size - 2
        rest, brain, missed = (slice(k + 1, None), slice(k), slice(k, k + 1))
        first, second, third = (
            _ratio(over[s].sum(), under[s].sum()) for s in (rest, brain, missed)
        )
        return first, second, third

    def verdict(self) -> str:
        """In words, for question 2: whether a shift must be confined to the brain's complement.

        Returns
        -------
        str
            A sentence without a capital, which may follow a colon.
        """
        rest, brain, missed = self.gains()
        kinds = [
            (rest, "in directions that carry neither brain signal nor task weights"),
            (brain, "in the directions that the brain records"),
        ]
        if not np.isclose(self.on_missed, self.on_rest):
            kinds.append((missed, "along the task weights that the brain misses"))
        wins, loses = (
            " and ".join(f"{words} (gain {g:.3g})" for g, words in kinds if (g > 1) == won)
            for won in (True, False)
        )
        parts = [f"{verb} {where}" for verb, where in (("wins", wins), ("loses", loses)) if where]
        if rest <= 1:
            answer = "keeping a shift out of the brain's directions is not even enough for a gain"
        elif brain <= 1:
            answer = "a shift has to keep out of the brain's directions for a gain"
        else:
            answer = (
                "a shift away from the brain's directions and from what the brain misses is "
                "sufficient for a gain, and not necessary"
            )
        found = ", and ".join(parts)
        return f"if inputs vary in one kind of direction only, BEFS {found}; so {answer}."


def half_space(
    model: Model,
    n_task: int,
    n_brain: int,
    baseline: str = "ridge",
    penalties: tuple[float, float] | None = None,
) -> HalfSpace:
    """The half-space of second moments in which BEFS wins (theory/README.md 4b, 4e).

    Parameters
    ----------
    model : Model
        Isotropic and Gaussian, with task noise.
    n_task, n_brain : int
        n_task > rank + 1, n_brain >= measured_latents.
    baseline : str
        "ridge" (tuned under `id`) or "ols".
    penalties : tuple of float, optional
        Per-sample penalties of BEFS and of the baseline; default those that are optimal under `id`.

    Returns
    -------
    HalfSpace
        By laws 4b and 5b.

    Raises
    ------
    InputError
        Sizes at which a mean is infinite or no direction is left outside the latents and u, or
        another baseline.
    """
    surface, k = Surface(model), model.latent_dim
    check_baseline(baseline)
    if model.input_dim < k + 2:
        raise InputError(
            f"input_dim = {model.input_dim}: at least latent_dim + 2 = {k + 2} is needed, for a "
            "direction outside the latents and what the brain misses"
        )
    if n_task <= surface.r + 1:
        raise InputError(f"n_task = {n_task}: more than rank + 1 = {surface.r + 1} is needed")
    if n_brain < surface.r:
        raise InputError(f"n_brain = {n_brain}: at least measured_latents = {surface.r} is needed")
    own = penalties or _tuned_penalties(surface, n_task, n_brain, baseline)
    befs = _error_covariance(surface, n_task, n_brain, own[0])
    base = _error_covariance(surface, n_task, 0, own[1])
    if not np.all(np.isfinite(base)):
        raise InputError(f"n_task = {n_task}: the mean risk of {baseline} is infinite there")
    normal = base - befs
    values, vectors = np.linalg.eigh(normal)
    return HalfSpace(
        normal=normal,
        befs=befs,
        baseline=base,
        favourable=vectors[:, -1],
        adverse=vectors[:, 0],
        best=float(values[-1]),
        worst=float(values[0]),
        on_brain=float(np.mean(np.diag(normal)[:k])),
        on_missed=float(normal[k, k]),
        on_rest=float(normal[k + 1, k + 1]),
    )


def gain(
    model: Model,
    n_task: int,
    n_brain: int,
    shifts: list[str],
    baseline: str = "ridge",
    seed: int = 0,
) -> Floats:
    """Risk of the baseline over that of BEFS under each shift, penalties tuned under `id`.

    Parameters
    ----------
    model : Model
        Isotropic and Gaussian, with task noise.
    n_task, n_brain : int
        Numbers of samples.
    shifts : list of str
        In text, such as "brain-insensitive:4".
    baseline : str
        "ridge" or "ols".
    seed : int
        Of the directions that `spectrum` and `concept` need.

    Returns
    -------
    array (shifts,)
        Infinite where BEFS alone has no excess risk, NaN where neither has, or neither has a mean.

    Raises
    ------
    InputError
        Another baseline, or fewer brain samples than the rank; with 0 of them BEFS is ridge.
    """
    surface = Surface(model)
    check_baseline(baseline)
    if 0 < n_brain < surface.r:
        raise InputError(
            f"n_brain = {n_brain}: at least measured_latents = {surface.r} is needed (or 0)"
        )
    own = _tuned_penalties(surface, n_task, n_brain, baseline)
    found = []
    for text in shifts:
        shift = parse_shift(text)
        moment, drift = shift_coefficients(shift, model, seed), shift_drift(shift, model, seed)
        risks = [
            _excess(surface, n_task, n, penalty, moment, drift)
            for n, penalty in ((0, own[1]), (n_brain, own[0]))
        ]
        found.append(_ratio(*risks))
    return np.array(found)


def _ratio(baseline: ArrayLike, befs: ArrayLike) -> float:
    """The quotient of two risks, which may be 0 or infinite."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.divide(baseline, befs))


def _tuned_penalties(
    surface: Surface, n_task: int, n_brain: int, baseline: str
) -> tuple[float, float]:
    """Per-sample penalties of BEFS and of the baseline that are optimal under `id`."""
    d, r, sigma = surface.d, surface.r, surface.sigma
    ridge = befs = exact.optimal_penalty(sigma, n_task, 0, d)
    if n_brain:
        befs = exact.optimal_penalty(sigma, n_task, r, d, surface.m_bar(n_brain))
    return float(befs), float(ridge) if baseline == "ridge" else 0.0


def _error_covariance(surface: Surface, n_task: int, n_brain: int, penalty: float) -> Floats:
    """E (beta_hat - beta)(beta_hat - beta)' in the frame, by polarisation of its quadratic form."""
    size = surface.model.latent_dim + 2
    i, j = np.triu_indices(size)
    probes = np.zeros((i.size, size))
    probes[np.arange(i.size), i] = 1.0
    probes[np.arange(i.size), j] = 1.0
    frames = probes[:, :, None] * probes[:, None, :]
    moment = ShiftCoefficients(np.zeros(i.size), frames)
    form = _excess(surface, n_task, n_brain, penalty, moment, None)
    if not np.all(np.isfinite(form)):
        return np.full((size, size), np.inf)
    out = np.zeros((size, size))
    single = form[i == j]
    out[i, j] = np.where(i == j, form, 0.5 * (form - single[i] - single[j]))
    return np.asarray(np.triu(out) + np.triu(out, 1).T)


def _excess(
    surface: Surface,
    n_task: int,
    n_brain: int,
    penalty: float,
    moment: ShiftCoefficients,
    drift: Floats | None,
) -> Floats:
    """Excess risk under a second moment and a drift of the target (4b, 5b), where |beta| = 1."""
    model, rank = surface.model, surface.r if n_brain else 0
    block = model.recorded
    subspace = exact.SubspaceMoments.none(surface.r)
    if n_brain:
        subspace = subspace_law(
            n_brain,
            block.gains,
            neural_noise=block.neural_noise,
            input_dim=surface.d,
            n_channels=model.n_channels,
        )
    brain = exact.brain_moments(subspace, signal(model), moment, surface.d, drift)
    return np.asarray(
        exact.excess_risk(
            task_moments(n_task, rank, surface.d, penalty),
            brain,
            n_task=n_task,
            rank=rank,
            input_dim=surface.d,
            task_noise=surface.sigma,
        )
    )
