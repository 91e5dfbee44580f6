"""Twins of ``mcbrain.kernels.task.risk``: quadratic forms written out."""

import numpy as np


def excess_risk(population, shifts, coef):
    """Return the excess risk of one estimate under every shift."""
    out = []
    for s in range(len(shifts.scale)):
        M = shifts.scale[s] * np.diag(population.scale**2)
        M = M + (shifts.probes.T * shifts.weights[s]) @ shifts.probes
        delta = coef - shifts.targets[shifts.target[s]]
        excess = delta @ M @ delta
        eps, b, noise = shifts.adversary[s], np.linalg.norm(coef), population.task_noise**2
        v = np.sqrt(excess + noise)
        risk = v**2 + 2 * eps * b * v * np.sqrt(2 / np.pi) + eps**2 * b**2
        out.append(risk - noise)
    return np.array(out)
