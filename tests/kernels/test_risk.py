"""Excess risks are the quadratic forms of the definitions, and failures are never numbers."""

import numpy as np
import pytest

from mcbrain.kernels.brain import alignment
from mcbrain.kernels.jit import kernel
from mcbrain.kernels.task import risk
from mcbrain.kernels.types import make_fits
from tests.support.kernel_inputs import make_population, make_shifts
from tests.twins import risk as twin

pytestmark = pytest.mark.kernels


@kernel
def excess_risk(population, shifts, work, excess, failures):
    risk.excess_risk(population, shifts, work, excess, failures)


@kernel
def share_missed(beta, basis, residual):
    return alignment.share_missed(beta, basis, residual)


def compute(coefs, population, shifts, failures):
    fits = make_fits([0] * len(coefs), [0.0] * len(coefs), [1.0] * len(coefs))
    work = risk.make_risk_work(coefs.shape[1], fits, shifts)
    work.coefs[:] = coefs[fits.batches.ravel()].T
    excess = np.zeros((len(coefs), len(shifts.scale)))
    excess_risk(population, shifts, work, excess, failures)
    return excess


@pytest.mark.parametrize("rows", [1, 8, 11])
def test_every_shift_of_every_row(rows):
    rng = np.random.default_rng(rows)
    population = make_population(rng, 5, 2, 4, scale=rng.uniform(0.5, 2.0, 5))
    shifts, coefs = make_shifts(rng, population), rng.standard_normal((rows, 5))
    excess = compute(coefs, population, shifts, np.zeros(rows, dtype=np.int8))
    for row in range(rows):
        np.testing.assert_allclose(
            excess[row], twin.excess_risk(population, shifts, coefs[row]), rtol=1e-12
        )


def test_failed_rows_are_nan_and_numbers_that_are_not_finite_are_failures():
    rng = np.random.default_rng(0)
    population = make_population(rng, 5, 2, 4)
    shifts, coefs = make_shifts(rng, population), rng.standard_normal((3, 5))
    coefs[1, 2] = np.inf
    failures = np.array([2, 0, 0], dtype=np.int8)
    excess = compute(coefs, population, shifts, failures)
    assert failures.tolist() == [2, 3, 0]
    assert np.isnan(excess[:2]).all()
    assert np.isfinite(excess[2]).all()


def test_the_share_missed_is_accurate_when_it_is_tiny():
    rng = np.random.default_rng(0)
    frame = np.linalg.qr(rng.standard_normal((6, 6)))[0].T
    beta = frame[0] + 1e-9 * frame[5]
    share = share_missed(beta, np.ascontiguousarray(frame[:2]), np.zeros(6))
    np.testing.assert_allclose(share, 1e-18, rtol=1e-6)
