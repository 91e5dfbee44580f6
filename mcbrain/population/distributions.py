"""What inputs, labels, latents and recordings are drawn from: a record each.

A record holds the NumPy line of its distribution, which `recipe` prints and `replay` evaluates. The
kernels know the inputs by the codes of `kernels/random/draw.py`, the others by codes that
`engines/bridge.py` looks up by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from mcbrain.checks import parameter
from mcbrain.errors import InputError, did_you_mean

__all__ = [
    "BASES",
    "INPUTS",
    "LABELS",
    "LATENTS",
    "RECORDINGS",
    "InputDistribution",
    "InputFamily",
    "LabelFamily",
    "LatentFamily",
    "RecordingFamily",
    "parse_inputs",
]


# Whether the numbers of an input have a density, are signs, or are zero with some probability:
# what decides how often a Gram matrix is nearly singular (theory/README.md 4a).
Smoothness = Literal["density", "signs", "sparse"]


@dataclass(frozen=True)
class InputFamily:
    """A distribution of the independent components of the inputs, of mean 0 and variance 1.

    Attributes
    ----------
    line : str
        NumPy expression of n draws of d components, shape (n, d), from the generators `rng` and
        `aux`; {0} stands for the parameter.
    smoothness : str
        "density", "signs" or "sparse".
    kurtosis : str
        Fourth moment of a component, as a Python expression of the parameter {0}.
    examples : tuple of str
        How a study may spell it; tests and random designs try each.
    low, high : float
        Range of the parameter, low < parameter <= high.
    form : str
        How it is written with its parameter, and what is allowed; empty without one.
    dominant : bool
        Whether an input has a length of its own with a tail of that power, the parameter.
    """

    line: str
    smoothness: Smoothness
    kurtosis: str
    examples: tuple[str, ...]
    low: float = math.nan
    high: float = math.nan
    form: str = ""
    dominant: bool = False


INPUTS: dict[str, InputFamily] = {
    "gaussian": InputFamily("rng.standard_normal((n, d))", "density", "3", ("gaussian",)),
    "student": InputFamily(
        "np.sqrt(({0} - 2) / aux.chisquare({0}, n))[:, None] * rng.standard_normal((n, d))",
        "density",
        "3 * ({0} - 2) / ({0} - 4)",
        ("student:5", "student:12"),
        4.0,
        1e6,
        "student:NU with a number NU > 4",
        dominant=True,
    ),
    "rademacher": InputFamily(
        "np.where(rng.random((n, d)) < 0.5, 1.0, -1.0)", "signs", "1", ("rademacher",)
    ),
    "uniform": InputFamily(
        "np.sqrt(3) * (2 * rng.random((n, d)) - 1)", "density", "9 / 5", ("uniform",)
    ),
    "laplace": InputFamily("rng.laplace(0.0, np.sqrt(0.5), (n, d))", "density", "6", ("laplace",)),
    "sparse": InputFamily(
        "(aux.random((n, d)) < {0}) * rng.standard_normal((n, d)) / np.sqrt({0})",
        "sparse",
        "3 / {0}",
        ("sparse:0.4",),
        0.0,
        1.0,
        "sparse:F with a number 0 < F <= 1",
    ),
}


@dataclass(frozen=True)
class LabelFamily:
    """How the labels follow from the response, signal and noise together.

    Attributes
    ----------
    line : str
        NumPy expression of the labels at the responses {response}, shape (n,).
    linear : bool
        Whether they are the response, so that their noise does not depend on the inputs; there are
        laws for these alone.
    """

    line: str
    linear: bool = False


LABELS: dict[str, LabelFamily] = {
    "linear": LabelFamily("{response}", linear=True),
    "sign": LabelFamily("np.where({response} > 0, 1.0, -1.0)"),
}


@dataclass(frozen=True)
class LatentFamily:
    """How the latents follow from the inputs.

    Attributes
    ----------
    line : str
        NumPy expression of the latents of inputs {X}, shape (n, k).
    linear : bool
        Whether they are linear in the inputs, for which alone there are laws.
    """

    line: str
    linear: bool = False


LATENTS: dict[str, LatentFamily] = {
    "linear": LatentFamily("{X} @ brain_map.T", linear=True),
    "tanh": LatentFamily("np.tanh({X} @ brain_map.T) / 0.628"),
}


@dataclass(frozen=True)
class RecordingFamily:
    """A distribution of the recordings that the latents drive.

    Attributes
    ----------
    line : str
        NumPy expression of the recordings at `drive`, shape (n, p), from the generator {rng};
        {noise} and {rate} stand for the model's numbers.
    gaussian : bool
        Whether it is Gaussian about the drive, for which alone there are laws.
    twin_noise : callable, optional
        Of counts, which have a `baseline_rate` and no noise of their own: rate -> the noise,
        relative to the gains, of Gaussian recordings that say as much where the signal is small.
        Without it, recordings have `neural_noise`, or `snr_brain` in its place.
    """

    line: str
    gaussian: bool = False
    twin_noise: Callable[[float], float] | None = None

    @property
    def counted(self) -> bool:
        """Whether recordings are counts of a rate, without a noise of their own."""
        return self.twin_noise is not None


RECORDINGS: dict[str, RecordingFamily] = {
    "gaussian": RecordingFamily(
        "drive + {noise!r} * {rng}.standard_normal(drive.shape)", gaussian=True
    ),
    # Poisson counts of rate b at rest answer to a latent with slope b and variance b.
    "poisson": RecordingFamily(
        "{rng}.poisson(np.exp(np.log({rate!r}) + drive)).astype(np.float64)",
        twin_noise=lambda rate: 1.0 / math.sqrt(rate),
    ),
}

# The basis in which the components of the inputs are independent: a seeded rotation, or none.
BASES = ("haar", "axes")


@dataclass(frozen=True)
class InputDistribution:
    """Distribution of the independent input components.

    Attributes
    ----------
    name : str
        Its family, a key of `INPUTS`; or the name of a plug-in.
    parameter : float
        NaN where the family has none.
    brought : bool
        Whether a plug-in draws it. Nothing is known of it beyond mean 0 and variance 1; what is
        said of singular data takes its numbers to have a density.
    """

    name: str
    parameter: float = math.nan
    brought: bool = False

    @property
    def smoothness(self) -> Smoothness:
        """Of an input's numbers: "density", "signs" or "sparse"."""
        return "density" if self.brought else INPUTS[self.name].smoothness

    @property
    def share(self) -> float:
        """Share of the numbers of an input that are not zero."""
        return self.parameter if self.smoothness == "sparse" else 1.0

    @property
    def length_power(self) -> float:
        """nu where the chance that an input is longer than t falls like t^-nu; else infinity."""
        if self.brought:
            return math.inf
        return self.parameter if INPUTS[self.name].dominant else math.inf

    @property
    def line(self) -> str:
        """NumPy expression of n draws of d components; see `InputDistribution.line`."""
        return INPUTS[self.name].line.format(self.parameter)


def parse_inputs(text: str) -> InputDistribution:
    """The distribution that a model's `inputs` names, such as "student:5".

    Parameters
    ----------
    text : str

    Returns
    -------
    InputDistribution

    Raises
    ------
    InputError
        An unknown distribution, or a parameter that is missing, out of range or too much.
    """
    name, _, number = str(text).partition(":")
    if name not in INPUTS:
        raise InputError(f"inputs = {text!r}: {did_you_mean(name, INPUTS)}")
    known = INPUTS[name]
    if not known.form:
        if number:
            raise InputError(f"inputs = {text!r}: '{name}' takes no parameter")
        return InputDistribution(name)
    value = parameter("inputs", text, number, known.form)
    if not known.low < value <= known.high:
        raise InputError(f"inputs = {text!r}: allowed is {known.form}")
    return InputDistribution(name, value)
