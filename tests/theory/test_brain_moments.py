"""Moments of the brain stage: the same in any frame, for any shift, on any grid (4d, 4e)."""

from __future__ import annotations

import numpy as np
import pytest

from mcbrain.theory import exact
from mcbrain.theory.asymptotic import subspace_law
from mcbrain.theory.frame import ShiftCoefficients
from mcbrain.theory.subspace import SubspaceMoments
from mcbrain.theory.wishart import task_moments
from tests.support.worlds import WORLDS, random_frame, unit

STRUCTURED = ShiftCoefficients.structured


def test_structured_and_dense_second_moments_agree() -> None:
    """The same M in the short frame and as a d x d matrix in another basis: same moments."""
    w = WORLDS["a latent unmeasured"]
    frame, k, d = random_frame(w), w.k, w.input_dim
    moments = subspace_law(
        30, np.array(w.gains), neural_noise=0.7, input_dim=d, n_channels=w.channels, rank=w.rank
    )
    signal = exact.signal_coordinates(w.misalignment, unit(w.loadings))
    short = STRUCTURED(k, 2.0, -0.7, 3.0, 0.5, 1.5 * unit(w.loadings))
    F = frame[:, : k + 2]
    dense = ShiftCoefficients.dense(2.0 * np.eye(d) + F @ short.frame @ F.T, frame)
    one = exact.brain_moments(moments, signal, short, d)
    two = exact.brain_moments(moments, signal, dense, d)
    for name, value in vars(one).items():
        np.testing.assert_allclose(getattr(two, name), value, rtol=1e-11, atol=1e-12, err_msg=name)


def test_known_subspace_agrees_with_the_frame() -> None:
    rng = np.random.default_rng(2)
    d, k = 12, 3
    frame = np.linalg.qr(rng.standard_normal((d, d)))[0]
    a = unit((1.0, 2.0, 0.5))
    signal = exact.signal_coordinates(0.3, a)
    drift = exact.concept_drift(signal, 0.7)
    G = rng.standard_normal((d, d))
    shift = ShiftCoefficients.dense(G @ G.T, frame)
    one = exact.brain_moments(SubspaceMoments.oracle(k), signal, shift, d, drift)
    F = frame[:, : k + 2]
    two = exact.known_subspace_moments(F @ signal, frame[:, :k], G @ G.T, F @ drift)
    for name, value in vars(one).items():
        np.testing.assert_allclose(getattr(two, name), value, rtol=1e-11, atol=1e-12, err_msg=name)


def test_grids_broadcast_to_what_loops_give() -> None:
    d, k = 20, 3
    m = np.array([0.0, 0.1, 0.5])
    factors = np.array([1.0, 4.0])[:, None]
    signal = exact.signal_coordinates(m, unit((1.0, 1.0, 2.0)))
    shift = STRUCTURED(k, factors, 1.0 - factors)
    brain = exact.brain_moments(SubspaceMoments.oracle(k), signal, shift, d)
    n = np.array([10, 30, 100])[:, None, None]
    task = task_moments(n, k, d, 0.3)
    sizes = {"rank": k, "input_dim": d, "task_noise": 0.5}
    grid = exact.excess_risk(task, brain, n_task=n, **sizes)
    assert grid.shape == (3, 2, 3)
    one = exact.brain_moments(
        SubspaceMoments.oracle(k),
        exact.signal_coordinates(0.1, unit((1.0, 1.0, 2.0))),
        STRUCTURED(k, 4.0, -3.0),
        d,
    )
    law = exact.excess_risk(task_moments(30, k, d, 0.3), one, n_task=30, **sizes)
    assert grid[1, 1, 1] == pytest.approx(float(law), rel=1e-13)


def test_shifts_inside_the_block_need_all_second_moments() -> None:
    eye = np.eye(2)
    few = SubspaceMoments(2, eye, eye, 2 * eye)
    signal = exact.signal_coordinates(0.1, unit((1.0, 1.0)))
    with pytest.raises(ValueError, match="treat all measured latents alike"):
        exact.brain_moments(few, signal, STRUCTURED(2, brain_direction=(1.0, 0.0)), 9)
