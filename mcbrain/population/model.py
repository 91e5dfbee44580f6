"""The population: task and brain as noisy readings of the same latents (theory/README.md 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from mcbrain.checks import by_name
from mcbrain.errors import InputError, unhandled
from mcbrain.population.brain_map import PLACES, BrainPlace
from mcbrain.population.covariance import InputCovariance, input_covariance
from mcbrain.population.distributions import (
    LABELS,
    LATENTS,
    RECORDINGS,
    InputDistribution,
    RecordingFamily,
    parse_inputs,
)
from mcbrain.population.given import Given
from mcbrain.population.own_inputs import OwnInputs
from mcbrain.population.settling import powers, settle
from mcbrain.population.spelling import word_or_numbers
from mcbrain.population.task import source_exponent
from mcbrain.typing import Floats

__all__ = ["MODEL_FIELDS", "Model", "RecordedLatents"]


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
    latent_gains : float, str or sequence of float, shape (k,)
        D, gain of each latent in the recordings; "powerlaw:ALPHA" is D_j = j^-ALPHA.
    measured_latents : int, optional
        k_m, the first latents that the recordings expose; default all.
    task_loadings : str or sequence of float, shape (k,), optional
        a, how the task loads on the latents, normalised here; default equal. "powerlaw:ALPHA" is
        a_j proportional to j^-ALPHA.
    signal_norm : float
        |beta|.
    inputs : str
        Distribution of the independent components of the inputs, of mean 0 and variance 1:
        "gaussian", "student:NU", "rademacher", "uniform", "laplace" or "sparse:F"; or a plug-in
        (`mcbrain.inputs`), which a study names as "NAME" or "NAME:PARAMETER".
    basis : str, optional
        Where those components lie: "axes" (the eigenvectors of the covariance, in the coordinates
        of x) or "haar" (one seeded rotation of them). Default "haar", and "axes" where an array is
        given: it has coordinates of its own.
    covariance : str or ndarray
        Of the inputs: "identity", "powerlaw:ALPHA", or "file:NAME.npy" or an array with a matrix of
        shape (d, d), a spectrum of shape (d,), or rows of real features of shape (n, d), which are
        centred here. Square and symmetric is a matrix. A singular one is the model of the
        directions in which inputs vary.
    covariance_scale : str
        "trace": a covariance that is given is scaled to trace d, as the others have; "as-is".
    brain_map : str or ndarray, optional
        A', where the latents lie: "leading" (along the eigenvectors of the largest variances),
        "random" (seeded), or "file:NAME.npy" or an array of shape (k, d), orthonormal rows in the
        coordinates of x. Default "random" with the basis "haar" and "leading" with "axes".
    task : str or ndarray
        Where the part of beta that the brain misses lies: "uniform" (no direction is preferred),
        "source:S" (in the covariance's eigenbasis u_j^2 Sigma_j falls as j^-(1 + 2 alpha S)), or
        the whole of beta, from "file:NAME.npy" or an array of shape (d,), in the coordinates of x.
        Then misalignment, task_loadings and signal_norm follow from it.
    latents : str
        "linear" or "tanh".
    neural_law : str
        Distribution of the recordings: "gaussian" or "poisson".
    baseline_rate : float, optional
        Of Poisson recordings, at latents of 0; default 1.
    labels : str
        "linear" (y = beta'x + sigma_y e), or "sign" (+1 or -1, the sign of that).

    Notes
    -----
    `dataclasses.replace` makes another model: a noise replaces an SNR and the reverse, and an SNR
    that is not replaced stays, whatever else is. ``Model(**model.given())`` makes this one again
    from plain numbers and names of files, as JSON keeps them.

    Definitions are in theory/README.md 1.

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
    latent_gains: float | str | Sequence[float] = 1.0
    measured_latents: int | None = None
    task_loadings: str | Sequence[float] | None = None
    signal_norm: float = 1.0
    inputs: str = "gaussian"
    basis: str | None = None
    covariance: str | Floats = "identity"
    covariance_scale: str = "trace"
    brain_map: str | Floats | None = None
    task: str | Floats = "uniform"
    latents: str = "linear"
    neural_law: str = "gaussian"
    baseline_rate: float | None = None
    labels: str = "linear"

    def __post_init__(self) -> None:
        """Check every field, and hold what follows from others."""
        settle(self)

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
        """Standard deviation of the recording noise; 0 where there is none of its own."""
        return 0.0 if self.neural_noise is None else float(self.neural_noise)

    @property
    def every_gain(self) -> Floats:
        """D as it is asked for, shape (k,), of unmeasured latents too."""
        if isinstance(self.latent_gains, str):
            return powers("latent_gains", self.latent_gains, self.latent_dim)
        return np.broadcast_to(np.asarray(self.latent_gains, float), self.latent_dim).copy()

    @cached_property
    def gains(self) -> Floats:
        """D, shape (k,), 0 for unmeasured latents."""
        gains = self.every_gain
        gains[self.k_m :] = 0.0
        return gains

    @cached_property
    def loadings(self) -> Floats:
        """a, shape (k,), a unit vector."""
        if self.task_loadings is None:
            return np.full(self.latent_dim, 1.0 / math.sqrt(self.latent_dim))
        if isinstance(self.task_loadings, str):
            loadings = powers("task_loadings", self.task_loadings, self.latent_dim)
        else:
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
        if isinstance(self.inputs, OwnInputs):
            return InputDistribution(self.inputs.plugin.name, brought=True)
        return parse_inputs(self.inputs)

    @property
    def own_inputs(self) -> OwnInputs | None:
        """The user's function that draws the inputs, with its parameters; None without one."""
        return self.inputs if isinstance(self.inputs, OwnInputs) else None

    def gain_weight(self) -> float:
        """sum a_j^2 / D_j^2 over the measured latents: what stands beside sigma_r^2 in SNR_B.

        Returns
        -------
        float

        Raises
        ------
        InputError
            A latent that carries the task and is not recorded.
        """
        loadings, gains = self.measured_loadings, self.gains[: self.k_m]
        if np.any(gains[loadings != 0] == 0):
            raise InputError(
                "snr_brain: a measured latent with gain 0 carries the task, so the signal-to-noise "
                "ratio of the recordings is 0; give neural_noise instead"
            )
        used = loadings != 0
        return float(np.sum(loadings[used] ** 2 / gains[used] ** 2))

    # Inputs: their covariance, and where brain and task lie in it -----------------------------

    @property
    def given_arrays(self) -> Mapping[str, Given]:
        """The fields that hold an array in place of a word."""
        held = {name: getattr(self, name) for name in ("covariance", "brain_map", "task")}
        return {name: value for name, value in held.items() if isinstance(value, Given)}

    @property
    def input_covariance(self) -> InputCovariance:
        """Sigma by its eigenvalues and eigenvectors."""
        assert isinstance(self.covariance, str)
        return input_covariance(self.covariance, self.covariance_scale, self.input_dim)

    @property
    def input_variances(self) -> Floats:
        """Eigenvalues of Sigma that are not 0, descending; trace d unless given as it is."""
        return self.input_covariance.variances

    @property
    def native_dim(self) -> int:
        """q, how many independent components inputs have: d unless a given Sigma is singular."""
        return self.input_covariance.rank

    @cached_property
    def brain(self) -> BrainPlace:
        """Where the latents lie among the inputs."""
        word = self.brain_map
        if word is None:
            if self.basis not in PLACES:
                raise unhandled("basis", self.basis, "the place of the brain (mcbrain.Model)")
            word = PLACES[self.basis]
        assert isinstance(word, str)
        return BrainPlace(word, self.latent_dim, self.input_covariance)

    @property
    def source(self) -> float | None:
        """s of task = 'source:s'; None for another task."""
        return None if isinstance(self.task, Given) else source_exponent(self.task)

    # Which laws apply --------------------------------------------------------------------------

    @property
    def linear_labels(self) -> bool:
        """Whether labels are beta'x and independent noise."""
        return LABELS[self.labels].linear

    @property
    def linear_latents(self) -> bool:
        """Whether the latents are linear in the inputs."""
        return LATENTS[self.latents].linear

    @property
    def recordings(self) -> RecordingFamily:
        """What the recordings are drawn from."""
        return RECORDINGS[self.neural_law]

    @property
    def gaussian(self) -> bool:
        """Whether inputs, latents and recordings follow the linear Gaussian model."""
        return (
            self.input_distribution.name == "gaussian"
            and self.linear_latents
            and self.recordings.gaussian
        )

    @property
    def isotropic_inputs(self) -> bool:
        """Whether inputs are Gaussian with identity covariance.

        The exact laws then apply to every estimator that uses no recordings, whatever the latents
        and the recordings are like.
        """
        return self.input_distribution.name == "gaussian" and self.input_covariance.identity

    @property
    def isotropic(self) -> bool:
        """Whether the laws apply to the recordings too: Gaussian, with identity covariance."""
        return self.gaussian and self.input_covariance.identity

    # Spelling ----------------------------------------------------------------------------------

    def given(self) -> dict[str, Any]:
        """Fields that make this model again: an SNR is left out where its noise stands for it.

        Returns
        -------
        dict
        """
        return {n: getattr(self, n) for n in MODEL_FIELDS if n not in ("snr_task", "snr_brain")}

    def columns(self) -> dict[str, Any]:
        """Every model field as it stands in a results row; both noises and both SNRs are filled.

        Returns
        -------
        dict
        """
        row = {name: getattr(self, name) for name in MODEL_FIELDS}
        row["inputs"] = str(self.inputs)
        row["brain_map"] = self.brain.word
        row |= {name: given.label for name, given in self.given_arrays.items()}
        row["latent_gains"] = word_or_numbers(self.latent_gains)
        loadings = self.task_loadings
        every = tuple(float(a) for a in self.loadings) if loadings is None else loadings
        row["task_loadings"] = word_or_numbers(every)
        row["snr_task"] = _ratio(self.signal_norm**2, self.sigma_y**2)
        if not self.recordings.counted:
            try:
                row["snr_brain"] = _ratio(1.0, self.sigma_r**2 * self.gain_weight())
            except InputError:
                row["snr_brain"] = 0.0
        return row


MODEL_FIELDS: tuple[str, ...] = tuple(f.name for f in fields(Model))


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.inf
