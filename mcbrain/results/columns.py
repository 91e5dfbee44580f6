"""What a results file holds: every column once, with its type and its meaning."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mcbrain.errors import did_you_mean
from mcbrain.results.reasons import REASON_WORDS

if TYPE_CHECKING:
    from mcbrain.asking.studies import Study

__all__ = [
    "BRAIN_SCHEMA",
    "MAY_BE_ABSENT",
    "PREDICTIONS",
    "RESULT_SCHEMA",
    "STATUSES",
    "ColumnWriter",
    "RowWriter",
    "result_words",
]

STATUSES = (
    "ok",
    "mcse_not_met",
    "heavy_tail",
    "infinite_variance",
    "infinite_mean",
    "failed_replicates",
    "undefined",
)

PREDICTIONS = ("exact", "semi-exact", "asymptotic", "same-law", "none")

_WORD = pa.dictionary(pa.int32(), pa.string())
_REAL, _WHOLE = pa.float64(), pa.int64()

_COLUMNS: tuple[tuple[str, pa.DataType, str], ...] = (
    ("point", pa.int32(), "number of the point in the study's grid"),
    ("input_dim", _WHOLE, "d, dimension of the input"),
    ("latent_dim", _WHOLE, "k, brain latents"),
    ("n_channels", _WHOLE, "p, recorded channels"),
    ("misalignment", _REAL, "m, share of beta outside the brain's span"),
    ("task_noise", _REAL, "sigma_y, standard deviation of the label noise"),
    ("snr_task", _REAL, "|beta|^2 / sigma_y^2"),
    ("neural_noise", _REAL, "sigma_r, standard deviation of the recording noise"),
    ("snr_brain", _REAL, "1 / (sigma_r^2 sum a_j^2 / D_j^2)"),
    ("latent_gains", _WORD, "D, gain of each latent in the recordings"),
    ("measured_latents", _WHOLE, "k_m, latents that the recordings expose"),
    ("task_loadings", _WORD, "a, how the task loads on the latents"),
    ("signal_norm", _REAL, "|beta|"),
    ("inputs", _WORD, "law of the inputs"),
    ("basis", _WORD, "basis in which the inputs are independent"),
    ("covariance", _WORD, "covariance of the inputs"),
    ("latents", _WORD, "linear or tanh"),
    ("neural_law", _WORD, "law of the recordings"),
    ("baseline_rate", _REAL, "rate of Poisson recordings at latent 0"),
    ("covariance_scale", _WORD, "whether a given covariance is scaled to trace d"),
    ("brain_map", _WORD, "where the latents lie: random, leading or a file"),
    ("task", _WORD, "where the part of beta that the brain misses lies, or the file of beta"),
    ("n_task", _WHOLE, "n_T, task samples"),
    ("n_brain", _WHOLE, "n_B, brain samples"),
    ("estimator", _WORD, "estimator"),
    ("penalty_rule", _WORD, "how the penalty was chosen"),
    ("shift", _WORD, "test law"),
    ("engine", _WORD, "engine that computed the row"),
    ("status", _WORD, "whether mean and mcse can be trusted, and why not"),
    ("penalty", _REAL, "per-sample penalty; null where it differs by replicate or has no meaning"),
    ("replicates", _WHOLE, "replicates behind the mean"),
    ("failed", _WHOLE, "replicates that failed for this row, whatever its baseline did"),
    ("mean", _REAL, "mean excess risk"),
    ("mcse", _REAL, "Monte-Carlo standard error of the mean"),
    ("sd", _REAL, "standard deviation of the excess risk over replicates"),
    ("q05", _REAL, "5 % quantile over replicates, to 0.5 %; exact where replicates share a value"),
    ("median", _REAL, "median over replicates, likewise"),
    ("q95", _REAL, "95 % quantile over replicates, likewise"),
    (
        "gain",
        _REAL,
        "mean excess risk of the baseline over this one's, over replicates in which neither "
        "failed; null unless both have a mean",
    ),
    (
        "gain_mcse",
        _REAL,
        "its standard error, by jackknife over 64 blocks or more, else to first order from "
        "replicates; null unless both have a variance",
    ),
    (
        "p_better",
        _REAL,
        "share of the replicates in which neither failed that beat the baseline on the same data; "
        "a tie, equal but for rounding, is no win",
    ),
    ("predicted", _REAL, "mean excess risk by the laws"),
    ("prediction_se", _REAL, "its standard error, where simulated brain moments enter"),
    ("prediction", _WORD, "exact, semi-exact, asymptotic, same-law or none"),
    ("seconds", _REAL, "core seconds of the blocks behind the row, shared by its problem"),
    ("reason", _WORD, "of an undefined row: why it has no number"),
)

RESULT_SCHEMA = pa.schema(
    [pa.field(name, kind, metadata={"meaning": text}) for name, kind, text in _COLUMNS]
)

# Columns that a row may leave out and that are null then: a law has no simulated numbers, an engine
# that integrates has no quantiles, an undefined output has none at all.
MAY_BE_ABSENT = frozenset(
    {
        "penalty",
        "mean",
        "mcse",
        "sd",
        "q05",
        "median",
        "q95",
        "gain",
        "gain_mcse",
        "p_better",
        "reason",
        "predicted",
        "prediction_se",
        "seconds",
    }
)

BRAIN_SCHEMA = pa.schema(
    [
        pa.field("input_dim", _WHOLE),
        pa.field("n_channels", _WHOLE),
        pa.field("n_brain", _WHOLE),
        pa.field("rank", _WHOLE),
        pa.field("encoding_penalty", _REAL),
        pa.field("neural_noise", _REAL),
        pa.field("latent_gains", pa.list_(_REAL)),
        pa.field("source", _WORD, metadata={"meaning": "pilot or main run"}),
        pa.field("replicates", _WHOLE),
        pa.field(
            "moment",
            _WORD,
            metadata={
                "meaning": "overlap: E C_ii; square: E C_ij^2; product: E C_ii C_jj; C = A'PA"
            },
        ),
        pa.field("i", pa.int32()),
        pa.field("j", pa.int32()),
        pa.field("mean", _REAL),
        pa.field("mcse", _REAL),
    ]
)


class RowWriter:
    """Rows gathered one by one, given back as batches that share their dictionaries.

    An Arrow file holds one dictionary for each column, so the words are settled beforehand.

    Parameters
    ----------
    schema : pyarrow.Schema
    words : mapping
        For each dictionary column, every word that may occur in it.
    batch_rows : int
    """

    def __init__(
        self, schema: pa.Schema, words: Mapping[str, Iterable[str]], batch_rows: int = 50_000
    ) -> None:
        self.schema = schema
        self.batch_rows = batch_rows
        self._columns: dict[str, list[Any]] = {name: [] for name in schema.names}
        self._words = {name: list(dict.fromkeys(found)) for name, found in words.items()}
        self._codes = {n: {w: i for i, w in enumerate(ws)} for n, ws in self._words.items()}

    def add(self, row: Mapping[str, Any]) -> None:
        """Add a row; of `MAY_BE_ABSENT`, a column that it lacks is null.

        Raises
        ------
        ValueError
            A key that is no column, or another column that is missing.
        """
        _check_keys(row, self._columns)
        for name, values in self._columns.items():
            values.append(row.get(name))

    def full(self) -> bool:
        """Whether it is time to `take` a batch."""
        return len(next(iter(self._columns.values()))) >= self.batch_rows

    def take(self) -> pa.RecordBatch:
        """The rows gathered so far, as one batch."""
        arrays = [self._array(item) for item in self.schema]
        for values in self._columns.values():
            values.clear()
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _array(self, item: pa.Field) -> pa.Array:
        values = self._columns[item.name]
        if not pa.types.is_dictionary(item.type):
            return pa.array(values, item.type)
        codes = self._codes[item.name]
        _check_words(item.name, values, codes)
        indices = pa.array([None if v is None else codes[v] for v in values], pa.int32())
        return pa.DictionaryArray.from_arrays(
            indices, pa.array(self._words[item.name], pa.string())
        )


class ColumnWriter:
    """Batches from whole columns, for results of millions of rows.

    Parameters
    ----------
    schema : pyarrow.Schema
    words : mapping
        For each dictionary column, every word that may occur in it.
    """

    def __init__(self, schema: pa.Schema, words: Mapping[str, Iterable[str]]) -> None:
        self.schema = schema
        self._words = {n: pa.array(list(dict.fromkeys(w)), pa.string()) for n, w in words.items()}

    def batch(self, rows: int, columns: Mapping[str, Any]) -> pa.RecordBatch:
        """One batch; a scalar fills its column, a short list repeats, NaN and absence are null.

        Whole numbers in a dictionary column are codes: places in the list of its words, -1 null.

        Raises
        ------
        ValueError
            A key that is no column, a missing column that is not of `MAY_BE_ABSENT`, or a word that
            its column does not know.
        """
        _check_keys(columns, self.schema.names)
        arrays = [self.column(item.name, rows, columns.get(item.name)) for item in self.schema]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def column(self, name: str, rows: int, value: Any) -> pa.Array:
        """One column as `batch` makes it; an Arrow array is taken as it is."""
        kind = self.schema.field(name).type
        if isinstance(value, pa.Array):
            return value
        words = self._words.get(name) if pa.types.is_dictionary(kind) else None
        if value is None:
            value = -1 if words is not None else math.nan
        values = np.atleast_1d(np.asarray(value))
        if words is not None and values.dtype.kind != "i":
            _check_words(name, values.tolist(), words.to_pylist())
            values = pc.index_in(pa.array(values.astype(str)), words).to_numpy()
        if values.size < rows:
            values = np.tile(values, rows // values.size)
        if words is not None:
            codes = pa.array(values, pa.int32(), mask=values < 0)
            return pa.DictionaryArray.from_arrays(codes, words)
        return pa.array(values, kind, from_pandas=True)


def _check_keys(row: Mapping[str, Any], columns: Iterable[str]) -> None:
    """Refuse a key that is no column, and a column that is forgotten."""
    known = columns if isinstance(columns, dict) else dict.fromkeys(columns)
    if unknown := [name for name in row if name not in known]:
        raise ValueError(
            f"'{unknown[0]}' is no column of these rows; {did_you_mean(unknown[0], known)}"
        )
    if forgotten := [name for name in known if name not in row and name not in MAY_BE_ABSENT]:
        raise ValueError(f"a row leaves out '{forgotten[0]}', which no row may (MAY_BE_ABSENT)")


def _check_words(name: str, values: Iterable[Any], words: Iterable[str]) -> None:
    """Refuse a word that its column does not know; None is null."""
    known = set(words)
    if unknown := sorted({str(v) for v in values if v is not None} - known):
        raise ValueError(f"column '{name}' does not know the word '{unknown[0]}'")


def result_words(study: Study) -> dict[str, list[str]]:
    """Every word that can occur in the results of a study, by dictionary column."""
    words: dict[str, list[str]] = {
        "estimator": [c.estimator.name for c in study.methods],
        "penalty_rule": [c.rule.kind for c in study.methods],
        "shift": [s.label for s in study.shifts],
        "engine": ["raw", "sufficient", "spectral", "law"],
        "status": list(STATUSES),
        "prediction": list(PREDICTIONS),
        "reason": list(REASON_WORDS),
    }
    for name in (
        "latent_gains",
        "task_loadings",
        "inputs",
        "basis",
        "covariance",
        "latents",
        "neural_law",
        "covariance_scale",
        "brain_map",
        "task",
    ):
        words[name] = [str(m.columns()[name]) for m in study.models]
    return words
