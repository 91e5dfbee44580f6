"""When there are blocks enough: of each statistic of a problem, decided here and nowhere else.

A problem may stop at its looks (`mcbrain.blocks.series.looks`). A run asks at each look what still
goes on; the rows of its results ask for the look at which a statistic stopped, and so rest on the
same blocks whatever was computed after them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mcbrain.asking.studies import Precision
from mcbrain.blocks.query import Statistic
from mcbrain.blocks.series import ROUNDING, Series, looks, standard_error
from mcbrain.population.model import Model
from mcbrain.store.stored import StoredBlocks
from mcbrain.typing import Floats, Integers

__all__ = [
    "Judge",
    "Stop",
    "Stopping",
    "precise_enough",
    "rounding_risk",
    "times_more",
    "times_more_of",
]

_DEFAULT_RELATIVE = 0.01  # standard error over mean, where a study names no target

# Series of some statistics, and those statistics -> which of them are precise enough.
Judge = Callable[[Series, tuple[Statistic, ...]], NDArray[np.bool_]]


@dataclass(frozen=True)
class Stop:
    """Where a statistic stops.

    Attributes
    ----------
    blocks : int
        Number of blocks, the first ones of its problem, that its numbers rest on.
    met : bool
        Whether that is what was asked for; if not, more blocks may come.
    """

    blocks: int
    met: bool


def _no_longer(series: Series, short: NDArray[np.bool_]) -> float:
    """Say that no more replicates are needed than there are."""
    return 1.0


@dataclass(frozen=True)
class Stopping:
    """When the statistics of one problem have blocks enough.

    Attributes
    ----------
    max_blocks : int
        Blocks that the problem has at most.
    judge : callable or None
        Series of some of the statistics, and those statistics -> bool for each. None where a
        number of replicates was asked for: then every block must be there.
    together : bool
        Whether all statistics stop as one, since each output needs all of them.
    factor : callable
        Series of some statistics, and which of them go on -> how many times as many replicates
        they need; what is shown of the time left is all that depends on it.
    families : tuple of tuple of Statistic
        Statistics that the judge must see beside each other.
    """

    max_blocks: int
    judge: Judge | None = None
    together: bool = False
    factor: Callable[[Series, NDArray[np.bool_]], float] = _no_longer
    families: tuple[tuple[Statistic, ...], ...] = ()

    @property
    def looks(self) -> list[int]:
        """Numbers of blocks at which the problem may stop, the last one all."""
        return looks(self.max_blocks)

    def met(self, series: Series, asked: tuple[Statistic, ...]) -> NDArray[np.bool_]:
        """Which of some statistics have what was asked for.

        Parameters
        ----------
        series : Series
            Their blocks, as many as there are at a look.
        asked : tuple of Statistic
            The statistics, in the order of the series.

        Returns
        -------
        ndarray of bool, shape (statistics,)
            True where no more blocks are needed.
        """
        if self.judge is None:
            return np.full(len(asked), series.n_blocks >= self.max_blocks)
        return self.judge(series, asked)

    def expected(self, series: Series, short: NDArray[np.bool_]) -> int:
        """Say at which look a problem is likely to stop, of which some statistics go on.

        Parameters
        ----------
        series : Series
            The blocks of the statistics.
        short : ndarray of bool, shape (statistics,)
            Which of them are not precise enough so far.

        Returns
        -------
        int
            A number of blocks, one of `looks`.
        """
        blocks = float(self.max_blocks)
        if self.judge is not None:
            blocks = series.n_blocks * self.factor(series, short)
        return next((look for look in self.looks if look >= blocks), self.looks[-1])

    def stops(
        self, statistics: tuple[Statistic, ...], stored: StoredBlocks
    ) -> dict[Statistic, Stop]:
        """Where each statistic stops: at the first look that meets it, or with the last block.

        Parameters
        ----------
        statistics : tuple of Statistic
            All that are wanted of the problem.
        stored : StoredBlocks
            The blocks of the problem that there are.

        Returns
        -------
        dict of Statistic to Stop
            For each statistic, the blocks that its numbers rest on.
        """
        ids = [one.id for one in statistics]
        if self.together:
            return dict.fromkeys(statistics, self.stop(stored.series(ids), statistics))
        if stored.alike(ids):
            return self._apart(stored.series(ids), statistics)
        found: dict[Statistic, Stop] = {}
        family = {one: some for some in self.families for one in some}
        for one in statistics:
            if one not in found:
                some = family.get(one, (one,))
                found |= self._apart(stored.series([s.id for s in some]), some)
        return found

    def _apart(self, series: Series, asked: tuple[Statistic, ...]) -> dict[Statistic, Stop]:
        """Where each of some statistics of the same blocks stops on its own."""

        def met(head: Series, rows: Integers) -> NDArray[np.bool_]:
            return self.met(head, tuple(asked[i] for i in rows.tolist()))

        blocks, fine = self.apart(series, met)
        stops = map(Stop, blocks.tolist(), fine.tolist())
        return dict(zip(asked, stops, strict=True))

    def apart(
        self, series: Series, met: Callable[[Series, Integers], NDArray[np.bool_]]
    ) -> tuple[Integers, NDArray[np.bool_]]:
        """Where each of some rows stops on its own.

        Parameters
        ----------
        series : Series
            All of their blocks; rows may be of several problems that stop alike.
        met : callable
            Series of some rows, as many blocks as there are at a look, and the places of these rows
            -> bool for each: whether it has what was asked for.

        Returns
        -------
        blocks : ndarray of int, shape (rows,)
            The blocks that the numbers of each row rest on.
        fine : ndarray of bool, shape (rows,)
            Whether that is what was asked for.
        """
        rows = np.arange(series.count.shape[0])
        blocks, fine = np.zeros(rows.size, np.int64), np.zeros(rows.size, bool)
        known = min(series.n_blocks, self.max_blocks)
        for look in [*(look for look in self.looks if look < known), known]:
            good = met(series.head(look), rows) if look else np.zeros(rows.size, bool)
            ends = good | (look == known)
            blocks[rows[ends]], fine[rows[ends]] = look, good[ends]
            if ends.all():
                break
            rest = np.flatnonzero(~good)
            rows, series = rows[rest], series.rows(rest.tolist())
        return blocks, fine

    def stop(self, series: Series, group: tuple[Statistic, ...]) -> Stop:
        """Where some statistics stop as one.

        Parameters
        ----------
        series : Series
            All of their blocks.
        group : tuple of Statistic
            The statistics, in the order of the series.

        Returns
        -------
        Stop
            The first look at which all of them are met, or else the last block that there is.
        """
        known = min(series.n_blocks, self.max_blocks)
        for look in self.looks:
            if look >= known:
                break
            if self.met(series.head(look), group).all():
                return Stop(look, True)
        # A run that was cut short may have left blocks that end between two looks. Statistics that
        # stop as one are not judged there, as the run itself would not judge them.
        ripe = not self.together or self.judge is None or known in self.looks
        met = known > 0 and ripe and bool(self.met(series.head(known), group).all())
        return Stop(known, met)


def precise_enough(precision: Precision, mean: Floats, mcse: Floats) -> NDArray[np.bool_]:
    """Whether each mean meets every target that is given.

    Parameters
    ----------
    precision : Precision
        The targets of the study. Where it asks for a fixed count, no mean is precise enough.
    mean, mcse : ndarray
        Means and their Monte-Carlo standard errors, of one shape.

    Returns
    -------
    ndarray of bool
        Of the same shape.
    """
    met = mcse <= _target(precision, mean)
    return np.asarray(met & (not precision.fixed_count))


def times_more(precision: Precision, series: Series, short: NDArray[np.bool_]) -> float:
    """How many times as many replicates the outputs that fall short need for every target.

    Parameters
    ----------
    precision : Precision
        The targets of the study.
    series : Series
        The blocks of the outputs.
    short : ndarray of bool, shape (statistics,)
        Which of them fall short.

    Returns
    -------
    float
        The largest factor among these outputs, 1 at least.
    """
    count, mean, m2 = series.totals()
    return times_more_of(precision, mean[short], standard_error(count, m2)[short])


def times_more_of(precision: Precision, mean: Floats, mcse: Floats) -> float:
    """How many times as many replicates means need for every target.

    Standard errors shrink like one over the root of the number of replicates, so the factor is the
    square of the error over its target.

    Parameters
    ----------
    precision : Precision
        The targets of the study.
    mean, mcse : ndarray
        Means and their Monte-Carlo standard errors, of one shape.

    Returns
    -------
    float
        The largest factor among these means; 1 where none needs more, or there are none.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.fmax.reduce((mcse / _target(precision, mean)) ** 2, axis=None, initial=1.0))


def _target(precision: Precision, mean: Floats) -> Floats:
    """The largest standard error that each mean may have; 1 % of it where no target is given."""
    relative, absolute = precision.relative, precision.absolute
    if relative is None and absolute is None:
        relative = _DEFAULT_RELATIVE
    target = np.full(mean.shape, np.inf if absolute is None else absolute)
    with np.errstate(invalid="ignore"):  # a mean that does not exist has no target either
        return target if relative is None else np.minimum(target, relative * np.abs(mean))


def rounding_risk(model: Model) -> float:
    """Excess risk of coefficients that are right but for rounding; below it nothing can be said.

    Parameters
    ----------
    model : Model
        What the coefficients belong to; |beta| counts alone.

    Returns
    -------
    float
        In the units of the squared response.
    """
    return float((ROUNDING * model.signal_norm) ** 2)
