"""What a results file holds: one record for each column, which everything else reads.

The schema of `results.arrow`, the words that a column of words may hold, what a writer of rows must
give, which numbers are null, what is printed and the page of columns (docs/columns.md) follow from
these records. A column is filled from the setting of its row (`settings.py`), from the replicates
behind it (`numbers.py`), from a law (`predictor.py`), or says what became of the row; one that
nobody fills is refused by the writer that should (`row_writers.py`).
"""

from __future__ import annotations

import pyarrow as pa

from mcbrain.asking.engines import ENGINES
from mcbrain.asking.metrics import Metric
from mcbrain.asking.studies import Study
from mcbrain.errors import InputError
from mcbrain.results.column import (
    LAW_ROWS,
    POINT_ROWS,
    REAL,
    SHORT,
    SIMULATED,
    WHOLE,
    WORD,
    Column,
    schema_of,
)
from mcbrain.results.reasons import REASON_WORDS

__all__ = [
    "FIXED_BY",
    "PREDICTIONS",
    "RESULT_COLUMNS",
    "RESULT_SCHEMA",
    "STATUSES",
    "column_of",
    "columns_of",
    "from_replicates",
    "telling_apart",
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

# Settings that number the points of one study, and say who computed them.
_OF_THE_STUDY = ("point", "engine")

# Only whole replicates have values of their own; engines that combine stages have means alone.
_DRAWN = (POINT_ROWS,)


_UNASKED = (
    "unless [output] bias_variance asks for it, inputs are isotropic Gaussian, labels are linear, "
    "the estimator is mcbrain's, and it has one"
)


def _model(name: str, kind: pa.DataType, meaning: str, null: str = "") -> Column:
    """A field of the model; words are those of the study's models."""

    def words(study: Study) -> list[str]:
        return [str(model.columns()[name]) for model in study.models]

    is_word = pa.types.is_dictionary(kind)
    return Column(name, kind, meaning, "model", null=null, words=words if is_word else None)


RESULT_COLUMNS: tuple[Column, ...] = (
    Column("point", SHORT, "number of the point in the study", "setting"),
    _model("input_dim", WHOLE, "d, dimension of the input"),
    _model("latent_dim", WHOLE, "k, brain latents"),
    _model("n_channels", WHOLE, "p, recorded channels"),
    _model("misalignment", REAL, "m, share of beta outside the brain's span"),
    _model("task_noise", REAL, "sigma_y, standard deviation of the label noise"),
    _model("snr_task", REAL, "|beta|^2 / sigma_y^2"),
    _model(
        "neural_noise",
        REAL,
        "sigma_r, standard deviation of the recording noise",
        "where recordings have no noise of their own",
    ),
    _model(
        "snr_brain",
        REAL,
        "1 / (sigma_r^2 sum a_j^2 / D_j^2)",
        "where recordings have no noise of their own",
    ),
    _model("latent_gains", WORD, "D, gain of each latent in the recordings"),
    _model("measured_latents", WHOLE, "k_m, latents that the recordings expose"),
    _model("task_loadings", WORD, "a, how the task loads on the latents"),
    _model("signal_norm", REAL, "|beta|"),
    _model("inputs", WORD, "distribution of the components of the inputs"),
    _model("basis", WORD, "basis in which the inputs are independent"),
    _model("covariance", WORD, "covariance of the inputs"),
    _model("labels", WORD, "what the labels are of the response: linear or sign"),
    _model("latents", WORD, "how the latents follow from the inputs"),
    _model("neural_law", WORD, "distribution of the recordings"),
    _model(
        "baseline_rate",
        REAL,
        "rate of Poisson recordings at latent 0",
        "where recordings are no counts",
    ),
    _model("covariance_scale", WORD, "whether a given covariance is scaled to trace d"),
    _model("brain_map", WORD, "where the latents lie: random, leading or a file"),
    _model("task", WORD, "where the part of beta that the brain misses lies, or the file of beta"),
    Column("n_task", WHOLE, "n_T, task samples", "setting", shown=1),
    Column("n_brain", WHOLE, "n_B, brain samples", "setting", shown=2),
    Column(
        "estimator",
        WORD,
        "estimator",
        "setting",
        words=lambda study: [method.estimator.name for method in study.methods],
        shown=3,
    ),
    Column(
        "parameters",
        WORD,
        "parameters of a plug-in, in TOML spelling",
        "setting",
        null="where the estimator is mcbrain's own",
        words=lambda study: [
            method.estimator.own.spelt for method in study.methods if method.estimator.own
        ],
    ),
    Column(
        "penalty_rule",
        WORD,
        "how the penalty was chosen",
        "setting",
        words=lambda study: [method.rule.kind for method in study.methods],
        shown=4,
        spare=1,
    ),
    Column(
        "rank",
        WHOLE,
        "r, rank of the subspace that is estimated from recordings",
        "setting",
        null="where the estimator uses no brain data",
    ),
    Column(
        "encoding_rule",
        WORD,
        "how the encoder's penalty was chosen",
        "setting",
        null="where the estimator uses no brain data",
        words=lambda study: [method.encoder.rule.kind for method in study.methods],
    ),
    Column(
        "encoding_penalty",
        REAL,
        "ridge penalty of the encoder, per brain sample",
        "setting",
        null="where it differs by replicate, or the estimator uses no brain data",
    ),
    Column(
        "shift",
        WORD,
        "shift of the test distribution",
        "setting",
        words=lambda study: [shift.label for shift in study.shifts],
        shown=6,
    ),
    Column(
        "engine",
        WORD,
        "engine that computed the row",
        "setting",
        words=lambda study: ENGINES,
    ),
    Column(
        "status",
        WORD,
        "whether mean and mcse can be trusted, and why not",
        "standing",
        words=lambda study: STATUSES,
        shown=12,
        spare=6,
    ),
    Column(
        "penalty",
        REAL,
        "per-sample penalty",
        "standing",
        null="where it differs by replicate, or there is nothing to penalise",
        shown=5,
        spare=5,
    ),
    Column("replicates", WHOLE, "replicates behind the mean", "replicates"),
    Column(
        "failed",
        WHOLE,
        "replicates that failed for this row, whatever its baseline did",
        "replicates",
    ),
    Column(
        "mean",
        REAL,
        "mean excess risk",
        "replicates",
        SIMULATED,
        "without a mean",
        "mean",
        shown=7,
    ),
    Column(
        "mcse",
        REAL,
        "Monte-Carlo standard error of the mean",
        "replicates",
        SIMULATED,
        "without a variance",
        "variance",
        shown=8,
    ),
    Column(
        "sd",
        REAL,
        "standard deviation of the excess risk over replicates",
        "replicates",
        _DRAWN,
        "without a variance",
        "variance",
    ),
    Column(
        "q05",
        REAL,
        "5 % quantile over replicates, to 0.5 %; exact where replicates share a value",
        "replicates",
        _DRAWN,
        "without a value",
    ),
    Column(
        "median",
        REAL,
        "median over replicates, likewise",
        "replicates",
        _DRAWN,
        "without a value",
    ),
    Column(
        "q95",
        REAL,
        "95 % quantile over replicates, likewise",
        "replicates",
        _DRAWN,
        "without a value",
    ),
    Column(
        "gain",
        REAL,
        "mean excess risk of the baseline over this one's, over replicates in which neither failed",
        "replicates",
        SIMULATED,
        "unless both have a mean, and this one's is more than rounding",
        "mean",
        against=True,
        shown=11,
        spare=3,
    ),
    Column(
        "gain_mcse",
        REAL,
        "its standard error, by jackknife over 64 blocks or more, else to first order from "
        "replicates",
        "replicates",
        SIMULATED,
        "unless both have a variance, and are more than rounding",
        "variance",
        against=True,
    ),
    Column(
        "p_better",
        REAL,
        "share of the replicates in which neither failed that beat the baseline on the same data; "
        "a tie, equal but for rounding, is no win",
        "replicates",
        _DRAWN,
        "of the baseline itself, and where both are nothing but rounding",
    ),
    Column(
        "bias2",
        REAL,
        "squared bias: the excess risk of the mean of beta_hat over data sets",
        "replicates",
        _DRAWN,
        _UNASKED,
        "variance",
    ),
    Column("bias2_mcse", REAL, "its standard error", "replicates", _DRAWN, _UNASKED, "variance"),
    Column(
        "variance",
        REAL,
        "variance: the excess risk about that mean; mean = bias2 + variance",
        "replicates",
        _DRAWN,
        _UNASKED,
        "variance",
    ),
    Column("variance_mcse", REAL, "its standard error", "replicates", _DRAWN, _UNASKED, "variance"),
    Column(
        "predicted",
        REAL,
        "mean excess risk by the laws",
        "law",
        null="where no law holds",
        shown=9,
        spare=4,
    ),
    Column(
        "prediction_se",
        REAL,
        "its standard error, where simulated brain moments enter",
        "law",
        null="where the law needs none",
    ),
    Column(
        "law_error",
        REAL,
        "relative error of the law that `predicted`, or the row, went through, as it was measured",
        "law",
        null="where the law is exact, or its error was not measured",
    ),
    Column(
        "prediction",
        WORD,
        "kind of law: exact, semi-exact, asymptotic, same-law or none",
        "law",
        words=lambda study: PREDICTIONS,
        shown=10,
        spare=2,
    ),
    Column(
        "seconds",
        REAL,
        "core seconds of the blocks behind the row, shared by its problem",
        "replicates",
        SIMULATED,
    ),
    Column(
        "reason",
        WORD,
        "of an undefined row: why it has no number",
        "standing",
        null="where the status is not undefined",
        words=lambda study: REASON_WORDS,
    ),
)
"""The columns of `results.arrow`, in their order."""

RESULT_SCHEMA = schema_of(RESULT_COLUMNS)

_BY_NAME = {column.name: column for column in RESULT_COLUMNS}


FIXED_BY = {"penalty": "penalty_rule", "encoding_penalty": "encoding_rule"}
"""Numbers that tell rows apart where the rule in another column is "fixed"; else they follow."""


def telling_apart() -> list[str]:
    """The columns that tell a row from all others, in whatever order and by whatever engine.

    Returns
    -------
    list of str
        Where the rule of a row is "fixed", the numbers of `FIXED_BY` are of them too.
    """
    own = ("model", "setting")
    return [c.name for c in RESULT_COLUMNS if c.source in own and c.name not in _OF_THE_STUDY]


def column_of(name: str) -> Column | None:
    """The record of a column of `results.arrow`.

    Parameters
    ----------
    name : str

    Returns
    -------
    Column or None
        None where the column is not mcbrain's.
    """
    return _BY_NAME.get(name)


def columns_of(study: Study) -> tuple[Column, ...]:
    """The columns of a study's results: those of every study, then three for each of its metrics.

    Parameters
    ----------
    study : Study

    Returns
    -------
    tuple of Column

    Raises
    ------
    InputError
        A metric would have a column of that name which is there already.
    """
    found = {column.name: column for column in RESULT_COLUMNS}
    for metric in study.metrics:
        for column in _of_metric(metric):
            if column.name in found:
                where = metric.own.where if metric.own else "[metrics]"
                raise InputError(
                    f"{where}: metric '{metric.name}': results have a column '{column.name}' "
                    "already; the metric needs another name"
                )
            found[column.name] = column
    return tuple(found.values())


def _of_metric(metric: Metric) -> tuple[Column, ...]:
    nowhere = "where it has no value"
    return (
        Column(metric.name, REAL, metric.meaning, "metric", _DRAWN, nowhere),
        Column(
            f"{metric.name}_mcse", REAL, f"standard error of {metric.name}", "metric", _DRAWN,
            nowhere,
        ),
        Column(
            f"{metric.name}_predicted", REAL, f"{metric.name} by the laws", "law",
            (POINT_ROWS, LAW_ROWS), "where no law holds",
        ),
    )  # fmt: skip


def from_replicates(writer: str) -> tuple[Column, ...]:
    """The columns that a writer fills from replicates.

    Parameters
    ----------
    writer : str
        `POINT_ROWS`, `GRID_ROWS` or `LAW_ROWS`.

    Returns
    -------
    tuple of Column
    """
    return tuple(c for c in RESULT_COLUMNS if c.source == "replicates" and writer in c.by)
