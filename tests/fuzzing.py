"""What fuzzing needs: case counts of both suites, a guard against hangs, damaged bytes."""

import resource
import signal
import sys
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mcbrain.errors import InputError

MEMORY_BOUND = 2 * 1024**3  # bytes resident, interpreter and libraries included
_HANG_SECONDS = 60


def suites(few, many):
    """Parametrises `cases`: `few` in the default suite and `many` in the long one, both seeded."""
    long = pytest.param(many, id=f"{many}-cases", marks=pytest.mark.long)
    return pytest.mark.parametrize("cases", [pytest.param(few, id=f"{few}-cases"), long])


def seeded(cases):
    """Settings of a property that is run on the same cases every time."""
    return settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def one_sentence_at_most():
    """Done, or refused in one sentence: no other exception, no hang, no memory beyond the bound."""
    signal.signal(signal.SIGALRM, _hang)
    signal.alarm(_HANG_SECONDS)
    try:
        yield
    except InputError as error:
        assert str(error).strip()
    finally:
        signal.alarm(0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak * (1 if sys.platform == "darwin" else 1024) < MEMORY_BOUND


def _hang(number, frame):
    raise TimeoutError(f"a case took more than {_HANG_SECONDS} s")


@st.composite
def damaged(draw, content):
    """Bytes with a few flips, a cut, an overwritten stretch, or something else altogether."""
    data = bytearray(content)
    kind = draw(st.sampled_from(["flip", "flip", "flip", "cut", "overwrite", "insert", "other"]))
    place = st.integers(0, len(data) - 1)
    if kind == "flip":
        for at, bit in draw(st.lists(st.tuples(place, st.integers(0, 7)), min_size=1, max_size=4)):
            data[at] ^= 1 << bit
    elif kind == "cut":
        del data[draw(place) :]
    elif kind == "other":
        return draw(st.binary(max_size=200))
    else:
        at, junk = draw(place), draw(st.binary(min_size=1, max_size=16))
        data[at : at + (len(junk) if kind == "overwrite" else 0)] = junk
    return bytes(data)
