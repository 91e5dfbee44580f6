"""airspeed-velocity suites and the peers they are held against."""

from bench import compat  # noqa: F401  before any suite asks for a module that has moved
