"""Small studies of one point that together use every option, drawn once and then kept.

Each is named after the option that it must have; everything else about it is drawn by a generator
seeded with that name. `configurations.jsonl` keeps what was drawn: a new entry in one of the
program's tables adds configurations and changes none.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from . import house

Case = dict[str, Any]

ENGINES = ("raw", "sufficient", "spectral")

# Their norms are exact, so that the key of a problem, which holds the normalised loadings, is the
# same number on every processor.
_LOADINGS = {1: [-1.0], 2: [3.0, -4.0], 3: [2.0, -1.0, 2.0], 4: [1.0, -1.0, 1.0, 1.0]}

_MODEL = {
    "basis": ["haar", "axes"],
    "covariance": ["identity", "powerlaw:0.5", "powerlaw:2"],
    "latents": [],  # this and the next are filled from the program's own tables
    "neural_law": [],
    "measured": ["all", "fewer"],
    "gains": ["one", "each", "silent"],
    "loadings": ["equal", "each"],
    "noise": ["one", "none", "snr"],
    "misalignment": ["0", "0.3", "1"],
    "rank": ["default", "lower", "higher"],
    "encoding": ["0", "0.3"],
    "signal_norm": ["1", "2.5"],
    "scale": ["per-sample", "sum"],
}
_SIZES = {
    "n_task": ["1", "2", "half", "d-1", "d", "d+1", "d+2", "2d", "5d"],
    "n_brain": ["0", "1", "rank", "d-1", "d", "d+1", "d+2", "2d", "9d"],
}
_PENALTIES: list[Any] = [0.0, 1e-3, 0.3, 4.0, [0.1, 1.0, 10.0]]
_TWELVE = [0.001, 0.004, 0.01, 0.03, 0.1, 0.4, 1.0, 3.0, 10.0, 40.0, 100.0, 1000.0]
_OTHERS = {
    "stage": ["law", "simulated"],
    "penalty": ["0", "tiny", "negative", "twelve"],
}


def _said_of_model() -> dict[str, list[str]]:
    """What a model may say."""
    return {**_MODEL, **house.distributions()}


def cases() -> Iterator[Case]:
    """Every configuration that there should be, in order."""
    for engine in ENGINES:
        for option, values in {**house.options(), **_said_of_model(), **_SIZES, **_OTHERS}.items():
            for value in values:
                case = _draw(engine, option, value)
                if case is not None:
                    yield case


def _draw(engine: str, option: str, value: str) -> Case | None:
    """A valid configuration with one option settled; None where the engine refuses it."""
    name = f"{engine} {option}={value}"
    rng = random.Random(name)
    for _ in range(300):
        case = _attempt(rng, engine, option, value)
        if house.accepts(with_files(case["study"], None)):
            return {"name": name, **case}
    return None


def _attempt(rng: random.Random, engine: str, option: str, value: str) -> Case:
    table = house.options()
    options = {**_said_of_model(), **_SIZES, **_OTHERS}
    pick = {name: rng.choice(values) for name, values in options.items()}
    # Most of a study is ordinary: two departures at once hide each other, and few are valid.
    ordinary = ("latents", "neural_law", "covariance", "rank", "encoding", "measured", "gains")
    for name in (*ordinary, "noise", "misalignment"):
        if rng.random() < 0.6:
            pick[name] = _said_of_model()[name][1 if name == "misalignment" else 0]
    pick["inputs"] = rng.choice(table["inputs"]) if rng.random() < 0.4 else "gaussian"
    pick["shift"], pick["estimator"] = rng.choice(table["shift"]), rng.choice(table["estimator"])
    pick["rule"] = rng.choice(table["rule"]) if rng.random() < 0.4 else ""
    pick["penalty"] = rng.choice(["", *_OTHERS["penalty"]]) if rng.random() < 0.3 else ""
    pick[option] = value
    d = rng.choice([1, 2, 3, 5, 6, 9, 12, 15, 20, 26, 34, 70])
    k = rng.randint(1, min(d, 4))
    model = _model(rng, pick, d, k)
    rank = {"default": model.get("measured_latents", k), "lower": 1, "higher": k + 1}[pick["rank"]]
    n_brain = max(0, _samples(pick["n_brain"], d, rank))
    study: dict[str, Any] = {
        "name": "frozen",
        "seed": rng.randint(0, 2**40),
        "model": model,
        "design": {"n_task": max(1, _samples(pick["n_task"], d, rank)), "n_brain": n_brain},
        "encoding": {"penalty": float(pick["encoding"])},
        "estimators": _estimators(rng, pick),
        "shifts": list(dict.fromkeys(["id", pick["shift"]])),
        "engine": {"kind": engine},
    }
    if pick["rank"] != "default":
        study["encoding"]["rank"] = rank
    if engine == "spectral":
        study["engine"]["law"] = pick["stage"] == "law"
    lawful = pick["inputs"] == "gaussian" and model.get("covariance") == "identity"
    lawful &= model.get("latents") == "linear" and model.get("neural_law") == "gaussian"
    lawful &= "two-penalty:0.1" not in study["estimators"]
    lawful &= not pick["shift"].startswith("adversarial")
    pilots_alone = tuned(study) and not lawful
    return {"block": rng.choice([0, 0, 1, 7]), "pilots": pilots_alone, "study": study}


def _model(rng: random.Random, pick: dict[str, str], d: int, k: int) -> dict[str, Any]:
    model: dict[str, Any] = {
        "input_dim": d,
        "latent_dim": k,
        "n_channels": k + rng.choice([0, 1, 3, 11]),
        "misalignment": float(pick["misalignment"]) if k < d else 0.0,
        "signal_norm": float(pick["signal_norm"]),
        "inputs": pick["inputs"],
    }
    for name in ("basis", "covariance", "latents", "neural_law"):
        model[name] = pick[name]
    if pick["measured"] == "fewer" and k > 1:
        model["measured_latents"] = k - 1
    if pick["gains"] != "one":
        gains = [round(rng.uniform(0.3, 2.5), 2) for _ in range(k)]
        model["latent_gains"] = [[0.0 if pick["gains"] == "silent" else gains[0], *gains[1:]]]
    else:
        model["latent_gains"] = round(rng.uniform(0.5, 2.0), 2)
    if pick["loadings"] == "each":
        model["task_loadings"] = [_LOADINGS[k]]
    noises = {"one": {"task_noise": 0.8}, "none": {"task_noise": 0.0}, "snr": {"snr_task": 2.0}}
    model |= noises[pick["noise"]]
    if pick["neural_law"] == "poisson":
        model["baseline_rate"] = rng.choice([0.5, 1.0, 12.0])
    elif pick["noise"] == "snr" and k in (1, 4) and pick["measured"] == "all":
        model["snr_brain"] = 1.5  # the noise that follows is the same number on every processor
    else:
        model["neural_noise"] = 0.0 if pick["noise"] == "none" else 1.1
    return model


def _samples(word: str, d: int, rank: int) -> int:
    known = {"half": d // 2, "rank": rank, "d-1": d - 1, "d": d, "d+1": d + 1, "d+2": d + 2}
    return known[word] if word in known else int(word.removesuffix("d")) * (d if "d" in word else 1)


def _estimators(rng: random.Random, pick: dict[str, str]) -> dict[str, Any]:
    """The estimator in question and some others, each under a rule that it takes."""
    table = house.options()["estimator"]
    names = dict.fromkeys([pick["estimator"], *rng.sample(table, 3)])
    found: dict[str, Any] = {}
    for name in names:
        free = name not in ("ols", "projection")
        found[name] = rng.choice(_PENALTIES) if free else 0.0
    free_names = [n for n in found if n not in ("ols", "projection")] or ["ridge"]
    first = pick["estimator"] if pick["estimator"] in free_names else free_names[0]
    special = {"0": 0.0, "tiny": 1e-10, "negative": -0.05}
    if pick["penalty"] in special:
        found[first] = special[pick["penalty"]]
    elif pick["penalty"]:
        found[first] = _TWELVE
    if pick["rule"]:
        found[first] = pick["rule"]
    found["penalty_scale"] = pick["scale"]
    return found


def tuned(study: dict[str, Any]) -> bool:
    """Whether a penalty is computed before the first replicate."""
    return any("optimal" in str(rule) for rule in study["estimators"].values())


def with_files(study: dict[str, Any], folder: str | None) -> dict[str, Any]:
    """A study whose `custom` shift names a file that exists; the matrix depends on d alone."""
    if not any(s.startswith("custom:") for s in study["shifts"]):
        return study
    d = study["model"]["input_dim"]
    rows = (np.arange(d * d).reshape(d, d) * 7 % 5 - 2).astype(float)
    place = Path(folder or tempfile.gettempdir()) / "moment.npy"
    np.save(place, rows @ rows.T + np.eye(d))
    shifts = [f"custom:{place}" if s.startswith("custom:") else s for s in study["shifts"]]
    return {**study, "shifts": shifts}
