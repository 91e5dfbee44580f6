"""Penalties that a replicate chooses from its own data, by leave-one-out or cross-validation."""
