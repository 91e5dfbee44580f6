"""The lines of NumPy that rebuild a replicate of a raw study without mcbrain."""

from __future__ import annotations

from mcbrain.blocks.problem import RawProblem
from mcbrain.errors import unhandled
from mcbrain.population.distributions import LATENTS, RECORDINGS
from mcbrain.population.geometry import BASIS, CHANNELS
from mcbrain.population.model import Model

__all__ = ["recipe"]

_TOOLS = """\
def stream(*key):
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence({seed}, spawn_key=key)))
def orthonormal(gaussian):
    q, r = np.linalg.qr(gaussian.T)
    return (q * np.where(np.diag(r) < 0, -1.0, 1.0)).T"""

_REPLICATES = """\
def inputs(n, rng, aux):
    return {draw}
streams = [stream({words}, {block}, role) for role in range(6)]
for _ in range({count}):
    X = inputs(n_task, streams[0], streams[4])
    y = X @ beta + {task_noise!r} * streams[1].standard_normal(n_task)
    X_brain = inputs(n_brain, streams[2], streams[5])
    drive = ({latents}) @ channels.T
    R = {recordings}"""


def recipe(problem: RawProblem, block: int, place: int) -> str:
    """Lines that leave X, y, X_brain and R of a replicate, with beta, brain_map and channels.

    Parameters
    ----------
    problem : RawProblem
    block, place : int
        The block that holds the replicate, and its place there.
    """
    model = problem.model
    sizes = (model.input_dim, model.latent_dim, model.n_channels)
    numbers = ", ".join(map(str, (*sizes, problem.n_task, problem.n_brain)))
    return "\n".join(
        [
            "import numpy as np",
            f"d, k, p, n_task, n_brain = {numbers}",
            _TOOLS.format(seed=problem.seed),
            *_population(model),
            _REPLICATES.format(
                draw=model.input_distribution.line + _scale(model),
                words=", ".join(map(str, problem.words)),
                block=block,
                count=place + 1,
                task_noise=model.sigma_y,
                latents=LATENTS[model.latents].format(X="X_brain"),
                recordings=RECORDINGS[model.neural_law].format(
                    noise=model.sigma_r, rate=model.baseline_rate, rng="streams[3]"
                ),
            ),
        ]
    )


def _population(model: Model) -> list[str]:
    """What all replicates share: where brain and task point, and the channels."""
    d, k, k_m, m = model.input_dim, model.latent_dim, model.k_m, model.misalignment
    rows = min(k + 2, d)
    frames = {
        "haar": f"orthonormal(stream({BASIS:#x}).standard_normal(({rows}, d)))",
        "axes": f"np.eye({rows}, d)",
    }
    if model.basis not in frames:
        raise unhandled("basis", model.basis, "the recipe of a replicate")
    missed = f" + np.sqrt({m!r}) * frame[k]" if k < d else ""
    inside = f"np.array({model.loadings.tolist()}) @ brain_map"
    channels = f"orthonormal(stream({CHANNELS:#x}).standard_normal(({k_m}, p))).T"
    lines = [
        f"frame = {frames[model.basis]}",
        "brain_map = frame[:k]",
        f"beta = {model.signal_norm!r} * (np.sqrt(1 - {m!r}) * ({inside}){missed})",
        "channels = np.zeros((p, k))",
        f"channels[:, :{k_m}] = {channels} * np.array({model.gains[:k_m].tolist()})",
    ]
    if model.spectrum_exponent:
        lines.append(f"variances = np.arange(1, d + 1) ** -{model.spectrum_exponent!r}")
        lines.append("scale = np.sqrt(variances * (d / variances.sum()))")
    return lines


def _scale(model: Model) -> str:
    return " * scale" if model.spectrum_exponent else ""
