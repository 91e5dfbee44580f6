"""The figures of a report in their order: the function that draws each, and its words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure as Drawing

from mcbrain.reporting.bias_figure import bias_figure
from mcbrain.reporting.budget_figures import budget_figure, budget_line
from mcbrain.reporting.curves import risk_figure
from mcbrain.reporting.departures import departure_figure
from mcbrain.reporting.error_figures import error_figure
from mcbrain.reporting.exponent_figures import exponent_figure
from mcbrain.reporting.rules import rules_figure
from mcbrain.reporting.shift_figures import residual_figure, shift_figure
from mcbrain.reporting.shift_list import shift_list_figure
from mcbrain.reporting.worth_figures import alignment_figure, value_figure
from mcbrain.results.view import Results

__all__ = ["FIGURES", "Figure"]


@dataclass(frozen=True)
class Figure:
    """A figure that a report may hold.

    Attributes
    ----------
    stem : str
        Of the names of its files.
    draw : callable
        Results -> matplotlib.figure.Figure; an InputError says what the results lack for it.
    alt : str
        What it shows, for those who do not see it.
    caption : str
        What is written below it, with places that `words` fills.
    """

    stem: str
    draw: Callable[[Results], Drawing]
    alt: str
    caption: str

    def words(self, results: Results) -> str:
        """The caption, as it is true of these results.

        Parameters
        ----------
        results : Results
            Of any engine.

        Returns
        -------
        str
            A few sentences.
        """
        points = _POINTS.get(results.engine, _SIMULATED)
        along = self.stem == "budget" and budget_line(results) is not None
        return self.caption.format(
            points=points,
            along="Risk along one budget (a), and t" if along else "T",
            budget_key=f"{points} {_LINES}" if along else "Nothing in it is simulated.",
        )


_LINES = "Solid: exact laws. Dashed: asymptotic laws (brain stage)."
_POINTS = {
    "law": "Dots: the laws at the points of the study; nothing was simulated.",
    "spectral": "Points: simulated, bars of two standard errors; dots: computed by an exact law.",
}
_SIMULATED = "Points: simulated, bars of two standard errors."
_KEY = "{points} " + _LINES

FIGURES: tuple[Figure, ...] = (
    Figure(
        "scaling",
        risk_figure,
        "Excess risk against task and brain samples",
        "Excess risk of each estimator at its penalty. " + _KEY + " The grey line marks n = d.",
    ),
    Figure(
        "errors",
        error_figure,
        "Error rate against task samples",
        "How often the sign that an estimator predicts is not that of the noiseless response. "
        "{points} Dashed: laws of second moments (theory/README.md 4h).",
    ),
    Figure(
        "bias",
        bias_figure,
        "Squared bias and variance against task samples",
        "What the excess risk is made of, with the most brain samples beside each n_T: the squared "
        "bias of the mean over data sets, and the variance about it. Bars of two standard errors. "
        "The grey line marks n = d.",
    ),
    Figure(
        "exponents",
        exponent_figure,
        "Risk against task samples under power laws, and its local exponents",
        "Excess risk at the best penalties (above) and how fast it falls, -d log risk / d log n_T "
        "between neighbouring points (below). {points} Dashed: laws at the same points "
        "(theory/README.md 5f, 5g). Bands: published exponents of ridge for n_T far below d (5h). "
        "The grey line marks n = d.",
    ),
    Figure(
        "value",
        value_figure,
        "Value and exchange rate of brain data against brain samples",
        "Task samples that the brain data replaces, and the same per brain sample; bars "
        "are 95 % intervals by jackknife over blocks. Negative values: brain data hurts. The axis "
        "of values is linear about 0 and logarithmic far from it. " + _KEY,
    ),
    Figure(
        "alignment",
        alignment_figure,
        "Value of brain data against misalignment and noise",
        "Task samples that a fixed amount of brain data replaces, as alignment and noise vary; "
        "bars are 95 % intervals. " + _KEY,
    ),
    Figure(
        "robustness",
        shift_figure,
        "Gain of BEFS under distribution shift",
        "Risk of the baseline over that of BEFS as the shift grows, penalties as tuned without "
        "shift; above 1 BEFS wins. " + _KEY,
    ),
    Figure(
        "shifts",
        shift_list_figure,
        "Gain of BEFS under every shift of the study",
        "Risk of the baseline over that of BEFS, penalties as tuned without shift, with the "
        "most brain samples beside each n_T; right of 1 BEFS wins. {points} Ticks: "
        "laws.",
    ),
    Figure(
        "departures",
        departure_figure,
        "Gain of BEFS for every kind of inputs, latents and recordings",
        "Risk of the baseline over that of BEFS with the most brain samples beside each n_T. "
        "{points} The grey line is the linear Gaussian model.",
    ),
    Figure(
        "rules",
        rules_figure,
        "Risk at penalties chosen from the data over risk at the optimal penalty",
        "What not knowing the truth costs: risk at the penalty that leave-one-out or GCV "
        "chooses over risk at the optimal one. {points} The grey line "
        "marks n = d.",
    ),
    Figure(
        "budget",
        budget_figure,
        "Where brain data is worth collecting",
        "{along}he best share of a budget for brain data by the laws of the brain and task stage; "
        "orange: break-even, dashed where the brain law may be off by; white: how many times "
        "lower the risk is than that of tuned ridge on the whole budget. {budget_key}",
    ),
    Figure(
        "residuals",
        residual_figure,
        "Simulation minus law in standard errors",
        "Each row that is evidence for its law: simulated minus predicted, over the standard "
        "error of the difference.",
    ),
)
