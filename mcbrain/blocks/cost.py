"""How many replicates a block has; it fixes the random numbers, as the dimensions alone do."""

from __future__ import annotations

import math

from mcbrain.blocks.problem import Problem
from mcbrain.errors import unhandled

__all__ = ["block_size", "replicate_seconds"]

_BLOCK_SECONDS = 0.01
_MAX_BLOCK = 512
_BRAIN_BLOCK = 16
_TASK_STEPS = 8192  # of the recursion in a block; few replicates reach 0.1 %


def block_size(problem: Problem) -> int:
    """Replicates of a block: a fixed function of the dimensions, about 10 ms of one core.

    Part of what fixes the random numbers, so it depends on nothing else.
    """
    match problem.kind:
        case "brain" | "pilot-brain":
            return _BRAIN_BLOCK
        case "task":
            size = max(_TASK_STEPS / min(problem["n_prime"], problem["q"]), 4.0)
        case _:
            size = max(_BLOCK_SECONDS / replicate_seconds(problem), 1.0)
    return int(2 ** math.floor(math.log2(min(size, _MAX_BLOCK))))


def replicate_seconds(problem: Problem) -> float:
    """About how long one core takes for a replicate; a fixed function of the dimensions."""
    match problem.kind:
        case "brain" | "pilot-brain":
            k, n_rows = len(problem["latent_gains"]), min(problem["n_brain"], problem["input_dim"])
            return float(2e-5 * k + 2e-8 * k * k * n_rows)
        case "task":
            return float(7e-8 * min(problem["n_prime"], problem["q"]))
    d, p = problem["input_dim"], problem["n_channels"]
    match problem.kind:
        case "raw" | "pilot-raw":
            rows = problem["n_task"] + problem["n_brain"]
            draws = rows * d + problem["n_brain"] * p
        case "sufficient":
            rows, draws = 2 * d, 2 * d * d + d * p
        case _:
            raise unhandled("kind of problem", problem.kind, "mcbrain.blocks.cost")
    flops = rows * d * d + _encoding_flops(problem) + 4 * d**3
    return float(2e-5 + 3e-9 * draws + 5e-11 * flops)


def _encoding_flops(problem: Problem) -> float:
    """Operations of stage 1 beyond its Gram matrix."""
    if problem["n_brain"] == 0:
        return 0.0
    d, p, n = problem["input_dim"], problem["n_channels"], problem["n_brain"]
    return float(2 * min(n, 10 * d) * d * p + d * p * min(d, p) + min(d, p) ** 3)
