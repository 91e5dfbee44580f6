"""The encoder finds subspace, gains, noise and rank, by its definition and by brute force."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import linalg

from mcbrain.befs import BrainEncoder
from mcbrain.errors import InputError


def recordings(n, d=12, p=9, r=3, noise=0.5, seed=3):
    rng = np.random.default_rng(seed)
    A = linalg.qr(rng.standard_normal((d, r)), mode="economic")[0]
    O = linalg.qr(rng.standard_normal((p, r)), mode="economic")[0]  # noqa: E741
    gains = np.array([2.0, 1.5, 1.0])[:r]
    X = rng.standard_normal((n, d))
    return X, X @ A @ np.diag(gains) @ O.T + noise * rng.standard_normal((n, p)), A, gains


@pytest.mark.parametrize("n", [60, 10])
@pytest.mark.parametrize("penalty", [0.0, 0.2])
def test_the_subspace_is_that_of_reduced_rank_regression(n, penalty):
    X, R, _, _ = recordings(n)
    encoder = BrainEncoder(n_latents=3, penalty=penalty).fit(X, R)
    Xc, Rc = X - X.mean(0), R - R.mean(0)
    if penalty:
        B = linalg.solve(Xc.T @ Xc + n * penalty * np.eye(12), Xc.T @ Rc)
    else:
        B = np.linalg.pinv(Xc) @ Rc
    V = linalg.svd(Xc @ B)[2][:3].T
    expected = linalg.orth(B @ V)
    S = encoder.subspace_
    assert_allclose(S.T @ S, np.eye(3), atol=1e-12)
    assert_allclose(S @ S.T, expected @ expected.T, atol=1e-8)
    assert_allclose(encoder.coef_, (B @ V @ V.T).T, atol=1e-8)
    assert_allclose(encoder.coef_, (S @ encoder.channel_map_.T).T, atol=1e-12)
    assert_allclose(encoder.transform(X), X @ S)


def test_gains_noise_and_rank_are_found():
    """One fixed data set; tolerances are about four standard errors."""
    X, R, A, gains = recordings(4000)
    encoder = BrainEncoder().fit(X, R)
    assert encoder.n_latents_ == 3
    assert_allclose(encoder.latent_gains_, gains, atol=0.1)
    assert_allclose(encoder.neural_noise_, 0.5, atol=0.01)
    assert linalg.svdvals(A.T @ encoder.subspace_).min() > 0.999


def test_gains_are_corrected_for_the_noise_they_contain():
    """Averaged over 200 data sets; the tolerance is four standard errors of the mean."""
    estimates, raw = [], []
    for seed in range(200):
        X, R, _, _ = recordings(80, r=1, noise=2.0, seed=seed)
        encoder = BrainEncoder(n_latents=1).fit(X, R)
        estimates.append(encoder.latent_gains_[0])
        raw.append(linalg.norm(encoder.transform(X - X.mean(0)) @ encoder.channel_map_.T) / 80**0.5)
    error = 4 * np.std(estimates) / 200**0.5
    assert abs(np.mean(estimates) - 2.0) < error
    assert np.mean(raw) > 2.0 + error


def test_chosen_rank_has_the_least_error_left_out():
    X, R, _, _ = recordings(50)
    encoder = BrainEncoder(cv=4).fit(X, R)
    errors = np.zeros(9)
    for fold in np.array_split(np.arange(50), 4):
        keep = np.setdiff1d(np.arange(50), fold)
        for r in range(1, 10):
            fit = BrainEncoder(n_latents=r).fit(X[keep], R[keep])
            errors[r - 1] += np.sum((R[fold] - fit.predict(X[fold])) ** 2) / R.size
    assert_allclose(encoder.cv_errors_, errors, rtol=1e-8)
    assert encoder.n_latents_ == np.argmin(errors) + 1


def test_repeats_give_a_noise_ceiling_that_a_perfect_encoder_reaches():
    """Tolerances are four standard errors of a channel's share of noise in its mean response."""
    rng = np.random.default_rng(5)
    X, R, _, _ = recordings(3000, noise=0.0)
    repeats = R + 0.8 * rng.standard_normal((4, *R.shape))
    encoder = BrainEncoder(n_latents=3).fit(X, R)
    score = encoder.encoding_score(X, repeats)
    signal = R.var(axis=0)
    error = 4 * 2 * np.sqrt(0.16 / (signal * 3000))
    assert np.all(np.abs(score.noise_ceiling - signal / (signal + 0.16)) < error)
    assert np.all(np.abs(score.normalised - 1.0) < error)
    single = encoder.encoding_score(X, repeats[0])
    assert np.all(np.isnan(single.noise_ceiling))
    with pytest.raises(InputError, match="shape"):
        encoder.encoding_score(X, repeats[:, :5])


@pytest.mark.parametrize("rank", [0, 10, 2.5])
def test_an_impossible_rank_is_a_sentence(rank):
    X, R, _, _ = recordings(30)
    with pytest.raises(InputError, match="from 1 to 9"):
        BrainEncoder(n_latents=rank).fit(X, R)


def test_more_latents_than_rows_is_a_sentence():
    X, R, _, _ = recordings(3)
    with pytest.raises(InputError, match="3 rows hold only 2"):
        BrainEncoder(n_latents=3).fit(X, R)
