"""Commands of what brain data is worth: value, budget, report."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mcbrain.errors import InputError

__all__ = ["register"]


_Dim = Annotated[int, typer.Option("--input-dim", help="d, dimension of the input.")]
_Latent = Annotated[int, typer.Option("--latent-dim", help="k, brain latents.")]
_Channels = Annotated[int, typer.Option("--n-channels", help="p, recorded channels.")]
_Misalignment = Annotated[
    float, typer.Option("--misalignment", help="m, share of the task outside the brain's span.")
]
_TaskNoise = Annotated[float | None, typer.Option("--task-noise", help="sigma_y, label noise [1].")]
_SnrTask = Annotated[
    float | None, typer.Option("--snr-task", help="|beta|^2/sigma_y^2, instead of --task-noise.")
]
_NeuralNoise = Annotated[
    float | None, typer.Option("--neural-noise", help="sigma_r, recording noise [1].")
]
_SnrBrain = Annotated[
    float | None,
    typer.Option(
        "--snr-brain", help="Signal-to-noise of the recordings, instead of --neural-noise."
    ),
]
_Gains = Annotated[
    str, typer.Option("--latent-gains", help="D: a number, or one per latent: 2,1,0.5.")
]
_Measured = Annotated[
    int | None, typer.Option("--measured-latents", help="k_m, latents that are recorded [all].")
]


def register(app: typer.Typer) -> None:
    """Add the commands `value`, `budget` and `report`."""
    app.command()(value)
    app.command()(budget)
    app.command()(report)


def value(
    results: Annotated[
        Path | None, typer.Argument(help="Results folder: measured values of every cell.")
    ] = None,
    n_task: Annotated[int, typer.Option(help="Task samples.")] = 500,
    n_brain: Annotated[int, typer.Option(help="Brain samples.")] = 1000,
    baseline: Annotated[str, typer.Option(help="ridge (tuned) or ols.")] = "ridge",
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Measure it, with a 95 % interval.")
    ] = False,
    precision: Annotated[float, typer.Option(help="Standard error / mean when measured.")] = 0.005,
    seed: Annotated[int, typer.Option(help="Seed when measured.")] = 0,
    threads: Annotated[int | None, typer.Option(help="Threads when measured.")] = None,
    input_dim: _Dim = 200,
    latent_dim: _Latent = 10,
    n_channels: _Channels = 100,
    misalignment: _Misalignment = 0.0,
    task_noise: _TaskNoise = None,
    snr_task: _SnrTask = None,
    neural_noise: _NeuralNoise = None,
    snr_brain: _SnrBrain = None,
    latent_gains: _Gains = "1",
    measured_latents: _Measured = None,
) -> None:
    """Task samples that brain data replaces: from the laws, simulated, or from a results folder."""
    if results is not None:
        _values_of(results, baseline)
        return
    from mcbrain.model import Model
    from mcbrain.worth.value import value as worth

    model = Model(
        input_dim=input_dim,
        latent_dim=latent_dim,
        n_channels=n_channels,
        misalignment=misalignment,
        task_noise=task_noise,
        snr_task=snr_task,
        neural_noise=neural_noise,
        snr_brain=snr_brain,
        latent_gains=_gains(latent_gains),
        measured_latents=measured_latents,
    )
    laws = [worth(model, n_task, n_brain, baseline)]
    if simulate:
        options: dict[str, Any] = {"precision": precision, "seed": seed, "threads": threads}
        laws.append(worth(model, n_task, n_brain, baseline, simulate=True, **options))
    name = "tuned ridge" if baseline == "ridge" else "OLS"
    print(f"{n_brain:,} brain samples beside {n_task:,} task samples, against {name}:\n")
    head = "law" if not simulate else f"{'law':>22s}{'measured':>26s}"
    print(f"  {'':24s}{head:>22s}" if not simulate else f"  {'':24s}{head}")
    rows: tuple[tuple[str, Callable[[Any], str]], ...] = (
        ("value (task samples)", lambda v: _number(v.task_samples)),
        ("  range / 95 % interval", lambda v: " to ".join(map(_number, v.interval))),
        ("saved fraction", lambda v: _number(v.saved_fraction)),
        ("exchange rate", lambda v: _number(v.exchange_rate)),
        ("marginal rate, by law", lambda v: _number(v.marginal_rate)),
        ("saturation, by law", lambda v: _number(v.saturation)),
        ("excess risk of BEFS", lambda v: _number(v.risk)),
        (f"excess risk of {name}", lambda v: _number(v.baseline_risk)),
    )
    for text, render in rows:
        print(
            f"  {text:24s}{render(laws[0]):>22s}" + "".join(f"{render(v):>26s}" for v in laws[1:])
        )
    for found in laws:
        if found.note:
            print(f"\n{found.source}: {found.note}")


def _values_of(folder: Path, baseline: str) -> None:
    """Every measured value of a results folder, a line each."""
    from mcbrain.worth.measured import value_in_results
    from mcbrain.worth.results_view import Results

    view = Results(folder)
    study = view.study
    print(f"{'m':>8s}{'n_task':>10s}{'n_brain':>10s}{'value':>12s}  {'95 % interval':24s}note")
    for i, model in enumerate(study.models):
        for t, n_task in enumerate(study.n_task):
            for b, n_brain in enumerate(study.n_brain):
                if n_brain < study.rank(model):
                    continue
                found, note = value_in_results(view, i, t, b, baseline)
                interval = f"{_number(float(found.low))} to {_number(float(found.high))}"
                row = f"{model.misalignment:8g}{n_task:10,}{n_brain:10,}"
                print(f"{row}{_number(float(found.value)):>12s}  {interval:24s}{note}".rstrip())


def budget(
    budget: Annotated[float, typer.Option(help="What may be spent.")],
    cost_task: Annotated[float, typer.Option(help="Price of a task sample.")] = 1.0,
    cost_brain: Annotated[float, typer.Option(help="Price of a brain sample.")] = 5.0,
    cost_repeat: Annotated[
        float | None, typer.Option(help="Price of recording a stimulus again [--cost-brain].")
    ] = None,
    max_repeats: Annotated[int, typer.Option(help="Recordings of a stimulus at most.")] = 1,
    input_dim: _Dim = 200,
    latent_dim: _Latent = 10,
    n_channels: _Channels = 100,
    misalignment: _Misalignment = 0.0,
    task_noise: _TaskNoise = None,
    snr_task: _SnrTask = None,
    neural_noise: _NeuralNoise = None,
    snr_brain: _SnrBrain = None,
    latent_gains: _Gains = "1",
    measured_latents: _Measured = None,
) -> None:
    """The best split of a budget, and whether brain data is worth collecting."""
    from mcbrain.model import Model
    from mcbrain.worth.budget import allocate

    model = Model(
        input_dim=input_dim,
        latent_dim=latent_dim,
        n_channels=n_channels,
        misalignment=misalignment,
        task_noise=task_noise,
        snr_task=snr_task,
        neural_noise=neural_noise,
        snr_brain=snr_brain,
        latent_gains=_gains(latent_gains),
        measured_latents=measured_latents,
    )
    best = allocate(
        model, budget, cost_task, cost_brain, cost_repeat=cost_repeat, max_repeats=max_repeats
    )
    word = "worth" if best.worth_collecting else "not worth"
    print(f"Brain data is {word} collecting at this price.\n")
    for text, number in (
        ("task samples", f"{best.n_task:,}"),
        ("brain samples", f"{best.n_brain:,}"),
        ("repeats of each", f"{best.repeats}"),
        ("cost", _number(best.cost)),
        ("excess risk", _number(best.risk)),
        ("  with tuned ridge only", _number(best.risk_without)),
        ("break-even price", _number(best.break_even_price)),
        ("marginal rate", _number(best.marginal_rate)),
    ):
        print(f"  {text:24s}{number:>14s}")


def report(
    folder: Annotated[Path, typer.Argument(help="Results folder.")],
) -> None:
    """Write one self-contained report.html, with its figures beside it."""
    from mcbrain.report.page import report as write

    print(f"report: {write(folder)}")


def _gains(text: str) -> float | tuple[float, ...]:
    try:
        gains = tuple(float(x) for x in text.strip("[] ").split(","))
    except ValueError:
        raise InputError(
            f"--latent-gains {text}: a number, or one per latent with commas: 2,1,0.5"
        ) from None
    return gains[0] if len(gains) == 1 else gains


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
