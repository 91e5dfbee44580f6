"""The brain stage from sufficient statistics."""

from mcbrain.kernels.brain.choose_encoder import (
    EncoderChoice,
    best_encoder,
    decompose_encoder,
    score_encoder,
)
from mcbrain.kernels.brain.encode import EncodeWork, encode_dual, encode_ridge, leading_left
from mcbrain.kernels.brain.encode_exactly import leading_left_exactly
from mcbrain.kernels.jit import kernel, part
from mcbrain.kernels.linear.lapack import dgemm, dsyrk, dtrsm
from mcbrain.kernels.linear.orthonormal import orthonormalise
from mcbrain.kernels.linear.singular_values import rounding_share
from mcbrain.kernels.random.roles import StageStreams
from mcbrain.kernels.replicate.again import encode_each, encode_each_chosen
from mcbrain.kernels.replicate.loop import encode_replicates, record
from mcbrain.kernels.replicate.sufficient_draw import draw_few, draw_many, draw_squares
from mcbrain.kernels.replicate.workspace import BrainData, BrainWork, Outcome
from mcbrain.kernels.task.exact_data import absorb, clear, keep_rows, keep_triangle
from mcbrain.kernels.types import DOUBTFUL, GENERALISED, LOST, SOUND, Setting
from mcbrain.typing import Floats


@kernel
def _encode_factor(data: BrainData, r: int, basis: Floats, work: EncodeWork) -> int:
    """Write the subspace of least squares: L^-T times the top-r left vectors of L'AH' + noise."""
    (d, p), recordings = data.recordings.shape, data.recordings
    if leading_left(recordings, d, r, basis, work) != SOUND:
        share = rounding_share(p, d)
        if leading_left_exactly(recordings, d, r, share, basis, work) != SOUND:
            return LOST
    dtrsm("L", "U", "N", "N", d, r, 1.0, data.inputs, d, basis, d)
    return orthonormalise(basis)


@part
def _encode_many(setting: Setting, streams: StageStreams, basis: Floats, work: BrainWork) -> int:
    """Draw the statistics of a replicate and estimate its subspace, n_brain >= d."""
    draw_many(setting.population, streams, setting.sizes.n_brain, work.data)
    return _encode_factor(work.data, setting.sizes.rank, basis, work.encode)


@part
def _encode_few(setting: Setting, streams: StageStreams, basis: Floats, work: BrainWork) -> int:
    """As `_encode_many`, for n_brain < d."""
    draw_few(setting.population, streams, work.data)
    X, R = work.data.inputs, work.data.recordings
    return encode_dual(X, R, setting.sizes.rank, basis, work.encode)


@part
def _draw_grams(setting: Setting, streams: StageStreams, work: BrainWork) -> None:
    """Draw the statistics of a replicate into X'X and X'R, for any n_brain."""
    population, sizes, encode = setting.population, setting.sizes, work.encode
    X, R, d = work.data.inputs, work.data.recordings, setting.population.scale.size
    rows, width = R.shape
    if sizes.n_brain >= d:
        draw_many(population, streams, sizes.n_brain, work.data)
        dsyrk("L", "T", d, d, 1.0, X, d, 0.0, encode.gram, d)
        dgemm("N", "N", width, d, d, 1.0, R, width, X, d, 0.0, encode.cross, width)
    else:
        draw_few(population, streams, work.data)
        dsyrk("L", "N", d, rows, 1.0, X, d, 0.0, encode.gram, d)
        dgemm("N", "T", width, d, rows, 1.0, R, width, X, d, 0.0, encode.cross, width)


@part
def _encode_ridge(setting: Setting, streams: StageStreams, basis: Floats, work: BrainWork) -> int:
    """As `_encode_many`, with a penalty in stage 1, for any n_brain."""
    _draw_grams(setting, streams, work)
    return encode_ridge(setting.sizes.encoding_penalty, setting.sizes.rank, basis, work.encode)


@kernel
def _brain_many(
    setting: Setting, streams: StageStreams, work: BrainWork, out: Outcome, first: int
) -> int:
    """Estimate subspaces by least squares, n_brain >= d (`encode_replicates`)."""
    return encode_replicates(_encode_many, setting, streams, work, out, first)


@kernel
def _brain_few(
    setting: Setting, streams: StageStreams, work: BrainWork, out: Outcome, first: int
) -> int:
    """As `_brain_many`, for n_brain < d."""
    return encode_replicates(_encode_few, setting, streams, work, out, first)


@kernel
def _brain_ridge(
    setting: Setting, streams: StageStreams, work: BrainWork, out: Outcome, first: int
) -> int:
    """As `_brain_many`, with a penalty in stage 1, for any n_brain."""
    return encode_replicates(_encode_ridge, setting, streams, work, out, first)


@kernel
def _brain_chosen(
    setting: Setting, streams: StageStreams, work: BrainWork, choice: EncoderChoice, out: Outcome,
    first: int,
) -> int:  # fmt: skip
    """As `_brain_ridge`, each replicate choosing its penalty by the generalised score."""
    population, n, encode = setting.population, setting.sizes.n_brain, work.encode
    for at in range(first, out.m_hat.size):
        _draw_grams(setting, streams, work)
        squares = draw_squares(population, streams.noise, n, work.data.recordings)
        decompose_encoder(encode.gram, encode.cross, choice)
        score_encoder(n, squares, choice)
        choice.chosen[at] = best_encoder(choice)
        verdict = encode_ridge(choice.chosen[at], setting.sizes.rank, work.bases[at], encode)
        work.lost[at] = verdict
        if verdict >= DOUBTFUL:
            return at
        record(population, at, work, out)
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
        Of the rule GENERALISED, as for `raw_brain.brain_stage`; leave-one-out looks at rows, which
        are not drawn here.

    Raises
    ------
    ValueError
        A choice by another rule.
    """
    X, R, exact = work.data.inputs, work.data.recordings, work.exact
    many = setting.sizes.n_brain >= setting.population.scale.size
    brain = _brain_many if many else _brain_few
    if choice is not None or setting.sizes.encoding_penalty > 0.0:
        brain = _brain_ridge

    def take_again() -> None:
        if many:
            keep_triangle(X, R, exact)
        elif brain is _brain_few:
            keep_rows(X, R, exact)
        else:
            clear(exact)
            absorb(X, R, exact)

    if choice is not None:
        if choice.rule != GENERALISED:
            raise ValueError(
                f"rule = {choice.rule}: these statistics suffice for GENERALISED alone"
            )
        encode_each_chosen(
            lambda first: _brain_chosen(setting, streams, work, choice, out, first),
            take_again, setting, work, out, choice,
        )  # fmt: skip
        return
    encode_each(
        lambda first: brain(setting, streams, work, out, first), take_again, setting, work, out
    )
