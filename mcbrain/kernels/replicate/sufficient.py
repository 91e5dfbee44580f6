"""Replicates from sufficient statistics: Gaussian data of any covariance, O(d^3) whatever n and p.

theory/README.md 3: with n_task >= d, X'X = LL' and X'noise = L times normals (`sufficient_draw`).
Below d samples the task stage is that of the raw engine.
"""

from mcbrain.kernels.brain.choose_encoder import EncoderChoice, encoder_part
from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lapack import dgemv, dsyrk
from mcbrain.kernels.random.draw import GAUSSIAN
from mcbrain.kernels.random.roles import StageStreams, Streams
from mcbrain.kernels.random.streams import fill_normal
from mcbrain.kernels.replicate import raw
from mcbrain.kernels.replicate.again import solve_each
from mcbrain.kernels.replicate.loop import solve_from_gram, solve_replicates
from mcbrain.kernels.replicate.sufficient_brain import brain_stage
from mcbrain.kernels.replicate.sufficient_draw import draw_factor
from mcbrain.kernels.replicate.workspace import (
    Outcome,
    TaskWork,
    Workspace,
    make_workspace,
    parts_of,
)
from mcbrain.kernels.task.exact_data import keep_triangle
from mcbrain.kernels.task.solve import reduce_matrix
from mcbrain.kernels.types import GAUSSIAN_NOISE, LINEAR, REAL, Population, Setting


@part
def _solve_factor(
    setting: Setting, streams: StageStreams, at: int, work: TaskWork, out: Outcome
) -> None:
    """Draw X'X = LL' and X'y = L(L'beta + noise), and solve every fit."""
    population, solve = setting.population, work.solve
    L, t, d = work.data.inputs, work.data.labels, setting.population.scale.size
    draw_factor(population, streams.inputs, setting.sizes.n_task, L)
    dsyrk("L", "T", d, d, 1.0, L, d, 0.0, solve.matrix, d)
    fill_normal(streams.noise, t)
    dgemv("N", d, d, 1.0, L, d, population.beta, 1, population.task_noise, t, 1)
    dgemv("T", d, d, 1.0, L, d, t, 1, 0.0, solve.moment, 1)
    reduce_matrix(solve)
    solve_from_gram(setting, at, work, out)


@kernel
def _task_factor(
    setting: Setting, streams: StageStreams, work: TaskWork, out: Outcome, first: int
) -> int:
    """Draw statistics, solve every fit and record its risk, n_task >= d (`solve_replicates`)."""
    return solve_replicates(_solve_factor, setting, streams, work, out, first)


def task_stage(setting: Setting, streams: StageStreams, work: TaskWork, out: Outcome) -> None:
    """Solve the fits of as many replicates as `out` has, after `brain_stage`.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Of the stage; advanced in place.
    work : TaskWork
        Buffers of the task stage.
    out : Outcome
        Room for some replicates; filled.
    """
    if setting.sizes.n_task < setting.population.scale.size:
        raw.task_stage(setting, streams, work, out)
        return
    L, t = work.data.inputs, work.data.labels
    solve_each(
        lambda first: _task_factor(setting, streams, work, out, first),
        lambda: keep_triangle(L, t.reshape(t.size, 1), work.exact),
        setting, work, out,
    )  # fmt: skip


def _check_laws(population: Population) -> None:
    """Refuse a population for which these statistics do not suffice."""
    laws = population.law, population.latents, population.neural_law, population.labels
    known = GAUSSIAN, LINEAR, GAUSSIAN_NOISE, REAL
    if laws != known:
        raise ValueError(
            f"(law, latents, neural_law, labels) = {laws}: these statistics suffice only for "
            f"Gaussian inputs, linear latents, Gaussian recordings and real labels, {known}"
        )


def sufficient_block(
    setting: Setting,
    streams: Streams,
    work: Workspace,
    outcome: Outcome,
    encoder: EncoderChoice | None = None,
) -> None:
    """Run as many replicates as `outcome` has room for, continuing the streams.

    Per replicate and role the streams' numbers are: inputs of d samples and more as `bartlett`
    draws them, of fewer as `draw_inputs`; label noise (min(n_task, d),); recordings as
    `draw_noise`. The kernels release the GIL.

    Parameters
    ----------
    setting : Setting
        What is asked; as `reduced` gives it, with Gaussian inputs and recordings and
        linear latents.
    streams : Streams
        Advanced in place.
    work : Workspace
        Of `make_sufficient_workspace` for the same setting; one for each thread.
    outcome : Outcome
        Of `make_outcome`; filled.
    encoder : EncoderChoice, optional
        As for `raw.raw_block`, of the rule GENERALISED; the numbers of the role recordings then
        end with a chi-square number (`draw_squares`).

    Raises
    ------
    ValueError
        The population has another distribution.
    """
    _check_laws(setting.population)
    step = work.task.lost.size
    for place, share in enumerate(parts_of(outcome, step)):
        own = encoder_part(encoder, place * step, step)
        brain_stage(setting, streams.brain, work.brain, share, own)
        task_stage(setting, streams.task, work.task, share)


def overlap_block(
    setting: Setting,
    streams: Streams,
    work: Workspace,
    outcome: Outcome,
    encoder: EncoderChoice | None = None,
) -> None:
    """Run stage 1 alone: only m_hat and C^ of `outcome` are filled, NaN where rank is missing.

    Arguments as for `sufficient_block`, and the same numbers from the streams of the brain stage.

    Parameters
    ----------
    setting : Setting
        As for `sufficient_block`.
    streams : Streams
        Those of the brain stage are advanced in place.
    work : Workspace
        Of `make_sufficient_workspace` for the same setting; one for each thread.
    outcome : Outcome
        Of `make_outcome`.
    encoder : EncoderChoice, optional
        As for `sufficient_block`.

    Raises
    ------
    ValueError
        The population has another distribution.
    """
    _check_laws(setting.population)
    step = work.brain.lost.size
    for place, share in enumerate(parts_of(outcome, step)):
        own = encoder_part(encoder, place * step, step)
        brain_stage(setting, streams.brain, work.brain, share, own)


def make_sufficient_workspace(setting: Setting) -> Workspace:
    """Return the buffers of `sufficient_block`, the population being reduced; one for a thread.

    Parameters
    ----------
    setting : Setting
        As for `sufficient_block`.

    Returns
    -------
    Workspace
        Zeros, but for the maps of the population.
    """
    return make_workspace(setting, chunk=setting.population.scale.size)
