"""The brain stage of the raw engine: whole recordings are drawn, and the subspace estimated."""

from mcbrain.kernels.brain.choose_encoder import (
    EncoderChoice,
    best_encoder,
    decompose_encoder,
    score_encoder,
    score_encoder_rows,
)
from mcbrain.kernels.brain.encode import encode_dual, encode_least_squares, encode_ridge
from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lapack import dgemm
from mcbrain.kernels.linear.products import gram
from mcbrain.kernels.random.draw import draw_inputs, draw_recordings, restore, save
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.replicate.again import draw_brain_again, encode_each, encode_each_chosen
from mcbrain.kernels.replicate.loop import encode_replicates, record
from mcbrain.kernels.replicate.workspace import BrainWork, Outcome
from mcbrain.kernels.task.exact_data import keep_rows
from mcbrain.kernels.types import DOUBTFUL, GENERALISED, Setting
from mcbrain.typing import Floats


@part
def _draw_grams(setting: Setting, streams: StageStreams, work: BrainWork) -> float:
    """Draw the brain data of a replicate into X'X and X'R, a chunk at a time; returns |R|^2."""
    population, data, encode = setting.population, work.data, work.encode
    d, p = encode.cross.shape
    n, done, squares = setting.sizes.n_brain, 0, 0.0
    while done < n:
        rows = min(data.inputs.shape[0], n - done)
        X, R = data.inputs[:rows], data.recordings[:rows]
        draw_inputs(population, streams, X)
        draw_recordings(population, work.maps, streams.noise, X, data.latents[:rows], R)
        kept = 0.0 if done == 0 else 1.0
        gram(X, kept, encode.gram)
        dgemm("N", "T", p, d, rows, 1.0, R, p, X, d, kept, encode.cross, p)
        for i in range(rows):
            for j in range(p):
                squares += R[i, j] * R[i, j]
        done += rows
    return squares


@part
def _score_rows(
    setting: Setting, streams: StageStreams, work: BrainWork, choice: EncoderChoice
) -> None:
    """Score every row of the replicate at hand, drawn again where not all of them were kept."""
    population, data, n, done = setting.population, work.data, setting.sizes.n_brain, 0
    chunk = data.inputs.shape[0]
    if n > chunk:
        restore(streams, work.states)
    while done < n:
        rows = min(chunk, n - done)
        X, R = data.inputs[:rows], data.recordings[:rows]
        if n > chunk:
            draw_inputs(population, streams, X)
            draw_recordings(population, work.maps, streams.noise, X, data.latents[:rows], R)
        score_encoder_rows(X, R, choice)
        done += rows


@part
def _encode_primal(setting: Setting, streams: StageStreams, basis: Floats, work: BrainWork) -> int:
    """Draw the brain data of a replicate and estimate its subspace, n_brain >= d."""
    _draw_grams(setting, streams, work)
    return encode_least_squares(setting.sizes.rank, basis, work.encode)


@part
def _encode_ridge(setting: Setting, streams: StageStreams, basis: Floats, work: BrainWork) -> int:
    """As `_encode_primal`, with a penalty in stage 1, for any n_brain."""
    _draw_grams(setting, streams, work)
    return encode_ridge(setting.sizes.encoding_penalty, setting.sizes.rank, basis, work.encode)


@part
def _encode_dual(setting: Setting, streams: StageStreams, basis: Floats, work: BrainWork) -> int:
    """As `_encode_primal`, for n_brain < d."""
    X, R, Z = work.data.inputs, work.data.recordings, work.data.latents
    draw_inputs(setting.population, streams, X)
    draw_recordings(setting.population, work.maps, streams.noise, X, Z, R)
    return encode_dual(X, R, setting.sizes.rank, basis, work.encode)


@kernel
def _brain_primal(
    setting: Setting, streams: StageStreams, work: BrainWork, out: Outcome, first: int
) -> int:
    """Estimate subspaces by least squares, n_brain >= d (`encode_replicates`)."""
    return encode_replicates(_encode_primal, setting, streams, work, out, first)


@kernel
def _brain_ridge(
    setting: Setting, streams: StageStreams, work: BrainWork, out: Outcome, first: int
) -> int:
    """As `_brain_primal`, with a penalty in stage 1, for any n_brain."""
    return encode_replicates(_encode_ridge, setting, streams, work, out, first)


@kernel
def _brain_dual(
    setting: Setting, streams: StageStreams, work: BrainWork, out: Outcome, first: int
) -> int:
    """As `_brain_primal`, for n_brain < d."""
    return encode_replicates(_encode_dual, setting, streams, work, out, first)


@kernel
def _brain_chosen(
    setting: Setting, streams: StageStreams, work: BrainWork, choice: EncoderChoice, out: Outcome,
    first: int,
) -> int:  # fmt: skip
    """As `_brain_ridge`, each replicate choosing its penalty: `choice.chosen` (replicates,)."""
    for at in range(first, out.m_hat.size):
        save(streams, work.states)
        squares = _draw_grams(setting, streams, work)
        decompose_encoder(work.encode.gram, work.encode.cross, choice)
        if choice.rule == GENERALISED:
            score_encoder(setting.sizes.n_brain, squares, choice)
        else:
            _score_rows(setting, streams, work, choice)
        choice.chosen[at] = best_encoder(choice)
        verdict = encode_ridge(
            choice.chosen[at], setting.sizes.rank, work.bases[at], work.encode
        )  # fmt: skip
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(setting.population, at, work, out)
    return out.m_hat.size


def brain_stage(
    setting: Setting,
    streams: StageStreams,
    work: BrainWork,
    out: Outcome,
    choice: EncoderChoice | None = None,
) -> None:
    """Estimate the subspaces of as many replicates as `out` has, none without brain data.

    Parameters
    ----------
    setting : Setting
        What is asked of the block.
    streams : StageStreams
        Of the stage; advanced in place.
    work : BrainWork
        Buffers of the brain stage.
    out : Outcome
        Room for some replicates; filled.
    choice : EncoderChoice, optional
        The rule by which each replicate chooses the penalty of stage 1, with room for as many
        replicates; the penalty of the setting then counts for nothing.
    """
    if choice is not None:
        encode_each_chosen(
            lambda first: _brain_chosen(setting, streams, work, choice, out, first),
            lambda: draw_brain_again(setting.population, streams, setting.sizes.n_brain, work),
            setting, work, out, choice,
        )  # fmt: skip
        return
    n, data = setting.sizes.n_brain, work.data
    brain = _brain_primal if n >= setting.population.scale.size else _brain_dual
    if setting.sizes.encoding_penalty > 0.0:
        brain = _brain_ridge

    def take_again() -> None:
        if brain is _brain_dual:
            keep_rows(data.inputs, data.recordings, work.exact)
        else:
            draw_brain_again(setting.population, streams, n, work)

    encode_each(
        lambda first: brain(setting, streams, work, out, first), take_again, setting, work, out
    )
