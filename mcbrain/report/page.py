"""`report.html`: what was asked, what was run, what was found, and how to make it again."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcbrain.errors import InputError
from mcbrain.report import content
from mcbrain.store.folder import write_text
from mcbrain.worth.results_view import Results

__all__ = ["Drawn", "draw", "report"]


@dataclass(frozen=True)
class Drawn:
    """A figure on disk: its stem, its width on the page in pixels, words, and its PNG in base64."""

    stem: str
    width: int
    alt: str
    caption: str
    data: str


def _figures() -> list[tuple[str, Callable[[Results], Any], str, str]]:
    from mcbrain.report.budget_figures import budget_figure
    from mcbrain.report.curves import risk_figure
    from mcbrain.report.departures import departure_figure
    from mcbrain.report.rules import rules_figure
    from mcbrain.report.shift_figures import residual_figure, shift_figure
    from mcbrain.report.shift_list import shift_list_figure
    from mcbrain.report.worth_figures import alignment_figure, value_figure

    key = (
        "Points: simulated, bars of two standard errors. Solid: exact laws. Dashed: asymptotic "
        "laws (brain stage)."
    )
    return [
        (
            "scaling",
            risk_figure,
            "Excess risk against task and brain samples",
            f"Excess risk of each estimator at its penalty. {key} The grey line marks n = d.",
        ),
        (
            "value",
            value_figure,
            "Value and exchange rate of brain data against brain samples",
            "Task samples that the brain data replaces (top) and per brain sample (below); bars "
            "are 95 % intervals by jackknife over blocks. Negative values: brain data hurts. "
            + key,
        ),
        (
            "alignment",
            alignment_figure,
            "Value of brain data against misalignment and noise",
            "Task samples that a fixed amount of brain data replaces, as alignment and noise vary; "
            f"bars are 95 % intervals. {key}",
        ),
        (
            "robustness",
            shift_figure,
            "Gain of BEFS under distribution shift",
            "Risk of the baseline over that of BEFS as the shift grows, penalties as tuned without "
            f"shift; above 1 BEFS wins. {key}",
        ),
        (
            "shifts",
            shift_list_figure,
            "Gain of BEFS under every shift of the study",
            "Risk of the baseline over that of BEFS, penalties as tuned without shift, with the "
            "most brain samples of the study; right of 1 BEFS wins. Points: simulated, bars of two "
            "standard errors. Ticks: laws.",
        ),
        (
            "departures",
            departure_figure,
            "Gain of BEFS for every law of inputs, latents and recordings",
            "Risk of the baseline over that of BEFS with the most brain samples of the study. "
            "Points: simulated, bars of two standard errors. The grey line is the linear Gaussian "
            "model.",
        ),
        (
            "rules",
            rules_figure,
            "Risk at penalties chosen from the data over risk at the optimal penalty",
            "What not knowing the truth costs: risk at the penalty that leave-one-out or GCV "
            "chooses over risk at the optimal one. Points: simulated, bars of two standard "
            "errors. The grey line marks n = d.",
        ),
        (
            "budget",
            budget_figure,
            "Where brain data is worth collecting",
            "Risk along one budget, and the best share of a budget for brain data by the laws; "
            "orange: break-even, dashed where the brain law may be off by; white: how many times "
            f"lower the risk is than that of tuned ridge on the whole budget. {key}",
        ),
        (
            "residuals",
            residual_figure,
            "Simulation minus law in standard errors",
            "Each row that is evidence for its law: simulated minus predicted, over the standard "
            "error of the difference.",
        ),
    ]


def draw(results: Results, folder: Path) -> tuple[list[Drawn], list[str]]:
    """Every figure that the results can carry, written to a folder; and why others are missing.

    Parameters
    ----------
    results : Results
    folder : Path
        PNG and SVG go there.
    """
    from mcbrain.report.style import save, styled

    drawn, missing = [], []
    for stem, make, alt, caption in _figures():
        try:
            with styled():
                made = make(results)
                png, _ = save(made, folder, stem)
        except InputError as reason:
            missing.append(f"{stem} ({str(reason).removeprefix(f'{results.folder.path}: ')})")
            continue
        data = base64.b64encode(png.read_bytes()).decode()
        drawn.append(Drawn(stem, round(100 * made.get_size_inches()[0]), alt, caption, data))
    return drawn, missing


def report(path: str | Path) -> Path:
    """Write `report.html` and its figures into a results folder.

    Parameters
    ----------
    path : str or Path
        A results folder.

    Returns
    -------
    Path
        The page: one file, no link to anything else.

    Raises
    ------
    InputError
        No results there.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    results = Results(path)
    figures, missing = draw(results, results.folder.path)
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names of studies are a user's text
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    page = environment.get_template("page.html.j2").render(
        **content.page(results), figures=figures, missing=missing
    )
    file = results.folder.path / "report.html"
    write_text(file, page)
    return file
