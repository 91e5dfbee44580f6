"""The verdict: whether prediction and measurement agree, and whether the data can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mcbrain.appraisal.comparison import Comparison, MeasuredWorth
from mcbrain.appraisal.controls import CONTROLS, Chance, p_value
from mcbrain.appraisal.diagnostics import Diagnostic
from mcbrain.appraisal.measure import DRAWN
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import BUDGET_SHARE, FARTHEST, Purchase, Worth

__all__ = ["Evidence", "Verdict", "control_p", "judge", "with_worth"]

_ERROR_RATE = 0.05
_RESOLVED_SHARE = 0.75  # 2.6 standard errors: 5 % over six sizes (Bonferroni)
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


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on.

    Attributes
    ----------
    estimates : Estimates
        The model.
    chance : Chance
        The permutation test of a response.
    comparisons : sequence of Comparison
        Measured and predicted errors.
    measured : MeasuredWorth
        Task rows that the brain data replaced.
    diagnostics : sequence of Diagnostic
        Assumptions, each with its number.
    said : sequence of str
        What was left out or noticed, without full stops.
    """

    estimates: Estimates
    chance: Chance
    comparisons: Sequence[Comparison]
    measured: MeasuredWorth
    diagnostics: Sequence[Diagnostic]
    said: Sequence[str]

    @property
    def full(self) -> list[Comparison]:
        """The comparisons with all brain rows, in order of task rows."""
        most = max(c.held_out.n_brain for c in self.comparisons)
        return [c for c in self.comparisons if c.held_out.n_brain == most]

    @property
    def contradicted(self) -> list[Diagnostic]:
        """What the data contradict, the decisive first."""
        found = [one for one in self.diagnostics if one.contradicted]
        return sorted(found, key=lambda one: not one.decisive)

    @property
    def cautions(self) -> str:
        """Sentences about what was left out and what the data contradict."""
        words = [*self.said, *(one.sentence for one in self.contradicted)]
        return "".join(f" Caution: {one}." for one in words)


def judge(e: Evidence) -> Verdict:
    """One paragraph: do prediction and measurement agree.

    Disagreement: some pair's difference is too large for chance at 5 % over all pairs (Bonferroni),
    or the columns of the two sides have different units. Agreement is claimed only where it means
    something: in some pair with all brain data the 95 % half-width of the difference is below half
    of the predicted reduction, or below a tenth of the error of ridge that is not noise. It is
    never claimed where rows depend on each other and nobody has said which belong together.

    Parameters
    ----------
    e : Evidence
        What was found.

    Returns
    -------
    Verdict
        The answer and its reason.
    """
    if silent := _nothing_to_compare(e):
        return Verdict("cannot tell", silent + e.cautions)
    decisive = [one for one in e.contradicted if one.decisive]
    found = f"{_reduction_sentence(e)} {_replaced_sentence(e.measured)}"
    dependent = [one for one in decisive if one.name.startswith("independent rows")]
    if dependent:
        return Verdict(
            "cannot tell",
            f"The data cannot tell: {dependent[0].sentence}. Until then the intervals here are too "
            f"narrow and the errors on held-out rows too small.{e.cautions}",
        )
    # Standard errors come from DRAWN sets of labels: Student's t.
    tail = _ERROR_RATE / 2 / (len(e.comparisons) + len(e.full))
    limit = float(stats.t.isf(tail, DRAWN - 1))
    worst = max(e.comparisons, key=lambda c: abs(c.z))
    ridge = max(e.full, key=lambda c: abs(c.z_ridge))
    spread = (
        f"over {len(e.comparisons)} combinations of sizes the largest difference between measured "
        f"and predicted reduction of the error of ridge by BEFS is {abs(worst.z):.1f} standard "
        f"errors, that of the error of ridge itself {abs(ridge.z_ridge):.1f} (limit {limit:.1f})"
    )
    if decisive or max(abs(worst.z), abs(ridge.z_ridge)) > limit:
        return Verdict(
            "disagree",
            f"Prediction and measurement disagree: {spread}. {_blame(e)} What is worth more than "
            "these data show, or what to buy next, cannot be predicted; what was measured stands. "
            f"{found}{e.cautions}",
        )
    if not any(_resolved(c) for c in e.full):
        return Verdict(
            "cannot tell",
            f"The data cannot tell: {spread}, but at no size are the intervals narrow enough to "
            f"distinguish the predicted reduction from none. {_reduction_sentence(e)} No value and "
            f"no purchase can be recommended from these data.{e.cautions}",
        )
    return Verdict("agree", f"Prediction and measurement agree: {spread}. {found}{e.cautions}")


def with_worth(verdict: Verdict, e: Evidence, worth: Worth | None, lacking: str = "") -> Verdict:
    """An agreement with what follows from it: the worth on top of all rows, and what to buy.

    Parameters
    ----------
    verdict : Verdict
        Any; others than agreements are returned as they are.
    e : Evidence
        What it rests on.
    worth : Worth or None
        By the laws; None where they are not known for these data.
    lacking : str
        Then why not, as the end of a sentence.

    Returns
    -------
    Verdict
        With two more sentences, or one that says that nothing but measurement is given.
    """
    if verdict.answer != "agree":
        return verdict
    if worth is None:
        more = f" Measured only, and nothing is predicted beyond the rows in hand: {lacking}."
    else:
        more = f" {_worth_sentence(e, worth)} {_purchase_sentence(worth.purchase)}"
    split = len(verdict.paragraph) - len(e.cautions)
    return Verdict("agree", verdict.paragraph[:split] + more + e.cautions)


def control_p(e: Evidence) -> tuple[float, float]:
    """P values of the reduction against shuffled recordings and against random subspaces.

    Parameters
    ----------
    e : Evidence
        With controls at the largest size.

    Returns
    -------
    tuple of float
        Shares of controls that do at least as well.
    """
    pair = e.full[-1].held_out
    controls = np.array(pair.controls)
    parts = controls[:CONTROLS], controls[CONTROLS:]
    return p_value(pair.reduction, parts[0]), p_value(pair.reduction, parts[1])


def _nothing_to_compare(e: Evidence) -> str:
    """Why there is nothing to compare: recordings or labels do not respond to the inputs."""
    if not e.chance.visible:
        return (
            "The recordings show no response to these inputs: recordings whose rows were shuffled "
            f"are explained as well (p = {e.chance.p:.2g} over {e.chance.shuffles} shuffles of "
            f"{e.chance.rows} rows). Nothing can be said about their worth for the task."
        )
    low = float(e.estimates.interval("signal")[0])
    if low <= 2e-3 * float(e.estimates.value.task_noise) ** 2:
        return (
            "The labels show no clear dependence on these inputs, so there is nothing that brain "
            "data could help to learn: the interval of the explained variance reaches zero."
        )
    return ""


def _blame(e: Evidence) -> str:
    """Which assumptions the data contradict."""
    names = [f"{one.name} ({one.number:.3g}: {one.unit})" for one in e.contradicted]
    if names:
        return f"The data contradict: {'; '.join(names)}."
    return (
        "None of the assumptions that are tested is contradicted; what is left is that effects of "
        "the inputs are no draw from one prior, or that noise differs from row to row."
    )


def _resolved(c: Comparison) -> bool:
    """Whether a comparison is precise enough for its agreement to mean something."""
    half = 1.96 * c.joint_se
    return half < _RESOLVED_SHARE * abs(c.reduction) or half < _NEGLIGIBLE_SHARE * c.excess


def _reduction_sentence(e: Evidence) -> str:
    """The reduction with the most task rows and all brain rows, measured and predicted."""
    c = e.full[-1]
    found = c.held_out
    half = 1.96 * found.reduction_se
    share = 100 * found.reduction / found.ridge
    low, high = found.reduction - half, found.reduction + half
    shuffled, random = control_p(e)
    return (
        f"With {found.n_task} task rows and all {found.n_brain} brain rows, BEFS changes the "
        f"mean squared error of tuned ridge ({e.estimates.coordinates} inputs), "
        f"{found.ridge:.3g}, by {-share:+.2g} % (reduction {found.reduction:.3g}, 95 % interval "
        f"{low:.3g} to {high:.3g}; predicted {c.reduction:.3g}, {c.reduction_low:.3g} to "
        f"{c.reduction_high:.3g}; shuffled recordings do as well with p = {shuffled:.2g}, random "
        f"subspaces with p = {random:.2g})."
    )


def _worth_sentence(e: Evidence, worth: Worth) -> str:
    """What the brain data is predicted to be worth on top of all task rows."""
    value, rate = worth.task_samples, worth.exchange_rate[0]
    each = f", {rate:.2g} for each brain row" if np.isfinite(rate) else ""
    rows = _rows(value, (FARTHEST - 1) * e.estimates.shape.n_task)
    return f"On top of all task rows the brain data is predicted to be worth {rows} more{each}."


def _replaced_sentence(m: MeasuredWorth) -> str:
    """How many task rows the brain data replaced, as measured and as predicted."""
    predicted = _one(m.predicted, m.longest - m.n_task)
    if m.longest == m.n_task:
        return (
            f"Ridge was measured at {m.n_task} task rows only, so how many further ones the brain "
            "data replaced there is not measured."
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
        f"rows and {p.n_brain} more brain rows; in {100 * p.confidence:.0f} % of the "
        "draws buying some brain rows is better than task rows alone."
    )


_LONGER = " (ridge was measured with up to {longest}: with more task rows the number can be told)"


def _one(rows: float, reach: float) -> str:
    """A number of rows; infinity is beyond the reach of the search."""
    return f"{rows:.0f}" if np.isfinite(rows) else f"more than {reach:.0f}"


def _rows(interval: tuple[float, float, float], reach: float) -> str:
    """A number of rows with its 95 % interval; infinity is beyond the reach of the search."""
    if not np.isfinite(interval).any():
        return f"more than {reach:.0f}"
    at, low, high = (_one(x, reach) for x in interval)
    return f"{at} [{low} to {high}]"
