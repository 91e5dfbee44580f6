"""Subspaces drawn without recordings have the law of those that are encoded from recordings."""

import numpy as np
import pytest

from mcbrain.errors import InputError
from mcbrain.theory.any_covariance import TaskSetting, excess_risk
from mcbrain.theory.sampled_subspace import BrainSetting, drawn_subspaces
from mcbrain.theory.structured import Structured


def setting(d, k, p, n_brain, alpha, penalty, noise=1.0):
    """A brain whose map has random directions under a power law."""
    spectrum = np.arange(1.0, d + 1) ** -alpha
    spectrum *= d / spectrum.sum()
    brain_map = np.linalg.qr(np.random.default_rng(d).standard_normal((d, k)))[0]
    return BrainSetting(
        spectrum, brain_map, np.linspace(1.5, 1.0, k), p, noise, n_brain, k, penalty
    )


def encoded(s, rng):
    """The subspace from whole recordings, by the definition of stage 1."""
    d, k = s.brain_map.shape
    X = rng.standard_normal((s.n_brain, d)) * np.sqrt(s.spectrum)
    O = np.linalg.qr(rng.standard_normal((s.n_channels, k)))[0]  # noqa: E741 (its name)
    R = X @ s.brain_map @ np.diag(s.gains) @ O.T
    R += s.noise * rng.standard_normal(R.shape)
    if s.penalty:
        gram = X.T @ X + s.n_brain * s.penalty * np.eye(d)
        B = np.linalg.solve(gram, X.T @ R)
    else:
        B = np.linalg.pinv(X) @ R
    V = np.linalg.svd(X @ B, full_matrices=False)[2][: s.rank].T
    return np.linalg.qr(B @ V)[0]


def features(s, V):
    """Numbers of a subspace: cosines with each latent, its trace under Sigma and under 1/Sigma."""
    P = V @ V.T
    overlaps = np.einsum("dk,de,ek->k", s.brain_map, P, s.brain_map)
    return [*overlaps, *(overlaps**2), np.diag(P) @ s.spectrum, np.diag(P)[-len(P) // 3 :].sum()]


CELLS = [  # d, k, p, n_brain, alpha, penalty
    (12, 2, 7, 40, 1.0, 0.0),
    (12, 2, 7, 40, 1.0, 0.3),
    (12, 2, 30, 8, 1.0, 0.2),
    (12, 3, 3, 9, 0.5, 0.0),
    (12, 2, 5, 12, 0.0, 0.05),
]


@pytest.mark.parametrize("cell", CELLS)
def test_drawn_and_encoded_subspaces_have_the_same_moments(cell):
    """800 of each, 6 to 8 features a cell: |z| below 5, false-alarm rate of all below 3e-5."""
    s, rng, count = setting(*cell), np.random.default_rng(7), 800
    drawn = np.array([features(s, V) for V in drawn_subspaces(s, rng, count)])
    raw = np.array([features(s, encoded(s, rng)) for _ in range(count)])
    error = np.sqrt((drawn.var(axis=0) + raw.var(axis=0)) / count)
    z = (drawn.mean(axis=0) - raw.mean(axis=0)) / error
    assert np.abs(z).max() < 5.0


@pytest.mark.long
@pytest.mark.parametrize(
    ("d", "n_brain", "penalty"), [(60, 150, 0.0), (60, 150, 0.3), (60, 40, 0.3), (60, 40, 0.0)]
)
def test_the_whole_pipeline_under_a_power_law(d, n_brain, penalty, capsys):
    """Both stages by the laws against whole data sets: within 4.5 standard errors and 0.5 %."""
    s, n_task, label_noise, ridge = setting(d, 3, 40, n_brain, 1.0, penalty), 80, 0.7, 0.1
    rng = np.random.default_rng(n_brain)
    u = rng.standard_normal(d)
    u -= s.brain_map @ (s.brain_map.T @ u)
    beta = s.brain_map.sum(axis=1) * np.sqrt(0.9 / 3) + np.sqrt(0.1) * u / np.linalg.norm(u)
    task = TaskSetting(s.spectrum, beta, Structured.of_diagonal(s.spectrum), label_noise, n_task)
    law = np.array([excess_risk(task, ridge, V) for V in drawn_subspaces(s, rng, 300)])
    found = []
    for _ in range(8_000):
        V = encoded(s, rng)
        X = rng.standard_normal((n_task, d)) * np.sqrt(s.spectrum)
        y = X @ beta + label_noise * rng.standard_normal(n_task)
        gram = X.T @ X + n_task * ridge * (np.eye(d) - V @ V.T)
        error = np.linalg.solve(gram, X.T @ y) - beta
        found.append(error @ (s.spectrum * error))
    truth, spread = np.mean(found), np.hypot(np.std(found) / 8_000**0.5, law.std() / 300**0.5)
    with capsys.disabled():
        print(f"\n{n_brain} {penalty}: {100 * (law.mean() / truth - 1):+.2f} % "
              f"(se {100 * spread / truth:.2f})")  # fmt: skip
    assert abs(law.mean() - truth) < 4.5 * spread + 0.005 * truth


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rank": 0}, "rank = 0"),
        ({"n_brain": 1, "rank": 2}, "from 1 to"),
        ({"n_channels": 1, "rank": 1}, "n_channels = 1"),
        ({"penalty": -0.1}, "encoding penalty = -0.1"),
    ],
)
def test_wrong_settings_are_refused(change, words):
    s = setting(6, 2, 5, 20, 1.0, 0.0)
    with pytest.raises(InputError, match=words):
        BrainSetting(**{**vars(s), **change})
