"""Block sums of small studies of one point, as they are frozen and as today's code computes them.

A line each: `configurations.jsonl`, the studies; `sums.txt`, one block of each of their problems;
`keys.txt`, the key of each problem, which names its blocks on disk and seeds its random stream;
`labels.txt`, names of statistics; `rounding.txt`, the blocks whose means hang on rounding.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from . import house
from .cases import Case, tuned, with_files

FROZEN = Path(__file__).parent
CONFIGURATIONS = FROZEN / "configurations.jsonl"
SUMS, KEYS, LABELS, ROUNDING = (
    FROZEN / f"{name}.txt" for name in ("sums", "keys", "labels", "rounding")
)

# How far a mean may move with another processor or library, relative to itself and at all. Means
# that moved a hundredth as far with another processor's instructions are in `rounding.txt`.
ELSEWHERE, NOTHING = 1e-9, 1e-13

# What each digest covers, so that a line says which part moved.
PARTS = {
    "sums": ("count", "mean", "m2"),
    "better": ("better",),
    "histogram": ("bin_sizes", "bins", "bin_counts"),
    "failures": ("failures",),
}


@dataclass(frozen=True)
class Line:
    """The sums of one block, as they are frozen.

    Attributes
    ----------
    name : str
        Configuration, kind of the problem, and the problem's number in the configuration.
    digests : dict of str to str
        One for each of `PARTS`.
    replicates : int
    counts, means : tuple
        Of each statistic.
    """

    name: str
    digests: dict[str, str]
    replicates: int
    counts: tuple[int, ...]
    means: tuple[float, ...]

    def __str__(self) -> str:
        parts = " ".join(f"{part}={digest}" for part, digest in self.digests.items())
        values = " ".join(f"{c}:{m!r}" for c, m in zip(self.counts, self.means, strict=True))
        return f"{self.name} | {parts} | {self.replicates} | {values}"

    @classmethod
    def read(cls, text: str) -> Line:
        """The line that `str` wrote."""
        name, parts, replicates, values = text.split(" | ")
        pairs = [value.split(":") for value in values.split()]
        return cls(
            name,
            dict(part.split("=") for part in parts.split()),
            int(replicates),
            tuple(int(count) for count, _ in pairs),
            tuple(float(mean) for _, mean in pairs),
        )

    def moved(self, other: Line, tolerance: float | None) -> str:
        """How another line of the same name differs, in words; empty where it does not.

        Parameters
        ----------
        other : Line
        tolerance : float or None
            Largest relative change of a mean that is no difference; None where every bit counts.
        """
        if len(self.means) != len(other.means) or self.replicates != other.replicates:
            return "another number of statistics or of replicates"
        counts = sum(a != b for a, b in zip(self.counts, other.counts, strict=True))
        words = [f"{counts} counts"] * bool(counts)
        exactly = tolerance is None
        most = relative_change(self.means, other.means, 0.0 if exactly else NOTHING)
        if most > (tolerance or 0.0):
            words.append(f"means by up to {most:.2g} of their value")
        if exactly:
            changed = [part for part in PARTS if self.digests[part] != other.digests[part]]
            words += [f"digest of {', '.join(changed)}"] * bool(changed)
        return "; ".join(words)


def relative_change(before: Iterable[float], after: Iterable[float], nothing: float) -> float:
    """The largest change of a value relative to itself, changes of at most `nothing` aside."""
    most = 0.0
    for a, b in zip(before, after, strict=True):
        if math.isfinite(a) and math.isfinite(b):
            if abs(b - a) > nothing:
                most = max(most, abs(b - a) / max(abs(a), 1e-300))
        elif repr(a) != repr(b):
            return math.inf
    return most


def _digest(arrays: Iterable[np.ndarray]) -> str:
    """Eight hexadecimal digits of the values, whatever type of integer holds them."""
    found = hashlib.blake2b(digest_size=4)
    for array in arrays:
        values = np.asarray(array)
        if values.dtype.kind == "f":
            values = np.where(np.isnan(values), np.nan, values).astype("<f8")
        else:
            values = values.astype("<i8")
        found.update(repr(values.shape).encode() + values.tobytes())
    return found.hexdigest()


@dataclass(frozen=True)
class Numbers:
    """What is frozen of some configurations: lines and keys by name, ids by label."""

    lines: dict[str, Line]
    keys: dict[str, str]
    labels: dict[str, str]


def compute(cases: Iterable[Case]) -> Numbers:
    """The numbers of today's code."""
    found = Numbers({}, {}, {})
    with TemporaryDirectory() as folder:
        for case in cases:
            study = with_files(case["study"], folder)
            blocks = house.blocks(study, case["block"], case["pilots"])
            for number, block in enumerate(blocks, 1):
                name = f"{case['name']}: {block.kind} {number}"
                found.keys[name] = block.key
                if not tuned(study):  # a computed penalty has last bits of its own
                    ids = map(str, block.ids)
                    found.labels.update([*zip(block.labels, ids, strict=True)][-2:])
                found.lines[name] = Line(
                    name,
                    {p: _digest(block.parts[a] for a in PARTS[p]) for p in PARTS},
                    block.replicates,
                    tuple(int(count) for count in block.parts["count"]),
                    tuple(float(mean) for mean in block.parts["mean"]),
                )
    return found


def differences(now: Numbers, path: Path = SUMS) -> dict[str, str]:
    """How each line moved that is not as it was frozen, and each key and label.

    Parameters
    ----------
    now : Numbers
    path : Path
        The frozen sums.
    """
    frozen, at_home, rounding = read_sums(path), frozen_here(path), read_pairs(ROUNDING)
    found = {name: "gone" for name in frozen if name not in now.lines}
    for name, line in now.lines.items():
        tolerance = None if at_home else ELSEWHERE
        if name not in frozen:
            found[name] = "new"
        elif (at_home or name not in rounding) and (how := frozen[name].moved(line, tolerance)):
            found[name] = how
    for name, key in read_pairs(KEYS).items():
        if now.keys.get(name, key) != key:
            found[f"key of {name}"] = "another key: another random stream, other blocks on disk"
    for label, number in read_pairs(LABELS).items():
        if now.labels.get(label) != number:
            found[f"label {label}"] = "another id, or no longer asked for"
    return found


def frozen_here(path: Path = SUMS) -> bool:
    """Whether sums were frozen on this type of processor with these libraries."""
    with path.open(encoding="utf-8") as lines:
        return json.loads(next(lines)) == house.environment()


def configurations() -> list[Case]:
    """The frozen configurations."""
    return [json.loads(line) for line in CONFIGURATIONS.read_text("utf-8").splitlines()]


def read_sums(path: Path = SUMS) -> dict[str, Line]:
    """The frozen sums by name."""
    lines = map(Line.read, path.read_text("utf-8").splitlines()[1:])
    return {line.name: line for line in lines}


def read_pairs(path: Path) -> dict[str, str]:
    """Lines of a value, a tab and a name, as name -> value; none where there is no such file."""
    if not path.exists():
        return {}
    pairs = (line.split("\t", 1) for line in path.read_text("utf-8").splitlines())
    return {name: value for value, name in pairs}


def freeze(cases: list[Case], now: Numbers, path: Path) -> None:
    """Write the sums, and with those of the repository everything that names them."""
    _write(path, [json.dumps(house.environment()), *map(str, now.lines.values())])
    if path == SUMS:
        _write(CONFIGURATIONS, (json.dumps(case) for case in cases))
        _write(KEYS, (f"{key}\t{name}" for name, key in now.keys.items()))
        _write(LABELS, (f"{number}\t{label}" for label, number in now.labels.items()))


def mark_rounding(now: Numbers) -> None:
    """List the lines that another processor's instructions move, and how."""
    moved = {n: line.moved(now.lines[n], ELSEWHERE / 100) for n, line in read_sums().items()}
    _write(ROUNDING, (f"{how}\t{name}" for name, how in moved.items() if how))


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
