"""Why a row has no number: the sentences of column `reason`."""

from __future__ import annotations

__all__ = [
    "ADVERSARY",
    "FEW_BRAIN_SAMPLES",
    "INTERPOLATING",
    "NOT_GAUSSIAN",
    "NO_OPTIMUM",
    "OWN_ENCODER",
    "OWN_ESTIMATOR",
    "OWN_PENALTY",
    "OWN_SHIFT",
    "REASON_WORDS",
    "TWO_ZEROS",
]

FEW_BRAIN_SAMPLES = "fewer brain samples than the rank of the subspace"
NOT_GAUSSIAN = "no law for inputs, latents or recordings that are not Gaussian: simulate it"
ADVERSARY = "no law for an adversary: simulate it"
OWN_ENCODER = "no law for an encoder's penalty that is chosen on each replicate: simulate it"
OWN_PENALTY = "no law for a penalty that is chosen on each replicate's data: simulate it"
OWN_ESTIMATOR = "no law for a plug-in: simulate it"
OWN_SHIFT = "no law for a shift of one's own: simulate it"
NO_OPTIMUM = "no law gives this optimal penalty: simulate it, or give a number"
TWO_ZEROS = "no law for two penalties of zero and fewer task samples than inputs: simulate it"
INTERPOLATING = "no law of this kind where the fit all but interpolates: simulate it"

REASON_WORDS = (
    FEW_BRAIN_SAMPLES,
    NOT_GAUSSIAN,
    ADVERSARY,
    OWN_ENCODER,
    OWN_PENALTY,
    OWN_ESTIMATOR,
    OWN_SHIFT,
    NO_OPTIMUM,
    TWO_ZEROS,
    INTERPOLATING,
)
