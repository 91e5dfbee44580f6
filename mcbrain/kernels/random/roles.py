"""The streams of a block: one for each role."""

from typing import NamedTuple

from mcbrain.kernels.random.seeds import open_roles
from mcbrain.kernels.random.streams import Stream


class Streams(NamedTuple):
    """One stream for each role, so that no estimator or size changes another role's numbers."""

    task_inputs: Stream
    label_noise: Stream
    brain_inputs: Stream
    recording_noise: Stream
    task_auxiliary: Stream
    brain_auxiliary: Stream


def open_streams(seed: int, key: tuple[int, ...], index: int) -> Streams:
    """Open the six streams of a block, roles 0 to 5 in the order of `Streams`."""
    return Streams(*open_roles(seed, key, index, 0, 6))
