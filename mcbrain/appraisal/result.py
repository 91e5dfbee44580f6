"""`appraise`: from a user's arrays to estimates, predictions, measurements and one verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcbrain.appraisal.arrays import check, prepare
from mcbrain.appraisal.columns import matched_by_position
from mcbrain.appraisal.comparison import Comparison, MeasuredWorth, compare, measured_worth
from mcbrain.appraisal.estimate import estimate
from mcbrain.appraisal.measure import measure
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import Worth, worth_of
from mcbrain.appraisal.verdict import Verdict, judge
from mcbrain.blas import one_blas_thread
from mcbrain.checks import integer, positive
from mcbrain.drawing import load_matplotlib
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.typing import Floats

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure

__all__ = ["Appraisal", "appraise"]

_LABELS = {
    "task_noise": "task noise sigma_y",
    "signal": "signal |beta|^2",
    "misalignment": "misalignment m",
    "missed": "missed by this subspace",
    "latent_gains": "latent gain D",
    "neural_noise": "neural noise sigma_r",
}
_COLUMNS = (
    *("n_task", "n_brain", "ridge", "BEFS", "reduction", "± 95 %"),
    *("predicted", "from", "to", "z", "z ridge"),
)
_LEGEND = (
    "ridge, BEFS: mean squared errors of rows held out; reduction: the first less the second,",
    "± half of its 95 % interval; predicted, from, to: the reduction by the law and its 95 %",
    "interval; z: measured less predicted in standard errors, of the reduction and of ridge.",
)

# Data are held out in turn, so that at least this many blocks are needed.
_FEWEST_BLOCKS = 10


@dataclass(frozen=True)
class Appraisal:
    """What brain data is worth to one user.

    Attributes
    ----------
    estimates : Estimates
        The model behind the data, with bootstrap intervals.
    comparisons : list of Comparison
        Measured and predicted errors for each pair of sizes.
    worth : Worth
        What the laws predict from the estimates.
    measured : MeasuredWorth
        Task rows that the brain data replaced on held-out rows.
    verdict : Verdict
        Whether prediction and measurement agree.
    whitener : (d, k)
        ``(X - X.mean(axis=0)) @ whitener`` are the coordinates of `estimates.subspace`.
    """

    estimates: Estimates
    comparisons: list[Comparison]
    worth: Worth
    measured: MeasuredWorth
    verdict: Verdict
    whitener: Floats

    @numpy_defaults
    def summary(self) -> str:
        """Estimates, measured and predicted reductions of error, and the verdict, as text.

        Returns
        -------
        str
            Two tables and a paragraph.
        """
        s = self.estimates.shape
        lines = [
            f"{s.n_task + 1} task rows, {s.n_brain + 1} brain rows, {s.d} inputs, {s.p} channels, "
            f"{s.r} latent{'s' if s.r > 1 else ''}",
            "",
            f"{'estimate':<26}{'value':>10}{'95 % interval':>24}",
        ]
        for label, value, low, high in self.estimate_rows():
            lines.append(f"{label:<26}{value:>10.4g}{f'{low:.4g} to {high:.4g}':>24}")
        lines += ["", "".join(f"{name:>10}" for name in _COLUMNS)]
        for c in self.comparisons:
            measured = (
                c.held_out.ridge,
                c.held_out.befs,
                c.held_out.reduction,
                1.96 * c.held_out.reduction_se,
            )
            predicted = (c.reduction, c.reduction_low, c.reduction_high)
            columns = "".join(f"{x:>10.3g}" for x in (*measured, *predicted))
            lines.append(
                f"{c.held_out.n_task:>10}{c.held_out.n_brain:>10}{columns}{c.z:>10.1f}{c.z_ridge:>10.1f}"
            )
        return "\n".join([*lines, *_LEGEND, "", self.verdict.paragraph])

    def estimate_rows(self) -> list[tuple[str, float, float, float]]:
        """Every estimate with its interval, bounded as the model is.

        Returns
        -------
        list of tuple
            (label, value, low, high), of each latent where there are several.
        """
        rows = []
        value = self.estimates.value.bounded()
        for name, label in _LABELS.items():
            at, (low, high) = np.atleast_1d(getattr(value, name)), self.estimates.interval(name)
            for j, (v, a, b) in enumerate(
                zip(at, np.atleast_1d(low), np.atleast_1d(high), strict=True)
            ):
                suffix = f" {j + 1}" if at.size > 1 else ""
                rows.append((label + suffix, float(v), float(a), float(b)))
        return rows

    @numpy_defaults
    def to_table(self) -> pa.Table:
        """Measured and predicted errors as a table.

        Returns
        -------
        pyarrow.Table
            One row for each pair of sizes; errors are in the units of y squared.
        """
        import pyarrow as pa

        rows = [
            {
                "n_task": c.held_out.n_task,
                "n_brain": c.held_out.n_brain,
                "ridge_penalty": c.held_out.ridge_penalty,
                "befs_penalty": c.held_out.befs_penalty,
                "ridge": c.held_out.ridge,
                "ridge_se": c.held_out.ridge_se,
                "befs": c.held_out.befs,
                "befs_se": c.held_out.befs_se,
                "reduction": c.held_out.reduction,
                "reduction_se": c.held_out.reduction_se,
                "ridge_predicted": c.ridge,
                "befs_predicted": c.befs,
                "reduction_predicted": c.reduction,
                "reduction_predicted_low": c.reduction_low,
                "reduction_predicted_high": c.reduction_high,
                "z": c.z,
                "z_ridge": c.z_ridge,
            }
            for c in self.comparisons
        ]
        return pa.Table.from_pylist(rows)

    @numpy_defaults
    def figure(self) -> Figure:
        """Learning curves and reductions of error, measured against predicted.

        Returns
        -------
        matplotlib.figure.Figure
            Three panels.
        """
        load_matplotlib()
        from mcbrain.appraisal.figure import draw

        return draw(self.estimates, self.comparisons, self.verdict)


@numpy_defaults
def appraise(
    X: object,
    y: object,
    X_brain: object,
    R: object,
    *,
    n_latents: int | None = None,
    cost_task: float = 1.0,
    cost_brain: float = 1.0,
    budget: float | None = None,
    block_length: int = 1,
    draws: int = 400,
    seed: int = 0,
    progress: Callable[[str, float], None] | None = None,
) -> Appraisal:
    """Estimate the model behind two data sets, predict what the brain data is worth, measure it.

    Parameters
    ----------
    X, y : (n_task, d), (n_task,)
        Inputs and labels of the task.
    X_brain, R : (n_brain, d), (n_brain, p)
        The same inputs for other samples, and their recordings. If X and X_brain are both
        DataFrames (pandas, polars) or Arrow tables, their columns are matched by name; otherwise
        by position, of which the verdict warns where only one side has names. Columns may hold
        numbers of any type: decimal, nullable and dictionary columns and truth values too. Of
        collinear inputs the directions in which they vary are appraised, with a caution.
    n_latents : int, optional
        Rank of the brain stage; chosen by cross-validation by default.
    cost_task, cost_brain : float
        Price of one more row of either.
    budget : float, optional
        For the next purchase; by default a tenth of what the rows in hand cost.
    block_length : int
        Consecutive rows that belong together (time series): they are held out together. At most a
        tenth of the task rows.
    draws : int
        Bootstrap draws, at least 100.
    seed : int
        Of the bootstrap and of the splits.
    progress : callable, optional
        Called with a word for the step and the share of it that is done.

    Returns
    -------
    Appraisal
        Its `summary()` is a text to read, its `verdict` the answer.

    Raises
    ------
    InputError
        For arrays or settings that cannot be used, for missing or masked values, and for names of
        inputs that differ.
    """
    arrays = check(X, y, X_brain, R)
    cost_task, cost_brain = positive("cost_task", cost_task), positive("cost_brain", cost_brain)
    budget = None if budget is None else positive("budget", budget)
    if n_latents is not None:
        n_latents = integer("n_latents", n_latents, 1, arrays.X.shape[1])
    block_length = integer("block_length", block_length, 1, arrays.y.size // _FEWEST_BLOCKS)
    draws = integer("draws", draws, 100, 1_000_000)
    seed = integer("seed", seed, 0, 2**63 - 1)
    if progress is not None and not callable(progress):
        raise InputError(f"progress = {progress!r}: a function of a step and a share is allowed")
    report = progress or (lambda step, share: None)
    # The matrices are small and many: more BLAS threads would only wait for each other.
    with one_blas_thread():
        report("estimate", 0.0)
        prepared = prepare(arrays)
        estimates = estimate(prepared, n_latents=n_latents, draws=draws, seed=seed)
        report("predict", 0.0)
        worth = worth_of(estimates, cost_task=cost_task, cost_brain=cost_brain, budget=budget)
        pairs = measure(
            prepared.arrays,
            estimates,
            block_length=block_length,
            seed=seed,
            progress=lambda share: report("measure", share),
        )
        comparisons = compare(estimates, pairs)
        measured = measured_worth(estimates, comparisons)
        cautions = (*filter(None, [matched_by_position(X, X_brain)]), *prepared.cautions)
        verdict = judge(estimates, comparisons, worth, measured, cautions)
        return Appraisal(estimates, comparisons, worth, measured, verdict, prepared.whitener)
