"""A study that is cut into shards and merged again, for every engine."""

from mcbrain.asking.from_toml import study_from_table
from mcbrain.results.tables import open_results

MODEL = {
    "input_dim": 12,
    "latent_dim": 2,
    "n_channels": 6,
    "misalignment": 0.2,
    "task_noise": 0.8,
}
TABLE = {
    "name": "cut",
    "seed": 3,
    "model": MODEL,
    "design": {"n_task": [6, 20, 40], "n_brain": [0, 60]},
    "estimators": {"ols": 0.0, "ridge": "optimal", "befs": "optimal", "projection": 0.0},
    "shifts": {"id": {}, "brain-insensitive": {"factor": 4.0}},
    "precision": {"relative": 0.05, "max_replicates": 10_000},
    "engine": {"kind": "raw"},
}
WIDE = {"n_task": [6, 40], "n_brain": [0, 20, 60, 200]}
# Every engine, with the exact law of the task stage and without, and pilots of whole replicates.
KINDS = {
    "raw": {},
    "sufficient": {"engine": {"kind": "sufficient"}},
    "spectral": {"engine": {"kind": "spectral"}, "design": WIDE},
    "spectral, no law": {"engine": {"kind": "spectral", "law": False}, "design": WIDE},
    "raw, no law of the penalty": {
        "model": {**MODEL, "covariance": "powerlaw:1.0"},
        "design": {"n_task": [6, 40], "n_brain": [0, 60]},
        "precision": {"relative": 0.05, "max_replicates": 4000},
    },
}


def study(**changes):
    return study_from_table({**TABLE, **changes})


def tables(folder):
    """Results and brain moments, the time they took aside."""
    return (
        open_results(folder).drop_columns(["seconds"]),
        open_results(folder / "brain.arrow"),
    )


def same(one, other):
    """Whether two folders hold the same results and brain moments, bit by bit."""
    return all(a.equals(b) for a, b in zip(tables(one), tables(other), strict=True))
