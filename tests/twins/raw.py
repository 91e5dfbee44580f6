"""Twin of ``mcbrain.kernels.replicate.raw``: a replicate at a time, every fit on its own."""

import numpy as np

from .alignment import overlap_matrix, share_missed
from .draw import draw_inputs, draw_labels, draw_recordings
from .encode import estimated_subspace
from .risk import excess_risk
from .solve import beta_hat


def replicate(setting, rngs):
    """Return (excess (fits, shifts), m_hat, overlap), NaN where there is no solution.

    `rngs` are the six generators of a block, in the order of its roles; they are advanced.
    """
    population, sizes, fits, shifts = setting
    task, label, brain, recording, task_auxiliary, brain_auxiliary = rngs
    bases = {0: None, 1: None, 2: population.brain_map[: sizes.measured].T}
    k = len(population.brain_map)
    m_hat, overlap = np.nan, np.full((k, k), np.nan)
    if sizes.n_brain > 0:
        X = draw_inputs(population, brain, brain_auxiliary, sizes.n_brain)
        R = draw_recordings(population, recording, X)
        bases[1] = estimated_subspace(X, R, sizes.rank, sizes.encoding_penalty)
    if bases[1] is not None:
        m_hat = share_missed(population.beta, bases[1])
        overlap = overlap_matrix(population.brain_map, bases[1])
    X = draw_inputs(population, task, task_auxiliary, sizes.n_task)
    y = draw_labels(population, label, X)
    excess = np.full((len(fits.subspace), len(shifts.scale)), np.nan)
    for fit, code in enumerate(fits.subspace):
        if code == 1 and bases[1] is None:
            continue
        coef, unique = beta_hat(X, y, bases[code], fits.eta[fit], fits.penalty_sum[fit])
        if unique:
            excess[fit] = excess_risk(population, shifts, coef)
    return excess, m_hat, overlap
