"""The commands that say what brain data is worth: `value`, `budget` and `report`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mcbrain.asking.engines import engine_of
from mcbrain.cli.json_output import print_json
from mcbrain.cli.options import AsJson, number_or_word, with_model
from mcbrain.errors import InputError
from mcbrain.population.model import Model

if TYPE_CHECKING:
    from mcbrain.results.view import Results
    from mcbrain.worth.answer import Value

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands `value`, `budget` and `report` to the command line.

    Parameters
    ----------
    app : typer.Typer
        The command line.
    """
    app.command()(value)
    app.command()(budget)
    app.command()(report)


@with_model
def value(
    model: Model,
    results: Annotated[
        Path | None, typer.Argument(help="Results folder: simulated values of every point.")
    ] = None,
    n_task: Annotated[int | None, typer.Option(help="Task samples [500; of results, all].")] = None,
    n_brain: Annotated[
        int | None, typer.Option(help="Brain samples [1000; of results, all].")
    ] = None,
    baseline: Annotated[str, typer.Option(help="ridge (tuned) or ols.")] = "ridge",
    encoding_penalty: Annotated[
        str | None,
        typer.Option(help="Ridge penalty of the encoder, per brain sample, or optimal [0]."),
    ] = None,
    simulate: Annotated[
        bool, typer.Option("--simulate", help="Simulate it too, with a 95 % interval.")
    ] = False,
    precision: Annotated[
        float | None, typer.Option(help="Standard error / mean when simulated [0.005].")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed when simulated [0].")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads when simulated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Task samples that brain data replaces: from the laws, simulated, or from a results folder."""
    # Keywords of `value`, each with a type of its own.
    options: dict[str, Any] = {"precision": precision, "seed": seed, "threads": threads}
    options = {name: given for name, given in options.items() if given is not None}
    if options and not simulate:
        raise InputError(f"--{next(iter(options))}: it has a meaning with --simulate alone")
    if results is not None:
        if encoding_penalty is not None:
            raise InputError(
                f"--encoding-penalty: the encoder is that of the results in {results}; leave it out"
            )
        if simulate:
            raise InputError(f"--simulate: the values of {results} are simulated already")
        _values_of(results, baseline, n_task, n_brain, as_json)
        return
    n_task, n_brain = 500 if n_task is None else n_task, 1000 if n_brain is None else n_brain
    from mcbrain.cli.waiting import patience
    from mcbrain.worth.valuation import value as worth

    encoder = number_or_word(encoding_penalty or "0")
    with patience("solving the law of any covariance, which takes up to a minute"):
        found = [worth(model, n_task, n_brain, baseline, encoding_penalty=encoder)]
    if simulate:
        options |= {"encoding_penalty": encoder, "simulate": True}
        found.append(worth(model, n_task, n_brain, baseline, **options))
    if as_json:
        print_json(found)
        return
    name = "tuned ridge" if baseline == "ridge" else "OLS"
    print(f"{n_brain:,} brain samples beside {n_task:,} task samples, against {name}:\n")
    _print_values(found, name, _unit(model))


def _unit(model: Model) -> str:
    """The unit of a risk, in words, where it is not 1: these commands print risks over it."""
    return "" if model.signal_norm == 1 else " / |β|²"


def _print_values(found: list[Value], baseline: str, unit: str) -> None:
    """Print a column for the law and one for the simulation, if there was one; then notes."""
    rows: tuple[tuple[str, Callable[[Value], str]], ...] = (
        ("", lambda v: v.source),
        ("value (task samples)", lambda v: _number(v.task_samples)),
        ("  range / 95 % interval", lambda v: _range(v.interval)),
        ("saved fraction", lambda v: _number(v.saved_fraction)),
        ("exchange rate", lambda v: _number(v.exchange_rate)),
        ("marginal rate, by law", lambda v: _number(v.marginal_rate)),
        ("saturation, by law", lambda v: _number(v.saturation)),
        (f"excess risk of BEFS{unit}", lambda v: _number(v.risk)),
        (f"excess risk of {baseline}{unit}", lambda v: _number(v.baseline_risk)),
    )
    wide = max(len(text) for text, _ in rows)
    for text, render in rows:
        law, *measured = map(render, found)
        print(f"  {text:{wide}s}{law:>22s}" + "".join(f"{cell:>26s}" for cell in measured))
    for one in found:
        if one.note:
            print(f"\n{one.source}: {one.note}")


def _simulated(results: Results) -> Results:
    """The results, if any of it was simulated: laws have no interval over replicates."""
    if not engine_of(results.engine).draws:
        raise InputError(
            f"{results.place}: nothing was simulated there; without a folder this command gives "
            "the answers of the laws, with their ranges"
        )
    return results


@dataclass(frozen=True)
class _PointValue:
    """The simulated value of brain data at one point, with its 95 % interval."""

    model: dict[str, object]
    misalignment: float
    n_task: int
    n_brain: int
    value: float
    interval: tuple[float, float]
    note: str


def _values_of(
    folder: Path, baseline: str, n_task: int | None, n_brain: int | None, as_json: bool
) -> None:
    """Print the simulated values of a results folder, a line each: all, or those asked for."""
    from mcbrain.results.view import Results
    from mcbrain.worth.simulated import value_in_results

    view = _simulated(Results(folder))
    study = view.study
    for name, wanted, held in (
        ("--n-task", n_task, study.n_task),
        ("--n-brain", n_brain, study.n_brain),
    ):
        if wanted is not None and wanted not in held:
            raise InputError(
                f"{name} {wanted}: the results in {folder} hold {', '.join(map(str, held))}"
            )
    if not _among(view, n_task, n_brain):
        raise InputError(
            f"--n-task {n_task} --n-brain {n_brain}: no point of the study in {folder} has both"
        )
    found, words = [], []
    for i, model in enumerate(study.models):
        for (t, task), (b, brain) in product(enumerate(study.n_task), enumerate(study.n_brain)):
            wanted = n_task in (None, task) and n_brain in (None, brain) and view.asked[i, t, b]
            if wanted and brain >= study.rank(model):
                value, note = value_in_results(view, i, t, b, baseline)
                ends = float(value.low), float(value.high)
                number = float(value.value)
                point = (model.given(), model.misalignment, task, brain)
                found.append(_PointValue(*point, number, ends, note))
                words.append(_beside_misalignment(view, i))
    if not found:
        raise InputError(
            f"{view.place}: no point of these results has brain samples, as many as the rank or "
            "more; add some to [design] and run again"
        )
    if as_json:
        print_json(found)
        return
    if several := view.one_of_several():
        print(f"{several}\n")
    wide = max(map(len, words), default=0)
    head = f"{'':{wide}s}{'m':>8s}{'n_task':>10s}{'n_brain':>10s}{'value':>12s}"
    print(f"{head}  {'95 % interval':24s}note")
    for one, model_is in zip(found, words, strict=True):
        row = f"{model_is:{wide}s}{one.misalignment:8g}{one.n_task:10,}{one.n_brain:10,}"
        row += f"{_number(one.value):>12s}  {_range(one.interval):24s}{one.note}"
        print(row.rstrip())


def _beside_misalignment(view: Results, model: int) -> str:
    """What else tells a model from the others of its study; empty where nothing does."""
    if not set(view.varied) - {"misalignment"}:
        return ""  # without what draws figures, which knows the words
    from mcbrain.reporting.words import model_words, plain

    return plain(model_words(view, model, known=("misalignment",)))


def _among(view: Results, n_task: int | None, n_brain: int | None) -> bool:
    """Whether some point of a study has these numbers of samples; None is any."""
    tasks, brains = (
        [wanted is None or wanted == n for n in axis]
        for wanted, axis in ((n_task, view.study.n_task), (n_brain, view.study.n_brain))
    )
    return bool(view.asked[:, tasks][:, :, brains].any())


@with_model
def budget(
    model: Model,
    results: Annotated[
        Path | None, typer.Argument(help="Results folder: the best of its simulated points.")
    ] = None,
    *,
    budget: Annotated[float, typer.Option(help="What may be spent.")],
    cost_task: Annotated[float, typer.Option(help="Price of a task sample.")] = 1.0,
    cost_brain: Annotated[float, typer.Option(help="Price of a brain sample.")] = 5.0,
    cost_repeat: Annotated[
        float | None, typer.Option(help="Price of recording a stimulus again [--cost-brain].")
    ] = None,
    max_repeats: Annotated[int, typer.Option(help="Recordings of a stimulus at most.")] = 1,
    as_json: AsJson = False,
) -> None:
    """The best split of a budget, and whether brain data is worth collecting."""
    if results is not None:
        if cost_repeat is not None or max_repeats != 1:
            raise InputError(f"--cost-repeat, --max-repeats: {results} holds no repeats")
        _purchases_of(results, budget, cost_task, cost_brain, as_json)
        return
    from mcbrain.worth.allocation import allocate

    best = allocate(
        model, budget, cost_task, cost_brain, cost_repeat=cost_repeat, max_repeats=max_repeats
    )
    if as_json:
        print_json(best)
        return
    word = "worth" if best.worth_collecting else "not worth"
    print(f"Brain data is {word} collecting at this price.\n")
    for text, number in (
        ("task samples", f"{best.n_task:,}"),
        ("brain samples", f"{best.n_brain:,}"),
        ("repeats of each", f"{best.repeats}"),
        ("cost", _number(best.cost)),
        (f"excess risk{_unit(model)}", _number(best.risk)),
        ("  with tuned ridge only", _number(best.risk_without)),
        ("break-even price", _number(best.break_even_price)),
        ("  range by law 5b", _range(best.break_even_range)),
        ("marginal rate", _number(best.marginal_rate)),
    ):
        print(f"  {text:24s}{number:>18s}")


def _purchases_of(
    folder: Path, budget: float, cost_task: float, cost_brain: float, as_json: bool
) -> None:
    """Print the best purchase of a results folder for each of its models, a line each."""
    from mcbrain.results.view import Results
    from mcbrain.worth.purchases import purchase_in_results, with_brain_data

    view = _simulated(Results(folder))
    # A design may ask for brain data beside some of its models alone.
    among = [i for i in range(len(view.study.models)) if with_brain_data(view, i).any()] or [0]
    models = [view.study.models[i] for i in among]
    best = [purchase_in_results(view, i, budget, cost_task, cost_brain) for i in among]
    if as_json:
        records = zip(models, best, strict=True)
        print_json([{"model": model.given(), "purchase": found} for model, found in records])
        return
    if several := view.one_of_several():
        print(f"{several}\n")
    samples = budget / cost_task
    print(f"The budget buys {samples:,.0f} task samples for ridge, or this simulated point:\n")
    beside = [_beside_misalignment(view, i) for i in among]
    wide = max(map(len, beside))
    head = f"{'':{wide}s}{'m':>8s}{'n_task':>10s}{'n_brain':>10s}{'as ridge of':>13s}"
    print(f"{head}  {'95 % interval':24s}brain data is")
    for model, model_is, found in zip(models, beside, best, strict=True):
        row = f"{model_is:{wide}s}{model.misalignment:8g}{found.n_task:10,}{found.n_brain:10,}"
        words = f"{found.verdict}: {found.note}" if found.note else found.verdict
        print(f"{row}{_number(found.task_samples):>13s}  {_range(found.interval):24s}{words}")


def report(
    folder: Annotated[Path, typer.Argument(help="Results folder.")],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder to write into [the results folder].")
    ] = None,
) -> None:
    """Write one self-contained report.html, with its figures beside it."""
    from mcbrain.cli.waiting import steps
    from mcbrain.reporting.figures import FIGURES
    from mcbrain.reporting.page import report as write

    with steps("figures", len(FIGURES)) as tell:
        page = write(folder, tell, out)
    print(f"report: {page}")


def _range(ends: tuple[float, float]) -> str:
    """An interval in words; a dash where it is unknown."""
    if math.isnan(ends[0]):
        return "-"
    return f"above {_number(ends[0])}" if math.isinf(ends[1]) else " to ".join(map(_number, ends))


def _number(value: float) -> str:
    """A number in four digits, or with thousands separated; a dash where it is unknown."""
    if math.isnan(value):
        return "-"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.4g}"
