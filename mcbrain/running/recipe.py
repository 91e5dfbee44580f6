"""The lines of NumPy that rebuild a replicate of a raw study without mcbrain."""

from __future__ import annotations

from mcbrain.asking.plugins_section import place_of_plugin
from mcbrain.blocks.problem import RawProblem
from mcbrain.errors import unhandled
from mcbrain.population.covariance import parse_covariance
from mcbrain.population.distributions import LABELS, LATENTS, RECORDINGS
from mcbrain.population.geometry import BASIS, CHANNELS
from mcbrain.population.given import FILE, Given
from mcbrain.population.given_covariance import GivenCovariance
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
    y = {labels}
    X_brain = inputs(n_brain, streams[2], streams[5])
    drive = ({latents}) @ channels.T
    R = {recordings}"""

# By what a covariance was given as: the lines from which its variances and its axes follow, an axis
# in each row, before any scaling. Where it is singular, later lines keep only the directions in
# which inputs vary.
_COVARIANCES = {
    "spectrum": """\
given = np.load({file!r}).astype(float)
order = np.argsort(-given, kind="stable")
variances, axes = given[order], np.eye(d)[order]""",
    "matrix": """\
given = np.load({file!r}).astype(float)
variances, axes = np.linalg.eigh((given + given.T) / 2)""",
    "rows": """\
given = np.load({file!r}).astype(float)
centred = given - given.mean(axis=0)
variances, axes = np.linalg.eigh(centred.T @ centred / (len(given) - 1))""",
}
_LEADING = """\
variances, axes = variances[::-1], axes[:, ::-1].T
axes = axes * np.sign(axes[np.arange(d), np.abs(axes).argmax(axis=1)])[:, None]"""
_VARYING = "variances, axes = variances[:{rank}], axes[:{rank}]"
_TRACE = "variances = variances * (d / variances.sum())"
_NATIVE = "d = {rank}"
_POWER = """\
variances = np.arange(1, d + 1) ** -{exponent!r}
variances = variances * (d / variances.sum())"""

# The direction u that the brain misses, of a task with a source exponent. `free` marks the axes
# that do not lie in the brain's subspace altogether.
_SOURCE = """\
free = 1 - np.sum(brain_map**2, axis=0) > 1e-12
logarithm = ({exponent!r} - 0.5) * np.log(variances[free])
logarithm -= np.log(np.arange(1, d + 1)[free]) / 2
missed = np.zeros(d)
missed[free] = np.exp(logarithm - logarithm.max())
missed -= (brain_map @ missed) @ brain_map
missed /= np.linalg.norm(missed)"""
# The file of a plug-in lies in the results folder, in which this is run.
_OWN_INPUTS = """\
from runpy import run_path
from types import SimpleNamespace
wanted = ("inputs", {name!r})
found = run_path({file!r}).values()
fill = next(f for f in found if (getattr(f, "kind", 0), getattr(f, "name", 0)) == wanted)
def drawn(rng, n):
    X = np.full((n, d), np.nan)
    fill(rng, SimpleNamespace({settings}), X)
    return X"""
_AS_GIVEN = """\
X, X_brain, brain_map, beta = X @ axes, X_brain @ axes, brain_map @ axes, beta @ axes"""


def recipe(problem: RawProblem, block: int, place: int) -> str:
    """Write the lines of NumPy that draw one replicate again, without mcbrain.

    Parameters
    ----------
    problem : RawProblem
        The model, the numbers of samples and the seed behind the replicate.
    block, place : int
        The number of the block that holds the replicate, and its place there, both from 0. All
        replicates of the block up to this one are drawn, since they share streams.

    Returns
    -------
    str
        A program. It leaves X (n_task, d), y (n_task,), X_brain (n_brain, d), R (n_brain, p),
        beta (d,), brain_map (k, d) and channels (p, k), in the coordinates that `Replay.data` has.
        Arrays that the model was given are read from their files.

    Raises
    ------
    NotImplementedError
        The model has a kind of covariance or brain map that no line here stands for.
    """
    model = problem.model
    sizes = (model.input_dim, model.latent_dim, model.n_channels)
    numbers = ", ".join(map(str, (*sizes, problem.n_task, problem.n_brain)))
    scaled = not model.input_covariance.identity
    turned = model.input_covariance.axes is not None
    return "\n".join(
        [
            "import numpy as np",
            f"d, k, p, n_task, n_brain = {numbers}",
            _TOOLS.format(seed=problem.seed),
            *_variances(model),
            *(["scale = np.sqrt(variances)"] if scaled else []),
            *_own_inputs(model),
            *_population(model),
            _REPLICATES.format(
                draw=_draw(model) + (" * scale" if scaled else ""),
                words=", ".join(map(str, problem.words)),
                block=block,
                count=place + 1,
                labels=_labels(model),
                latents=LATENTS[model.latents].line.format(X="X_brain"),
                recordings=RECORDINGS[model.neural_law].line.format(
                    noise=model.sigma_r, rate=model.baseline_rate, rng="streams[3]"
                ),
            ),
            *([_AS_GIVEN] if turned else []),
        ]
    )


def _draw(model: Model) -> str:
    """An expression of the inputs, before their scale."""
    return "drawn(rng, n)" if model.own_inputs else model.input_distribution.line


def _own_inputs(model: Model) -> list[str]:
    """Lines of the function by which a plug-in draws the inputs, from its file."""
    if (own := model.own_inputs) is None:
        return []
    names = [name for name, _ in own.plugin.parameters]
    settings = ", ".join(f"{n}={v!r}" for n, v in zip(names, own.values, strict=True))
    file, name = place_of_plugin(own.plugin), own.plugin.name
    return [_OWN_INPUTS.format(file=file, name=name, settings=settings)]


def _labels(model: Model) -> str:
    """An expression of the labels."""
    response = f"X @ beta + {model.sigma_y!r} * streams[1].standard_normal(n_task)"
    return LABELS[model.labels].line.format(response=response)


def _variances(model: Model) -> list[str]:
    """Lines of the covariance's eigenvalues, and of its eigenvectors where it was given."""
    match model.covariance:
        case GivenCovariance() as given:
            lines = [_COVARIANCES[given.kind].format(file=given.removeprefix(FILE))]
            lines += [_LEADING] if given.kind != "spectrum" else []
            singular = model.native_dim < model.input_dim
            lines += [_VARYING.format(rank=model.native_dim)] if singular else []
            lines += [_TRACE] if model.covariance_scale == "trace" else []
            return lines + ([_NATIVE.format(rank=model.native_dim)] if singular else [])
        case str() as word:
            exponent = parse_covariance(word)
            if exponent or model.source is not None:
                return [_POWER.format(exponent=exponent)]
            return []
    raise unhandled("covariance", model.covariance, "the recipe of a replicate")


def _population(model: Model) -> list[str]:
    """Lines of what all replicates share: where brain and task point, and the channels."""
    k_m = model.k_m
    channels = f"orthonormal(stream({CHANNELS:#x}).standard_normal(({k_m}, p))).T"
    return [
        f"frame = {_frame(model)}",
        "brain_map = frame[:k]",
        *_task(model),
        "channels = np.zeros((p, k))",
        f"channels[:, :{k_m}] = {channels} * np.array({model.gains[:k_m].tolist()})",
    ]


def _frame(model: Model) -> str:
    """An expression of the latents' directions, and of two outside them if there is room."""
    rows = min(model.latent_dim + 2, model.native_dim)
    others = f"stream({BASIS:#x}).standard_normal"
    match model.brain.word:
        case Given() as given:
            turned = " @ axes.T" if model.input_covariance.axes is not None else ""
            known = f"orthonormal(np.load({given.removeprefix(FILE)!r}).astype(float){turned})"
            more = f"{others}(({rows - model.latent_dim}, d))"
            return f"orthonormal(np.concatenate([{known}, {more}]))"
        case "leading":
            return f"np.eye({rows}, d)"
        case "random":
            return f"orthonormal({others}(({rows}, d)))"
    raise unhandled("brain map", model.brain.word, "the recipe of a replicate")


def _task(model: Model) -> list[str]:
    """Lines of the task's weights, beta, and of what they are made of."""
    if isinstance(model.task, Given):
        turned = " @ axes.T" if model.input_covariance.axes is not None else ""
        return [f"beta = np.load({model.task.removeprefix(FILE)!r}).astype(float){turned}"]
    m, inside = model.misalignment, f"np.array({model.loadings.tolist()}) @ brain_map"
    has_source = model.source is not None and m > 0
    source = [_SOURCE.format(exponent=model.source)] if has_source else []
    away = "missed" if source else "frame[k]"
    missed = f" + np.sqrt({m!r}) * {away}" if model.latent_dim < model.native_dim else ""
    return [*source, f"beta = {model.signal_norm!r} * (np.sqrt(1 - {m!r}) * ({inside}){missed})"]
