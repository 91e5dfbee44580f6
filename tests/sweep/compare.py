"""Rows of `mb.simulate` held against NumPy's replicates, each number by a test of its own.

The whole sweep raises a false alarm with probability below `ALPHA`, shared among at most `TESTS`
tests. Scores of means are held to a tenth of their share, since a mean of a thousand skewed risks
has tails up to ten times those of a normal number; scores of spreads are divided by 1.5 besides.
Ranks (quantiles, shares, failures) have exact tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from tests.sweep.design import Cell
from tests.sweep.domains import Domain, domain, free_rows, law_kind, undefined
from tests.sweep.truth import Truth

ALPHA, TESTS = 1e-4, 60_000
SHARE = ALPHA / TESTS
BOUND = float(stats.norm.isf(SHARE / 20))
POWER = float(stats.norm.ppf(0.99))
# What one replicate may hold of a sum of squares, or standard deviations that it may be off, for
# the error of the mean to be believed.
LARGEST, FAR = 0.02, 10.0
# By this factor an sd may be off where its fourth moment is all that exists: with tails of power
# 4.5 one of 60,000 replicates is that large with probability 1e-9.
ROUGHLY = 5.0
NOTHING = 2.0**-46  # of beta: an error below this is rounding
ROUNDING = 1e-14  # risks that are zeros but for rounding
REGRET = {True: 0.004, False: 0.02}  # of the risk, where a law gives the optimum and elsewhere
FEW_ROWS = 6  # that an approximate law may need a fit to leave free, give or take one
ASYMPTOTIC, SMALL = 0.2, 15  # error of the approximations from this dimension on (5b, 5e)


@dataclass(frozen=True)
class Check:
    """One comparison: a `score` above 1 is a disagreement.

    `error` is the relative error that it finds with 99 %, 0 where it is no score of a number.
    """

    what: str
    output: str
    score: float
    got: Any
    wanted: Any
    z: float = 0.0
    error: float = 0.0

    @property
    def fails(self) -> bool:
        return not self.score <= 1.0


def compare(cell: Cell, rows: list[dict[str, Any]], truth: Truth) -> list[Check]:
    """Every check of a cell."""
    found: list[Check] = []
    for i, (output, row) in enumerate(zip(cell.outputs, rows, strict=True)):
        label = f"{i} {output[0]}={output[1]} {output[2]}"
        found += [Check(what, label, *rest) for what, *rest in _row(cell, row, output, truth, i)]
    return found


def _yes(good: bool) -> float:
    return 0.0 if good else 2.0


def _z(got: float, wanted: float, error: float) -> tuple[float, Any, Any, float, float]:
    """The columns of a check by a normal score."""
    slack = 1e-9 * abs(wanted) + ROUNDING
    z = (got - wanted) / max(error, slack)
    relative = (BOUND + POWER) * error / abs(wanted) if wanted else 0.0
    return abs(z) / BOUND, got, f"{wanted:.6g} +- {error:.2g}", z, relative


def _rank(p_value: float, got: Any, wanted: Any) -> tuple[float, Any, Any]:
    """The columns of a check by an exact test of ranks, two tails."""
    return SHARE / 2 / max(p_value, 1e-300), got, wanted


def _row(
    cell: Cell, row: dict[str, Any], output: tuple[str, Any, str], truth: Truth, i: int
) -> Iterator[tuple[Any, ...]]:
    if undefined(cell, output[0]):
        yield "status", _yes(row["status"] == "undefined"), row["status"], "undefined"
        yield "null", _yes(row["mean"] is None and row["predicted"] is None), row["mean"], None
        return
    if i not in truth.outputs:
        yield "kind", _yes(row["prediction"] == "none"), row["prediction"], "none: no penalty"
        return
    asked = truth.outputs[i]
    where = domain(cell, truth.population, asked.name, asked.penalty, asked.eta)
    base = truth.baselines.get(i)
    other = where
    if base is not None:
        other = domain(cell, truth.population, base.name, base.penalty, base.eta)
    values = truth.of(i)
    valid = values[np.isfinite(values)]
    yield from _status(cell, row, where, 1 - valid.size / values.size)
    yield from _prediction(cell, row, truth, output, i, where, valid)
    if i in truth.rivals and valid.size:
        yield from _optimum(cell, row, truth, output, i)
    if row["engine"] == "law" or (not row["replicates"] and row["engine"] != "spectral"):
        return
    yield from _moments(row, where, valid)
    if row["engine"] in ("raw", "sufficient"):
        yield from _ranks(row, values, valid)
    if base is not None and base != asked and valid.size:
        yield from _against(row, where, other, values, truth.excess[base])


def _status(
    cell: Cell, row: dict[str, Any], where: Domain, failing: float
) -> Iterator[tuple[Any, ...]]:
    allowed = set(where.allowed)
    if row["engine"] != "law" and "ok" in allowed:
        if failing:
            allowed.add("failed_replicates")
        reached = row["mcse"] is not None and row["mcse"] <= cell.precision * row["mean"]
        # Nothing but rounding is precise enough.
        size = cell.model.get("signal_norm", 1.0)
        reached |= row["mean"] is not None and row["mean"] <= (NOTHING * size) ** 2
        if cell.precision and not reached:
            allowed = allowed - {"ok"} | {"mcse_not_met"}
        if row["failed"]:
            allowed.add("failed_replicates")  # held against NumPy's by their number
    if row["engine"] == "law" and row["prediction"] == "none":
        return  # says why no law holds
    yield "status", _yes(row["status"] in allowed), row["status"], "|".join(sorted(allowed))
    finite = row["status"] != "infinite_mean"
    if row["engine"] != "law" and failing < 1:
        yield "null", _yes((row["mean"] is not None) == finite), row["mean"], row["status"]
        steady = finite and row["status"] != "infinite_variance"
        yield "null", _yes((row["mcse"] is not None) == steady), row["mcse"], row["status"]


def trusted(where: Domain, values: np.ndarray, order: int = 4) -> bool:
    """Whether errors of the mean of these values can be believed."""
    if values.size < 100 or not where.has_plain_moment(order):
        return False
    squares = (values - values.mean()) ** 2
    share = max(LARGEST, FAR**2 / values.size)
    return bool(squares.max() <= share * squares.sum() or constant(values))


def constant(values: np.ndarray) -> bool:
    """Whether values differ by rounding alone; risks below `ROUNDING` are zeros."""
    return float(np.ptp(values)) <= 1e-9 * float(np.abs(values).max()) + ROUNDING


def _prediction(
    cell: Cell, row: dict[str, Any], truth: Truth, output: tuple[str, Any, str], i: int,
    where: Domain, valid: np.ndarray,
) -> Iterator[tuple[Any, ...]]:  # fmt: skip
    population, asked = truth.population, truth.outputs[i]
    kind = law_kind(cell, population, output, asked.eta)
    if row["engine"] == "spectral" and kind in ("exact", "semi-exact") and cell.law:
        kind = "same-law"
    kinds = {kind} if where.has_moment(1) else {kind, "none"}
    if kind == "asymptotic" and isinstance(asked.penalty, float):
        weakest = min(1.0, asked.eta or 1.0) * asked.penalty
        if free_rows(population, cell.n_task, weakest) < FEW_ROWS + cell.spared:
            kinds |= {"none"}  # the fit all but interpolates
    if "ok" in where.allowed and not where.has_moment(1):
        kinds |= {"none"}
    yield "kind", _yes(row["prediction"] in kinds), row["prediction"], "|".join(sorted(kinds))
    if row["predicted"] is None or not trusted(where, valid):
        return
    if row["prediction"] == "asymptotic":
        if population.d >= SMALL:
            off = abs(row["predicted"] / valid.mean() - 1)
            error = BOUND * valid.std() / np.sqrt(valid.size) / abs(valid.mean())
            yield "approximation", off / (ASYMPTOTIC + error), row["predicted"], valid.mean()
        return
    error = np.hypot(valid.std() / np.sqrt(valid.size), row["prediction_se"] or 0.0)
    yield "predicted", *_z(row["predicted"], valid.mean(), error)


def _optimum(
    cell: Cell, row: dict[str, Any], truth: Truth, output: tuple[str, Any, str], i: int
) -> Iterator[tuple[Any, ...]]:
    """A frozen optimum is no worse than any other penalty on the same data, nearly."""
    population = truth.population
    mine, *others = truth.rivals[i]
    where = domain(cell, population, mine.name, mine.penalty, mine.eta)
    if not where.has_moment(1) and population.task_noise > 0:
        finite = [o for o in others if 0 < o.penalty < np.inf]
        other = [domain(cell, population, o.name, o.penalty, o.eta) for o in finite]
        good = not any(where.has_moment(2) for where in other)
        yield "optimum", _yes(good), f"{row['penalty']:.4g}: no mean", "a penalty with a mean"
    if not where.has_plain_moment(2) or not others:
        return
    sizes = [truth.excess[o].size for o in truth.rivals[i]]
    table = np.array([truth.excess[o][: min(sizes)] for o in truth.rivals[i]])
    table = table[:, np.isfinite(table).all(axis=0)]
    differences = table[0] - table[1:]
    regret = differences.mean(axis=1)
    error = BOUND * differences.std(axis=1) / np.sqrt(table.shape[1])
    lawful = population.isotropic and not output[2].startswith("adversarial")
    lawful = lawful and not output[0].startswith("two-penalty")
    slack = REGRET[lawful] * abs(table[0].mean()) + ROUNDING
    worst = int(np.argmax(regret / (slack + error)))
    better = f"{others[worst].penalty:.4g}: {table[1 + worst].mean():.5g}"
    yield (
        "optimum",
        regret[worst] / (slack + error[worst]),
        (f"{row['penalty']:.4g}: {table[0].mean():.5g}"),
        better,
    )


def _moments(row: dict[str, Any], where: Domain, valid: np.ndarray) -> Iterator[tuple[Any, ...]]:
    if valid.size == 0:
        yield "mean", _yes(row["mean"] is None), row["mean"], None
        return
    if row["mean"] is None or not trusted(where, valid):
        return
    sampled = row["engine"] in ("raw", "sufficient")
    count = row["replicates"] - row["failed"]
    spread = float(valid.std())
    # The row's own sd is no excuse for its mean, if it is far from that of NumPy.
    own = spread / np.sqrt(max(count, 1)) if sampled else row["mcse"] or 0.0
    yield "mean", *_z(row["mean"], float(valid.mean()), np.hypot(spread / np.sqrt(valid.size), own))
    if not sampled or row["sd"] is None:
        return
    if not constant(valid):
        yield "sd, roughly", row["sd"] / spread / ROUGHLY, row["sd"], spread
    off = row["sd"] / np.sqrt(count) - row["mcse"]
    yield "mcse", _yes(abs(off) <= 1e-6 * row["mcse"] + 1e-12 * row["mean"]), row["mcse"], row["sd"]
    if trusted(where, valid, 8) and not constant(valid):
        squares = (valid - valid.mean()) ** 2
        if trusted(where, squares, 8):
            error = 1.5 * squares.std() * np.sqrt(1 / valid.size + 1 / count)
            yield "sd", *_z(row["sd"] ** 2, squares.mean(), error)


def _ranks(row: dict[str, Any], values: np.ndarray, valid: np.ndarray) -> Iterator[tuple[Any, ...]]:
    drawn, failed = row["replicates"], row["failed"]
    missing = values.size - valid.size
    p = stats.fisher_exact([[failed, drawn - failed], [missing, valid.size]])[1]
    yield "failed", *_rank(p / 2, failed / drawn, missing / values.size)
    count = drawn - failed
    if count < 100 or valid.size < 100:
        return
    for name, share in (("q05", 0.05), ("median", 0.5), ("q95", 0.95)):
        value = row[name]
        if value is None:
            yield name, 2.0, None, float(np.quantile(valid, share))
            continue
        if constant(valid):
            near = abs(value - valid[0]) <= 1e-9 * abs(valid[0]) + ROUNDING
            yield f"{name} of an atom", _yes(near), value, float(valid[0])
            continue
        if max(value, float(np.quantile(valid, share))) < ROUNDING:
            continue
        place = int(np.clip(np.ceil(share * count), 1, count))
        law = stats.betabinom(valid.size, place, count - place + 1)
        above = law.sf(np.sum(valid < value / 1.0101) - 1)
        below = law.cdf(np.sum(valid <= value * 1.0101 + 1e-300))
        yield name, *_rank(min(above, below), value, float(np.quantile(valid, share)))


def _against(
    row: dict[str, Any], where: Domain, other: Domain, values: np.ndarray, base: np.ndarray
) -> Iterator[tuple[Any, ...]]:
    """Gain over the baseline, its error, and the share of replicates that are better."""
    both = np.isfinite(values) & np.isfinite(base)
    if both.sum() < 100:
        return
    mine, theirs = values[both], base[both]
    if not other.has_moment(1) and row["engine"] != "spectral":
        yield "gain of no mean", _yes(row["gain"] is None), row["gain"], None
    elif not other.has_moment(2) and row["engine"] != "spectral":
        yield "gain of no variance", _yes(row["gain_mcse"] is None), row["gain_mcse"], None
    elif max(mine.mean(), theirs.mean()) < ROUNDING:
        pass  # a ratio of zeros
    elif row["gain"] is not None and trusted(where, mine) and trusted(other, theirs):
        gain = theirs.mean() / mine.mean()
        influence = (theirs - gain * mine) / mine.mean()
        count = row["replicates"] - row["failed"]
        sampled = row["engine"] in ("raw", "sufficient")
        own = influence.std() / np.sqrt(count) if sampled else row["gain_mcse"] or 0.0
        if sampled or row["gain_mcse"] is not None:
            error = np.hypot(own, influence.std() / np.sqrt(mine.size))
            yield "gain", *_z(row["gain"], gain, error)
        fine = trusted(where, mine, 8) and trusted(other, theirs, 8)
        if sampled and fine and own > 1e-9 * gain and row["gain_mcse"] is not None:
            ratio = row["gain_mcse"] / own
            yield "gain_mcse", abs(np.log(max(ratio, 1e-300))) / np.log(2.5), row["gain_mcse"], own
    if row["p_better"] is None:
        return
    near = 1e-7 * (np.abs(theirs) + np.abs(mine)) + ROUNDING
    count = row["replicates"] - row["failed"]
    better = round(row["p_better"] * count)
    worst = 1.0
    for wins, tail in ((mine < theirs - near, "greater"), (mine < theirs + near, "less")):
        # The share is surely not above that of ties won, nor below that of ties lost.
        table = [[better, count - better], [int(wins.sum()), int((~wins).sum())]]
        side = "less" if tail == "greater" else "greater"
        worst = min(worst, float(stats.fisher_exact(table, alternative=side)[1]))
    yield "p_better", *_rank(worst, row["p_better"], float(np.mean(mine < theirs)))
