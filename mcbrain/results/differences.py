"""Two results held against each other, in standard errors: what a user runs after an upgrade."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mcbrain.asking.engines import ENGINES
from mcbrain.checks import number
from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.results.columns import FIXED_BY, telling_apart
from mcbrain.results.tables import open_results
from mcbrain.store.folder import ResultsFolder
from mcbrain.store.provenance import last_run
from mcbrain.typing import Floats

__all__ = ["Differences", "diff"]

_DIGITS = 9  # of a setting: the last ones depend on how it was computed
_ROUNDING = 1e-9  # of numbers that rest on the same replicates
_LAW = 1e-6  # of numbers that follow from a law alone, whose quadratures may change
# Statuses whose standard errors can be trusted.
_SOUND = ("ok", "mcse_not_met", "failed_replicates")


@dataclass(frozen=True)
class Differences:
    """What two results say of the same rows.

    Attributes
    ----------
    places : tuple of str
        Where the two are.
    settings : list of (str, object, object)
        What differs between the two studies, their engines, code and libraries: its name, and what
        it is in the first and in the second; None where it is not set.
    table : pyarrow.Table
        Every number that was compared, the largest difference first: the settings that vary, then
        `quantity`, `a`, `b`, `error` (standard error of the difference), `z` (the difference over
        it), `bound` and `differs`.
    only : tuple of pyarrow.Table
        Rows that the first alone has, and those of the second.
    rows : int
        Rows that both have.
    same : int
        Of these, rows that rest on the same replicates.
    unsure : int
        Rows that both have and that were not compared, since a standard error is not known.
    alarm : float
        The chance that anything is beyond its bound where the two differ by chance alone.
    """

    places: tuple[str, str]
    settings: list[tuple[str, object, object]]
    table: pa.Table
    only: tuple[pa.Table, pa.Table]
    rows: int
    same: int
    unsure: int
    alarm: float

    @property
    def beyond(self) -> int:
        """How many numbers differ by more than their bound."""
        return int(pc.sum(self.table["differs"]).as_py() or 0)

    @property
    def differ(self) -> bool:
        """Whether a number is beyond its bound, or one of the two lacks rows of the other."""
        return bool(self.beyond or self.only[0].num_rows or self.only[1].num_rows)


@numpy_defaults
def diff(a: str | Path, b: str | Path, *, alarm: float = 0.01) -> Differences:
    """Hold two results against each other, row by row.

    Rows are joined by what tells them apart, whatever their order and their engine. Where two rows
    rest on replicates that only one of them has, the error of their difference is that of those
    replicates: on the same replicates they must be equal to rounding. This is known of whole
    replicates of one seed, engine and code. All other rows are taken as independent, which is
    cautious where they share some of their random numbers all the same. Numbers of laws must be
    equal to 1e-6.

    Parameters
    ----------
    a, b : str or Path
        Results folders, or Arrow files of results.
    alarm : float
        The chance that anything at all is beyond its bound where the two differ by chance alone,
        at most 0.5. Each number is allowed an equal share of it (Bonferroni), under Student's
        distribution with the degrees of freedom of the fewer replicates.

    Returns
    -------
    Differences

    Raises
    ------
    InputError
        No results there, or the two have no row in common.
    """
    alarm = number("alarm", alarm, 1e-12, 0.5)
    tables = open_results(a), open_results(b)
    records = _record(a, tables[0]), _record(b, tables[1])
    for path, table in zip((a, b), tables, strict=True):
        _check_rows(path, table)
    joined = [n for n in telling_apart() if all(n in t.schema.names for t in tables)]
    keys = _keys(tables, joined)
    left, right = _matches(*keys, (str(a), str(b)))
    if not left.size:
        names = [str(r.get("study", "?")) for r in records]
        raise InputError(
            f"{a} and {b}: no row is in both; they hold the studies '{names[0]}' and '{names[1]}'"
        )
    both = tables[0].take(pa.array(left)), tables[1].take(pa.array(right))
    shared = _shared(both, records)
    varied = _varied(tables, [*joined, *FIXED_BY])
    table, unsure = _compared(both, shared, varied, alarm)
    return Differences(
        places=(str(a), str(b)),
        settings=list(_settings((a, b), records)),
        table=table,
        only=(
            _others(tables[0], left).select(varied),
            _others(tables[1], right).select(varied),
        ),
        rows=int(left.size),
        same=int(np.sum(shared == 0.0)),
        unsure=unsure,
        alarm=alarm,
    )


def _check_rows(path: str | Path, table: pa.Table) -> None:
    """Refuse a table that is none of results."""
    for name in ("estimator", "mean", "mcse", "replicates", "status"):
        if name not in table.schema.names:
            raise InputError(f"{path}: no results of mcbrain, the column '{name}' is not there")


# Rows ------------------------------------------------------------------------------------------


def _keys(
    tables: tuple[pa.Table, pa.Table], names: list[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A number for each row of both tables: equal where all that tells rows apart is."""
    sizes = [table.num_rows for table in tables]
    key = np.zeros(sum(sizes), np.int64)
    for name in dict.fromkeys([*names, *FIXED_BY]):
        if not all(name in table.schema.names for table in tables):
            continue
        words = np.concatenate([_places(_words(table, name)) for table in tables])
        codes = np.unique(words, return_inverse=True)[1]
        key = np.unique(key * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1]
    return key[: sizes[0]], key[sizes[0] :]


def _words(table: pa.Table, name: str) -> pa.Array:
    """A column of settings as words, numbers to so many digits that two versions agree on them.

    A number that a rule has found says nothing of which row it is; a fixed one does.
    """
    column = table[name]
    rule = FIXED_BY.get(name)
    if rule is not None and rule in table.schema.names:
        fixed = pc.equal(table[rule].cast(pa.string()), "fixed")
        column = pc.if_else(fixed, column, pa.scalar(None, column.type))
    column = column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
    coded = column.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    spelt = [_spelt(value) for value in coded.dictionary.to_pylist()]
    return pa.array(spelt, pa.string()).take(coded.indices)


def _spelt(value: object) -> str:
    return format(value, f".{_DIGITS}g") if isinstance(value, (int, float)) else str(value)


def _places(words: pa.Array) -> NDArray[np.object_]:
    """Words as NumPy compares them; null is a word of its own."""
    return np.array(words.fill_null("\0").to_pylist(), dtype=np.str_)


def _matches(
    a: NDArray[np.int64], b: NDArray[np.int64], places: tuple[str, str]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows of the first that the second has too, and where it has them."""
    for keys, name in zip((a, b), places, strict=True):
        if np.unique(keys).size < keys.size:
            raise InputError(
                f"{name}: some of its rows differ in nothing that both results have a column for, "
                "so they cannot be told apart"
            )
    order = np.argsort(b, kind="stable")
    place = np.minimum(np.searchsorted(b[order], a), max(b.size - 1, 0))
    found = b[order][place] == a if b.size else np.zeros(a.size, bool)
    return np.flatnonzero(found), order[place[found]]


def _others(table: pa.Table, matched: NDArray[np.intp]) -> pa.Table:
    """The rows that have no match."""
    alone = np.ones(table.num_rows, bool)
    alone[matched] = False
    return table.filter(pa.array(alone))


def _varied(tables: tuple[pa.Table, pa.Table], names: Iterable[str]) -> list[str]:
    """Columns that tell the rows of these results apart, and estimator and shift in any case."""
    there = [n for n in dict.fromkeys(names) if all(n in t.schema.names for t in tables)]
    return [
        name
        for name in there
        if name in ("estimator", "shift")
        or len(set().union(*(pc.unique(_words(t, name)).to_pylist() for t in tables))) > 1
    ]


# Numbers ---------------------------------------------------------------------------------------


def _shared(both: tuple[pa.Table, pa.Table], records: tuple[dict[str, Any], ...]) -> Floats:
    """Share of the larger one's variance that is of replicates which the smaller one lacks.

    Both draw their replicates from the first on. If sigma^2 is the variance of one, then means over
    the first n and the first N of them differ by a variance of sigma^2 (1/n - 1/N), which is N/n -
    1 times that of the larger one's mean. NaN where the two are independent.
    """
    replicates = np.stack([table["replicates"].to_numpy() for table in both])
    small, large = replicates.min(axis=0), replicates.max(axis=0)
    first, second = records
    one = all(first.get(key) == second.get(key) for key in ("seed", "code")) and "code" in first
    whole = np.full(small.size, one)
    engines = [np.array(t["engine"].cast(pa.string()).to_pylist()) for t in both]
    whole &= engines[0] == engines[1]
    whole &= np.isin(engines[0], [name for name, e in ENGINES.items() if e.plan == "points"])
    with np.errstate(all="ignore"):
        return np.where(whole & (small > 0), large / small - 1.0, np.nan)


def _column(table: pa.Table, name: str) -> Floats:
    if name not in table.schema.names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), dtype=float)


def _quantities(names: list[str]) -> Iterator[tuple[str, str]]:
    """The numbers that results give with their errors: name, and column of the error."""
    yield "mean", "mcse"
    yield from ((n, f"{n}_mcse") for n in names if f"{n}_mcse" in names)
    if {"predicted", "prediction_se"} <= set(names):
        yield "predicted", "prediction_se"


def _compared(
    both: tuple[pa.Table, pa.Table], shared: Floats, varied: list[str], alarm: float
) -> tuple[pa.Table, int]:
    """Every number that both have, the largest difference first; and rows that have no error."""
    names = [n for n in both[0].schema.names if n in both[1].schema.names]
    replicates = np.stack([t["replicates"].to_numpy() for t in both])
    sound = np.all([_sound(t) for t in both], axis=0)
    parts: list[tuple[str, NDArray[np.intp], Floats, Floats, Floats]] = []
    for name, of_error in _quantities(names):
        a, b = (_column(t, name) for t in both)
        law = name == "predicted"
        errors = _column(both[0], of_error), _column(both[1], of_error)
        error = _error(*errors, replicates, shared, law)
        trusted = law | sound | (shared == 0.0)  # equal replicates need no error to be trusted
        known = np.isfinite(a) & np.isfinite(b) & np.isfinite(error) & trusted
        lost = np.zeros(a.size, bool)
        if name == "mean":  # drawn in both, and only one of them has a mean
            lost = (np.isnan(a) != np.isnan(b)) & np.all(replicates > 0, axis=0)
            error = np.where(lost, 0.0, error)
            unsure = int(np.sum(~known & ~lost & np.all(replicates > 0, axis=0)))
        rows = np.flatnonzero(known | lost)
        parts.append((name, rows, a[rows], b[rows], error[rows]))
    quantity = np.concatenate([np.full(rows.size, name) for name, rows, *_ in parts])
    rows = np.concatenate([rows for _, rows, *_ in parts])
    a, b, error = (np.concatenate([p[i] for p in parts]) for i in (2, 3, 4))
    z, bound = _in_errors(a, b, error, quantity == "predicted", replicates[:, rows], alarm)
    with np.errstate(invalid="ignore"):
        differs = np.abs(z) > bound
    order = np.argsort(-np.where(np.isnan(z), 0.0, np.abs(z)), kind="stable")
    table = both[0].select(varied).take(pa.array(rows[order]))
    for name, values in (("quantity", quantity), ("a", a), ("b", b), ("error", error), ("z", z)):
        array = pa.array(values[order], from_pandas=name in ("a", "b"))
        table = table.append_column(name, array)
    table = table.append_column("bound", pa.array(bound[order]))
    return table.append_column("differs", pa.array(differs[order])), unsure


def _sound(table: pa.Table) -> NDArray[np.bool_]:
    status = table["status"].cast(pa.string())
    return np.asarray(pc.is_in(status, value_set=pa.array(_SOUND)).to_numpy(zero_copy_only=False))


def _error(
    a: Floats, b: Floats, replicates: NDArray[np.int64], shared: Floats, law: bool
) -> Floats:
    """Standard error of each difference, from those of both numbers."""
    if law:
        return np.asarray(np.hypot(np.nan_to_num(a), np.nan_to_num(b)))
    of_larger = np.where(replicates[0] >= replicates[1], a, b)
    of_others = np.where(shared == 0.0, 0.0, of_larger * np.sqrt(shared))
    return np.where(np.isnan(shared), np.hypot(a, b), of_others)


def _in_errors(
    a: Floats,
    b: Floats,
    error: Floats,
    law: NDArray[np.bool_],
    replicates: NDArray[np.int64],
    alarm: float,
) -> tuple[Floats, Floats]:
    """Differences in standard errors, and the bound of each; infinite where no chance is in them.

    Each bound leaves an equal share of the false alarms to chance. Every number may differ by
    rounding, which is all that some errors are made of, and those of laws by the digits that laws
    promise.
    """
    from scipy.special import stdtrit

    chance = error > 0
    freedom = np.maximum(replicates.min(axis=0) - 1.0, 1.0)
    bound = -stdtrit(freedom, alarm / (2.0 * max(int(chance.sum()), 1)))
    gap = b - a
    allowed = np.where(law, _LAW, _ROUNDING) * np.maximum(np.abs(a), np.abs(b))
    equal = np.abs(gap) <= allowed  # False where one of them is NaN
    with np.errstate(all="ignore"):
        z = np.where(chance, gap / error, np.copysign(np.inf, gap))
    return np.where(equal, 0.0, z), np.where(chance, bound, 0.0)


# Settings --------------------------------------------------------------------------------------


def _record(path: str | Path, table: pa.Table) -> dict[str, Any]:
    """The provenance that a table carries."""
    try:
        found = json.loads((table.schema.metadata or {}).get(b"mcbrain.provenance", b"{}"))
    except ValueError as error:
        raise InputError(f"{path}: its provenance is damaged ({error})") from None
    return found if isinstance(found, dict) else {}


def _settings(
    paths: tuple[str | Path, str | Path], records: tuple[dict[str, Any], ...]
) -> Iterator[tuple[str, object, object]]:
    """What differs between the studies and between what computed them."""
    a, b = (_facts(path, record) for path, record in zip(paths, records, strict=True))
    for name in dict.fromkeys([*a, *b]):
        if a.get(name) != b.get(name):
            yield name, a.get(name), b.get(name)


def _facts(path: str | Path, record: Mapping[str, Any]) -> dict[str, object]:
    """Study, engine, code and libraries of results, each by a name."""
    home = ResultsFolder(path) if Path(path).is_dir() else None
    try:
        text = home.study_file.read_text(encoding="utf-8") if home else record.get("study_text", "")
        facts = _flat(tomllib.loads(text))
    except (OSError, ValueError):
        facts = {}
    code = record.get("code", [])
    run = last_run(record)
    facts |= {"engine": record.get("engine"), "code": ", ".join(map(str, code)) or None}
    versions = run.get("versions")
    facts |= {"processor": run.get("processor")}
    return facts | (dict(versions) if isinstance(versions, Mapping) else {})


def _flat(table: Mapping[str, object], before: str = "") -> dict[str, object]:
    """The keys of a study file, each with the sections that it stands in."""
    found: dict[str, object] = {}
    for key, value in table.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping) and value:
            found |= _flat(value, f"{name}.")
        else:
            found[name] = value
    return found
