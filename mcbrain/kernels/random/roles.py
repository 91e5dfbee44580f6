"""The streams of a block: one for each role."""

from typing import NamedTuple

from mcbrain.kernels.random.seeds import open_roles
from mcbrain.kernels.random.streams import Stream


class StageStreams(NamedTuple):
    """The streams of one stage.

    Attributes
    ----------
    inputs : Stream
        Of the inputs.
    auxiliary : Stream
        What some input distributions need beside (`draw.draw_inputs`).
    noise : Stream
        Of labels in the task stage, of recordings in the brain stage.
    """

    inputs: Stream
    auxiliary: Stream
    noise: Stream


class Streams(NamedTuple):
    """One stream for each role, so that no estimator or size changes another role's numbers.

    Attributes
    ----------
    task : StageStreams
        Of the task stage.
    brain : StageStreams
        Of the brain stage.
    """

    task: StageStreams
    brain: StageStreams


def open_streams(seed: int, key: tuple[int, ...], index: int) -> Streams:
    """Open the six streams of a block: roles 0 to 5 in the order below.

    Parameters
    ----------
    seed : int
        Seed of the study.
    key : tuple of int
        Key of the problem (32-bit words).
    index : int
        Index of the block in its problem.

    Returns
    -------
    Streams
        Each at its first number.
    """
    task_inputs, label_noise, brain_inputs, recording_noise, task_auxiliary, brain_auxiliary = (
        open_roles(seed, key, index, 0, 6)
    )
    return Streams(
        task=StageStreams(task_inputs, task_auxiliary, label_noise),
        brain=StageStreams(brain_inputs, brain_auxiliary, recording_noise),
    )
