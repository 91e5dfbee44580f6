"""Random numbers in compiled code: NumPy's streams, seeds and distributions, number for number."""
