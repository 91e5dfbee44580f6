"""airspeed-velocity suites and the peers they are held against."""
