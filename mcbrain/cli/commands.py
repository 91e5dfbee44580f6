"""The commands that run a study and show its rows; modules beside this one have the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from mcbrain.cli import appraise_command as appraise
from mcbrain.cli import check_command as check
from mcbrain.cli import diff_command as diff
from mcbrain.cli import plugin_command as plugin
from mcbrain.cli import status_command as status
from mcbrain.cli import validate_command as validate
from mcbrain.cli import worth
from mcbrain.cli.numbers import take_whole_numbers
from mcbrain.cli.options import (
    AsJson,
    estimator_settings,
    number_or_word,
    with_model,
    with_overrides,
)
from mcbrain.errors import InputError, did_you_mean
from mcbrain.population.model import Model

__all__ = ["app"]

app = typer.Typer(
    name="mcbrain",
    help="What brain data is worth for machine learning: Monte-Carlo engines and exact laws.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_Out = Annotated[Path | None, typer.Option("--out", help="Results folder [results/NAME].")]
_Threads = Annotated[int | None, typer.Option(help="Threads; no number depends on it [all cores].")]

_OtherCode = Annotated[
    bool,
    typer.Option(
        "--reuse-other-code", help="Use blocks that other versions computed; provenance says so."
    ),
]

_Plugins = Annotated[
    bool, typer.Option("--plugins", help="Let the code of plug-ins that the study names run.")
]


def _version(value: bool) -> None:
    """Print the version and end, where the option is given."""
    if value:
        from mcbrain import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """What brain data is worth for machine learning: Monte-Carlo engines and exact laws."""


@app.command()
def run(
    study: Annotated[str, typer.Argument(help="TOML file, or name of a shipped study.")],
    out: _Out = None,
    precision: Annotated[
        float | None, typer.Option(help="Target standard error / mean, instead of the study's.")
    ] = None,
    engine: Annotated[
        str | None, typer.Option(help="auto, raw, sufficient, spectral or law.")
    ] = None,
    threads: _Threads = None,
    seed: Annotated[int | None, typer.Option(help="Seed, instead of the study's.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="KEY=VALUE, such as model.misalignment=0.2; may be repeated. Needs --out."
        ),
    ] = None,
    max_time: Annotated[
        str | None, typer.Option(help="Stop cleanly after this long: 90s, 10m, 2h.")
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(help="Run part I of N, to merge later: I/N [as in the SLURM array]."),
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a dask.distributed scheduler.")
    ] = None,
    tls_ca_file: Annotated[
        str | None, typer.Option(help="Certificate of the authority of a tls:// cluster.")
    ] = None,
    tls_cert: Annotated[
        str | None, typer.Option(help="This machine's own certificate for it.")
    ] = None,
    tls_key: Annotated[str | None, typer.Option(help="The private key of that.")] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over; what is there is moved aside.")
    ] = False,
    reuse_other_code: _OtherCode = False,
    plugins: _Plugins = False,
    keep: Annotated[
        str | None, typer.Option(help="replicates: a row for each, in DIR/replicates/.")
    ] = None,
) -> None:
    """Run a study; run it again to resume."""
    from mcbrain.asking.from_toml import load_study
    from mcbrain.cli.progress import TerminalReporter
    from mcbrain.plan.shards import parse_shard, slurm_shard
    from mcbrain.results.printing import print_results
    from mcbrain.running.runner import run as run_study
    from mcbrain.running.scheduler import secured

    part = slurm_shard(os.environ) if shard is None else parse_shard(shard)
    if settings and out is None:
        raise InputError(
            "--set: another study than the file's needs a folder of its own; add --out"
        )
    loaded = with_overrides(
        load_study(study, settings or [], plugins=plugins),
        precision=precision,
        engine=engine,
        seed=seed,
    )
    whence = f"shard {part}, from SLURM_ARRAY_TASK_ID; --shard 1/1 runs the whole study"
    reporter = TerminalReporter(loaded, whence if part is not None and shard is None else "")
    outcome = run_study(
        loaded,
        out,
        threads=threads,
        cluster=secured(cluster, tls_ca_file, tls_cert, tls_key),
        max_time=max_time,
        shard=part,
        fresh=fresh,
        reuse_other_code=reuse_other_code,
        keep=keep,
        reporter=reporter,
    )
    if outcome.shard is None:
        print_results(outcome.folder / "results.arrow", limit=24, spread=True)
    reporter.close(outcome)
    if outcome.results.unmet or outcome.stopped:
        raise typer.Exit(1)


@app.command()
def studies(
    name: Annotated[str | None, typer.Argument(help="One of them, to print its file.")] = None,
) -> None:
    """List the shipped studies, or print the file of one, to begin a study of your own from."""
    from mcbrain.asking.from_toml import shipped_studies

    shipped = shipped_studies()
    if name is not None:
        if name not in shipped:
            raise InputError(f"{name}: no shipped study; {did_you_mean(name, shipped)}")
        print(shipped[name].read_text(encoding="utf-8"), end="")
        return
    for name, path in shipped.items():
        first = path.read_text(encoding="utf-8").splitlines()[0]
        print(f"{name:18s} {first.lstrip('# ')}")


@app.command()
def show(
    path: Annotated[Path, typer.Argument(help="Results folder or Arrow file.")],
    columns: Annotated[
        str | None, typer.Option(help="Columns, separated by commas; 'all' for every column.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="Such as estimator=befs, 'n_task>=100', or failed; may be repeated."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to print at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """Print results as a table; `--where failed` lists the replicates that failed, and why."""
    from mcbrain.results.printing import chosen_rows, print_results

    if as_json:
        from mcbrain.cli.json_output import print_json

        rows, names = chosen_rows(path, columns=columns or "all", where=where or [])
        print_json(rows.select(names))
        return
    print_results(path, columns=columns, where=where or [], limit=limit)


@app.command()
def warmup(
    study: Annotated[str | None, typer.Argument(help="Study whose kernels are needed.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every engine's kernels.")] = False,
) -> None:
    """Compile what a study needs, once, ahead of time."""
    from mcbrain.asking.from_toml import load_study
    from mcbrain.cli.progress import TerminalReporter
    from mcbrain.engines import warm_up
    from mcbrain.running.cores import available_cores
    from mcbrain.running.runner import warm_study

    if study is not None:
        loaded = load_study(study)
        engine, seconds = warm_study(loaded, TerminalReporter(loaded))
        print(f"engine {engine}: kernels ready after {seconds:.1f} s")
        return
    for engine in ["raw", "sufficient", "spectral"] if everything else ["raw"]:
        seconds = warm_up(engine, everything, _note, cores=available_cores())
        print(f"engine {engine}: kernels ready after {seconds:.1f} s")


@app.command()
@with_model
def predict(
    model: Model,
    n_task: Annotated[list[int], typer.Option(help="Task samples; may be repeated.")],
    n_brain: Annotated[list[int], typer.Option(help="Brain samples; may be repeated.")],
    estimator: Annotated[
        list[str] | None,
        typer.Option(help="NAME=RULE, such as befs=optimal; may be repeated [the tuned ones]."),
    ] = None,
    shift: Annotated[
        list[str] | None, typer.Option(help="Such as brain-insensitive:4; may be repeated [id].")
    ] = None,
    rank: Annotated[
        list[int] | None,
        typer.Option(help="Rank of stage 1; may be repeated [measured latents]."),
    ] = None,
    encoding_penalty: Annotated[
        list[str] | None,
        typer.Option(
            help="Ridge penalty of the encoder, per brain sample, or optimal; may be repeated [0]."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict the risk of each estimator from the laws alone."""
    from mcbrain.results.law_rows import predict as predict_table
    from mcbrain.results.printing import print_table, telling
    from mcbrain.results.settings import ENCODER

    table = predict_table(
        model,
        n_task,
        n_brain,
        estimator_settings(estimator or []),
        shift or ["id"],
        rank=rank or None,
        encoding_penalty=[number_or_word(text) for text in encoding_penalty or ["0"]],
    )
    if as_json:
        from mcbrain.cli.json_output import print_json

        named = [n for n in table.schema.names if table[n].null_count < table.num_rows]
        print_json(table.select(named))
        return
    shown = ["n_task", "n_brain", "estimator", "penalty", "shift", *_PREDICTED]
    shown[4:4] = telling(table, ENCODER)
    if table["prediction_se"].null_count < table.num_rows:  # of imagined recordings
        shown.insert(shown.index("predicted") + 1, "prediction_se")
    print_table(table, shown)


_NO_ENCODER = (None, None, None)


def _with_rule(penalty: object, rule: object) -> str:
    """A penalty, and in brackets the rule that chose it."""
    if penalty is None:
        return "-"
    return f"{penalty:.6g}" + ("" if rule == "fixed" else f" ({rule})")


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(help="Results folder of a raw study.")],
    point: Annotated[int, typer.Option(help="Column `point` of the results.")],
    replicate: Annotated[int, typer.Option(help="Number of the replicate, from 0.")],
    save: Annotated[Path | None, typer.Option(help="Where to keep the data, as .npz.")] = None,
    plugins: _Plugins = False,
    in_session: Annotated[
        bool, typer.Option("--debug", help="A prompt with its data: X, y, X_brain, R, beta.")
    ] = False,
) -> None:
    """Draw and solve one raw replicate again."""
    from mcbrain.results.settings import ENCODER
    from mcbrain.running.replaying import check_npz
    from mcbrain.running.replaying import replay as replay_one

    if save is not None:
        check_npz(save)
    again = replay_one(folder, point, replicate, plugins=plugins)
    # Saving comes first: where it fails, the error is all that is printed.
    if save is not None:
        again.save(save)
    if in_session:
        from mcbrain.running.debugging import debug

        debug(again)
        return
    print(f"block {again.block}, replicate {again.place} of it")
    encoded = len({tuple(row[name] for name in ENCODER) for row in again.rows} - {_NO_ENCODER}) > 1
    encoder = f" {'rank':>4s} {'encoder':20s}" if encoded else ""
    print(f"{'estimator':14s} {'penalty':20s}{encoder} {'shift':24s} excess risk")
    for row in again.rows:
        penalty = _with_rule(row["penalty"], row["rule"])
        penalty = penalty if row["parameters"] is None else str(row["parameters"])
        if encoded:
            rank = "-" if row["rank"] is None else row["rank"]
            encoder = (
                f" {rank!s:>4s} {_with_rule(row['encoding_penalty'], row['encoding_rule']):20s}"
            )
        name = f"{row['estimator']:14s} {penalty:20s}{encoder} {row['shift']:24s}"
        print(f"{name} {row['excess']:.17g} {row['failure']}".rstrip())
    print(f"# X, y, X_brain and R of this replicate without mcbrain:\n{again.recipe}")
    if save is not None:
        print(f"data and excess risks: {save}")


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of one study's shards.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the merged results.")],
    reuse_other_code: _OtherCode = False,
) -> None:
    """Put shards together: one result, as of a run that was never cut."""
    from mcbrain.cli.progress import StepsReporter, close_merge
    from mcbrain.running.merging import merge as merge_folders

    merged = merge_folders(
        folders, out, reuse_other_code=reuse_other_code, reporter=StepsReporter()
    )
    close_merge(merged)
    if merged.missing or merged.results.unmet:
        raise typer.Exit(1)


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Results folder or Arrow file.")],
    form: Annotated[
        str | None, typer.Option("--format", help="parquet or csv [of --out, or parquet].")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", help="File, or - for standard output [beside them].")
    ] = None,
) -> None:
    """Write the results for tools that do not read Arrow."""
    from mcbrain.results.tables import export_results

    written = export_results(folder, form, out)
    if out != "-":
        print(f"wrote {written}")


def _note(sentence: str) -> None:
    """Print a sentence to standard error, so that standard output holds results alone."""
    print(sentence, file=sys.stderr, flush=True)


_PREDICTED = ("predicted", "prediction", "status")

for _commands in (status, check, diff, worth, appraise, validate, plugin):
    _commands.register(app)

for _command in app.registered_commands:
    if _command.callback is not None:
        take_whole_numbers(_command.callback)
