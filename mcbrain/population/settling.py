"""A model's fields as it holds them: checked, in their own types, and with what follows filled in.

A value that follows from others is held in a type of its own. `dataclasses.replace` hands every
field on as if it had been given: one that was held yields to one that is given in its place, and
two that are held came from one model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from mcbrain.checks import LARGE, integer, number, one_of, parameter, vector
from mcbrain.errors import InputError
from mcbrain.plain import is_number, plain
from mcbrain.population.brain_map import PLACES, settled_map
from mcbrain.population.covariance import SCALES, settled_covariance
from mcbrain.population.distributions import BASES, LABELS, LATENTS, RECORDINGS
from mcbrain.population.given import Given
from mcbrain.population.own_inputs import own_inputs
from mcbrain.population.task import settled_task
from mcbrain.typing import Floats

if TYPE_CHECKING:
    from mcbrain.population.model import Model

__all__ = ["powers", "settle"]


_MAX_DIM = 20_000
_POWERS = "powerlaw:ALPHA with an ALPHA of 0 to 10"
_SAME = 1e-9
"""Relative difference up to which a number that follows from a given task may be written beside it,
as JSON and TOML keep it."""
_WITHIN = 1e-6
"""Share of the length of a given latent that may lie along inputs which never vary."""
_INSIDE = 1e-24
"""Share of a given beta that rounding leaves outside a span that holds it."""


class _Held(float):
    """A number that follows from others, such as the noise that follows from an SNR."""


class _HeldNumbers(tuple[float, ...]):
    """Numbers that follow from others: the loadings of a task that is given."""


class _HeldWord(str):
    """A word that follows from others: the basis of a model that does not say one."""


class _AllLatents(int):
    """`measured_latents` of a model whose recordings expose every latent: so they go on to do."""


def settle(model: Model) -> None:
    """Check every field of a model that is being made, and replace it by what the model holds.

    Parameters
    ----------
    model : Model
        With its fields as they were given.

    Raises
    ------
    InputError
        A value that is out of range, of the wrong type, or that contradicts another.
    """
    _settle_sizes(model)
    _settle_gains(model)
    _settle_laws(model)
    _settle_arrays(model)
    if isinstance(model.task, Given):
        _settle_given_task(model)
    else:
        _settle_task(model)
    _settle_noises(model)


def powers(name: str, text: str, size: int) -> Floats:
    """Numbers that fall as a power of their place, from text such as "powerlaw:1.0".

    Parameters
    ----------
    name : str
        What to call them in a sentence.
    text : str
    size : int

    Returns
    -------
    ndarray, shape (size,)
        j^-ALPHA for j = 1, 2, ...

    Raises
    ------
    InputError
        Other text, or an exponent out of range.
    """
    word, _, exponent = text.partition(":")
    if word != "powerlaw":
        raise InputError(f"{name} = {text!r}: a list of {size} numbers, or {_POWERS}, is allowed")
    value = parameter(name, text, exponent, _POWERS)
    if not 0 <= value <= 10:
        raise InputError(f"{name} = {text!r}: allowed is {_POWERS}")
    return np.asarray(np.arange(1, size + 1, dtype=float) ** -value)


def _hold(model: Model, **values: object) -> None:
    """Set fields of a model that is being made."""
    for name, value in values.items():
        object.__setattr__(model, name, value)


def _settle_sizes(model: Model) -> None:
    d = integer("input_dim", model.input_dim, 1, _MAX_DIM)
    k = integer("latent_dim", model.latent_dim, 1, _MAX_DIM)
    if k > d:
        raise InputError(f"latent_dim = {k}: allowed is 1 to input_dim = {d}")
    p = integer("n_channels", model.n_channels, 1, 100 * _MAX_DIM)
    _hold(model, input_dim=d, latent_dim=k, n_channels=p)
    measured = model.measured_latents
    measured = k if isinstance(measured, (_AllLatents, type(None))) else measured
    measured = integer("measured_latents", measured, 1, k)
    _hold(model, measured_latents=_AllLatents(k) if measured == k else measured)
    if p < model.k_m:
        key = "latent_dim" if model.k_m == k else "measured_latents"
        raise InputError(
            f"{key} = {model.k_m} with n_channels = {p}: recordings need a channel for each "
            f"measured latent, so at least {model.k_m} channels or at most {p} measured latents "
            "are allowed"
        )


def _settle_gains(model: Model) -> None:
    k, gains = model.latent_dim, model.latent_gains
    if isinstance(gains, str):
        powers("latent_gains", gains, k)
    elif is_number(gains):
        _hold(model, latent_gains=number("latent_gains", gains, 0.0, LARGE))
    else:
        _hold(model, latent_gains=vector("latent_gains", gains, k, low=0.0))


def _settle_laws(model: Model) -> None:
    one_of("labels", model.labels, tuple(LABELS))
    one_of("latents", model.latents, tuple(LATENTS))
    one_of("neural_law", model.neural_law, tuple(RECORDINGS))
    _hold(model, inputs=own_inputs(model.inputs, {}))
    _ = model.input_distribution
    rate = model.baseline_rate
    if model.recordings.counted:
        rate = number("baseline_rate", 1.0 if rate is None else rate, 1e-6, 1e6)
        _hold(model, baseline_rate=_Held(rate))
        return
    if not isinstance(rate, (_Held, type(None))):
        counts = " or ".join(f"'{name}'" for name, r in RECORDINGS.items() if r.counted)
        raise InputError(f"baseline_rate = {rate}: only neural_law = {counts} has a rate")
    _hold(model, baseline_rate=None)


def _settle_arrays(model: Model) -> None:
    """What may be a word or an array, and the basis, which an array has with it."""
    d, k = model.input_dim, model.latent_dim
    one_of("covariance_scale", model.covariance_scale, SCALES)
    _hold(
        model,
        covariance=settled_covariance(model.covariance, d, k),
        task=settled_task(model.task, d),
        brain_map=settled_map(model.brain_map, k, d),
    )
    if isinstance(model.brain_map, Given):
        _check_within(model, model.brain_map)
    given = model.given_arrays
    basis = model.basis
    if isinstance(basis, (_HeldWord, type(None))):
        basis = _HeldWord("axes" if given else "haar")
    one_of("basis", basis, BASES)
    if given and basis == "haar":
        field = next(iter(given))
        raise InputError(
            f"basis = 'haar': the {field} of {given[field].label} is given in the inputs' own "
            f"coordinates, so only 'axes' is allowed; brain_map = '{PLACES['haar']}' lays the "
            "brain at random"
        )
    _hold(model, basis=basis)


def _check_within(model: Model, brain_map: Given) -> None:
    """Refuse latents that read inputs which never vary, and of those that do too little."""
    lengths = np.linalg.norm(model.input_covariance.in_axes(brain_map.values), axis=1)
    if (shortest := float(lengths.min())) < 1.0 - _WITHIN:
        raise InputError(
            f"brain_map = '{brain_map}': reads inputs that never vary under this covariance; row "
            f"{int(lengths.argmin())} has the length {shortest:.3g} in the others; 1 is allowed"
        )


def _settle_task(model: Model) -> None:
    """How much of a task that is described lies where, and how the rest loads on the latents."""
    k, loadings = model.latent_dim, model.task_loadings
    m = 0.0 if isinstance(model.misalignment, _Held) else model.misalignment
    norm = 1.0 if isinstance(model.signal_norm, _Held) else model.signal_norm
    loadings = None if isinstance(loadings, _HeldNumbers) else loadings
    _hold(
        model,
        misalignment=number("misalignment", m, 0.0, 1.0),
        signal_norm=number("signal_norm", norm, 1 / LARGE, LARGE),
    )
    if k == model.native_dim and model.misalignment > 0:
        what = "input_dim" if k == model.input_dim else "rank of the covariance"
        raise InputError(
            f"misalignment = {model.misalignment}: with latent_dim = {what} = {k} the brain "
            "spans every input, so only 0 is allowed"
        )
    if isinstance(loadings, str):
        powers("task_loadings", loadings, k)
    elif loadings is not None:
        loadings = vector("task_loadings", loadings, k, low=-LARGE)
        if not any(loadings):
            raise InputError("task_loadings: at least one loading must differ from 0")
    _hold(model, task_loadings=loadings)


def _settle_given_task(model: Model) -> None:
    """Misalignment, loadings and norm of a beta that is given; they are not given beside it."""
    assert isinstance(model.task, Given)
    brain = model.brain.fixed
    if brain is None:
        raise InputError(
            f"task = '{model.task}' with brain_map = 'random': how much of a given task the brain "
            "misses would be chance; brain_map = 'leading' or 'file:NAME.npy' is allowed"
        )
    beta = model.input_covariance.in_axes(model.task.values)
    square = math.fsum(beta**2)
    if square < _INSIDE * math.fsum(model.task.values**2):
        raise InputError(f"task = '{model.task}': acts on nothing but inputs that never vary")
    inside = brain @ beta
    missed = math.fsum((beta - inside @ brain) ** 2) / square
    missed = 0.0 if missed < _INSIDE or model.latent_dim == model.native_dim else min(missed, 1.0)
    loadings = inside if np.any(inside) and missed < 1.0 else np.ones(model.latent_dim)
    loadings = loadings / np.linalg.norm(loadings)
    _yield_to_task(model, "misalignment", 0.0, missed)
    _yield_to_task(model, "signal_norm", 1.0, math.sqrt(square))
    _yield_to_task(model, "task_loadings", None, loadings)
    _hold(
        model,
        misalignment=_Held(missed),
        signal_norm=_Held(
            number(f"|beta| of task = '{model.task}'", square**0.5, 1 / LARGE, LARGE)
        ),
        task_loadings=_HeldNumbers(float(a) for a in loadings),
    )


def _yield_to_task(model: Model, name: str, default: object, follows: float | Floats) -> None:
    """Refuse what a given task says already, unless it is that or was never said."""
    value = plain(getattr(model, name))
    if isinstance(value, (_Held, _HeldNumbers)) or value == default:
        return
    if _says(name, [value] if is_number(value) else value, np.atleast_1d(follows)):
        return
    raise InputError(f"{name} = {value}: follows from task = '{model.task}'; leave it out")


def _says(name: str, value: object, follows: Floats) -> bool:
    """Whether numbers are those that follow from a task, loadings but for their norm."""
    if not isinstance(value, (list, tuple)) or len(value) != follows.size:
        return False
    if not all(map(is_number, value)) or not any(value):
        return False
    said = np.asarray(value, float)
    said = said / np.linalg.norm(said) if name == "task_loadings" else said
    return np.allclose(said, follows, rtol=_SAME, atol=0.0 if name == "signal_norm" else _SAME)


def _settle_noises(model: Model) -> None:
    _settle_noise(model, "task_noise", "snr_task", lambda snr: model.signal_norm / math.sqrt(snr))
    if not model.recordings.counted:
        _settle_noise(
            model,
            "neural_noise",
            "snr_brain",
            lambda snr: math.sqrt(1.0 / (snr * model.gain_weight())),
        )
        return
    for name in ("neural_noise", "snr_brain"):
        value = getattr(model, name)
        if not isinstance(value, (_Held, type(None))):
            raise InputError(
                f"{name} = {value}: neural_law = '{model.neural_law}' has no recording noise of "
                "its own; choose baseline_rate and latent_gains instead"
            )
        _hold(model, **{name: None})


def _settle_noise(model: Model, noise: str, ratio: str, follows: Callable[[float], float]) -> None:
    """Give a noise or the SNR in its place, whichever is asked for; both are held from then."""
    sigma, snr = getattr(model, noise), getattr(model, ratio)
    if isinstance(snr, _Held) and not isinstance(sigma, (_Held, type(None))):
        snr = None
    if snr is not None:
        snr = number(ratio, snr, 1e-30, 1e30)
        value = follows(snr)
        if not isinstance(sigma, (_Held, type(None))):
            raise InputError(f"{noise} and {ratio} are both given; one of them is allowed")
        sigma = value
    sigma = number(noise, 1.0 if sigma is None else sigma, 0.0, LARGE)
    _hold(model, **{noise: _Held(sigma), ratio: None if snr is None else _Held(snr)})
