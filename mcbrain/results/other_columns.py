"""The columns of the tables beside the results: brain moments and failed replicates."""

from __future__ import annotations

import pyarrow as pa

from mcbrain.results.column import (
    BRAIN_ROWS,
    FAILURES,
    REAL,
    SHORT,
    WHOLE,
    WORD,
    Column,
    schema_of,
)

__all__ = [
    "BRAIN_COLUMNS",
    "BRAIN_SCHEMA",
    "FAILURE_COLUMNS",
    "FAILURE_SCHEMA",
]


def _brain(
    name: str, kind: pa.DataType, meaning: str, words: tuple[str, ...] | None = None
) -> Column:
    known = None if words is None else lambda study: words
    return Column(name, kind, meaning, "setting", (BRAIN_ROWS,), words=known)


BRAIN_COLUMNS: tuple[Column, ...] = (
    _brain("input_dim", WHOLE, "d, dimension of the input"),
    _brain("n_channels", WHOLE, "p, recorded channels"),
    _brain("n_brain", WHOLE, "n_B, brain samples"),
    _brain("rank", WHOLE, "r, rank of the subspace that is estimated"),
    _brain("encoding_penalty", REAL, "ridge penalty of the encoder, per brain sample"),
    _brain("neural_noise", REAL, "sigma_r, standard deviation of the recording noise"),
    _brain("latent_gains", pa.list_(REAL), "D, gain of each measured latent"),
    _brain("source", WORD, "pilot or main run", ("pilot", "run")),
    _brain("replicates", WHOLE, "replicates behind the mean"),
    _brain(
        "moment",
        WORD,
        "overlap: E C_ii; square: E C_ij^2; product: E C_ii C_jj; C = A'PA",
        ("overlap", "square", "product"),
    ),
    _brain("i", SHORT, "first latent of the moment"),
    _brain("j", SHORT, "second latent of the moment"),
    _brain("mean", REAL, "mean of the moment"),
    _brain("mcse", REAL, "its Monte-Carlo standard error"),
)
"""The columns of `brain.arrow`, in their order."""


def _failure(name: str, kind: pa.DataType, meaning: str, null: str = "") -> Column:
    return Column(name, kind, meaning, "setting", (FAILURES,), null)


_WHOLE_BRAIN = "where a whole brain replicate failed, whatever its use"
_NO_ENCODER = f"where the estimator uses no brain data, and {_WHOLE_BRAIN}"

FAILURE_COLUMNS: tuple[Column, ...] = (
    _failure("point", SHORT, "number of the point in the study's grid"),
    _failure("n_task", WHOLE, "n_T, task samples", _WHOLE_BRAIN),
    _failure("n_brain", WHOLE, "n_B, brain samples"),
    _failure("estimator", WORD, "estimator", _WHOLE_BRAIN),
    _failure(
        "parameters",
        WORD,
        "parameters of a plug-in, in TOML spelling",
        f"where the estimator is mcbrain's own, and {_WHOLE_BRAIN}",
    ),
    _failure(
        "penalty",
        REAL,
        "per-sample penalty",
        f"where it differs by replicate, and {_WHOLE_BRAIN}",
    ),
    _failure("rank", WHOLE, "r of the estimated subspace", _NO_ENCODER),
    _failure("encoding_rule", WORD, "how the encoder's penalty was chosen", _NO_ENCODER),
    _failure(
        "encoding_penalty",
        REAL,
        "ridge penalty of the encoder, per brain sample",
        f"where it differs by replicate, and {_NO_ENCODER}",
    ),
    _failure("shift", WORD, "shift of the test distribution", _WHOLE_BRAIN),
    _failure("block", WHOLE, "number of the block within its problem"),
    _failure("replicate", WHOLE, "number of the replicate within the point, as replay counts"),
    _failure("reason", WORD, "why it failed"),
)
"""The columns of the list of failed replicates, in their order."""

BRAIN_SCHEMA = schema_of(BRAIN_COLUMNS)
FAILURE_SCHEMA = schema_of(FAILURE_COLUMNS)
