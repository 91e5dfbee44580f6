"""Where replicates are drawn: each engine turns a problem and a block number into block sums."""

from __future__ import annotations

import time
from importlib import import_module

from mcbrain.blocks import BlockSums, Job
from mcbrain.engines.choice import choose

__all__ = ["choose", "simulate", "warm_up"]


def simulate(job: Job) -> list[BlockSums]:
    """Compute the blocks of a job on one core, in order.

    Parameters
    ----------
    job : Job
        A problem, the statistics wanted of it, and block numbers. It pickles by value, so that a
        cluster runs it as this machine does.
    """
    engine = import_module(f"mcbrain.engines.{job.problem.kind.removeprefix('pilot-')}")
    blocks: list[BlockSums] = engine.simulate(job.problem, job.queries, job.indices)
    return blocks


def warm_up(engine: str, rules: bool = False) -> float:
    """Compile the kernels of an engine and of its pilots, or load them; seconds it took.

    Parameters
    ----------
    engine : str
        "raw", "sufficient", "spectral" or "law".
    rules : bool
        Also those of penalties chosen by "loo" or "gcv" on each replicate's data.
    """
    begun = time.perf_counter()
    for kind in _KINDS[engine]:
        import_module(f"mcbrain.engines.{kind}").warm_up()
    if rules and engine == "raw":
        import_module("mcbrain.engines.raw").warm_up_rules()
    return time.perf_counter() - begun


_KINDS = {
    "raw": ("raw", "brain"),
    "sufficient": ("sufficient", "brain"),
    "spectral": ("brain", "task"),
    "law": (),
}
