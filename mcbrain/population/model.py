"""The population: task and brain as noisy readings of the same latents (theory/README.md 1)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from mcbrain.checks import LARGE, by_name, integer, number, one_of, vector
from mcbrain.errors import InputError, unhandled
from mcbrain.plain import is_number
from mcbrain.population.distributions import (
    BASES,
    LATENTS,
    RECORDINGS,
    InputDistribution,
    parse_covariance,
    parse_inputs,
    power_spectrum,
)
from mcbrain.typing import Floats

__all__ = ["MODEL_FIELDS", "Model", "RecordedLatents", "toml_value"]


_MAX_DIM = 20_000


class _Held(float):
    """A number as a model holds it, such as the noise that follows from an SNR.

    `dataclasses.replace` hands every field on as if it had been given: a number that was held
    yields to one that is given in its place, and two that are held came from one model.
    """


class _AllLatents(int):
    """`measured_latents` of a model whose recordings expose every latent: so they go on to do."""


@dataclass(frozen=True)
class RecordedLatents:
    """What the exact laws are written in: |beta| = 1 and unmeasured latents folded away.

    Attributes
    ----------
    misalignment : float
        m_eff, the share of beta that the measured latents do not span.
    loadings : ndarray, shape (k_m,)
        Unit vector: the task's loadings on the measured latents.
    gains : ndarray, shape (k_m,)
        Gains of the measured latents.
    task_noise : float
        sigma_y / |beta|.
    neural_noise : float
        sigma_r.
    """

    misalignment: float
    loadings: Floats
    gains: Floats
    task_noise: float
    neural_noise: float


@by_name
@dataclass(frozen=True, kw_only=True)
class Model:
    """The linear Gaussian model of a task and of recordings, and its departures.

    Parameters
    ----------
    input_dim : int
        d, dimension of the input.
    latent_dim : int
        k, number of brain latents, at most `input_dim`.
    n_channels : int
        p, recorded channels, at least `measured_latents`.
    misalignment : float
        m in [0, 1], the share of the task weights outside the brain's span; 0 when k = d.
    task_noise, snr_task : float
        sigma_y, or |beta|^2 / sigma_y^2 in its place. Default: sigma_y = 1.
    neural_noise, snr_brain : float
        sigma_r, or 1 / (sigma_r^2 sum a_j^2 / D_j^2) in its place. Default: sigma_r = 1.
    latent_gains : float or sequence of float, shape (k,)
        D, gain of each latent in the recordings.
    measured_latents : int, optional
        k_m, the first latents that the recordings expose; default all.
    task_loadings : sequence of float, shape (k,), optional
        a, how the task loads on the latents, normalised here; default equal.
    signal_norm : float
        |beta|.
    inputs, basis, covariance, latents, neural_law, baseline_rate
        Law of the inputs, latents and recordings; see theory/README.md 1.

    Notes
    -----
    `dataclasses.replace` makes another model: a noise replaces an SNR and the reverse, and an SNR
    that is not replaced stays, whatever else is. ``Model(**model.given())`` makes this one again
    from plain numbers, as JSON keeps them.

    Raises
    ------
    InputError
        A key that is missing or unknown, or a value that is out of range, of the wrong type, or
        that contradicts another.
    """

    input_dim: int
    latent_dim: int
    n_channels: int
    misalignment: float = 0.0
    task_noise: float | None = None
    snr_task: float | None = None
    neural_noise: float | None = None
    snr_brain: float | None = None
    latent_gains: float | Sequence[float] = 1.0
    measured_latents: int | None = None
    task_loadings: Sequence[float] | None = None
    signal_norm: float = 1.0
    inputs: str = "gaussian"
    basis: str = "haar"
    covariance: str = "identity"
    latents: str = "linear"
    neural_law: str = "gaussian"
    baseline_rate: float | None = None

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        d = integer("input_dim", self.input_dim, 1, _MAX_DIM)
        k = integer("latent_dim", self.latent_dim, 1, _MAX_DIM)
        if k > d:
            raise InputError(f"latent_dim = {k}: allowed is 1 to input_dim = {d}")
        p = integer("n_channels", self.n_channels, 1, 100 * _MAX_DIM)
        set_(self, "input_dim", d)
        set_(self, "latent_dim", k)
        set_(self, "n_channels", p)
        measured = self.measured_latents
        measured = k if isinstance(measured, (_AllLatents, type(None))) else measured
        measured = integer("measured_latents", measured, 1, k)
        set_(self, "measured_latents", _AllLatents(k) if measured == k else measured)
        if p < self.k_m:
            key = "latent_dim" if self.k_m == k else "measured_latents"
            raise InputError(
                f"{key} = {self.k_m} with n_channels = {p}: recordings need a channel for each "
                f"measured latent, so at least {self.k_m} channels or at most {p} measured latents "
                "are allowed"
            )
        set_(self, "misalignment", number("misalignment", self.misalignment, 0.0, 1.0))
        if d == k and self.misalignment > 0:
            raise InputError(
                f"misalignment = {self.misalignment}: with latent_dim = input_dim = {d} the brain "
                "spans every input, so only 0 is allowed"
            )
        set_(self, "signal_norm", number("signal_norm", self.signal_norm, 1 / LARGE, LARGE))
        self._settle_vectors()
        self._settle_laws()
        self._settle_noises()

    def _settle_vectors(self) -> None:
        k, set_ = self.latent_dim, object.__setattr__
        gains = self.latent_gains
        if is_number(gains):
            set_(self, "latent_gains", number("latent_gains", gains, 0.0, LARGE))
        else:
            set_(self, "latent_gains", vector("latent_gains", gains, k, low=0.0))
        if self.task_loadings is not None:
            loadings = vector("task_loadings", self.task_loadings, k, low=-LARGE)
            if not any(loadings):
                raise InputError("task_loadings: at least one loading must differ from 0")
            set_(self, "task_loadings", loadings)

    def _settle_laws(self) -> None:
        set_ = object.__setattr__
        one_of("basis", self.basis, BASES)
        one_of("latents", self.latents, tuple(LATENTS))
        one_of("neural_law", self.neural_law, tuple(RECORDINGS))
        _ = self.input_distribution, self.spectrum_exponent
        rate = self.baseline_rate
        match self.neural_law:
            case "gaussian":
                if not isinstance(rate, (_Held, type(None))):
                    raise InputError(
                        f"baseline_rate = {rate}: only neural_law = 'poisson' has a rate"
                    )
                set_(self, "baseline_rate", None)
            case "poisson":
                rate = number("baseline_rate", 1.0 if rate is None else rate, 1e-6, 1e6)
                set_(self, "baseline_rate", _Held(rate))
            case _:
                raise unhandled("distribution of recordings", self.neural_law, "mcbrain.Model")

    def _settle_noises(self) -> None:
        self._settle_noise("task_noise", "snr_task", lambda snr: self.signal_norm / math.sqrt(snr))
        if self.neural_law == "gaussian":
            self._settle_noise(
                "neural_noise",
                "snr_brain",
                lambda snr: math.sqrt(1.0 / (snr * self._gain_weight())),
            )
            return
        for name in ("neural_noise", "snr_brain"):
            value = getattr(self, name)
            if not isinstance(value, (_Held, type(None))):
                raise InputError(
                    f"{name} = {value}: neural_law = 'poisson' has no recording noise of its own; "
                    "choose baseline_rate and latent_gains instead"
                )
            object.__setattr__(self, name, None)

    def _settle_noise(self, noise: str, ratio: str, follows: Callable[[float], float]) -> None:
        """Give a noise or the SNR in its place, whichever is asked for; both are held from then."""
        set_ = object.__setattr__
        sigma, snr = getattr(self, noise), getattr(self, ratio)
        if isinstance(snr, _Held) and not isinstance(sigma, (_Held, type(None))):
            snr = None
        if snr is not None:
            snr = number(ratio, snr, 1e-30, 1e30)
            value = follows(snr)
            if not isinstance(sigma, (_Held, type(None))):
                raise InputError(f"{noise} and {ratio} are both given; one of them is allowed")
            sigma = value
        sigma = number(noise, 1.0 if sigma is None else sigma, 0.0, LARGE)
        set_(self, noise, _Held(sigma))
        set_(self, ratio, None if snr is None else _Held(snr))

    def _gain_weight(self) -> float:
        loadings, gains = self.measured_loadings, self.gains[: self.k_m]
        if np.any(gains[loadings != 0] == 0):
            raise InputError(
                "snr_brain: a measured latent with gain 0 carries the task, so the signal-to-noise "
                "ratio of the recordings is 0; give neural_noise instead"
            )
        used = loadings != 0
        return float(np.sum(loadings[used] ** 2 / gains[used] ** 2))

    # What follows from the parameters by algebra ------------------------------------------

    @property
    def k_m(self) -> int:
        """Number of measured latents."""
        assert self.measured_latents is not None
        return int(self.measured_latents)

    @property
    def sigma_y(self) -> float:
        """Standard deviation of the label noise."""
        assert self.task_noise is not None
        return float(self.task_noise)

    @property
    def sigma_r(self) -> float:
        """Standard deviation of the recording noise; 0 for Poisson recordings."""
        return 0.0 if self.neural_noise is None else float(self.neural_noise)

    @cached_property
    def gains(self) -> Floats:
        """D, shape (k,), 0 for unmeasured latents."""
        gains = np.broadcast_to(np.asarray(self.latent_gains, float), self.latent_dim).copy()
        gains[self.k_m :] = 0.0
        return gains

    @cached_property
    def loadings(self) -> Floats:
        """a, shape (k,), a unit vector."""
        if self.task_loadings is None:
            return np.full(self.latent_dim, 1.0 / math.sqrt(self.latent_dim))
        loadings = np.asarray(self.task_loadings, float)
        loadings = loadings / np.max(np.abs(loadings))
        return np.asarray(loadings / np.linalg.norm(loadings))

    @cached_property
    def measured_loadings(self) -> Floats:
        """Loadings on the measured latents, shape (k_m,), renormalised (equal when all are 0)."""
        loadings = self.loadings[: self.k_m]
        norm = np.linalg.norm(loadings)
        if norm == 0:
            return np.full(self.k_m, 1.0 / math.sqrt(self.k_m))
        return np.asarray(loadings / norm)

    @cached_property
    def recorded(self) -> RecordedLatents:
        """The model as the exact laws see it: |beta| = 1, measured latents only."""
        m = self.misalignment
        unmeasured = float(np.sum(self.loadings[self.k_m :] ** 2))
        return RecordedLatents(
            misalignment=min(1.0, m + (1.0 - m) * unmeasured),
            loadings=self.measured_loadings,
            gains=self.gains[: self.k_m],
            task_noise=self.sigma_y / self.signal_norm,
            neural_noise=self.sigma_r,
        )

    @cached_property
    def input_distribution(self) -> InputDistribution:
        """The distribution of the inputs, parsed from `inputs`."""
        return parse_inputs(self.inputs)

    @cached_property
    def spectrum_exponent(self) -> float:
        """alpha of covariance = 'powerlaw:alpha'; 0 for the identity."""
        return parse_covariance(self.covariance)

    @cached_property
    def input_variances(self) -> Floats:
        """Eigenvalues of Sigma, shape (d,), trace d."""
        return power_spectrum(self.input_dim, self.spectrum_exponent)

    @property
    def gaussian(self) -> bool:
        """Whether inputs, latents and recordings follow the linear Gaussian model."""
        return (
            self.input_distribution.name == "gaussian"
            and self.latents == "linear"
            and self.neural_law == "gaussian"
        )

    @property
    def isotropic_inputs(self) -> bool:
        """Whether inputs are Gaussian with identity covariance: then the exact laws apply to every
        estimator that uses no recordings, whatever the latents and the recordings are like.
        """
        return self.input_distribution.name == "gaussian" and self.spectrum_exponent == 0.0

    @property
    def isotropic(self) -> bool:
        """Whether the laws apply to the recordings too: Gaussian, with identity covariance."""
        return self.gaussian and self.spectrum_exponent == 0.0

    def given(self) -> dict[str, Any]:
        """Fields that make this model again: an SNR is left out where its noise stands for it."""
        return {n: getattr(self, n) for n in MODEL_FIELDS if n not in ("snr_task", "snr_brain")}

    def columns(self) -> dict[str, Any]:
        """Every model field as it stands in a results row; both noises and both SNRs are filled."""
        row = {name: getattr(self, name) for name in MODEL_FIELDS}
        row["latent_gains"] = toml_value(self.latent_gains)
        loadings = self.task_loadings if self.task_loadings is not None else self.loadings
        row["task_loadings"] = toml_value(tuple(float(x) for x in loadings))
        row["snr_task"] = _ratio(self.signal_norm**2, self.sigma_y**2)
        if self.neural_law == "gaussian":
            try:
                row["snr_brain"] = _ratio(1.0, self.sigma_r**2 * self._gain_weight())
            except InputError:
                row["snr_brain"] = 0.0
        return row


MODEL_FIELDS: tuple[str, ...] = tuple(f.name for f in fields(Model))


def toml_value(value: Any) -> str:
    """A number or a sequence of numbers in TOML spelling."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    return repr(value)


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.inf
