"""Kernels do what compiled code does, compiled or not."""

import numpy as np
import pytest

from mcbrain.kernels import jit


@pytest.mark.kernels
def test_kernels_wrap_unsigned_arithmetic_and_divide_by_zero_silently():
    @jit.kernel
    def overflow(x):
        return x + x

    assert overflow(np.uint64(1 << 63)) == 0
