"""The streams of compiled code are NumPy's, number for number."""

import mpmath as mp
import numpy as np
import pytest

from mcbrain.kernels.random import streams
from mcbrain.kernels.random.poisson import fill_poisson
from mcbrain.kernels.random.seeds import open_stream
from tests.twins import streams as twin

pytestmark = pytest.mark.kernels

KEY = (0xDEADBEEF, 7, 0, 0xFFFFFFFF)


def pair(seed=20260510, key=KEY, index=3, role=1):
    return open_stream(seed, key, index, role), twin.open_stream(seed, key, index, role)


def count(full, tiny=400):
    """Fewer draws when kernels run as plain Python (30 microseconds a normal)."""
    import numba

    return tiny if numba.config.DISABLE_JIT else full


def test_sfc64_gives_numpys_words():
    # Known answer: the state after NumPy's own seeding, advanced by hand in Python integers.
    stream, rng = pair()
    a, b, c, counter = (int(word) for word in stream.state)
    mask = (1 << 64) - 1
    expected = []
    for _ in range(50):
        word = (a + b + counter) & mask
        counter = (counter + 1) & mask
        a, b, c = b ^ (b >> 11), (c + (c << 3)) & mask, (((c << 24) | (c >> 40)) + word) & mask
        expected.append((word >> 11) / 2**53)
    out = np.empty(50)
    streams.fill_uniform(stream, out)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(out, rng.random(50))


def test_normals_are_numpys_bit_for_bit_through_wedges_and_tail():
    n = count(1_000_000)
    stream, rng = pair()
    out = np.empty(n)
    streams.fill_normal(stream, out)
    np.testing.assert_array_equal(out, rng.standard_normal(n))
    if n == 1_000_000:
        assert np.abs(out).max() > 3.6541528853610088  # the tail branch was taken


def test_a_stream_continues_where_it_stopped():
    stream, rng = pair()
    first, second = np.empty(17), np.empty(33)
    streams.fill_normal(stream, first)
    streams.fill_normal(stream, second)
    np.testing.assert_array_equal(np.concatenate([first, second]), rng.standard_normal(50))
    assert rng.bit_generator.state["state"]["state"].tolist() == stream.state.tolist()


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**64 + 3, 2**129 + 5, 2**200])
def test_streams_start_where_numpys_start_whatever_the_size_of_the_seed(seed):
    for key, index, role in ((KEY, 0, 0), ((1, 2), 2**32 - 1, 5), ((), 3, 1)):
        stream, rng = pair(seed, key, index, role)
        assert rng.bit_generator.state["state"]["state"].tolist() == stream.state.tolist()


def test_seed_key_index_and_role_all_separate_streams():
    states = {
        tuple(open_stream(seed, key, index, role).state.tolist())
        for seed in (0, 1)
        for key in (KEY, (1, 2, 3, 4))
        for index in (0, 1)
        for role in range(6)
    }
    assert len(states) == 2 * 2 * 2 * 6


@pytest.mark.parametrize("largest", [2.5, 40.0, 1e6])
def test_chi_squares_above_two_degrees_are_numpys(largest):
    n = count(200_000)
    dof = np.linspace(2.001, largest, n)
    stream, rng = pair()
    out = np.empty(n)
    streams.fill_chi_square(stream, dof, out)
    np.testing.assert_array_equal(out, rng.chisquare(dof))


@pytest.mark.parametrize("square", [0.0088, 1e-3, 1e-5])
def test_what_the_narrow_squeeze_of_gamma_numbers_accepts_the_logarithms_accept(square):
    """Marsaglia and Tsang's condition, with c^2 = `square` and b = 1 / (9 c^2), in 50 digits."""
    with mp.workdps(50):
        for y in np.concatenate([np.linspace(-0.9999, 3.0, 400), [-0.5, -1e-3, 1e-3]]):
            x, v = y / np.sqrt(square), (1 + mp.mpf(y)) ** 3
            squeeze = 1 - mp.mpf(0.1412) * square * mp.mpf(x) ** 4
            exact = mp.mpf(x) ** 2 / 2 + (1 - v + mp.log(v)) / (9 * mp.mpf(square))
            assert squeeze <= 0 or mp.log(squeeze) <= exact


def test_chi_squares_of_a_bartlett_factor_down_to_no_degrees():
    dof = np.arange(6.0, -1.0, -1.0)
    stream, rng = pair()
    out = np.empty(7)
    for _ in range(20):
        streams.fill_chi_square(stream, dof, out)
        np.testing.assert_array_equal(out, twin.fill_chi_square(rng, dof))
    assert out[-1] == 0.0


def test_laplace_is_numpys():
    n = count(200_000)
    stream, rng = pair()
    out = np.empty(n)
    streams.fill_laplace(stream, out)
    np.testing.assert_array_equal(out, rng.laplace(size=n))


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (9.9, 12.0), (10.0, 300.0), (1e3, 1e9)])
def test_poisson_counts_are_numpys(low, high):
    n = count(100_000)
    rate = np.linspace(low, high, n)
    stream, rng = pair()
    out = np.empty(n)
    fill_poisson(stream, rate, out)
    np.testing.assert_array_equal(out, rng.poisson(rate))
