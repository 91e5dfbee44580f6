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
_HANG_SECONDS = 60  # of processor time, which a busy machine does not stretch


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
    signal.signal(signal.SIGPROF, _hang)
    signal.setitimer(signal.ITIMER_PROF, _HANG_SECONDS)
    try:
        yield
    except InputError as error:
        assert str(error).strip()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert peak * (1 if sys.platform == "darwin" else 1024) < MEMORY_BOUND


def _hang(number, frame):
    raise TimeoutError(f"a case took more than {_HANG_SECONDS} s")


def damages(content):
    """Ways to damage bytes: flips, a cut, an overwritten or inserted stretch, other bytes."""
    place, junk = st.integers(0, len(content) - 1), st.binary(min_size=1, max_size=16)
    flips = st.lists(st.tuples(place, st.integers(0, 7)), min_size=1, max_size=4)
    return st.one_of(
        flips,
        flips,
        flips,
        st.tuples(st.just("cut"), place, st.just(b"")),
        st.tuples(st.just("overwrite"), place, junk),
        st.tuples(st.just("insert"), place, junk),
        st.tuples(st.just("replace"), st.just(0), st.binary(max_size=200)),
    )


def damaged(content, how):
    """The bytes after one of `damages`."""
    data = bytearray(content)
    if isinstance(how, list):
        for place, bit in how:
            data[place] ^= 1 << bit
        return bytes(data)
    kind, place, junk = how
    length = {"overwrite": len(junk), "insert": 0}.get(kind, len(data))
    data[place : place + length] = junk
    return bytes(data)
