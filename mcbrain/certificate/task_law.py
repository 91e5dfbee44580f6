"""The error of the law of the task stage over a random design (theory/README.md 5f).

`python -m mcbrain.certificate.task_law` measures it, writes the table that `task_accuracy` reads,
and prints the tables of the theory page; with `--check` it draws other cells and says how many of
them that table covers.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcbrain.certificate.measuring import measured
from mcbrain.population.covariance import power_spectrum
from mcbrain.theory import accuracy
from mcbrain.theory.any_covariance import TaskSetting, excess_risk, free_rows
from mcbrain.typing import Floats

__all__ = ["TaskCell", "TaskError", "compare", "coverage", "draw_cells", "tables", "worst"]

# A cell is done once its risk has this relative standard error: less where the law is better, which
# is a share of one over the squared rows that the fit leaves free.
_PRECISION, _FINEST, _COARSEST = 0.05, 0.002, 0.005
_LOOK, _LOOKS = 20_000_000, 60  # numbers drawn between two looks at that error
_FEWEST = 15
_WITHIN = 0.97


@dataclass(frozen=True)
class TaskCell:
    """A fit given its subspace, and what it is trained and tested on.

    Attributes
    ----------
    alpha : float
        Exponent of the power law of the inputs' covariance.
    setting : TaskSetting
        Spectrum, task, noise, samples and the second moment of the test inputs.
    penalty : float
        Per sample.
    spared : ndarray, shape (d, r)
        Orthonormal basis of what is not penalised.
    """

    alpha: float
    setting: TaskSetting
    penalty: float
    spared: Floats

    @property
    def input_dim(self) -> int:
        """d, dimension of the input."""
        return self.setting.spectrum.size

    @property
    def free(self) -> float:
        """Rows that the fit leaves free."""
        return free_rows(self.setting, self.penalty, self.spared)


@dataclass(frozen=True)
class TaskError:
    """The risk of a cell by simulation, its standard error, and by the law.

    Attributes
    ----------
    cell : TaskCell
        What was simulated.
    risk : float
        Mean excess risk over replicates.
    standard_error : float
        Of `risk`.
    law : float
        The risk by law 5f.
    """

    cell: TaskCell
    risk: float
    standard_error: float
    law: float

    @property
    def error(self) -> float:
        """Relative error of the law, that of the simulation included."""
        return self.law / self.risk - 1.0


def draw_cells(count: int, seed: int) -> Iterator[TaskCell]:
    """Cells of a random design, as many in each class of free rows as its sizes allow.

    d is log-uniform from 8 to 40, the exponent of the spectrum uniform from 0 to 2, n_task
    log-uniform from d/5 to 3 d. Half of the cells are ridge, half spare up to eight directions;
    the task is a random direction weighed by a power of the spectrum, more or less of it inside the
    subspace, and the noise is a hundredth to three times its variance. Penalties lie within 1.5
    decades of noise over signal. Half of the cells are tested on a shifted second moment.

    Parameters
    ----------
    count : int
        How many cells.
    seed : int
        Fixes all of them.

    Yields
    ------
    TaskCell
        One cell after another, whose fit leaves at least the rows free that the law needs.
    """
    rng = np.random.default_rng(seed)
    edges = [*accuracy.ROW_EDGES, math.inf]
    while count:
        wanted = rng.integers(len(edges) - 1)
        cell = _draw(rng)
        while cell is None or not edges[wanted] <= cell.free < edges[wanted + 1]:
            cell = _draw(rng)
        yield cell
        count -= 1


def _draw(rng: np.random.Generator) -> TaskCell | None:
    """A cell of the design; None where its numbers do not go together."""
    d, alpha = int(np.exp(rng.uniform(np.log(8), np.log(40)))), rng.uniform(0.0, 2.0)
    spectrum = power_spectrum(d, alpha)
    r = int(rng.integers(1, 9)) if rng.random() < 0.5 else 0
    n = round(d * np.exp(rng.uniform(-1.6, 1.1)))
    if r >= d - 1 or n < r + accuracy.ROW_EDGES[0]:
        return None
    V = np.linalg.qr(spectrum[:, None] ** rng.uniform(-0.5, 0.5) * rng.standard_normal((d, r)))[0]
    missed = spectrum ** rng.uniform(0.0, 1.0) * rng.standard_normal(d)
    beta = missed * rng.uniform(0.05, 1.0) / np.linalg.norm(missed)
    if r:
        beta = beta + V @ rng.standard_normal(r) / math.sqrt(r)
    noise = math.sqrt(float(beta @ (spectrum * beta)) * 10.0 ** rng.uniform(-2.0, 0.5))
    outside = beta - V @ (V.T @ beta)
    penalty = noise**2 * (d - r) / (n * float(outside @ outside)) * 10.0 ** rng.uniform(-1.5, 1.5)
    moment = np.diag(spectrum)
    if rng.random() < 0.5:
        probe = np.sqrt(spectrum) * rng.standard_normal(d) / math.sqrt(d)
        moment += 8.0 * np.outer(probe, probe)
    return TaskCell(alpha, TaskSetting(spectrum, beta, moment, noise, n), penalty, V)


def compare(cell: TaskCell, seed: int) -> TaskError:
    """Hold the law against fits to simulated inputs, the label noise averaged exactly.

    Parameters
    ----------
    cell : TaskCell
        What to simulate.
    seed : int
        Of the inputs.

    Returns
    -------
    TaskError
        The risk by simulation and by the law.
    """
    rng = np.random.default_rng((seed, cell.input_dim, cell.setting.n_task))
    target = float(np.clip(_PRECISION / cell.free, _FINEST, _COARSEST))
    risks = np.zeros(0)
    batch = max(1, 200_000 // cell.input_dim**2)
    for _ in range(_LOOKS):
        for _ in range(max(1, _LOOK // (batch * cell.input_dim**2) // 10)):
            risks = np.append(risks, _risks(cell, rng, batch))
        error = float(risks.std(ddof=1) / math.sqrt(risks.size))
        if error < target * risks.mean():
            break
    law = excess_risk(cell.setting, cell.penalty, cell.spared)
    return TaskError(cell, float(risks.mean()), error, law)


def _risks(cell: TaskCell, rng: np.random.Generator, count: int) -> Floats:
    """Excess risks of fits to simulated inputs, the mean over label noise, shape (count,)."""
    setting, V = cell.setting, cell.spared
    z, d, moment = setting.n_task * cell.penalty, cell.input_dim, setting.second_moment
    assert isinstance(moment, np.ndarray), "the design makes them so"
    rows = min(setting.n_task, d)
    X = rng.standard_normal((count, rows, d))
    if setting.n_task > d:  # Bartlett: X'X = L L', whatever the number of rows
        L = np.tril(X, -1)
        places = np.arange(d)
        L[:, places, places] = np.sqrt(rng.chisquare(setting.n_task - places, (count, d)))
        X = np.swapaxes(L, 1, 2)
    X = X * np.sqrt(setting.spectrum)
    omega = np.eye(d) - V @ V.T
    R = np.linalg.inv(np.swapaxes(X, 1, 2) @ X + z * omega)
    bias = z * R @ (omega @ setting.weights)
    fitted = X @ R  # the noise's error is R X' noise
    spread = np.einsum("cij,cij->c", fitted @ moment, fitted)
    judged = np.einsum("ci,ci->c", bias @ moment, bias)
    return np.asarray(judged + setting.noise**2 * spread)


def worst(found: Sequence[TaskError]) -> list[accuracy.TaskClass]:
    """The errors of the law, gathered by class of free rows.

    Parameters
    ----------
    found : sequence of TaskError
        Simulated cells.

    Returns
    -------
    list of TaskClass
        Classes with enough cells, ascending.
    """
    free = np.digitize([m.cell.free for m in found], accuracy.ROW_EDGES)
    error = np.abs([m.error for m in found])
    classes = []
    for place, edge in enumerate(accuracy.ROW_EDGES, 1):
        here = error[free == place]
        if here.size >= _FEWEST:
            rms = float(np.sqrt(np.mean(here**2)))
            within = float(np.quantile(here, _WITHIN, method="higher"))
            classes.append(accuracy.TaskClass(edge, here.size, rms, within, float(here.max())))
    return classes


def write(found: Sequence[accuracy.TaskClass], path: Path) -> None:
    """Write the table that `accuracy.task_classes` reads.

    Parameters
    ----------
    found : sequence of TaskClass
        The table's rows.
    path : Path
        Of the CSV file.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(accuracy.TaskClass.__dataclass_fields__)
        for c in found:
            errors = (f"{x:.5f}" for x in (c.rms, c.within, c.largest))
            out.writerow([f"{c.free_rows:g}", c.cells, *errors])


_AXES: dict[str, tuple[Callable[[TaskError], float], Sequence[float]]] = {
    "d": (lambda m: m.cell.input_dim, (8, 12, 18, 27)),
    "exponent of the spectrum": (lambda m: m.cell.alpha, (0, 0.5, 1, 1.5)),
    "n_T / d": (lambda m: m.cell.setting.n_task / m.cell.input_dim, (0, 0.5, 0.9, 1.2, 2)),
    "directions spared": (lambda m: m.cell.spared.shape[1], (0, 1, 4)),
}


def tables(found: Sequence[TaskError]) -> str:
    """Root mean square and largest error in percent, by free rows against each other quantity.

    Parameters
    ----------
    found : sequence of TaskError
        Simulated cells.

    Returns
    -------
    str
        Markdown tables.
    """
    error = np.array([100.0 * abs(m.error) for m in found])
    free = np.digitize([m.cell.free for m in found], accuracy.ROW_EDGES)
    made = []
    for name, (value, edges) in _AXES.items():
        at = np.digitize([value(m) for m in found], edges)
        lines = [f"| free rows | {name} {' | '.join(f'from {e:g}' for e in edges)} |"]
        lines.append("|---" * (len(edges) + 1) + "|")
        for row, low in enumerate(accuracy.ROW_EDGES, 1):
            cells = [error[(free == row) & (at == column)] for column in range(1, len(edges) + 1)]
            words = [
                f"{np.sqrt(np.mean(c**2)):.2f} / {c.max():.2f}" if c.size else "" for c in cells
            ]
            lines.append(f"| from {low:g} | {' | '.join(words)} |")
        made.append("\n".join(lines))
    return "\n\n".join(made)


def coverage(found: Sequence[TaskError]) -> str:
    """How many cells have an error within `task_accuracy`.

    Parameters
    ----------
    found : sequence of TaskError
        Simulated cells.

    Returns
    -------
    str
        A line.
    """
    inside = [abs(m.error) <= accuracy.task_accuracy(m.cell.free) for m in found]
    return f"covered: {sum(inside)} of {len(inside)}, {100.0 * np.mean(inside):.1f} %"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure cells, write the table and print; see the module.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line; those of this process by default.
    """
    found, folder = measured(arguments, __doc__, 280, draw_cells, compare)
    if folder is not None:
        write(worst(found), folder / "task_law.csv")
        sys.stdout.write(tables(found) + "\n\n")
    sys.stdout.write(coverage(found) + "\n")


if __name__ == "__main__":
    main()
