"""The verdict: whether prediction and measurement agree, and whether the data can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mcbrain.appraisal.comparison import Comparison, MeasuredWorth
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import BUDGET_SHARE, FARTHEST, Purchase, Worth

__all__ = ["Verdict", "judge"]

_ERROR_RATE = 0.05
_RESOLVED_SHARE = 0.5
_NEGLIGIBLE_SHARE = 0.1


@dataclass(frozen=True)
class Verdict:
    """The answer of an appraisal.

    Attributes
    ----------
    answer : str
        "agree", "disagree" or "cannot tell".
    paragraph : str
        Why, with the numbers that matter.
    """

    answer: str
    paragraph: str


def judge(
    estimates: Estimates,
    comparisons: list[Comparison],
    worth: Worth,
    measured: MeasuredWorth,
    cautions: tuple[str, ...] = (),
) -> Verdict:
    """One paragraph: do prediction and measurement agree, and what follows.

    Disagreement: some pair's difference is too large for chance at 5 % over all pairs (Bonferroni).
    Agreement is claimed only where it means something: in some pair with all brain data the joint
    95 % half-width is below half of the predicted reduction, or below a tenth of the error of ridge
    that is not noise.

    Parameters
    ----------
    estimates : Estimates
        The model, and its bootstrap draws.
    comparisons : list of Comparison
        Measured and predicted errors.
    worth : Worth
        What the laws predict.
    measured : MeasuredWorth
        Task rows that the brain data replaced.
    cautions : tuple of str
        Sentences to add, without their full stops.

    Returns
    -------
    Verdict
        The answer and its reason.
    """
    warned = "".join(f" Caution: {caution}." for caution in cautions)
    if silent := _nothing_to_compare(estimates):
        return Verdict(silent.answer, silent.paragraph + warned)
    full = [c for c in comparisons if c.held_out.n_brain == estimates.shape.n_brain + 1]
    limit = float(stats.norm.isf(_ERROR_RATE / 2 / (len(comparisons) + len(full))))
    worst = max(comparisons, key=lambda c: abs(c.z))
    ridge = max(full, key=lambda c: abs(c.z_ridge))
    spread = (
        f"over {len(comparisons)} combinations of sizes the largest difference between measured "
        f"and predicted reduction of the error of ridge by BEFS is {abs(worst.z):.1f} standard "
        f"errors, that of the error of ridge itself {abs(ridge.z_ridge):.1f} (limit {limit:.1f})"
    )
    reduction, replaced = _reduction_sentence(estimates, comparisons), _replaced_sentence(measured)
    if max(abs(worst.z), abs(ridge.z_ridge)) > limit:
        there = worst.held_out
        return Verdict(
            "disagree",
            f"Prediction and measurement disagree: {spread}. The reduction is furthest off at "
            f"{there.n_task} task rows and {there.n_brain} brain rows (measured "
            f"{there.reduction:.3g}, predicted {worst.reduction:.3g}). The linear Gaussian "
            "model does not describe these data well enough to say what they are worth beyond what "
            f"was measured, or what to buy next. {reduction} {replaced}{warned}",
        )
    if not any(_resolved(c) for c in full):
        return Verdict(
            "cannot tell",
            f"The data cannot tell: {spread}, but at no size are the intervals narrow enough to "
            f"distinguish the predicted reduction from none. {reduction} No value and no purchase "
            f"can be recommended from these data.{warned}",
        )
    return Verdict(
        "agree",
        f"Prediction and measurement agree: {spread}. {reduction} {replaced} "
        f"{_worth_sentence(estimates, worth)} {_purchase_sentence(worth.purchase)}{warned}",
    )


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
    """Whether a comparison is precise enough for its agreement to mean something."""
    half = 1.96 * c.joint_se
    return half < _RESOLVED_SHARE * abs(c.reduction) or half < _NEGLIGIBLE_SHARE * c.excess


def _reduction_sentence(estimates: Estimates, comparisons: list[Comparison]) -> str:
    """The reduction with the most task rows and all brain rows, measured and predicted."""
    c = [c for c in comparisons if c.held_out.n_brain == estimates.shape.n_brain + 1][-1]
    found = c.held_out
    half = 1.96 * found.reduction_se
    share = 100 * found.reduction / found.ridge
    low, high = found.reduction - half, found.reduction + half
    return (
        f"With {found.n_task} task rows and all {found.n_brain} brain rows, BEFS changes the "
        f"mean squared error of ridge, {found.ridge:.3g}, by {-share:+.2g} % (reduction "
        f"{found.reduction:.3g}, 95 % interval {low:.3g} to {high:.3g}; predicted "
        f"{c.reduction:.3g}, {c.reduction_low:.3g} to {c.reduction_high:.3g})."
    )


def _worth_sentence(estimates: Estimates, worth: Worth) -> str:
    """What the brain data is predicted to be worth on top of all task rows."""
    value, rate = worth.task_samples, worth.exchange_rate[0]
    each = f", {rate:.2g} for each brain row" if np.isfinite(rate) else ""
    rows = _rows(value, (FARTHEST - 1) * (estimates.shape.n_task + 1))
    return f"On top of all task rows the brain data is predicted to be worth {rows} more{each}."


def _replaced_sentence(m: MeasuredWorth) -> str:
    """How many task rows the brain data replaced, as measured and as predicted."""
    predicted = _rows((m.predicted, m.predicted_low, m.predicted_high), (FARTHEST - 1) * m.n_task)
    if m.longest == m.n_task:
        return (
            f"Ridge was measured at {m.n_task} task rows only, so how many further ones the brain "
            f"data replaced there is not measured; predicted {predicted}."
        )
    replaced = _rows((m.measured, m.low, m.high), m.longest - m.n_task)
    over = "" if np.isfinite(m.high) else _LONGER.format(longest=m.longest)
    return (
        f"At {m.n_task} task rows the brain data replaced {replaced} further task rows{over}; "
        f"predicted {predicted}."
    )


def _purchase_sentence(p: Purchase) -> str:
    """The best next purchase."""
    share = p.budget / p.in_hand
    default = ", the default" if np.isclose(share, BUDGET_SHARE) else ""
    money = (
        f"a budget of {p.budget:.4g} ({100 * share:.3g} % of what those cost{default}) at "
        f"{p.cost_task:g} a task row and {p.cost_brain:g} a brain row"
    )
    if p.n_task == p.n_brain == 0:
        return f"On top of the rows in hand, {money} buys no row."
    return (
        f"The best next purchase, on top of the rows in hand: {money} buys {p.n_task} more task "
        f"rows and {p.n_brain} more brain rows; in {100 * p.confidence:.0f} % of the bootstrap "
        "draws buying some brain rows is better than task rows alone."
    )


_LONGER = " (ridge was measured with up to {longest}: with more task rows the number can be told)"


def _rows(interval: tuple[float, float, float], reach: float) -> str:
    """A number of rows with its 95 % interval; infinity is beyond the reach of the search."""
    if not np.isfinite(interval).any():
        return f"more than {reach:.0f}"
    at, low, high = (f"{x:.0f}" if np.isfinite(x) else f"more than {reach:.0f}" for x in interval)
    return f"{at} [{low} to {high}]"
