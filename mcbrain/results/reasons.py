"""Why a row has no number: the sentences of column `reason`."""

from __future__ import annotations

__all__ = [
    "ADVERSARY",
    "FEW_BRAIN_SAMPLES",
    "NOT_GAUSSIAN",
    "NO_BRAIN_STAGE",
    "NO_OPTIMUM",
    "OWN_PENALTY",
    "REASON_WORDS",
]

FEW_BRAIN_SAMPLES = "fewer brain samples than the rank of the subspace"
NOT_GAUSSIAN = (
    "no law for inputs, latents or recordings that are not isotropic Gaussian: simulate it"
)
ADVERSARY = "no law for an adversary: simulate it"
OWN_PENALTY = "no law for a penalty that is chosen on each replicate's data: simulate it"
NO_OPTIMUM = "no law gives this optimal penalty: simulate it, or give a number"
NO_BRAIN_STAGE = (
    "no law for a rank below the number of measured latents, or a penalised encoding: simulate it"
)

REASON_WORDS = (
    FEW_BRAIN_SAMPLES,
    NOT_GAUSSIAN,
    ADVERSARY,
    OWN_PENALTY,
    NO_OPTIMUM,
    NO_BRAIN_STAGE,
)
