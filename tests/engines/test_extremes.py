"""Numerical extremes: every engine and the law is right, or marked; no NaN, no infinity."""

import math

import pytest

import mcbrain as mb
from mcbrain.errors import InputError

ENGINES = ("raw", "sufficient", "spectral", "law")
MODEL = {"input_dim": 6, "latent_dim": 2, "n_channels": 5, "misalignment": 0.2}
NUMBERS = ("mean", "mcse", "sd", "q05", "median", "q95", "gain", "gain_mcse", "p_better")
NUMBERS += ("predicted", "prediction_se", "penalty")
NO_MEAN = ("undefined", "infinite_mean", "failed_replicates")
TUNED = {"ridge": "optimal", "befs": "optimal", "befs-oracle": "optimal"}
NONE = {"ols": 0.0, "ridge": 0.0, "befs": 0.0, "befs-oracle": 0.0, "projection": 0.0}


def alike(penalty):
    return {"ridge": penalty, "befs": penalty, "befs-oracle": penalty}


ONE = {"input_dim": 1, "latent_dim": 1, "n_channels": 1, "misalignment": 0.0}
WHOLE = {"input_dim": 4, "latent_dim": 4, "misalignment": 0.0}
HUGE_SHIFTS = ["scale:1e12", "mean:1e6:brain", "brain-insensitive:1e12"]
# What differs from the model above, and how it is asked.
CASES = {
    "m = 0": ({"misalignment": 0.0}, {}),
    "m = 1": ({"misalignment": 1.0}, {}),
    "m = 1, tuned": ({"misalignment": 1.0}, {"estimators": TUNED}),
    "task noise 0": ({"task_noise": 0.0}, {}),
    "task noise 0, tuned": ({"task_noise": 0.0}, {"estimators": TUNED}),
    "task noise 1e12": ({"task_noise": 1e12}, {}),
    "task noise 1e12, tuned": ({"task_noise": 1e12}, {"estimators": TUNED}),
    "neural noise 0": ({"neural_noise": 0.0}, {}),
    "neural noise 1e12": ({"neural_noise": 1e12}, {}),
    "neural noise 1e12, tuned": ({"neural_noise": 1e12}, {"estimators": TUNED}),
    "no noise": ({"task_noise": 0.0, "neural_noise": 0.0}, {}),
    "gains 1e-12": ({"latent_gains": 1e-12}, {}),
    "gains 1e-12, tuned": ({"latent_gains": 1e-12}, {"estimators": TUNED}),
    "gains 1e12": ({"latent_gains": 1e12}, {}),
    "gains 1e-12 and 1e12": ({"latent_gains": (1e-12, 1e12)}, {}),
    "signal, gains, noises 1e50": (
        {"signal_norm": 1e50, "latent_gains": 1e50, "task_noise": 1e50, "neural_noise": 1e50},
        {"shifts": HUGE_SHIFTS},
    ),
    "signal, gains, noises 1e-50": (
        {"signal_norm": 1e-50, "latent_gains": 1e-50, "task_noise": 1e-50, "neural_noise": 1e-50},
        {"shifts": HUGE_SHIFTS},
    ),
    "noises 1e50 over a signal of 1e-50": (
        {"signal_norm": 1e-50, "task_noise": 1e50, "neural_noise": 1e50},
        {},
    ),
    "d = 1": (ONE, {}),
    "k = d": (WHOLE, {}),
    "p = 1": ({"latent_dim": 1, "n_channels": 1}, {}),
    "p = k_m = 1, k = 2": ({"measured_latents": 1, "n_channels": 1}, {}),
    "n_T = 1": ({}, {"n_task": 1}),
    "n_T = 1, tuned": ({}, {"n_task": 1, "estimators": TUNED}),
    "n_T = 1, no penalty": ({}, {"n_task": 1, "estimators": NONE}),
    "n_T = d, no penalty": ({}, {"n_task": 6, "estimators": NONE}),
    "n_B = 0": ({}, {"n_brain": 0}),
    "n_B = 1": ({}, {"n_brain": 1}),
    "n_B = 1, rank 1": ({}, {"n_brain": 1, "rank": 1}),
    "n_B = 1, tuned": ({}, {"n_brain": 1, "estimators": TUNED}),
    "no penalty": ({}, {"estimators": NONE}),
    "penalty 1e-300": ({}, {"n_task": 4, "estimators": alike(1e-300)}),
    "penalty 1e-12": ({}, {"n_task": 4, "estimators": alike(1e-12)}),
    "penalty 1e12": ({}, {"estimators": alike(1e12)}),
    "penalty 1e150": ({}, {"estimators": alike(1e150)}),
    "shifts of 1e12": ({}, {"shifts": HUGE_SHIFTS}),
}


def rows(engine, case):
    changes, asked = CASES[case]
    asked = {"n_task": 20, "n_brain": 30, "estimators": alike(0.1)} | asked
    return mb.simulate(
        mb.Model(**MODEL | changes),
        **asked,
        precision=0.05,
        max_replicates=1280,
        seed=1,
        engine=engine,
        threads=1,
    ).to_pylist()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", CASES)
def test_an_extreme_is_right_or_marked(case, engine):
    """About 250 scores of exact rows below 4.5 standard errors; false-alarm rate 0.2 % in all.

    For rounding, 1e-24 of the signal and 1e-9 of the risk are added to the standard error.
    """
    signal = (MODEL | CASES[case][0]).get("signal_norm", 1.0) ** 2
    for row in rows(engine, case):
        for name in NUMBERS:
            assert row[name] is None or math.isfinite(row[name]), (name, row)
        if row["mean"] is None:
            assert engine == "law" or row["status"] in NO_MEAN, row
        elif row["mcse"] is None:
            assert row["status"] in ("infinite_variance", "failed_replicates"), row
        elif row["status"] == "ok" and row["prediction"] in ("exact", "semi-exact"):
            error = math.hypot(row["mcse"], row["prediction_se"] or 0.0)
            error += 1e-24 * signal + 1e-9 * abs(row["predicted"])
            assert abs(row["mean"] - row["predicted"]) < 4.5 * error, row
        if engine == "law" and row["predicted"] is None:
            assert row["prediction"] == "none" or row["status"] in NO_MEAN, row


@pytest.mark.parametrize(
    "changes",
    [
        {"signal_norm": 1e51},
        {"signal_norm": 0.0},
        {"task_noise": 1e51},
        {"neural_noise": math.inf},
        {"latent_gains": math.nan},
        {"latent_gains": (1.0, -1.0)},
    ],
)
def test_what_no_double_could_hold_is_refused(changes):
    with pytest.raises(InputError, match="allowed is"):
        mb.Model(**MODEL | changes)
