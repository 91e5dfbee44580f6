"""Whether prediction and measurement agree, and whether the data can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mcbrain.appraisal.measure import Cell
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import FARTHEST, Worth, missed_at, risk, task_samples

__all__ = ["Comparison", "MeasuredWorth", "Verdict", "compare", "judge", "measured_worth"]

_ERROR_RATE = 0.05
_RESOLVED_SHARE = 0.5
_NEGLIGIBLE_SHARE = 0.1


@dataclass(frozen=True)
class Comparison:
    """One cell and what the laws say about it, in the units of y squared.

    Attributes
    ----------
    cell : Cell
    ridge, befs : float
        Predicted mean squared errors on new rows, at the penalties of the cell.
    gain, gain_low, gain_high, gain_se : float
        Predicted gain with its bootstrap interval and standard error.
    ridge_predicted_se : float
    excess : float
        Predicted ridge error above the noise.
    """

    cell: Cell
    ridge: float
    befs: float
    gain: float
    gain_low: float
    gain_high: float
    gain_se: float
    ridge_predicted_se: float
    excess: float

    @property
    def joint_se(self) -> float:
        """Standard error of measured less predicted gain, taken as independent."""
        return float(np.hypot(self.cell.gain_se, self.gain_se))

    @property
    def z(self) -> float:
        """Measured less predicted gain, in joint standard errors."""
        return (self.cell.gain - self.gain) / self.joint_se

    @property
    def z_ridge(self) -> float:
        """Measured less predicted error of ridge, in joint standard errors."""
        error = np.hypot(self.cell.ridge_se, self.ridge_predicted_se)
        return float((self.cell.ridge - self.ridge) / error)


@dataclass(frozen=True)
class MeasuredWorth:
    """Task rows that the brain data replaced in the measured curves, and the same predicted.

    Attributes
    ----------
    n_task : int
        Training rows of the BEFS fit that ridge is asked to match.
    measured, low, high : float
        Infinite where the ridge curve does not reach that far.
    predicted, predicted_low, predicted_high : float
        Infinite beyond `predict.FARTHEST` n_task.
    longest : int
        Rows at which the ridge curve ends.
    """

    n_task: int
    measured: float
    low: float
    high: float
    predicted: float
    predicted_low: float
    predicted_high: float
    longest: int


@dataclass(frozen=True)
class Verdict:
    """`answer` is "agree", "disagree" or "cannot tell"; `paragraph` says why."""

    answer: str
    paragraph: str


def compare(estimates: Estimates, cells: list[Cell]) -> list[Comparison]:
    """Predictions, with their uncertainty, for every measured cell."""
    s, value, draws = estimates.shape, estimates.value.bounded(), estimates.draws
    missed = {
        level: [missed_at(x, estimates, level) for x in (value, draws)]
        for level in {cell.n_brain for cell in cells}
    }
    out = []
    for cell in cells:
        (ridge, befs), (ridge_draws, befs_draws) = (
            (
                risk(x, cell.n_task, 0, 1.0, s.d, cell.ridge_penalty),
                risk(x, cell.n_task, s.r, m, s.d, cell.befs_penalty),
            )
            for x, m in zip((value, draws), missed[cell.n_brain], strict=True)
        )
        low, early, late, high = np.quantile(ridge_draws - befs_draws, [0.025, 0.16, 0.84, 0.975])
        noise = float(value.task_noise) ** 2
        levels = np.quantile(ridge_draws + draws.task_noise**2, [0.16, 0.84])
        out.append(
            Comparison(
                cell=cell,
                ridge=noise + float(ridge),
                befs=noise + float(befs),
                gain=float(ridge - befs),
                gain_low=float(low),
                gain_high=float(high),
                gain_se=float(late - early) / 2,
                ridge_predicted_se=float(levels[1] - levels[0]) / 2,
                excess=float(ridge),
            )
        )
    return out


def measured_worth(estimates: Estimates, comparisons: list[Comparison]) -> MeasuredWorth:
    """Value of the brain data read off the measured curves, where they reach furthest.

    The BEFS error at n rows is looked up on the ridge curve; its interval is that of the paired
    gain at n. Among the sizes, the largest at which the curve of ridge reaches the upper end is
    taken, else the smallest.
    """
    full = [c for c in comparisons if c.cell.n_brain == estimates.shape.n_brain + 1]
    sizes = np.array([float(c.cell.n_task) for c in full])
    curve = np.minimum.accumulate([c.cell.ridge for c in full])
    best = full[0]
    for c in full[:-1]:
        if c.cell.ridge - c.cell.gain - 1.96 * c.cell.gain_se >= curve[-1]:
            best = c
    cell = best.cell

    def rows(level: float) -> float:
        at = np.interp(-level, -curve, np.log(sizes), left=np.log(sizes[0]), right=np.inf)
        return float(np.exp(at)) - cell.n_task

    middle, half = cell.ridge - cell.gain, 1.96 * cell.gain_se
    predicted = _predicted_rows(estimates, cell)
    measured = rows(middle), rows(middle + half), rows(middle - half)
    return MeasuredWorth(cell.n_task, *measured, *predicted, full[-1].cell.n_task)


def judge(
    estimates: Estimates,
    comparisons: list[Comparison],
    worth: Worth,
    measured: MeasuredWorth,
    cautions: tuple[str, ...] = (),
) -> Verdict:
    """One paragraph: do prediction and measurement agree, and what follows.

    Disagreement: some cell's difference is too large for chance at 5 % over all cells (Bonferroni).
    Agreement is claimed only where it means something: in some cell with all brain data the joint
    95 % half-width is below half of the predicted gain, or below a tenth of the error of ridge that
    is not noise.
    """
    if silent := _nothing_to_compare(estimates):
        return silent
    full = [c for c in comparisons if c.cell.n_brain == estimates.shape.n_brain + 1]
    limit = float(stats.norm.isf(_ERROR_RATE / 2 / (len(comparisons) + len(full))))
    worst = max(comparisons, key=lambda c: abs(c.z))
    ridge = max(full, key=lambda c: abs(c.z_ridge))
    spread = (
        f"over {len(comparisons)} combinations of sizes the largest difference between measured "
        f"and predicted gain is {abs(worst.z):.1f} standard errors, that of the error of ridge "
        f"itself {abs(ridge.z_ridge):.1f} (limit {limit:.1f})"
    )
    facts = (
        f"{_gain_sentence(estimates, comparisons)} {_worth_sentence(estimates, worth, measured)}"
    )
    facts = " ".join([facts, *(f"Caution: {caution}." for caution in cautions)])
    if max(abs(worst.z), abs(ridge.z_ridge)) > limit:
        return Verdict(
            "disagree",
            f"Prediction and measurement disagree: {spread}. The gain is furthest off at "
            f"{worst.cell.n_task} task rows and {worst.cell.n_brain} brain rows (measured "
            f"{worst.cell.gain:.3g}, predicted {worst.gain:.3g}). The linear Gaussian model does "
            f"not describe these data well enough for its exchange rate to be used. {facts}",
        )
    if not any(_resolved(c) for c in full):
        gain = _gain_sentence(estimates, comparisons)
        return Verdict(
            "cannot tell",
            f"The data cannot tell: {spread}, but at no size are the intervals narrow enough to "
            f"distinguish the predicted gain from none. {gain} No value and no purchase can be "
            "recommended from these data.",
        )
    return Verdict("agree", f"Prediction and measurement agree: {spread}. {facts}")


def _nothing_to_compare(estimates: Estimates) -> Verdict | None:
    """The verdict where recordings or labels do not respond to the inputs."""
    if not estimates.visible:
        return Verdict(
            "cannot tell",
            "The recordings show no response to these inputs: what the inputs explain of them is "
            "no more than noise would give. Nothing can be said about their worth for the task.",
        )
    low_signal = float(estimates.interval("signal")[0])
    if low_signal <= 2e-3 * float(estimates.value.task_noise) ** 2:
        return Verdict(
            "cannot tell",
            "The labels show no clear dependence on these inputs, so there is nothing that brain "
            "data could help to learn: the interval of the explained variance reaches zero.",
        )
    return None


def _resolved(c: Comparison) -> bool:
    half = 1.96 * c.joint_se
    return half < _RESOLVED_SHARE * abs(c.gain) or half < _NEGLIGIBLE_SHARE * c.excess


def _predicted_rows(estimates: Estimates, cell: Cell) -> tuple[float, float, float]:
    s = estimates.shape
    value = task_samples(estimates.value.bounded(), s, cell.n_task)
    draws = task_samples(estimates.draws, s, cell.n_task)
    low, high = np.quantile(draws, [0.025, 0.975], method="inverted_cdf")
    return float(value), float(low), float(high)


def _gain_sentence(estimates: Estimates, comparisons: list[Comparison]) -> str:
    c = [c for c in comparisons if c.cell.n_brain == estimates.shape.n_brain + 1][-1]
    half = 1.96 * c.cell.gain_se
    share = 100 * c.cell.gain / c.cell.ridge
    low, high = c.cell.gain - half, c.cell.gain + half
    return (
        f"With {c.cell.n_task} task rows and all {c.cell.n_brain} brain rows, BEFS changes the "
        f"mean squared error of ridge, {c.cell.ridge:.3g}, by {-share:+.2g} % (gain "
        f"{c.cell.gain:.3g}, 95 % interval {low:.3g} to {high:.3g}; predicted {c.gain:.3g}, "
        f"{c.gain_low:.3g} to {c.gain_high:.3g})."
    )


def _worth_sentence(estimates: Estimates, worth: Worth, measured: MeasuredWorth) -> str:
    p, m, whole = worth.purchase, measured, estimates.shape.n_task + 1
    reach = m.longest - m.n_task
    replaced = _rows((m.measured, m.low, m.high), reach)
    predicted = _rows((m.predicted, m.predicted_low, m.predicted_high), (FARTHEST - 1) * m.n_task)
    over = "" if np.isfinite(m.high) else _LONGER.format(longest=m.longest)
    value, rate = worth.task_samples, worth.exchange_rate[0]
    each = f", {rate:.2g} for each brain row" if np.isfinite(rate) else ""
    return (
        f"At {m.n_task} task rows the brain data replaced {replaced} further task rows{over}; "
        f"predicted {predicted}. On top of all task rows it is predicted to be worth "
        f"{_rows(value, (FARTHEST - 1) * whole)}{each}. For a "
        f"budget of {p.budget:.4g} at {p.cost_task:g} a task row and {p.cost_brain:g} a brain row "
        f"the best purchase is {p.n_task} task rows and {p.n_brain} brain rows; in "
        f"{100 * p.confidence:.0f} % of the bootstrap draws buying some brain rows is better than "
        "task rows alone."
    )


_LONGER = " (ridge was measured with up to {longest}: with more task rows the number can be told)"


def _rows(interval: tuple[float, float, float], reach: float) -> str:
    """A number of rows with its 95 % interval; infinity is beyond the reach of the search."""
    at, low, high = (f"{x:.0f}" if np.isfinite(x) else f"more than {reach:.0f}" for x in interval)
    return f"{at} [{low} to {high}]"
