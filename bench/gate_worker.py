"""One side of the gate: measures what it is told, a line of JSON in, a line of JSON out."""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any

from bench.measure import Rate


def suite(name: str, params: list[Any], ready: dict[str, Rate]) -> Rate:
    """A suite, set up once for each set of parameters."""
    key = json.dumps([name, params])
    if key not in ready:
        module, _, label = name.rpartition(".")
        one: Rate = getattr(importlib.import_module(f"bench.{module}"), label)()
        one.setup(*params)
        ready[key] = one
    return ready[key]


def measure(one: Rate, seconds: float) -> float:
    """Seconds of this process for one unit of work; what other programs do does not count."""
    done, begun = 0.0, time.process_time()
    while True:
        done += one.work()
        elapsed = time.process_time() - begun
        if elapsed >= seconds:
            return elapsed / done


def main() -> None:
    """Answer until the questions end."""
    answers, sys.stdout = sys.stdout, sys.stderr  # what a suite prints is not an answer
    ready: dict[str, Rate] = {}
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            one = suite(asked["suite"], asked["params"], ready)
            answer: dict[str, Any] = {"seconds_per_unit": measure(one, asked["seconds"])}
        except Exception as error:  # whatever it is, the other side of the pipe reports it
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)
    for one in ready.values():
        getattr(one, "teardown", lambda: None)()


if __name__ == "__main__":
    main()
