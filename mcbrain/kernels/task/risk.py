"""Excess risk and error rate under every shift, exactly, given beta_hat (theory/README.md 2)."""

import math
from typing import NamedTuple

import numpy as np

from mcbrain.kernels.jit import helper, part
from mcbrain.kernels.linear.lanes import get, put
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.types import (
    ERROR_RATE,
    EXCESS,
    FINE,
    LANES,
    NOT_FINITE,
    CodeArray,
    Fits,
    Population,
    Shifts,
)
from mcbrain.typing import Floats, Integers


class RiskWork(NamedTuple):
    """Coefficients and buffers of the risk; a lane is a place in `Fits.batches`.

    Attributes
    ----------
    coefs : ndarray, shape (d, lanes)
        beta_hat as columns.
    delta : ndarray, shape (d, lanes)
    along : ndarray, shape (probes, lanes)
    norms : ndarray, shape (lanes,)
        Squared norms, and room for one more.
    fit : ndarray of int, shape (lanes,)
        The fit of each lane, -1 where the fit has a lane before.
    """

    coefs: Floats
    delta: Floats
    along: Floats
    norms: Floats
    fit: Integers


@helper
def _square_norms(columns: Floats, scale: Floats, norms: Floats) -> None:
    """Write |scale x|^2 of every column x."""
    every, entries = columns.shape[1], columns.reshape(columns.size)
    for lane in range(0, every, LANES):
        square = 0.0 * get(entries, lane)
        for i in range(columns.shape[0]):
            part = scale[i] * get(entries, i * every + lane)
            square = square + part * part
        put(norms, lane, square)


@helper
def _attack(population: Population, shifts: Shifts, work: RiskWork, excess: Floats) -> None:
    """Add to `excess` (fits, shifts) what an adversary of L2 budget eps on x gains.

    With v^2 = excess + sigma_y^2 and b = |beta_hat| the risk rises by
    2 eps b v sqrt(2/pi) + eps^2 b^2, for isotropic Gaussian test inputs.
    """
    for lane in range(work.fit.size):
        fit = work.fit[lane]
        if fit < 0:
            continue
        square = 0.0
        for i in range(work.coefs.shape[0]):
            square += work.coefs[i, lane] ** 2
        for s in range(shifts.adversary.size):
            budget = shifts.adversary[s]
            if budget != 0.0:
                v = math.sqrt(excess[fit, s] + population.task_noise**2)
                excess[fit, s] += 2.0 * budget * v * math.sqrt(square * 2.0 / math.pi)
                excess[fit, s] += budget**2 * square


@helper
def _product(population: Population, shifts: Shifts, s: int, a: Floats, b: Floats) -> float:
    """Return a'Mb under the shift s."""
    total = 0.0
    if shifts.scale[s] != 0.0:
        for i in range(a.size):
            total += shifts.scale[s] * population.scale[i] ** 2 * a[i] * b[i]
    for j in range(shifts.probes.shape[0]):
        if shifts.weights[s, j] != 0.0:
            left, right = 0.0, 0.0
            for i in range(a.size):
                left += shifts.probes[j, i] * a[i]
                right += shifts.probes[j, i] * b[i]
            total += shifts.weights[s, j] * left * right
    return total


@helper
def _error_rates(population: Population, shifts: Shifts, work: RiskWork, excess: Floats) -> None:
    """Write how often sign(beta_hat'x) is not sign(target'x) for x ~ N(0, M).

    Two Gaussians of correlation cos have different signs with probability arccos(cos)/pi; a
    predictor that is 0 is wrong half of the time.
    """
    for s in range(shifts.measure.size):
        if shifts.measure[s] != ERROR_RATE:
            continue
        target = shifts.targets[shifts.target[s]]
        signal = _product(population, shifts, s, target, target)
        for lane in range(work.fit.size):
            fit = work.fit[lane]
            if fit < 0:
                continue
            coef = work.coefs[:, lane]
            square = signal * _product(population, shifts, s, coef, coef)
            if square > 0.0:
                cosine = _product(population, shifts, s, coef, target) / math.sqrt(square)
                excess[fit, s] = math.acos(min(1.0, max(-1.0, cosine))) / math.pi
            else:
                excess[fit, s] = 0.5 if square == 0.0 else math.nan


@part
def excess_risk(
    population: Population,
    shifts: Shifts,
    work: RiskWork,
    excess: Floats,
    failures: CodeArray,
) -> None:
    """Write what is measured of every column of `work.coefs` to `excess` (fits, shifts).

    excess = scale |Sigma^(1/2) delta|^2 + sum_j weights_j (probe_j'delta)^2 with
    delta = beta_hat - target, or the error rate in its place. A measure that is not of `types`
    gives no number. A fit that failed, or whose risk is not finite (and is then
    marked in `failures`), is NaN.

    Parameters
    ----------
    population : Population
        For the noise and the scale of the inputs.
    shifts : Shifts
        What the fits are tested on.
    work : RiskWork
        With the coefficients; buffers are overwritten.
    excess : ndarray, shape (fits, shifts)
        Filled.
    failures : ndarray of int8, shape (fits,)
        Codes of `types`; NOT_FINITE is added.
    """
    (d, every), count = work.coefs.shape, shifts.probes.shape[0]
    coefs, delta = work.coefs.reshape(d * every), work.delta.reshape(d * every)
    for t in range(shifts.targets.shape[0]):
        for i in range(d):
            for place in range(i * every, (i + 1) * every, LANES):
                put(delta, place, get(coefs, place) - shifts.targets[t, i])
        _square_norms(work.delta, population.scale, work.norms)
        if count > 0:
            dgemm(
                "N", "N", every, count, d, 1.0, delta, every, shifts.probes, d,
                0.0, work.along, every,
            )  # fmt: skip
        for s in range(shifts.target.size):
            if shifts.target[s] == t and shifts.measure[s] == EXCESS:
                for lane in range(every):
                    if work.fit[lane] < 0:
                        continue
                    total = shifts.scale[s] * work.norms[lane]
                    for j in range(count):
                        total += shifts.weights[s, j] * work.along[j, lane] ** 2
                    excess[work.fit[lane], s] = total
    _attack(population, shifts, work, excess)
    _error_rates(population, shifts, work, excess)
    for s in range(shifts.measure.size):
        if shifts.measure[s] != EXCESS and shifts.measure[s] != ERROR_RATE:
            excess[:, s] = math.nan
    for fit in range(excess.shape[0]):
        for s in range(excess.shape[1]):
            if failures[fit] == FINE and not math.isfinite(excess[fit, s]):
                failures[fit] = NOT_FINITE
        if failures[fit] != FINE:
            excess[fit] = math.nan


def make_risk_work(input_dim: int, fits: Fits, shifts: Shifts) -> RiskWork:
    """Return room for the coefficients of every lane and for their risks.

    Parameters
    ----------
    input_dim : int
        d.
    fits : Fits
        What is fitted.
    shifts : Shifts
        What the fits are tested on.

    Returns
    -------
    RiskWork
        Zeros, and the fit of each lane.
    """
    lanes = fits.batches.size
    shape = input_dim, lanes
    fit = np.full(lanes, -1)
    members, first = np.unique(fits.batches, return_index=True)
    fit[first] = members
    return RiskWork(
        np.zeros(shape),
        np.zeros(shape),
        np.zeros((shifts.probes.shape[0], lanes)),
        np.zeros(lanes),
        fit,
    )
