"""Local exponents by law at d = 2,000: the table of theory/README.md 5h (a few minutes).

`python data/figures/scaling-exponents/large.py`
"""

from __future__ import annotations

import numpy as np

import mcbrain as mb
from mcbrain.plan.anisotropic import AnisotropicLaw
from mcbrain.worth.anisotropic import AnisotropicCurves

SEED = 20261129
N_TASK = (30, 60, 120, 240)
CELLS = ((1.2, 0.05), (1.2, 0.3), (1.8, 0.05), (1.8, 0.3))
"""Exponent of the spectrum, and misalignment."""


def main() -> None:
    """Print a line for each cell: -d log risk / d log n_task of ridge and of unlimited BEFS."""
    law = AnisotropicLaw(SEED)
    for alpha, misalignment in CELLS:
        model = mb.Model(
            input_dim=2000,
            latent_dim=3,
            n_channels=40,
            covariance=f"powerlaw:{alpha}",
            task="source:0.75",
            misalignment=misalignment,
            task_noise=0.1,
            neural_noise=1.0,
        )
        curves = AnisotropicCurves(model, 0.0, law)
        for estimator in ("ridge", "befs-oracle"):
            risk = np.array([curves.best(estimator, n).value for n in N_TASK])
            exponents = -np.diff(np.log(risk)) / np.diff(np.log(N_TASK))
            print(alpha, misalignment, estimator, risk, exponents.round(2), flush=True)


if __name__ == "__main__":
    main()
