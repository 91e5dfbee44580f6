"""Today's bits, frozen: the sums of one block for 200 configurations over every option.

`tests/bits.jsonl` holds the configurations themselves, so that nothing here depends on how they
were once drawn, and what their blocks hold. `python -m tests.bits` freezes what has changed and
says which lines those are; `--check` only says it; `--draw N` adds N configurations of a new seed.

Bits belong to a processor and to versions of libraries, which the first line names. Elsewhere
means must agree to a millionth of their size and spread; keys, which are the random streams, must
be the same everywhere.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

FROZEN = Path(__file__).with_name("bits.jsonl")
PACKAGES = ("numpy", "scipy", "numba", "llvmlite")
ELSEWHERE = 1e-6

SUMS = ("count", "mean", "m2", "better")
HISTOGRAM = ("bin_sizes", "bins", "bin_counts")


# The one place that knows how mcbrain is asked for the sums of a block.


def blocks(what: dict[str, Any]) -> Iterator[tuple[Any, tuple[Any, ...], Any]]:
    """(problem, statistics, sums of block 0) of every problem behind a configuration."""
    from mcbrain import Model
    from mcbrain.ask import adhoc_study
    from mcbrain.blocks import Job, Problem
    from mcbrain.engines import simulate
    from mcbrain.plan.moments import brain_parameters, brain_statistics
    from mcbrain.plan.plans import open_plan
    from mcbrain.plan.task_stage import task_problem, task_statistics
    from mcbrain.store.blockstore import BlockStore

    model = Model(**{k: tuple(v) if isinstance(v, list) else v for k, v in what["model"].items()})
    kind, n_task, n_brain = what["kind"], what["n_task"], what["n_brain"]
    asked: list[tuple[Problem, tuple[Any, ...]]] = []
    if kind in ("raw", "sufficient"):
        study = adhoc_study(
            model,
            n_task,
            n_brain,
            what["estimators"],
            what["shifts"],
            seed=what["seed"],
            engine=kind,
            rank=what["rank"],
            encoding_penalty=what["encoding_penalty"],
        )
        with TemporaryDirectory() as folder:
            plan = open_plan(study, kind, BlockStore(Path(folder) / "blocks"))
            (point,) = study.points()
            queries = tuple(dict.fromkeys(q for q in plan.queries(point) if q is not None))
            asked.append((plan.problem(point), queries))
    elif kind.endswith("brain"):
        rank = model.k_m if what["rank"] is None else what["rank"]
        parameters = brain_parameters(model, n_brain, rank, what["encoding_penalty"])
        asked.append((Problem(kind, parameters, what["seed"]), tuple(brain_statistics(model.k_m))))
    elif kind == "task":
        problem = task_problem(n_task, what["rank"], model.input_dim, what["seed"])
        asked.append((problem, task_statistics([0.0, 0.3, 3.0 * n_task])))
    else:
        raise ValueError(f"kind = {kind!r}: raw, sufficient, brain, pilot-brain or task")
    for problem, statistics in asked:
        (sums,) = simulate(Job(problem, statistics, (0,)))
        yield problem, statistics, sums


def here() -> dict[str, str]:
    """What bits depend on."""
    processor = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if sys.platform == "linux" else []:
        if line.startswith("model name"):
            processor = line.split(":", 1)[1].strip()
    return {p: version(p) for p in PACKAGES} | {"processor": processor}


def found(what: dict[str, Any]) -> dict[str, Any]:
    """What the blocks of a configuration hold, as a line of the file keeps it."""
    line: dict[str, Any] = {"key": [], "ids": [], "sums": [], "histogram": [], "failures": []}
    line |= {"count": [], "mean": [], "sd": []}
    for problem, statistics, sums in blocks(what):
        line["key"].append(problem.key.hex())
        line["ids"].append(_digest([np.array([s.id for s in statistics], np.uint64)]))
        line["sums"].append(_digest([getattr(sums, name) for name in SUMS]))
        line["histogram"].append(_digest([getattr(sums, name) for name in HISTOGRAM]))
        line["failures"].append(_digest([sums.failures]))
        count, mean, m2 = (np.asarray(getattr(sums, name)) for name in SUMS[:3])
        line["count"] += count.tolist()
        line["mean"] += [repr(float(v)) for v in mean]
        with np.errstate(all="ignore"):
            line["sd"] += [repr(float(v)) for v in np.sqrt(m2 / count)]
    return line


def _digest(arrays: list[Any]) -> str:
    digest = hashlib.sha256()
    for values in arrays:
        array = np.ascontiguousarray(values)
        digest.update(array.astype("<f8" if array.dtype.kind == "f" else "<i8").tobytes())
    return digest.hexdigest()[:16]


def frozen() -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Where the bits were frozen, and a line for each configuration."""
    first, *lines = FROZEN.read_text().splitlines()
    return json.loads(first), [json.loads(line) for line in lines]


def differences(line: dict[str, Any], same_place: bool) -> list[str]:
    """What of a configuration is not as it was frozen, in words; empty where all is."""
    new, words = found(line["what"]), []
    words += [f"{name} changed" for name in ("key", "ids") if new[name] != line[name]]
    if same_place:
        words += [
            f"{name} changed" for name in ("sums", "histogram", "failures")
            if new[name] != line[name]
        ]  # fmt: skip
    old_mean, mean, spread = (np.array(v, float) for v in (line["mean"], new["mean"], line["sd"]))
    if mean.shape != old_mean.shape:
        return [*words, f"{old_mean.size} statistics before, {mean.size} now"]
    with np.errstate(invalid="ignore"):
        allowed = ELSEWHERE * (np.abs(old_mean) + np.nan_to_num(spread))
        moved = ~((np.abs(mean - old_mean) <= allowed) | (np.isnan(mean) & np.isnan(old_mean)))
    words += [f"mean {j}: {old_mean[j]} before, {mean[j]} now" for j in np.flatnonzero(moved)]
    if new["count"] != line["count"]:
        pairs = enumerate(zip(line["count"], new["count"], strict=True))
        words += [f"count {j}: {a} before, {b} now" for j, (a, b) in pairs if a != b]
    return words


def draw(rng: np.random.Generator) -> dict[str, Any]:
    """A random configuration over every option."""

    def pick(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))]

    kind = pick("raw", "raw", "raw", "raw", "sufficient", "sufficient", "brain", "pilot-brain",
                "task")  # fmt: skip
    d = pick(1, 2, 3, 5, 8, 12, 17, 24, 40)
    k = int(rng.integers(1, min(d, 4) + 1))
    p = k + pick(0, 1, 3, 9)
    measured = int(rng.integers(1, k + 1))
    model: dict[str, Any] = {
        "input_dim": d,
        "latent_dim": k,
        "n_channels": p,
        "misalignment": 0.0 if d == k else pick(0.0, 0.2, 0.7, 1.0),
        "task_noise": pick(0.0, 0.5, 1.3),
        "neural_noise": pick(0.4, 1.0, 3.0),
        "measured_latents": measured,
        "latent_gains": pick(1.0, [float(g) for g in np.linspace(2.0, 0.7, k)]),
        "signal_norm": pick(1.0, 1.0, 2.5),
    }
    if k > 1 and pick(True, False):
        loadings = np.arange(1.0, k + 1)
        model["task_loadings"] = (loadings / np.linalg.norm(loadings)).tolist()
    encoding_penalty = pick(0.0, 0.0, 0.0, 0.3)
    rank = pick(None, None, int(rng.integers(1, min(d, p) + 1)))
    n_task = pick(1, max(d - 1, 1), d, d + 1, 2 * d, 5 * d, max(k, 1), k + 2)
    n_brain = pick(0, d, d + 1, 3 * d, 8 * d, max(d - 2, 1))
    if kind.endswith("brain") or kind == "task":
        # The reduced stage needs a rank of at least the latents, and d + 1 samples or more.
        if kind == "task":
            rank = int(rng.integers(0, d))
            n_task = rank + pick(1, 2, d, 3 * d)
        else:
            rank, n_brain = None, max(n_brain, d + 1)
        return {
            "kind": kind, "seed": int(rng.integers(100)), "model": model, "n_task": n_task,
            "n_brain": n_brain, "rank": rank, "encoding_penalty": encoding_penalty,
        }  # fmt: skip
    if kind == "raw":
        model |= {
            "inputs": pick("gaussian", "gaussian", "student:5", "student:12", "rademacher",
                           "uniform", "laplace", "sparse:0.2", "sparse:0.6"),
            "basis": pick("haar", "axes"),
            "latents": pick("linear", "linear", "tanh"),
        }  # fmt: skip
        if pick(True, False, False, False):
            model |= {"neural_law": "poisson", "baseline_rate": pick(0.5, 20.0)}
            del model["neural_noise"]
    model["covariance"] = pick("identity", "identity", "powerlaw:0.7", "powerlaw:1.5")
    effective = measured if rank is None else rank
    if 0 < n_brain < effective:
        n_brain = effective
    fixed = pick(0.0, 1e-3, 0.1, 2.0)
    estimators: dict[str, Any] = {"ols": 0.0, "ridge": [0.3, fixed] if fixed != 0.3 else 0.3}
    estimators |= {"befs": fixed, "befs-oracle": 0.2, "projection": 0.0}
    estimators[f"two-penalty:{pick(0.1, 0.5, 2.0)}"] = 0.4
    if pick(True, False):
        estimators["ridge"] = [0.3, -0.01]
    if kind == "raw" and pick(True, False):
        rule = pick("loo", "gcv")
        estimators |= {"ridge": ["loo", "gcv", 0.3], "befs": rule}
    shifts = ["id", "scale:2", "brain-insensitive:4", "brain-aligned:3", "mean:1.5:brain"]
    shifts += ["spectrum:1.0"] if d >= k + 2 else []
    if d > k:
        shifts += ["missed-direction:5", "mean:2:missed"]
    if d >= k + 2:
        shifts += ["mean:1:orthogonal", "concept:0.4:orthogonal"]
    if k > 1:
        shifts += ["concept:0.3:brain"]
    if model.get("inputs", "gaussian") == "gaussian" and model["covariance"] == "identity":
        shifts += ["adversarial:0.5"]
    chosen = sorted(rng.choice(len(shifts), size=min(4, len(shifts)), replace=False).tolist())
    return {
        "kind": kind, "seed": int(rng.integers(100)), "model": model, "n_task": n_task,
        "n_brain": n_brain, "rank": rank, "encoding_penalty": encoding_penalty,
        "estimators": estimators, "shifts": [shifts[i] for i in chosen],
    }  # fmt: skip


def write(place: dict[str, str], lines: list[dict[str, Any]]) -> None:
    """Replace the file."""
    FROZEN.write_text("".join(json.dumps(line) + "\n" for line in [place, *lines]))


def main() -> None:
    """Check, freeze or add."""
    arguments = sys.argv[1:]
    place, lines = frozen() if FROZEN.exists() else (here(), [])
    if "--draw" in arguments:
        rng = np.random.default_rng(len(lines) + 1)
        wanted = len(lines) + int(arguments[arguments.index("--draw") + 1])
        while len(lines) < wanted:
            what = draw(rng)
            lines.append({"name": f"{len(lines) + 1:03d} {what['kind']}", "what": what,
                          **found(what)})  # fmt: skip
        write(place, lines)
        return
    changed = 0
    for line in lines:
        if words := differences(line, place == here()):
            changed += 1
            print(f"{line['name']}: {'; '.join(words)}")
            line |= found(line["what"])
    print(f"{changed} of {len(lines)} configurations changed")
    if "--check" not in arguments:
        write(here(), lines)


if __name__ == "__main__":
    main()
