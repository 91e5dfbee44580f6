"""A plug-in on trial: what its author should know before a study rests on it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mcbrain.asking.from_python import adhoc_study
from mcbrain.asking.own import Own
from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import RawProblem
from mcbrain.blocks.query import Fit, Query
from mcbrain.blocks.sums import AT_LINE, reason_of
from mcbrain.errors import InputError
from mcbrain.plugins.kinds import ESTIMATOR
from mcbrain.plugins.loading import function_of, load_file, read_file, space_of
from mcbrain.plugins.record import Plugin
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift
from mcbrain.results.tables import open_results
from mcbrain.running.computing import compute
from mcbrain.running.data_sets import replicates
from mcbrain.running.inputs_check import inputs_findings
from mcbrain.running.runner import run
from mcbrain.typing import Floats, Integers

if TYPE_CHECKING:
    from mcbrain.kernels.replicate.own import OwnData

__all__ = ["Finding", "check_file"]

_N_TASK, _N_BRAIN, _SEED = (40, 8), 30, 0  # more and fewer samples than inputs
_AGREE = 1e-8
_FEW, _MANY = 24, 256  # replicates that are compared, and timed


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    good : bool
    sentence : str
    """

    good: bool
    sentence: str


def check_file(path: str | Path) -> Iterator[Finding]:
    """Try every plug-in of a file. This runs it.

    Parameters
    ----------
    path : str or Path

    Yields
    ------
    Finding
        In the order of the checks, as soon as each is done.

    Raises
    ------
    InputError
        The file brings no plug-in that could be tried.
    """
    source = read_file(Path(path), str(path))
    for plugin in load_file(source):
        said = f"{plugin.where}: {plugin.kind} '{plugin.name}', digest {plugin.digest}"
        match plugin.kind:
            case "estimator":
                yield Finding(True, said)
                yield from _estimator(plugin)
            case "inputs":
                yield Finding(True, said)
                yield from _inputs(plugin)
            case _:
                raise InputError(
                    f"{plugin.where}: `plugin check` tries estimators and inputs so far"
                )


def _estimator(plugin: Plugin) -> Iterator[Finding]:
    """Each check of an estimator; one that cannot go on ends the others."""
    checks: list[Callable[[Plugin], Iterator[Finding]]] = [_values, _bits, _cost, _twin]
    if plugin.compiled:
        found = list(_bounds(plugin))
        yield from found
        if not all(finding.good for finding in found):  # unchecked it would spoil this process
            return
    for check in checks:
        try:
            yield from check(plugin)
        except InputError as error:
            yield Finding(False, str(error))
            return


def _inputs(plugin: Plugin) -> Iterator[Finding]:
    """Each check of inputs."""
    try:
        yield from (Finding(*found) for found in inputs_findings(plugin))
        yield from _bits(plugin)
    except InputError as error:
        yield Finding(False, str(error))


def _model() -> Model:
    return Model(input_dim=12, latent_dim=3, n_channels=6, misalignment=0.2)


def _study(plugin: Plugin, replicates: int) -> Study:
    model, estimators = _model(), dict[str | Plugin, object]({"ridge": 0.1, "befs": 0.1})
    if plugin.kind == ESTIMATOR:
        estimators = {"ridge": 0.1, plugin: {}}
    else:
        model = Model(**{**model.given(), "inputs": plugin})
    return adhoc_study(
        model,
        list(_N_TASK),
        _N_BRAIN,
        estimators,
        ["id", "brain-insensitive:4"],
        seed=_SEED,
        engine="raw",
        precision={"relative": 0.0, "max_replicates": replicates},
        name="plugin check",
    )


def _excess(plugin: Plugin, n_task: int, count: int) -> tuple[Floats, Integers, float]:
    """Excess risk and failures of some replicates, and the seconds that they took."""
    from mcbrain.engines.raw import bench

    study = _study(plugin, count)
    model, method = study.models[0], study.methods[1]
    problem = RawProblem.of(model, n_task, _N_BRAIN, _SEED)
    fit = Fit(method.estimator, "fixed", 0.0, method.estimator.eta, study.rank(model), 0.0)
    made = bench(problem, (Query(fit, Shift("id"), None),), count)
    made.replicates(0)
    begun = time.perf_counter()
    excess, failed, _ = made.replicates(0)
    return excess[:, 0], failed[:, 0].astype(np.int64), time.perf_counter() - begun


def _bounds(plugin: Plugin) -> Iterator[Finding]:
    """Compiled so that reading or writing beside an array is an error."""
    from mcbrain.engines.own import bounds_checked

    for n_task in _N_TASK:
        why = ""
        try:
            with bounds_checked():
                _, failed, _ = _excess(plugin, n_task, _FEW)
            if (failed >= AT_LINE).any():
                why = reason_of(int(failed.max()), Own(plugin, tuple(plugin.parameters)))
        except InputError as error:  # it fails on every replicate
            why = str(error)
        if why:
            there = _line_in_python(plugin, n_task)
            yield Finding(False, f"n_task = {n_task}, with bounds checked: {there or why}")
            return
    yield Finding(True, "reads and writes within its arrays")


def _line_in_python(plugin: Plugin, n_task: int) -> str:
    """Where the plain function raises an error: an index beside an array has no line compiled."""
    from mcbrain.kernels.replicate.own_function import line_of

    for data, parameters, beta in _plain(plugin, n_task):
        try:
            plugin(data, parameters, beta)
        except Exception as error:  # the user's own
            line = line_of(error, function_of(plugin).__code__.co_filename)
            return Own(plugin, tuple(plugin.parameters)).line(line)
    return ""


# Any: the parameters of a plug-in are a NamedTuple of its own.
def _plain(plugin: Plugin, n_task: int) -> Iterator[tuple[OwnData, Any, Floats]]:
    """What the plain function is given on NumPy's own data."""
    from mcbrain.kernels.replicate.own import OwnData
    from mcbrain.kernels.replicate.own_function import named_parameters

    own = dict(plugin.parameters)
    parameters = named_parameters(list(own))(*own.values())
    for one in replicates(_model(), n_task, _N_BRAIN, count=_FEW, seed=_SEED):
        data = OwnData(one.X, one.y, one.X_brain, one.R, one.basis, n_task)
        yield data, parameters, np.full(one.beta.size, np.nan)


def _values(plugin: Plugin) -> Iterator[Finding]:
    """Whether every replicate has a finite risk."""
    for n_task in _N_TASK:
        excess, failed, _ = _excess(plugin, n_task, _MANY)
        count = int((failed != 0).sum())
        said = f"n_task = {n_task}: {count} of {excess.size} replicates failed"
        yield Finding(count == 0, f"{said}, mean excess risk {np.nanmean(excess):.5g}")


def _bits(plugin: Plugin) -> Iterator[Finding]:
    """The same bits on one and two threads, and after a run that was resumed."""
    whole = _study(plugin, _MANY)
    one = compute(whole, threads=1).table.drop_columns(["seconds"])
    two = compute(whole, threads=2).table.drop_columns(["seconds"])
    yield Finding(one.equals(two), "the same bits on one thread and on two")
    with tempfile.TemporaryDirectory() as folder:
        run(_study(plugin, 1), Path(folder) / "out", threads=1)
        run(whole, Path(folder) / "out", threads=1)
        again = open_results(Path(folder) / "out").drop_columns(["seconds"])
    yield Finding(one.equals(again), "the same bits after a run that was resumed")


def _cost(plugin: Plugin) -> Iterator[Finding]:
    """How long a replicate takes, its data included."""
    for n_task in _N_TASK:
        _, _, seconds = _excess(plugin, n_task, _MANY)
        each = 1e9 * seconds / _MANY
        yield Finding(True, f"n_task = {n_task}: {each:,.0f} ns a replicate, its data included")


def _twin(plugin: Plugin) -> Iterator[Finding]:
    """Whether the engine's risk is that of the plain function, or of its twin, on NumPy's data."""
    twin = space_of(plugin).get(f"{plugin.name}_twin")
    names = [f"its twin {plugin.name}_twin"] if twin else []
    if plugin.compiled:
        names.append("itself as plain Python")
    for n_task in _N_TASK:
        excess, failed, _ = _excess(plugin, n_task, _FEW)
        truth = [d.beta for d in replicates(_model(), n_task, _N_BRAIN, count=_FEW, seed=_SEED)]
        found: list[list[float]] = []
        for (data, parameters, beta), true in zip(_plain(plugin, n_task), truth, strict=True):
            try:
                each = [twin(data, parameters)] if twin else []
                if plugin.compiled:
                    plugin(data, parameters, beta)
                    each.append(beta)
            except Exception as error:  # the user's own
                yield Finding(False, f"n_task = {n_task}, as plain Python: {error}")
                return
            found.append([float(((np.asarray(b) - true) ** 2).sum()) for b in each])
        for name, values in zip(names, np.array(found).T, strict=True):
            sound = failed == 0
            apart = np.abs(values - excess)[sound] / np.maximum(np.abs(excess[sound]), 1e-300)
            worst = float(apart.max()) if sound.any() else np.nan
            said = f"n_task = {n_task}: the risk of {name} is the engine's up to {worst:.1g}"
            yield Finding(worst <= _AGREE, said)
