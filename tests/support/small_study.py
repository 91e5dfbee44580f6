"""A small study that is run from end to end, whole or with fewer cells, and its rows."""

import copy

from mcbrain.asking.from_toml import study_from_table
from mcbrain.results.tables import open_results

TABLE = {
    "name": "small",
    "seed": 7,
    "model": {
        "input_dim": 12,
        "latent_dim": 3,
        "n_channels": 8,
        "misalignment": [0.0, 0.2],
        "task_noise": 0.8,
        "latent_gains": [[1.5, 1.0, 0.7]],
        "measured_latents": 2,
    },
    "design": {"n_task": [6, 40], "n_brain": [0, 1, 8, 60]},
    "estimators": {
        "ols": 0.0,
        "ridge": ["optimal", 0.3],
        "befs": ["optimal", 0.3],
        "befs-oracle": "optimal",
        "projection": 0.0,
    },
    "shifts": {"id": {}, "brain-insensitive": {"factor": 4.0}, "missed-direction": {"factor": 9.0}},
    "precision": {"relative": 0.02, "max_replicates": 40_000},
    "engine": {"kind": "raw"},
}


def study(**changes):
    table = copy.deepcopy(TABLE)
    for path, value in changes.items():
        section, _, key = path.partition("__")
        if key:
            table[section][key] = value
        else:
            table[section] = value
    return study_from_table(table)


def small(**changes):
    """Fewer cells, for runs that are repeated."""
    fewer = {"model__misalignment": 0.2, "design__n_brain": [0, 60]}
    return study(**{**fewer, **changes})


def rows(folder):
    """What was found, the time it took aside."""
    return open_results(folder).drop_columns(["seconds"])
