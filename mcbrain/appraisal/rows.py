"""Which rows belong together: they are held out, drawn and shuffled together.

Rows of a run, a session or a subject share what the model calls noise; so do repeats of a stimulus.
Whoever holds out one of them and learns from another measures too small an error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mcbrain.errors import InputError
from mcbrain.typing import Floats

__all__ = ["Order", "Together", "belonging", "order_of"]

RowSet = NDArray[np.integer]

FEWEST_SETS = 5  # rows are held out in turn
_NEAR = 1e-3  # of the distance of two unrelated rows: rows that are closer repeat one stimulus
_WINDOW = 8  # rows that are compared with each, in the order of a projection
_FALSE_ALARM = 1e-4
_GONE = 0.05  # a correlation that no longer matters


@dataclass(frozen=True)
class Together:
    """The sets of rows of one side that belong together.

    Attributes
    ----------
    sets : (n,)
        Number of the set of each row, from 0.
    stimuli : (n,)
        Number of the stimulus of each row: repeats, exact and near, have the same.
    given : bool
        Whether the user said what belongs together.
    gap : int
        Rows on either side of a held-out row that are not learned from.
    repeats : int
        Rows that repeat the stimulus of another.
    """

    sets: RowSet
    stimuli: RowSet
    given: bool
    gap: int
    repeats: int

    @property
    def count(self) -> int:
        """Number of sets."""
        return int(self.sets.max()) + 1

    @property
    def alone(self) -> bool:
        """Whether every row is a set of its own."""
        return self.count == self.sets.size

    def folds(self, number: int, rng: np.random.Generator) -> list[RowSet]:
        """Held-out rows of each fold: whole sets, about equally many rows in each.

        Parameters
        ----------
        number : int
            Folds, if there are so many sets.
        rng : numpy.random.Generator
            Orders the sets.

        Returns
        -------
        list of array
            Rows in ascending order.
        """
        sizes = np.bincount(self.sets)
        load = np.zeros(min(number, self.count))
        fold = np.empty(self.count, dtype=np.intp)
        shuffled = rng.permutation(self.count)
        for one in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
            fold[one] = np.argmin(load)
            load[fold[one]] += sizes[one]
        return [np.flatnonzero(fold[self.sets] == f) for f in range(load.size)]

    def rest(self, held: RowSet) -> RowSet:
        """Rows to learn from: no set, no stimulus and no near neighbour in time is held out.

        Parameters
        ----------
        held : (m,)
            Rows held out.

        Returns
        -------
        array
            In ascending order.
        """
        n = self.sets.size
        out = np.zeros(n, dtype=bool)
        out[held] = True
        near = out.copy()
        for shift in range(1, self.gap + 1):
            near[shift:] |= out[:-shift]
            near[:-shift] |= out[shift:]
        near |= np.isin(self.sets, self.sets[held]) | np.isin(self.stimuli, self.stimuli[held])
        return np.flatnonzero(~near)

    def drawn(self, rows: RowSet, size: int, rng: np.random.Generator) -> RowSet:
        """About `size` of the rows, whole sets at a time but for the last.

        Parameters
        ----------
        rows : (m,)
            To draw from.
        size : int
            Rows to draw.
        rng : numpy.random.Generator
            Orders the sets.

        Returns
        -------
        array (size,)
            Rows in ascending order.
        """
        rank = rng.permutation(self.count)
        return np.sort(rows[np.argsort(rank[self.sets[rows]], kind="stable")[:size]])

    def shuffled(self, rng: np.random.Generator) -> RowSet:
        """All rows in another order: sets stay whole, so that what is shared in time is kept.

        Parameters
        ----------
        rng : numpy.random.Generator
            Orders the sets.

        Returns
        -------
        array (n,)
            A permutation of the rows.
        """
        n = self.sets.size
        if self.alone:
            return rng.permutation(n)
        rank = rng.permutation(self.count)
        own = np.argsort(self.sets, kind="stable")
        other = np.argsort(rank[self.sets], kind="stable")
        out = np.empty(n, dtype=np.intp)
        out[own] = np.roll(other, int(rng.integers(n)))
        return out

    def spread(self, values: Floats) -> float:
        """Relative standard error of a mean of positive values, sets taken as independent.

        Parameters
        ----------
        values : (n,)
            One for each row.

        Returns
        -------
        float
            Standard error over mean.
        """
        mean = values.mean()
        sums = np.bincount(self.sets, values - mean)
        count = max(self.count - 1, 1)
        return float(np.sqrt(np.sum(sums**2) * self.count / count) / (values.size * mean))


def belonging(X: Floats, groups: object, block_length: int, name: str) -> Together:
    """Which rows of X belong together: as the user says, else repeats of one stimulus.

    Parameters
    ----------
    X : (n, d)
        Inputs.
    groups : array (n,) or None
        A value for each row: a run, session, subject or story, of any type.
    block_length : int
        Consecutive rows that belong together, where no groups are given; 1 for none.
    name : str
        What to call the groups in an error.

    Returns
    -------
    Together
        Their sets.

    Raises
    ------
    InputError
        Groups with missing values, or too few to hold out in turn.
    """
    n = X.shape[0]
    stimuli = _stimuli(X)
    repeats = n - (int(stimuli.max()) + 1)
    if groups is not None:
        return Together(_groups(groups, name), stimuli, True, 0, repeats)
    if block_length > 1:
        blocks = np.arange(n) // block_length
        return Together(blocks, stimuli, True, block_length // 2, repeats)
    return Together(stimuli, stimuli, False, 0, repeats)


def _groups(groups: object, name: str) -> RowSet:
    """Groups of any type as numbers from 0, in order of their first rows."""
    values = np.asarray(groups)
    if values.dtype.kind == "f" and not np.all(np.isfinite(values)):
        raise InputError(f"{name} holds {values[~np.isfinite(values)][0]}: each row needs a group")
    if values.dtype.kind == "O":
        values = values.astype(str)
    sets = _numbered(values)
    if int(sets.max()) + 1 < FEWEST_SETS:
        raise InputError(
            f"{name} has {int(sets.max()) + 1} different values: groups are held out in turn, for "
            f"which at least {FEWEST_SETS} are needed"
        )
    return sets


def _numbered(values: NDArray[np.generic]) -> RowSet:
    """Values as numbers from 0, in order of their first places."""
    _, first, which = np.unique(values, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[which.ravel()])


def _stimuli(X: Floats) -> RowSet:
    """Number of the stimulus of each row: rows that all but coincide have the same.

    Rows are sorted along one direction drawn at random; repeats are neighbours there.
    """
    n, d = X.shape
    scale = np.std(X, axis=0)
    rows = X / np.where(scale > 0, scale, 1.0)
    order = np.argsort(rows @ np.random.default_rng(0).standard_normal(d), kind="stable")
    near = (_NEAR**2) * 2.0 * np.count_nonzero(scale)
    root = np.arange(n)
    for step in range(1, min(_WINDOW, n)):
        first, second = order[:-step], order[step:]
        for start in range(0, n - step, 4096):
            a, b = first[start : start + 4096], second[start : start + 4096]
            close = np.sum((rows[a] - rows[b]) ** 2, axis=1) <= near
            for i, j in zip(a[close], b[close], strict=True):
                i, j = _root(root, i), _root(root, j)
                root[max(i, j)] = min(i, j)
    return _numbered(np.array([_root(root, i) for i in range(n)]))


def _root(root: RowSet, i: int) -> int:
    """The first row that is known to coincide with row i."""
    while root[i] != i:
        root[i] = root[root[i]]
        i = int(root[i])
    return int(i)


@dataclass(frozen=True)
class Order:
    """Whether neighbouring rows are alike.

    Attributes
    ----------
    correlation : float
        Of neighbours, at lag 1.
    z : float
        The same in standard errors.
    length : int
        Rows after which likeness has gone, for `block_length`.
    """

    correlation: float
    z: float
    length: int

    @property
    def dependent(self) -> bool:
        """Whether chance explains it less often than once in 10,000 data sets."""
        return self.z > float(stats.norm.isf(_FALSE_ALARM))


def order_of(products: Floats, energy: float, sets: Together) -> Order:
    """Correlation of neighbouring rows, over all columns together.

    Parameters
    ----------
    products : (n - 1,)
        Inner products of the residuals of neighbouring rows.
    energy : float
        Mean square of a row's residuals, summed over columns.
    sets : Together
        Neighbours of one stimulus are not compared: they are known to be alike.

    Returns
    -------
    Order
        Its z holds for columns that are correlated with each other.
    """
    products = products[np.diff(sets.stimuli) != 0]
    z = float(products.sum() / max(np.sqrt(np.sum(products**2)), 1e-300))
    correlation = float(np.mean(products)) / max(energy, 1e-300)
    steady = min(max(correlation, 0.01), 0.99)
    return Order(correlation, z, int(np.ceil(np.log(_GONE) / np.log(steady))))
