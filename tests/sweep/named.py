"""Cells that were once wrong, in their smallest form, and what NumPy found there."""

from __future__ import annotations

from typing import Any

from tests.sweep.design import Cell

FIRST = 1000  # their numbers begin here

SIGNED = {"inputs": "rademacher", "basis": "axes"}


def _cell(place: int, sizes: tuple[int, ...], methods: list[Any], **changed: Any) -> Cell:
    """A cell of (d, k, p, n_task, n_brain); model options and those of the call by name."""
    d, k, p, n_task, n_brain = sizes
    asked = {name: changed.pop(name) for name in ("shifts", "engine") if name in changed}
    model = {"input_dim": d, "latent_dim": k, "n_channels": p, **changed}
    return Cell(
        FIRST + place, model, n_task, n_brain, tuple(methods), asked.pop("shifts", ("id",)), **asked
    )


OLS, RIDGE = ("ols", 0.0), ("ridge", 0.3)
BANDS = ("two-penalty:0.3", 0.0)

NAMED = {
    name: _cell(place, *setting[:2], **(setting[2] if len(setting) > 2 else {}))
    for place, (name, setting) in enumerate(
        {
            "OLS where X'X may be singular": ((6, 1, 2, 14, 0), [OLS], SIGNED),
            "a baseline without a mean": ((5, 1, 2, 6, 0), [OLS, RIDGE]),
            "a baseline without a mean, sufficient": (
                (5, 1, 2, 6, 0), [OLS, RIDGE], {"engine": "sufficient"}),
            "a baseline without a variance": ((5, 1, 2, 8, 0), [OLS, RIDGE]),
            "a baseline without a variance, sufficient": (
                (5, 1, 2, 8, 0), [OLS, RIDGE], {"engine": "sufficient"}),
            "a baseline of singular X'X": ((4, 1, 2, 5, 0), [OLS, RIDGE], SIGNED),
            "no noise, a task that moves": (
                (10, 2, 4, 30, 0), [("ridge", "optimal-shift")],
                {"misalignment": 0.5, "task_noise": 0.0, "shifts": ("concept:2.5:orthogonal",)}),
            "no weight outside the brain": (
                (12, 3, 6, 12, 60), [("befs-oracle", "optimal-shift")],
                {"misalignment": 0.3, "shifts": ("brain-insensitive:0",)}),
            "two bands without noise": (
                (20, 3, 6, 5, 200), [("two-penalty:0.3", "optimal")],
                {"misalignment": 0.5, "task_noise": 0.0, "engine": "sufficient"}),
            "loo and gcv one sample above d": (
                (5, 1, 2, 6, 0), [("ridge", "loo"), ("ridge", "gcv"), OLS]),
            "loo and gcv at d": ((5, 1, 2, 5, 0), [("ridge", "loo"), ("ridge", "gcv"), OLS]),
            "a tiny penalty beside d": ((15, 2, 4, 14, 0), [("ridge", 1e-10)]),
            "sparse inputs": (
                (3, 1, 2, 12, 0), [OLS], {"inputs": "sparse:0.3", "basis": "axes"}),
            **{
                f"two bands without a penalty, {n} samples": (
                    (20, 3, 6, n, 60), [BANDS], {"misalignment": 0.3})
                for n in (2, 3, 4)
            },
            "an excess that is constant": ((4, 1, 2, 9, 0), [("projection", 0.0), OLS]),
            "one sample": ((24, 1, 2, 1, 0), [("ridge", "loo"), ("ridge", 1e9)]),
            "below the rank": (
                (40, 20, 40, 14, 999), [("befs", 0.3)], {"task_noise": 0.1, "neural_noise": 0.1}),
            "three inputs": ((3, 1, 1, 3, 0), [("ridge", "optimal")], {"task_noise": 0.1}),
            **{
                f"a brain that leaves {d - k} directions": (
                    (d, k, 8, 9, 30), [RIDGE, ("befs", 0.3)], {"shifts": ("spectrum:1", "custom")})
                for d, k in ((6, 5), (5, 5))
            },
        }.items()
    )
}  # fmt: skip
