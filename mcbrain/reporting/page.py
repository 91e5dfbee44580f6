"""The page `report.html`: what was asked, what was run, what was found, how to make it again."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

from mcbrain.errors import InputError
from mcbrain.plain import numpy_defaults
from mcbrain.plan.plans import Tell, silent
from mcbrain.reporting import content
from mcbrain.results.view import Results
from mcbrain.store.atomic import write_text

__all__ = ["Drawn", "draw", "report"]


@dataclass(frozen=True)
class Drawn:
    """A figure on disk and on the page.

    Attributes
    ----------
    stem : str
        Of the names of its files.
    width : int
        On the page, in pixels.
    alt, caption : str
        What it shows, for those who do not see it, and what is written below it.
    data : str
        Its PNG in base64.
    """

    stem: str
    width: int
    alt: str
    caption: str
    data: str


def draw(results: Results, folder: Path, tell: Tell = silent) -> tuple[list[Drawn], list[str]]:
    """Draw every figure that the results can carry into a folder.

    Parameters
    ----------
    results : Results
        Of any engine.
    folder : Path
        PNG and SVG go there.
    tell : callable
        Told how many figures are done.

    Returns
    -------
    drawn : list of Drawn
        In the order of the page.
    missing : list of str
        The figures that were not drawn, each with its reason.
    """
    from mcbrain.reporting.figures import FIGURES
    from mcbrain.reporting.style import save, styled

    drawn, missing = [], []
    for done, f in enumerate(FIGURES):
        tell(done)
        try:
            with styled():
                made = f.draw(results)
                png, _ = save(made, folder, f.stem)
        except InputError as reason:
            missing.append(f"{f.stem} ({str(reason).removeprefix(f'{results.folder.path}: ')})")
            continue
        data = base64.b64encode(png.read_bytes()).decode()
        width = round(100 * made.get_size_inches()[0])
        drawn.append(Drawn(f.stem, width, f.alt, f.words(results), data))
    return drawn, missing


@numpy_defaults
def report(path: str | Path, tell: Tell = silent, out: str | Path | None = None) -> Path:
    """Write `report.html` and its figures into a results folder, or into another one.

    Parameters
    ----------
    path : str or Path
        A results folder.
    tell : callable
        Told how many figures are done.
    out : str or Path, optional
        The folder to write into; it is made where it is not there.

    Returns
    -------
    Path
        The page: one file, no link to anything else.

    Raises
    ------
    InputError
        No results there.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    results = Results(path)
    folder = results.folder.path if out is None else Path(out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out {folder}: it is a file; the name of a folder is allowed")
    figures, missing = draw(results, folder, tell)
    environment = Environment(
        loader=PackageLoader("mcbrain.reporting", ""),
        autoescape=True,  # names of studies are a user's text
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(
        **content.page(results), figures=figures, missing=missing
    )
    file = folder / "report.html"
    write_text(file, page)
    return file
