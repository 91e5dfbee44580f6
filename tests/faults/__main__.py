"""Try the faults: `python -m tests.faults [--room ROOM] [--share I/N] [--out FILE]`.

Each outcome is added to the file as it comes, and a second call goes on where the first stopped.
In the end a table says how many faults of each room were seen, by what, and which were not.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from pathlib import Path

from tests.faults.design import ROOMS, sample
from tests.faults.trial import Outcome, as_line, trial

SEEN = 0.002
"""Faults that move a number by this share of it have to be seen."""


def kept(path: Path) -> list[Outcome]:
    """The outcomes that a file holds."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    return [Outcome(**json.loads(line)) for line in lines]


def table(outcomes: list[Outcome]) -> str:
    """Counts by room, then the faults that move numbers and are not seen."""
    lines = [
        "| room | faults | seen | move no number | move numbers, not seen |",
        "|---|---|---|---|---|",
    ]
    for room in ROOMS:
        here = [o for o in outcomes if o.room == room]
        seen = sum(bool(o.caught_by) for o in here)
        missed = [o for o in here if not o.caught_by]
        silent = sum(o.moved < SEEN for o in missed)
        lines.append(f"| {room} | {len(here)} | {seen} | {silent} | {len(missed) - silent} |")
    lines += [
        f"{o.room}: {o.name} (line {o.line}, {o.kind}) moves a number by "
        f"{'all of it' if math.isinf(o.moved) else format(o.moved, '.2%')}"
        for o in outcomes
        if not o.caught_by and o.moved >= SEEN
    ]
    first = Counter(o.caught_by.split("::")[0] for o in outcomes if o.caught_by)
    lines += [f"{count} seen by {name}" for name, count in first.most_common()]
    return "\n".join(lines)


def main() -> None:
    """Try what is not kept yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--room", choices=[*ROOMS], help="only the faults of one room")
    parser.add_argument("--share", default="1/1", help="I/N: every N-th fault, from the I-th on")
    parser.add_argument("--out", type=Path, default=Path("faults.jsonl"))
    asked = parser.parse_args()
    which, of = (int(part) for part in asked.share.split("/"))
    known = {o.name for o in kept(asked.out)}
    for at, (room, fault) in enumerate(sample()):
        if at % of != which - 1 or fault.name in known or asked.room not in (None, room):
            continue
        with asked.out.open("a", encoding="utf-8") as sink:
            print(as_line(trial(room, fault)), file=sink, flush=True)
    print(table(kept(asked.out)))


if __name__ == "__main__":
    main()
