"""Twins of ``mcbrain.kernels.task.risk``: quadratic forms written out."""

import numpy as np


def excess_risk(population, shifts, coef):
    """Return the excess risk of one estimate under every shift, or its error rate."""
    out = []
    for s in range(len(shifts.scale)):
        M = shifts.scale[s] * np.diag(population.scale**2)
        M = M + (shifts.probes.T * shifts.weights[s]) @ shifts.probes
        if shifts.measure[s] == 1:
            if not coef.any():
                out.append(0.5)  # a predictor that is 0 is wrong half of the time
                continue
            target = shifts.targets[shifts.target[s]]
            # Half the angle by lengths: |u - v| = 2 sin(angle / 2) of unit vectors u and v.
            root = np.linalg.cholesky(M + 1e-300 * np.eye(len(M))).T
            u, v = root @ coef, root @ target
            u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
            angle = 2 * np.arctan2(np.linalg.norm(u - v), np.linalg.norm(u + v))
            out.append(angle / np.pi)
            continue
        delta = coef - shifts.targets[shifts.target[s]]
        excess = delta @ M @ delta
        eps, b, noise = shifts.adversary[s], np.linalg.norm(coef), population.task_noise**2
        v = np.sqrt(excess + noise)
        risk = v**2 + 2 * eps * b * v * np.sqrt(2 / np.pi) + eps**2 * b**2
        out.append(risk - noise)
    return np.array(out)
