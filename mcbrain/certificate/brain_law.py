"""The error of the brain law over a random design (theory/README.md 5b).

`python -m mcbrain.certificate.brain_law` measures it, writes the table that `law_accuracy` reads,
and prints the tables of the theory page; with `--check` it draws other cells and says how many of
them that table covers.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mcbrain.blocks.problem import BrainProblem
from mcbrain.certificate.measuring import measured
from mcbrain.engines.brain import reduced_stage
from mcbrain.population.model import Model
from mcbrain.theory import accuracy
from mcbrain.theory.asymptotic import subspace_law, visibility_threshold

__all__ = ["BrainCell", "CellError", "compare", "draw_cells", "tables"]


_MOST_LATENTS, _MOST_CHANNELS, _LARGEST_DIM = 16, 300, 300
_BLOCK, _BLOCKS = 64, 64
# A cell is done once m_bar has this relative standard error.
_PRECISION = 0.003
# A class with fewer cells than this is left out of the tables.
_FEWEST = 15
_WITHIN = 0.97
_FEW_LATENTS = 0.35


@dataclass(frozen=True)
class BrainCell:
    """One brain problem and the loadings of a task on its latents; misalignment 0.

    Attributes
    ----------
    input_dim : int
        d, dimension of the input.
    n_channels : int
        p, recorded channels.
    n_brain : int
        Brain samples.
    gains : tuple of float
        D, the gain of each latent.
    loadings : tuple of float
        a, the loadings of the task, of norm 1.
    neural_noise : float
        sigma_r, standard deviation of the recording noise.
    """

    input_dim: int
    n_channels: int
    n_brain: int
    gains: tuple[float, ...]
    loadings: tuple[float, ...]
    neural_noise: float

    @property
    def latents(self) -> int:
        """Number of latents, all measured; the rank too."""
        return len(self.gains)


@dataclass(frozen=True)
class CellError:
    """m_bar of a cell by simulation, its standard error, and by the law.

    Attributes
    ----------
    cell : BrainCell
        What was simulated.
    m_bar : float
        Mean of m_hat over replicates.
    standard_error : float
        Of `m_bar`.
    law : float
        m_bar by law 5b.
    """

    cell: BrainCell
    m_bar: float
    standard_error: float
    law: float

    @property
    def error(self) -> float:
        """Relative error of the law."""
        return self.law / self.m_bar - 1.0


def draw_cells(count: int, seed: int) -> Iterator[BrainCell]:
    """Cells of a random design, as many in each class as its sizes allow.

    A class of dimensions and one of shares of latents are drawn, then the sizes within them:
    log-uniform in d, in channels (d/3.3 to 3.3 d, at least one per latent), in brain samples (d/3.3
    to 10 d, at least the rank) and in recording noise (0.3 to 2.5). Gains are equal in half of the
    cells, else log-normal; loadings are equal in half, else a random direction.

    Parameters
    ----------
    count : int
        How many cells.
    seed : int
        Fixes all of them.

    Yields
    ------
    BrainCell
        One cell after another.
    """
    rng = np.random.default_rng(seed)
    dims = [*accuracy.DIM_EDGES, _LARGEST_DIM + 1]
    shares = [*accuracy.SHARE_EDGES, 1.0]
    while count:
        i, j = rng.integers(len(dims) - 1), rng.integers(len(shares) - 1)
        d = int(np.exp(rng.uniform(np.log(max(dims[i], 2)), np.log(dims[i + 1]))))
        k = max(1, round(d * rng.uniform(shares[j], shares[j + 1])))
        if k > min(d - 1, _MOST_LATENTS):
            continue
        p = int(np.clip(round(d * np.exp(rng.uniform(-1.2, 1.2))), k, max(_MOST_CHANNELS, k)))
        n = max(k, round(d * np.exp(rng.uniform(-1.2, 2.3))))
        gains, loadings = np.ones(k), np.ones(k)
        if rng.random() < 0.5:
            gains = np.sort(np.exp(rng.normal(0.0, 0.5, k)))[::-1]
        if rng.random() < 0.5:
            loadings = rng.standard_normal(k)
        loadings = loadings / np.linalg.norm(loadings)
        noise = float(np.exp(rng.uniform(-1.2, 0.9)))
        yield BrainCell(d, p, n, tuple(gains.tolist()), tuple(loadings.tolist()), noise)
        count -= 1


def compare(cell: BrainCell, seed: int) -> CellError:
    """Hold the law against the reduced brain stage (theory/README.md 3).

    Parameters
    ----------
    cell : BrainCell
        What to simulate.
    seed : int
        Of the replicates' streams.

    Returns
    -------
    CellError
        m_bar by simulation and by the law.
    """
    model = Model(
        input_dim=cell.input_dim,
        latent_dim=cell.latents,
        n_channels=cell.n_channels,
        latent_gains=cell.gains,
        neural_noise=cell.neural_noise,
    )
    problem = BrainProblem.of(model, cell.n_brain, cell.latents, 0.0, seed)
    weight, missed = np.square(cell.loadings), np.zeros(0)
    for index in range(_BLOCKS):
        overlaps, converged = reduced_stage(problem, index, _BLOCK)
        seen = np.diagonal(overlaps, axis1=1, axis2=2)[converged] @ weight
        missed = np.concatenate([missed, 1.0 - seen])
        error = float(missed.std(ddof=1) / np.sqrt(missed.size))
        if index > 0 and error < _PRECISION * missed.mean():
            break
    law = subspace_law(
        cell.n_brain,
        np.array(cell.gains),
        neural_noise=cell.neural_noise,
        input_dim=cell.input_dim,
        n_channels=cell.n_channels,
    )
    return CellError(cell, float(missed.mean()), error, float(1.0 - np.diagonal(law.c) @ weight))


def _class_of(cell: BrainCell) -> tuple[float, float]:
    """The lower edges of the class of dimensions, and of the class of shares, that a cell is in."""
    dims = [e for e in accuracy.DIM_EDGES if e <= cell.input_dim]
    shares = [e for e in accuracy.SHARE_EDGES if e <= cell.latents / cell.input_dim]
    return dims[-1], shares[-1]


def classes(found: Sequence[CellError]) -> list[accuracy.ErrorClass]:
    """The errors of the law, gathered by class of dimension and share of latents.

    Parameters
    ----------
    found : sequence of CellError
        Simulated cells.

    Returns
    -------
    list of ErrorClass
        Classes with enough cells, ascending.
    """
    grouped: dict[tuple[float, float], list[float]] = {}
    for one in found:
        grouped.setdefault(_class_of(one.cell), []).append(abs(one.error))
    return [
        accuracy.ErrorClass(
            *name,
            len(errors),
            float(np.sqrt(np.mean(np.square(errors)))),
            float(np.quantile(errors, _WITHIN, method="higher")),
            max(errors),
        )
        for name, errors in sorted(grouped.items())
        if len(errors) >= _FEWEST
    ]


def write(found: Sequence[accuracy.ErrorClass], path: Path) -> None:
    """Write the table that `accuracy.error_classes` reads.

    Parameters
    ----------
    found : sequence of ErrorClass
        The table's rows.
    path : Path
        Of the CSV file.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(accuracy.ErrorClass.__dataclass_fields__)
        for c in found:
            sizes = f"{c.input_dim:g}", f"{c.share:g}", c.cells
            out.writerow([*sizes, *(f"{x:.4f}" for x in (c.rms, c.within, c.largest))])


def tables(found: Sequence[CellError]) -> str:
    """Root mean square and largest error in percent, by dimension against each other quantity.

    Only the table over shares holds cells with more than a third as many latents as inputs, whose
    errors would cover all others.

    Parameters
    ----------
    found : sequence of CellError
        Simulated cells.

    Returns
    -------
    str
        Markdown tables.
    """

    def visibility(one: CellError) -> float:
        cell = one.cell
        threshold = visibility_threshold(
            np.array(cell.gains),
            neural_noise=cell.neural_noise,
            input_dim=cell.input_dim,
            n_channels=cell.n_channels,
            rank=cell.latents,
        )
        return cell.n_brain / float(np.median(threshold))

    axes: dict[str, tuple[Callable[[CellError], float], Sequence[float]]] = {
        "n_B / d": (lambda m: m.cell.n_brain / m.cell.input_dim, (0, 0.5, 0.95, 1.1, 1.5, 3)),
        "latents": (lambda m: m.cell.latents, (1, 2, 3, 5, 9)),
        "latents / d": (lambda m: m.cell.latents / m.cell.input_dim, accuracy.SHARE_EDGES),
        "n_B / visibility threshold": (visibility, (0, 0.4, 0.75, 1.3, 3, 8)),
        "n_B / rank": (lambda m: m.cell.n_brain / m.cell.latents, (1, 1.3, 2, 4, 8)),
    }
    few = [m for m in found if m.cell.latents < _FEW_LATENTS * m.cell.input_dim]
    return "\n\n".join(
        _table(found if name == "latents / d" else few, name, value, edges)
        for name, (value, edges) in axes.items()
    )


def _table(
    found: Sequence[CellError],
    name: str,
    value: Callable[[CellError], float],
    edges: Sequence[float],
) -> str:
    """One Markdown table: classes of dimensions down, classes of another quantity across."""
    error = np.array([100.0 * abs(m.error) for m in found])
    dims = np.digitize([m.cell.input_dim for m in found], accuracy.DIM_EDGES)
    at = np.digitize([value(m) for m in found], edges)
    head = [f"from {e:g}" for e in edges]
    lines = [f"| d | {name} {' | '.join(head)} |", "|---" * (len(edges) + 1) + "|"]
    for row, low in enumerate(accuracy.DIM_EDGES, 1):
        words = []
        for column in range(1, len(edges) + 1):
            here = error[(dims == row) & (at == column)]
            known = here.size >= _FEWEST
            words.append(f"{np.sqrt(np.mean(here**2)):.1f} / {here.max():.1f}" if known else "")
        lines.append(f"| from {low} | {' | '.join(words)} |")
    return "\n".join(lines)


def coverage(found: Sequence[CellError]) -> str:
    """How many cells have an error within `law_accuracy`, by dimension.

    Parameters
    ----------
    found : sequence of CellError
        Simulated cells.

    Returns
    -------
    str
        A line for all, and one for each class of dimensions.
    """
    inside = np.array(
        [abs(m.error) <= accuracy.law_accuracy(m.cell.input_dim, m.cell.latents) for m in found]
    )
    dims = np.digitize([m.cell.input_dim for m in found], accuracy.DIM_EDGES)
    lines = [f"covered: {inside.sum()} of {inside.size}, {100.0 * inside.mean():.1f} %"]
    for row, low in enumerate(accuracy.DIM_EDGES, 1):
        here = inside[dims == row]
        lines.append(f"  d from {low}: {here.sum()} of {here.size}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure cells, write the table and print; see the module.

    Parameters
    ----------
    arguments : sequence of str, optional
        Of the command line; those of this process by default.
    """
    found, folder = measured(arguments, __doc__, 2400, draw_cells, compare)
    if folder is not None:
        write(classes(found), folder / "brain_law.csv")
        sys.stdout.write(tables(found) + "\n\n")
    sys.stdout.write(coverage(found) + "\n")


if __name__ == "__main__":
    main()
