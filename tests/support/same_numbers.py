"""Checksums of the rows of small studies, however they are run: one number for each study.

`python -m tests.support.same_numbers` runs every way in a process of its own and prints a table;
exit status 1 if two ways differ. `--python PATH` (may be repeated) adds the interpreter of another
environment that has mcbrain's dependencies, for which a difference is only shown.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[2]

# Shipped studies, made small: name, engine, relative precision, replicates at most.
STUDIES = (
    ("first-look", "auto", 0.1, 2_000),
    ("shifts", "raw", 0.2, 500),
    ("penalty-rules", "raw", 0.2, 500),
    ("scaling-law", "sufficient", 0.2, 200),
)
WAYS = ("threads 1", "threads 2", "threads 4", "shards 1/2 + 2/2", "cluster", "resumed", "cold")


def checksum(folder: Path) -> str:
    """SHA-256 of all rows in full precision, the time they took aside."""
    from mcbrain.results.tables import open_results

    rows = open_results(folder).drop_columns(["seconds"]).to_pylist()
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(list(row.items())).encode())
    return digest.hexdigest()[:16]


def study(name: str):
    """A study of the list."""
    import msgspec

    from mcbrain.asking.from_toml import load_study

    _, engine, relative, most = next(s for s in STUDIES if s[0] == name)
    found = load_study(name)
    small = msgspec.structs.replace(found.precision, relative=relative, max_replicates=most)
    return found.with_options(engine=engine, precision=small)


def run_one(name: str, way: str, out: Path, address: str) -> None:
    """Run a study in one way."""
    from mcbrain.running.merging import merge
    from mcbrain.running.runner import run

    if way.startswith("shards"):
        for part in ("1/2", "2/2"):
            run(study(name), out.with_name(f"{out.name}-{part[0]}"), shard=part, threads=2)
        merge([out.with_name(f"{out.name}-{i}") for i in "12"], out)
    elif way == "cluster":
        run(study(name), out, cluster=address)
    elif way.startswith("threads"):
        run(study(name), out, threads=int(way.split()[1]))
    else:
        run(study(name), out, threads=2)


def interrupt(name: str, out: Path) -> None:
    """Kill a run of a study once it has stored some blocks."""
    command = [sys.executable, "-m", "tests.same_numbers", "threads 1", name, str(out)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    while not list(out.glob("blocks/*.arrow")) and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def one_way(way: str, address: str) -> dict[str, str]:
    """Checksum of every study, in this process."""
    found = {}
    with TemporaryDirectory() as folder:
        for name, *_ in STUDIES:
            out = Path(folder) / name
            if way == "resumed":
                interrupt(name, out)
            run_one(name, way, out, address)
            found[name] = checksum(out)
    return found


def ask(python: str, way: str, address: str, cache: str | None = None) -> list[str]:
    """The same from a process of its own, in the order of the studies."""
    environment = dict(os.environ) | ({"MCBRAIN_CACHE_DIR": cache} if cache else {})
    command = [python, "-m", "tests.same_numbers", way, "--", address]
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    return done.stdout.split() or ["failed"] * len(STUDIES)


def versions(python: str) -> str:
    """NumPy, Numba and Python of an environment."""
    code = "import numpy, numba, sys; print(numpy.__version__, numba.__version__, sys.version[:6])"
    done = subprocess.run([python, "-c", code], stdout=subprocess.PIPE, text=True, check=True)
    return "NumPy {}, Numba {}, Python {}".format(*done.stdout.split())


def main() -> None:
    """The table."""
    arguments = sys.argv[1:]
    if arguments[:1] and arguments[0] in WAYS:
        way, name, place = arguments
        if name != "--":
            return run_one(name, way, Path(place), "")
        print(*one_way(way, place).values())
        return None
    from tests.support.clusters import cluster

    others = [arguments[i + 1] for i, a in enumerate(arguments) if a == "--python"]
    with TemporaryDirectory() as folder, cluster(Path(folder)) as there:
        print("| how |", " | ".join(s[0] for s in STUDIES), "|\n|---|" + "---|" * len(STUDIES))
        seen = set()
        for way in WAYS:
            found = ask(sys.executable, way, there.address, folder if way == "cold" else None)
            seen.add(tuple(found))
            print(f"| {way} |", " | ".join(found), "|", flush=True)
        print(f"\nAll of these: {versions(sys.executable)}.\n")
        for python in others:
            print(f"| {versions(python)} |", " | ".join(ask(python, "threads 2", "")), "|")
    sys.exit(len(seen) > 1)


if __name__ == "__main__":
    main()
