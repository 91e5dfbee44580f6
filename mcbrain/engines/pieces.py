"""Which kernels there are to compile: pieces of engines, and those that a study runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mcbrain.asking.engines import engine_of
from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import (
    BrainProblem,
    DataProblem,
    Problem,
    RawProblem,
    SufficientProblem,
    TaskProblem,
)
from mcbrain.errors import unhandled

__all__ = ["Piece", "every_piece", "pieces_of"]


class Piece(NamedTuple):
    """Kernels that are compiled together: a stage of an engine, in one of its forms.

    Attributes
    ----------
    engine : str
        The module of `mcbrain.engines` that has them: "raw", "sufficient", "brain" or "task".
    stage : str
        "task" or "brain"; the modules "brain" and "task" have one each. Of "raw" also "again":
        either stage of replicates whose data are singular, for "sufficient" too; and "own", what
        runs plug-ins.
    form : str
        Of a stage of "raw" or "sufficient": "many" samples or "few", fewer than inputs have
        components; in the task stage of "raw" also "choose-many" and "choose-few", with penalties
        chosen by "loo" or "gcv"; in the brain stage also "ridge", with a penalty, and "chosen",
        with one that each replicate chooses.
    """

    engine: str
    stage: str
    form: str = ""


_REDUCED, _SPECTRAL, _AGAIN = Piece("brain", "brain"), Piece("task", "task"), Piece("raw", "again")
_OWN = Piece("raw", "own")


def every_piece(engine: str, rules: bool = False) -> tuple[Piece, ...]:
    """Every piece that an engine and its pilots run, the longest to compile first.

    Parameters
    ----------
    engine : str
        "raw", "sufficient", "spectral" or "law".
    rules : bool
        Also those of penalties chosen by "loo" or "gcv" on each replicate's data.

    Returns
    -------
    tuple of Piece
        Each piece once; none for an engine that draws nothing.
    """
    found: list[Piece] = []
    for kind in engine_of(engine).draws:
        match kind:
            case "raw":
                forms = ("choose-many", "choose-few") if rules else ()
                found += [Piece("raw", "task", form) for form in (*forms, "many", "few")]
                found += [*_brains("raw", rules), _AGAIN, _OWN]
            case "sufficient":
                found += [Piece("sufficient", "task", "many"), Piece("raw", "task", "few")]
                found += [*_brains("sufficient", rules), _AGAIN]
            case "brain":
                found += [_REDUCED, Piece("raw", "brain", "ridge")]
            case "task":
                found.append(_SPECTRAL)
            case _:
                raise unhandled("kind of problem", kind, "mcbrain.engines.pieces")
    return _in_order(found)


def _brains(engine: str, rules: bool) -> list[Piece]:
    """The forms of the brain stage of an engine that draws data."""
    forms = ("many", "few", "ridge", *(("chosen",) if rules else ()))
    return [Piece(engine, "brain", form) for form in forms]


def pieces_of(study: Study, problems: Iterable[Problem]) -> tuple[Piece, ...]:
    """The pieces that some problems of a study run, the longest to compile first.

    Singular data are expected only of inputs whose distribution has no density. If other inputs
    give singular data nevertheless, the kernels for them are compiled when they are met.

    Parameters
    ----------
    study : Study
        Its methods and its encoding say which stages and forms the problems need.
    problems : iterable of Problem
        Those of its plan and their pilots.

    Returns
    -------
    tuple of Piece
        Each piece once.
    """
    found: set[Piece] = set()
    for problem in problems:
        match problem:
            case RawProblem():
                found.add(_task_piece("raw", problem, study.selects and not problem.pilot))
                if any(method.estimator.own is not None for method in study.methods):
                    found.add(_OWN)
                found.update(_data_pieces("raw", problem, study))
            case SufficientProblem():
                found.add(_task_piece("sufficient", problem, study.selects))
                found.update(_data_pieces("sufficient", problem, study))
            case BrainProblem():
                penalised = problem.encoding_penalty > 0
                found.add(Piece("raw", "brain", "ridge") if penalised else _REDUCED)
            case TaskProblem():
                found.add(_SPECTRAL)
            case _:
                raise unhandled("kind of problem", problem.kind, "mcbrain.engines.pieces")
    return _in_order(found)


def seconds(piece: Piece) -> float:
    """About how long a piece takes to compile; a person is told the time left from it.

    Parameters
    ----------
    piece : Piece
        Kernels that are compiled together.

    Returns
    -------
    float
        Seconds on one core of a processor of 2023.
    """
    if piece in _SECONDS:
        return _SECONDS[piece]
    stage = "choose" if piece.form.startswith("choose") else piece.stage
    return {"choose": 40.0, "task": 20.0, "brain": 14.0}[stage]


def _data_pieces(engine: str, problem: DataProblem, study: Study) -> Iterator[Piece]:
    """What a problem of data sets runs beyond its task stage."""
    inputs = problem.model.input_distribution
    if inputs.smoothness != "density" or inputs.brought:
        yield _AGAIN
    encoders = {m.encoder for m in study.methods if m.estimator.uses_brain and problem.n_brain > 0}
    for rule in (encoder.rule for encoder in encoders):
        if rule.selects:
            yield Piece(engine, "brain", "chosen")
        if rule.value > 0 or rule.record.by == "risk":
            yield Piece(engine, "brain", "ridge")
        if rule.value == 0 or rule.record.by == "risk":  # the best may be 0
            yield Piece(engine, "brain", _side(problem, problem.n_brain))


def _task_piece(engine: str, problem: DataProblem, selects: bool) -> Piece:
    """The task stage of a problem of data sets; both engines share it below n_task = input_dim."""
    side = _side(problem, problem.n_task)
    if selects:
        return Piece("raw", "task", f"choose-{side}")
    return Piece("raw" if side == "few" else engine, "task", side)


def _side(problem: DataProblem, samples: int) -> str:
    """Whether samples are "many", at least as many as inputs have components, or "few"."""
    return "many" if samples >= problem.model.native_dim else "few"


def _in_order(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Each piece once, the longest first."""
    return tuple(sorted(set(pieces), key=lambda piece: (-seconds(piece), piece)))


_SECONDS = {_REDUCED: 10.0, _SPECTRAL: 4.0, _AGAIN: 14.0, _OWN: 8.0}
