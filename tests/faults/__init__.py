"""Seeded faults: small wrong changes of the code, and which tests see them."""
