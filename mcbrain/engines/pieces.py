"""Which kernels there are to compile: pieces of engines, and those that a study runs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from mcbrain.asking.studies import Study
from mcbrain.blocks.problem import Problem
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
        either stage of replicates whose data are singular, for "sufficient" too.
    form : str
        Of a stage of "raw" or "sufficient": "many" samples or "few", fewer than input_dim; in the
        task stage of "raw" also "choose-many" and "choose-few", with penalties chosen by "loo" or
        "gcv"; in the brain stage also "ridge", with a penalty.
    """

    engine: str
    stage: str
    form: str = ""


_REDUCED, _SPECTRAL, _AGAIN = Piece("brain", "brain"), Piece("task", "task"), Piece("raw", "again")


def every_piece(engine: str, rules: bool = False) -> tuple[Piece, ...]:
    """Every piece that an engine and its pilots run, the longest to compile first.

    Parameters
    ----------
    engine : str
        "raw", "sufficient", "spectral" or "law".
    rules : bool
        Also those of penalties chosen by "loo" or "gcv" on each replicate's data.
    """
    match engine:
        case "raw":
            forms = ("choose-many", "choose-few") if rules else ()
            found = [Piece("raw", "task", form) for form in (*forms, "many", "few")]
        case "sufficient":
            found = [Piece("sufficient", "task", "many"), Piece("raw", "task", "few")]
        case "spectral":
            return _in_order([Piece("raw", "brain", "ridge"), _REDUCED, _SPECTRAL])
        case "law":
            return ()
        case _:
            raise unhandled("engine", engine, "mcbrain.engines")
    brains = [Piece(engine, "brain", form) for form in ("many", "few", "ridge")]
    return _in_order([*found, *brains, _REDUCED, _AGAIN, Piece("raw", "brain", "ridge")])


def pieces_of(study: Study, problems: Iterable[Problem]) -> tuple[Piece, ...]:
    """The pieces that some problems of a study run, the longest to compile first.

    Singular data are expected of inputs without a density alone; of others, what they need is
    compiled when they are met.

    Parameters
    ----------
    study : Study
    problems : iterable of Problem
        Those of its plan and their pilots.
    """
    uses_brain = any(choice.estimator.uses_brain for choice in study.choices)
    found: set[Piece] = set()
    for problem in problems:
        match problem.kind:
            case "raw" | "pilot-raw" | "sufficient":
                engine = problem.kind.removeprefix("pilot-")
                found.add(_task_piece(engine, problem, study.selects and engine == problem.kind))
                if problem.model.input_law.smoothness != "density":
                    found.add(_AGAIN)
                if uses_brain and problem["n_brain"] > 0:
                    penalised = study.encoding.penalty > 0
                    found.add(Piece(engine, "brain", "ridge" if penalised else _side(problem)))
            case "brain" | "pilot-brain":
                penalised = problem["encoding_penalty"] > 0
                found.add(Piece("raw", "brain", "ridge") if penalised else _REDUCED)
            case "task":
                found.add(_SPECTRAL)
            case _:
                raise unhandled("kind of problem", problem.kind, "mcbrain.engines.pieces")
    return _in_order(found)


def seconds(piece: Piece) -> float:
    """How long a piece takes to compile, on a processor of 2023: what is said of the time left."""
    if piece in _SECONDS:
        return _SECONDS[piece]
    stage = "choose" if piece.form.startswith("choose") else piece.stage
    return {"choose": 40.0, "task": 20.0, "brain": 14.0}[stage]


def _task_piece(engine: str, problem: Problem, selects: bool) -> Piece:
    """The task stage of a sampled problem; below input_dim samples both engines have the same."""
    side = _side(problem, "n_task")
    if selects:
        return Piece("raw", "task", f"choose-{side}")
    return Piece("raw" if side == "few" else engine, "task", side)


def _side(problem: Problem, samples: str = "n_brain") -> str:
    """On which side of n = d a problem is."""
    return "many" if problem[samples] >= problem["input_dim"] else "few"


def _in_order(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Each piece once, the longest first."""
    return tuple(sorted(set(pieces), key=lambda piece: (-seconds(piece), piece)))


_SECONDS = {_REDUCED: 10.0, _SPECTRAL: 4.0, _AGAIN: 14.0}
