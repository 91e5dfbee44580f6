"""Twins of ``mcbrain.kernels.brain.alignment``."""

import numpy as np


def share_missed(beta, basis):
    """Return |(I - P) beta|^2 / |beta|^2."""
    return np.sum((beta - basis @ (basis.T @ beta)) ** 2) / np.sum(beta**2)


def overlap_matrix(brain_map, basis):
    """Return A'PA for A' = `brain_map`."""
    return brain_map @ basis @ basis.T @ brain_map.T
