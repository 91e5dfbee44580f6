"""The reduced brain stage: against dense algebra, against untruncated draws, and against data."""

import numba
import numpy as np
import pytest

from mcbrain.kernels.brain.reduced import BrainDesign, brain_block
from mcbrain.kernels.random.seeds import open_stream
from tests.twins import reduced as twin
from tests.twins import streams as twin_streams

pytestmark = pytest.mark.kernels
compiled_only = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="needs many replicates")

KEY = (11, 12, 13, 14)


def simulate(size, gains, noise, n_replicates, index=0, min_blocks=0, seed=1):
    n_brain, d, p, rank = size
    gains = np.asarray(gains, dtype=float)
    out = np.full((n_replicates, gains.size, gains.size), np.nan)
    blocks = np.zeros(n_replicates, np.int64)
    stream = open_stream(seed, KEY, index, 2)
    design = BrainDesign(n_brain, d, p, rank, noise, gains)
    brain_block(stream, design, min_blocks, out, blocks)
    return out, blocks


# (n_brain, input_dim, n_channels, rank), measured latents
EDGES = {
    "many samples": ((60, 12, 9, 3), 3),
    "n = d + 2": ((14, 12, 9, 3), 3),
    "n = d": ((12, 12, 9, 3), 3),
    "n = d - 1": ((11, 12, 9, 3), 3),
    "n < d": ((7, 12, 9, 3), 3),
    "n = rank": ((3, 12, 9, 3), 3),
    "n < k": ((2, 6, 4, 2), 3),
    "rank below k": ((20, 12, 9, 2), 3),
    "rank above k": ((20, 12, 9, 5), 3),
    "rank above k, n < d": ((9, 12, 9, 5), 3),
    "rank = p": ((20, 12, 4, 4), 3),
    "p = k": ((20, 7, 3, 3), 3),
    "p = k, n < d": ((5, 7, 3, 3), 3),
    "p > d": ((20, 5, 40, 3), 3),
    "rank = d - 1": ((20, 7, 9, 6), 3),
    "rank = n - 1": ((6, 9, 9, 5), 3),
    "q < r": ((20, 4, 9, 3), 3),
    "q < r, n < d": ((3, 4, 9, 3), 3),
    "d = k": ((20, 3, 9, 2), 3),
    "d = k = r": ((20, 3, 9, 3), 3),
    "one latent": ((20, 9, 6, 1), 1),
    "blocks that do not divide": ((20, 11, 8, 3), 3),
}


@pytest.mark.parametrize("case", EDGES)
@pytest.mark.parametrize("noise", [0.3, 3.0])
def test_every_replicate_is_its_twin(case, noise):
    size, k = EDGES[case]
    gains = np.array([1.5, 1.0, 0.6])[:k]
    out, blocks = simulate(size, gains, noise, 4)
    assert np.all(blocks > 0)
    rng = twin_streams.open_stream(1, KEY, 0, 2)
    expected = twin.brain_block(rng, *size, noise, gains, blocks)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("n_brain", [5_000, 10**6])
@pytest.mark.parametrize("rank", [2, 3, 5])
def test_eigenvalues_of_very_different_size_are_all_found(n_brain, rank):
    gains, size = np.array([1.0, 0.3, 0.005]), (n_brain, 20, 15, rank)
    out, blocks = simulate(size, gains, 1.0, 3)
    assert np.all(blocks > 0)
    expected = twin.brain_block(twin_streams.open_stream(1, KEY, 0, 2), *size, 1.0, gains, blocks)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-10)


def test_the_stream_ends_where_its_twin_ends():
    stream, rng = open_stream(1, KEY, 0, 2), twin_streams.open_stream(1, KEY, 0, 2)
    blocks = np.zeros(3, np.int64)
    design = BrainDesign(20, 12, 9, 3, 1.0, np.ones(3))
    brain_block(stream, design, 0, np.empty((3, 3, 3)), blocks)
    twin.brain_block(rng, 20, 12, 9, 3, 1.0, np.ones(3), blocks)
    np.testing.assert_array_equal(stream.state, rng.bit_generator.state["state"]["state"])


def test_noiseless_recordings_show_the_whole_subspace():
    out, _ = simulate((20, 12, 9, 3), np.ones(3), 0.0, 2)
    np.testing.assert_allclose(out, np.broadcast_to(np.eye(3), out.shape), atol=1e-12)
    fewer, _ = simulate((5, 12, 9, 3), np.ones(3), 0.0, 2)
    values = np.linalg.eigvalsh(fewer)
    assert np.all((values > 0) & (values < 1))  # five samples do not span twelve dimensions


VISIBILITY = {"well above": 25.0, "twice": 2.0, "at": 1.0, "below": 0.5}


@compiled_only
@pytest.mark.parametrize("case", VISIBILITY)
@pytest.mark.parametrize("shape", [(80, 50), (150, 400)])
def test_truncation_is_far_below_monte_carlo_error(case, shape):
    """Against untruncated draws on the same stream; theory/README.md 5b gives the threshold."""
    d, p = shape
    n_brain = max(int(VISIBILITY[case] * np.sqrt(d * p)), d + 2)
    noise = np.sqrt(n_brain / (VISIBILITY[case] * np.sqrt(d * p)))
    drawn = []
    for index in range(20):
        short, used = simulate((n_brain, d, p, 3), np.ones(3), noise, 1, index)
        full, every = simulate((n_brain, d, p, 3), np.ones(3), noise, 1, index, 10**9)
        np.testing.assert_allclose(short, full, rtol=0, atol=1e-7)
        drawn.append((used[0], every[0]))
    used, every = np.array(drawn).T
    assert np.all(every == -(-min(d, p + 3) // 3))
    if case == "well above":
        assert np.all(used <= 10)  # of 18 and of 50, and as many for either


@compiled_only
@pytest.mark.parametrize(
    ("size", "noise"),
    [
        ((60, 24, 15, 3), 1.0),
        ((26, 24, 15, 3), 1.0),
        ((24, 24, 15, 3), 0.6),
        ((15, 24, 15, 3), 0.6),
        ((60, 24, 15, 2), 2.0),
        ((60, 24, 15, 5), 1.0),
        ((22, 24, 15, 5), 1.0),
        ((2, 10, 5, 2), 0.5),
        ((20, 9, 11, 8), 0.5),
        ((7, 11, 8, 6), 0.5),
    ],
)
def test_the_law_is_that_of_data(size, noise):
    """z-tests of C_ii, C_ii^2, C_ij^2, (tr C)^2 and tr C^2: |z| > 4.5, false alarm 1e-4 a case."""
    gains = np.array([1.5, 1.0, 0.7])
    fast, _ = simulate(size, gains, noise, 20_000)
    raw = twin.raw_overlap(np.random.default_rng(5), *size, noise, gains, 2_000)

    def statistics(C):
        trace = np.trace(C, axis1=1, axis2=2)
        squares = C.reshape(len(C), -1) ** 2
        return np.column_stack([np.einsum("tii->ti", C), squares, trace, trace**2, squares.sum(1)])

    x, y = statistics(fast), statistics(raw)
    error = np.sqrt(x.var(0) / len(x) + y.var(0) / len(y))
    assert np.max(np.abs(x.mean(0) - y.mean(0)) / (error + 1e-15)) < 4.5


@compiled_only
def test_no_subspace_is_left_unconverged():
    """20,000 hard replicates, at the threshold and with a rank above the latents."""
    for size, gains in (((90, 60, 40, 4), np.ones(2)), ((45, 60, 40, 3), np.ones(3))):
        _, blocks = simulate(size, gains, 1.3, 10_000)
        assert np.all(blocks > 0)
