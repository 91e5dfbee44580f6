"""What an appraisal found: its summary, its table, its record and its picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcbrain.appraisal.comparison import Comparison, MeasuredWorth
from mcbrain.appraisal.diagnostics import (
    Diagnostic,
)
from mcbrain.appraisal.parameters import Estimates
from mcbrain.appraisal.predict import Worth
from mcbrain.appraisal.verdict import Verdict
from mcbrain.drawing import load_matplotlib
from mcbrain.plain import numpy_defaults

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.figure import Figure

__all__ = ["Appraisal"]

_LABELS = {
    "task_noise": "task noise sigma_y",
    "signal": "explained variance of y",
    "missed": "missed by this subspace",
    "latent_gains": "latent gain D",
    "neural_noise": "neural noise sigma_r",
}
_COLUMNS = (
    *("n_task", "n_brain", "ridge", "BEFS", "reduction", "± 95 %"),
    *("predicted", "from", "to", "z", "z ridge"),
)
_LEGEND = (
    "ridge, BEFS: mean squared errors of rows held out, each tuned on its training rows;",
    "reduction: the first less the second, ± half of its 95 % interval; predicted, from, to: the",
    "reduction for labels drawn from the fitted model and its 95 % interval; z: measured less",
    "predicted in standard errors, of the reduction and of ridge.",
)


@dataclass(frozen=True)
class Appraisal:
    """What brain data is worth to one user.

    Attributes
    ----------
    estimates : Estimates
        The model behind the data, with intervals.
    comparisons : list of Comparison
        Measured and predicted errors for each pair of sizes.
    worth : Worth or None
        What the laws predict beyond the rows in hand; None unless prediction and measurement agree
        and the rows tell the covariance of the inputs.
    measured : MeasuredWorth
        Task rows that the brain data replaced on held-out rows.
    verdict : Verdict
        Whether prediction and measurement agree.
    diagnostics : list of Diagnostic
        The assumptions that were held against the data, each with its number.
    response_p : float
        P value of a response of the recordings to the inputs.
    control_p : tuple of float
        P values of the reduction of error against shuffled recordings and random subspaces.
    """

    estimates: Estimates
    comparisons: list[Comparison]
    worth: Worth | None
    measured: MeasuredWorth
    verdict: Verdict
    diagnostics: list[Diagnostic]
    response_p: float
    control_p: tuple[float, float]

    @numpy_defaults
    def summary(self) -> str:
        """Estimates, measured and predicted reductions of error, and the verdict, as text.

        Returns
        -------
        str
            Three tables and a paragraph.
        """
        s = self.estimates.shape
        lines = [
            f"{s.n_task} task rows, {s.n_brain} brain rows, {s.d} inputs, {s.p} channels, "
            f"{s.r} latent{'s' if s.r > 1 else ''}",
            "",
            f"{'estimate':<26}{'value':>10}{'95 % interval':>24}",
        ]
        for label, value, low, high in self.estimate_rows():
            lines.append(f"{label:<26}{value:>10.4g}{f'{low:.4g} to {high:.4g}':>24}")
        lines += ["", "".join(f"{name:>10}" for name in _COLUMNS)]
        for c in self.comparisons:
            measured = (
                c.held_out.ridge,
                c.held_out.befs,
                c.held_out.reduction,
                1.96 * c.held_out.reduction_se,
            )
            predicted = (c.reduction, c.reduction_low, c.reduction_high)
            columns = "".join(f"{x:>10.3g}" for x in (*measured, *predicted))
            lines.append(
                f"{c.held_out.n_task:>10}{c.held_out.n_brain:>10}{columns}{c.z:>10.1f}{c.z_ridge:>10.1f}"
            )
        lines += [*_LEGEND, "", f"{'assumption':<42}{'number':>10}  which is"]
        for one in self.diagnostics:
            mark = "  CONTRADICTED" if one.contradicted else ""
            lines.append(f"{one.name:<42}{one.number:>10.3g}  {one.unit}{mark}")
        return "\n".join([*lines, "", self.verdict.paragraph])

    def estimate_rows(self) -> list[tuple[str, float, float, float]]:
        """Every estimate with its interval, bounded as the model is.

        Returns
        -------
        list of tuple
            (label, value, low, high), of each latent where there are several.
        """
        rows = []
        value = self.estimates.value.bounded()
        for name, label in _LABELS.items():
            at, (low, high) = np.atleast_1d(getattr(value, name)), self.estimates.interval(name)
            for j, (v, a, b) in enumerate(
                zip(at, np.atleast_1d(low), np.atleast_1d(high), strict=True)
            ):
                suffix = f" {j + 1}" if at.size > 1 else ""
                rows.append((label + suffix, float(v), float(a), float(b)))
        return rows

    @numpy_defaults
    def record(self) -> dict[str, object]:
        """Everything that the appraisal says, by name, for programs.

        Returns
        -------
        dict
            Verdict, sizes, estimates with their 95 % intervals, the rows of `to_table`, worth,
            diagnostics and p values.
        """
        estimates = [
            dict(zip(("estimate", "value", "low", "high"), row, strict=True))
            for row in self.estimate_rows()
        ]
        return {
            "verdict": self.verdict,
            "shape": self.estimates.shape._asdict(),
            "coordinates": self.estimates.coordinates,
            "estimates": estimates,
            "comparisons": self.to_table(),
            "measured": self.measured,
            "worth": self.worth,
            "diagnostics": self.diagnostics,
            "response_p": self.response_p,
            "control_p": self.control_p,
        }

    @numpy_defaults
    def to_table(self) -> pa.Table:
        """Measured and predicted errors as a table.

        Returns
        -------
        pyarrow.Table
            One row for each pair of sizes; errors are in the units of y squared.
        """
        import pyarrow as pa

        rows = [
            {
                "n_task": c.held_out.n_task,
                "n_brain": c.held_out.n_brain,
                "ridge_penalty": c.held_out.ridge_penalty,
                "befs_penalty": c.held_out.befs_penalty,
                "ridge": c.held_out.ridge,
                "ridge_se": c.held_out.ridge_se,
                "befs": c.held_out.befs,
                "befs_se": c.held_out.befs_se,
                "reduction": c.held_out.reduction,
                "reduction_se": c.held_out.reduction_se,
                "ridge_predicted": c.ridge,
                "befs_predicted": c.befs,
                "reduction_predicted": c.reduction,
                "reduction_predicted_low": c.reduction_low,
                "reduction_predicted_high": c.reduction_high,
                "z": c.z,
                "z_ridge": c.z_ridge,
            }
            for c in self.comparisons
        ]
        return pa.Table.from_pylist(rows)

    @numpy_defaults
    def figure(self) -> Figure:
        """Learning curves and reductions of error, measured against predicted.

        Returns
        -------
        matplotlib.figure.Figure
            Three panels.
        """
        load_matplotlib()
        from mcbrain.appraisal.figure import draw

        return draw(self.estimates, self.comparisons, self.verdict)
