"""The best linear predictor of the labels, and the linear model with the same second moments.

A label that is the sign of a response, y = sign(beta'x + sigma_y e), is linear in x up to a noise
that is uncorrelated with x: beta* = Sigma^-1 E x y (theory/README.md 1). The excess risk is over
x'beta*.
"""

from __future__ import annotations

import math

import numpy as np

from mcbrain.errors import InputError, unhandled
from mcbrain.population.distributions import InputDistribution
from mcbrain.population.geometry import Geometry
from mcbrain.population.model import Model
from mcbrain.typing import Floats

__all__ = ["LEAST_NOISE", "best_predictor", "equivalent_noise", "label_slope", "objection"]

LEAST_NOISE = 0.01
"""Least label noise, as a share of the response's standard deviation, from which E x y is summed
where inputs are not Gaussian."""

_TAIL, _REACH = 8.5, 60.0  # exp(-8.5^2/2) is rounding; responses beyond 60 deviations are none


def objection(model: Model) -> str | None:
    """Why the best linear predictor of a model's labels is not known.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str or None
        A sentence; None where it is known.
    """
    name = model.input_distribution.name
    if model.linear_labels or name in ("gaussian", "student"):
        return None
    if model.own_inputs is not None:
        return (
            f"labels = {model.labels!r} with inputs = {str(model.inputs)!r}: the best linear "
            "predictor of signs is not known for inputs of a plug-in; use labels = 'linear'"
        )
    spread = model.signal_norm * math.sqrt(float(model.input_variances.max()))
    if model.sigma_y < LEAST_NOISE * spread:
        return (
            f"labels = {model.labels!r} with inputs = {model.inputs!r} and task_noise = "
            f"{model.sigma_y:g}: the best linear predictor is known from task_noise = "
            f"{LEAST_NOISE * spread:g} on"
        )
    return None


def best_predictor(geometry: Geometry, beta: Floats) -> Floats:
    """beta* of labels whose response has the weights beta.

    Parameters
    ----------
    geometry : Geometry
    beta : ndarray, shape (q,)
        In native coordinates.

    Returns
    -------
    ndarray, shape (q,)

    Raises
    ------
    InputError
        It is not known; see `objection`.
    """
    model = geometry.model
    match model.labels:
        case "linear":
            return beta
        case "sign":
            if why := objection(model):
                raise InputError(why)
            weights = geometry.scale * beta
            return _signs(model.input_distribution, weights, model.sigma_y) / geometry.scale
    raise unhandled("labels", model.labels, "the best linear predictor (population/labels.py)")


def label_slope(geometry: Geometry) -> float:
    """c of beta* = c beta, for Gaussian inputs; 1 for labels that are linear.

    Parameters
    ----------
    geometry : Geometry

    Returns
    -------
    float
    """
    model = geometry.model
    match model.labels:
        case "linear":
            return 1.0
        case "sign":
            response = float(np.sum((geometry.scale * geometry.beta) ** 2)) + model.sigma_y**2
            return math.sqrt(2.0 / (math.pi * response))
    raise unhandled("labels", model.labels, "their slope (population/labels.py)")


def equivalent_noise(geometry: Geometry) -> float:
    """Standard deviation of y/c - beta'x for Gaussian inputs: sigma_y for labels that are linear.

    With it, y/c has the second moments of labels beta'x + noise.

    Parameters
    ----------
    geometry : Geometry

    Returns
    -------
    float
    """
    model = geometry.model
    if model.linear_labels:
        return model.sigma_y
    slope = label_slope(geometry)
    signal = float(np.sum((geometry.scale * geometry.beta) ** 2))
    return math.sqrt(1.0 / slope**2 - signal)


def _signs(inputs: InputDistribution, weights: Floats, noise: float) -> Floats:
    """E z sign(weights'z + noise e) for iid components z of variance 1, shape (q,)."""
    square = float(weights @ weights)
    match inputs.name:
        case "gaussian":
            return np.asarray(weights * math.sqrt(2.0 / (math.pi * (square + noise**2))))
        case "student":
            return weights * _student_slope(inputs.parameter, square, noise)
    return _by_transform(inputs, weights, noise)


def _student_slope(nu: float, square: float, noise: float) -> float:
    """sqrt(2/pi) E s^2/(s^2 |weights|^2 + noise^2)^(1/2), s^2 = (nu - 2)/chi^2_nu."""
    from scipy.special import gammainccinv, roots_legendre

    nodes, weight = roots_legendre(2000)
    chi_square = 2.0 * gammainccinv(nu / 2.0, 0.5 * (1.0 - nodes))  # its quantiles
    s2 = (nu - 2.0) / chi_square
    mean = 0.5 * float(np.sum(weight * s2 / np.sqrt(s2 * square + noise**2)))
    return math.sqrt(2.0 / math.pi) * mean


def _by_transform(inputs: InputDistribution, weights: Floats, noise: float) -> Floats:
    """By sign(u) = (2/pi) int_0^inf sin(tu)/t dt, with the characteristic function phi of z.

    E z_j sign(u) = -(2/pi) int phi'(t w_j)/t prod_(i != j) phi(t w_i) exp(-noise^2 t^2/2) dt. The
    integrand is even and smooth, so the trapezoidal rule on the whole line is exact but for
    responses beyond pi over its step.
    """
    spread = math.sqrt(float(weights @ weights) + noise**2)
    step = math.pi * math.sqrt(inputs.share) / (_REACH * spread)
    found = np.zeros(weights.size)
    for t in step * np.arange(1, math.ceil(_TAIL / noise / step) + 1):
        value, slope = _transform(inputs, t * weights)
        small = np.abs(value) < 1e-12
        others = np.where(small, 0.0, np.prod(value) / np.where(small, 1.0, value))
        if small.any():
            others[small] = [np.prod(np.delete(value, j)) for j in np.flatnonzero(small)]
        found -= slope / t * others * math.exp(-0.5 * (noise * t) ** 2)
    # At t = 0, -phi'(t w)/t is w.
    return np.asarray((2.0 / math.pi) * step * (0.5 * weights + found))


def _transform(inputs: InputDistribution, t: Floats) -> tuple[Floats, Floats]:
    """phi(t) = E exp(itz) of a component z, which is real, and its derivative."""
    match inputs.name:
        case "rademacher":
            return np.cos(t), -np.sin(t)
        case "uniform":
            a = math.sqrt(3.0) * t
            near = np.abs(a) < 1e-4
            b = np.where(near, 1.0, a)
            slope = math.sqrt(3.0) * (b * np.cos(b) - np.sin(b)) / b**2
            return np.sinc(a / math.pi), np.where(near, -t, slope)
        case "laplace":
            value = 1.0 / (1.0 + 0.5 * t**2)
            return value, -t * value**2
        case "sparse":
            share = inputs.parameter
            bell = np.exp(-0.5 * t**2 / share)
            return 1.0 - share + share * bell, -t * bell
    raise unhandled("input distribution", inputs.name, "E x y of signs (population/labels.py)")
