"""Under which test distributions brain data helps: a half-space (theory/README.md 4b, 6).

At penalties that do not depend on the shift the excess of each estimator is linear in the second
moment M of the test inputs. So the advantage of BEFS is tr(M D) for one matrix D, and BEFS wins
exactly on the half-space tr(M D) > 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from mcbrain.asking.encoders import PLAIN
from mcbrain.asking.from_python import one_encoder
from mcbrain.asking.shift_text import parse_shift
from mcbrain.errors import InputError
from mcbrain.plan.moments import shift_coefficients, shift_drift, signal
from mcbrain.population.model import Model
from mcbrain.theory import exact
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.wishart import task_moments
from mcbrain.typing import Floats
from mcbrain.worth.anisotropic_robustness import AnisotropicRobustness
from mcbrain.worth.inversion import check_baseline
from mcbrain.worth.surface import Surface

__all__ = ["HalfSpace", "gain", "half_space"]


@dataclass(frozen=True)
class HalfSpace:
    """The set of second moments in which BEFS beats its baseline: tr(M normal) > 0.

    For isotropic inputs matrices are written in the frame A_1..A_k, u (task weights that the brain
    misses), o (any one direction outside both); every direction outside the frame is like o and
    uncoupled. Under another covariance the frame is that of all principal axes of the inputs, the
    largest variance first.

    Attributes
    ----------
    befs, baseline : array (size, size)
        The two error covariances, E (beta_hat - beta)(beta_hat - beta)'.
    kinds : array (3, size, size)
        Second moments of trace 1 whose inputs vary in one kind of direction alone: outside the
        latents and u, over span(A), and along u. With nothing missed the third is the first.
    """

    befs: Floats
    baseline: Floats
    kinds: Floats

    @cached_property
    def normal(self) -> Floats:
        """D, error covariance of the baseline minus that of BEFS, shape (size, size)."""
        return self.baseline - self.befs

    @cached_property
    def _axes(self) -> tuple[Floats, Floats]:
        values, vectors = np.linalg.eigh(self.normal)
        return values, vectors

    @property
    def favourable(self) -> Floats:
        """The unit direction v whose shift M = vv' is best for BEFS, shape (size,)."""
        return self._axes[1][:, -1]

    @property
    def adverse(self) -> Floats:
        """The unit direction v whose shift M = vv' is worst for BEFS, shape (size,)."""
        return self._axes[1][:, 0]

    @property
    def best(self) -> float:
        """tr(M D) along the favourable direction: the largest eigenvalue of D."""
        return float(self._axes[0][-1])

    @property
    def worst(self) -> float:
        """tr(M D) along the adverse direction: the smallest eigenvalue of D."""
        return float(self._axes[0][0])

    def _over_kinds(self, matrix: Floats) -> Floats:
        """tr(M matrix) of each kind of direction, shape (3,)."""
        return np.asarray(np.einsum("mij,ij->m", self.kinds, matrix))

    @property
    def on_rest(self) -> float:
        """tr(M D) where inputs vary outside the latents and u alone."""
        return float(self._over_kinds(self.normal)[0])

    @property
    def on_brain(self) -> float:
        """tr(M D) where inputs vary over span(A) alone."""
        return float(self._over_kinds(self.normal)[1])

    @property
    def on_missed(self) -> float:
        """tr(M D) where inputs vary along u alone."""
        return float(self._over_kinds(self.normal)[2])

    @property
    def wins_everywhere(self) -> bool:
        """Whether BEFS beats its baseline under every second moment."""
        return self.worst > 0

    def gain(self, direction: Floats) -> float:
        """Risk of the baseline over that of BEFS where test inputs vary along v alone, M = vv'.

        Parameters
        ----------
        direction : (size,)
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
        over, under = self._over_kinds(self.baseline), self._over_kinds(self.befs)
        first, second, third = (_ratio(a, b) for a, b in zip(over, under, strict=True))
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
    *,
    encoding_penalty: float | str = 0.0,
    seed: int = 0,
) -> HalfSpace:
    """The half-space of second moments in which BEFS wins (theory/README.md 4b, 4e, 5f).

    Parameters
    ----------
    model : Model
        Gaussian, with task noise.
    n_task, n_brain : int
        n_task > rank + 1, n_brain >= measured_latents.
    baseline : str
        "ridge" (tuned under `id`) or "ols".
    penalties : tuple of float, optional
        Per-sample penalties of BEFS and of the baseline; default those that are optimal under `id`.
    encoding_penalty : float or str
        Ridge penalty of the encoder, per brain sample, or "optimal".
    seed : int
        Of the directions in which brain and task lie and of imagined recordings, where the law
        needs them: under a covariance other than the identity and for a penalised encoder.

    Returns
    -------
    HalfSpace
        By laws 4b and 5b, or by 5f and 5g.

    Raises
    ------
    InputError
        A model that is not Gaussian, sizes at which a mean is infinite or has no law, no direction
        outside the latents and u, or another baseline.
    """
    check_baseline(baseline)
    k, r = model.latent_dim, model.k_m
    if model.native_dim < k + 2:
        raise InputError(
            f"input_dim = {model.native_dim}: at least latent_dim + 2 = {k + 2} is needed, for a "
            "direction outside the latents and what the brain misses"
        )
    if n_task <= r + 1:
        raise InputError(f"n_task = {n_task}: more than rank + 1 = {r + 1} is needed")
    if n_brain < r:
        raise InputError(f"n_brain = {n_brain}: at least measured_latents = {r} is needed")
    encoder = one_encoder(encoding_penalty)
    if encoder != PLAIN or not model.isotropic:
        law = AnisotropicRobustness(model, encoder, n_task, n_brain, seed)
        befs, base = law.errors(baseline, penalties)
        kinds = law.kinds()
    else:
        surface = Surface(model)
        own = penalties or _tuned_penalties(surface, n_task, n_brain, baseline)
        befs = _error_covariance(surface, n_task, n_brain, own[0])
        base = _error_covariance(surface, n_task, 0, own[1])
        kinds = _kinds(k)
    if not np.all(np.isfinite(base)):
        raise InputError(f"n_task = {n_task}: the mean risk of {baseline} is infinite there")
    return HalfSpace(befs, base, kinds)


def _kinds(k: int) -> Floats:
    """The second moments of `HalfSpace.kinds` in the frame of isotropic inputs."""
    found = np.zeros((3, k + 2, k + 2))
    found[0, k + 1, k + 1] = found[2, k, k] = 1.0
    found[1, :k, :k] = np.eye(k) / k
    return found


def gain(
    model: Model,
    n_task: int,
    n_brain: int,
    shifts: list[str],
    baseline: str = "ridge",
    seed: int = 0,
    encoding_penalty: float | str = 0.0,
) -> Floats:
    """Risk of the baseline over that of BEFS under each shift, penalties tuned under `id`.

    Parameters
    ----------
    model : Model
        Gaussian, with task noise.
    n_task, n_brain : int
        Numbers of samples.
    shifts : list of str
        In text, such as "brain-insensitive:4".
    baseline : str
        "ridge" or "ols".
    seed : int
        Of the directions that `spectrum` and `concept` need, and of those of `half_space`.
    encoding_penalty : float or str
        Ridge penalty of the encoder, per brain sample, or "optimal".

    Returns
    -------
    array (shifts,)
        Infinite where BEFS alone has no excess risk, NaN where neither has, or neither has a mean.

    Raises
    ------
    InputError
        Another baseline, a model that is not Gaussian, or fewer brain samples than the rank; with 0
        of them BEFS is ridge.
    """
    check_baseline(baseline)
    if 0 < n_brain < model.k_m:
        raise InputError(
            f"n_brain = {n_brain}: at least measured_latents = {model.k_m} is needed (or 0)"
        )
    encoder = one_encoder(encoding_penalty)
    if encoder != PLAIN or not model.isotropic:
        law = AnisotropicRobustness(model, encoder, n_task, n_brain, seed)
        pairs = law.risks([parse_shift(text) for text in shifts], baseline)
        return np.array([_ratio(*pair) for pair in pairs])
    surface = Surface(model)
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
