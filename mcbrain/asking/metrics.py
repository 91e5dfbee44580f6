"""Metrics: what is measured of a fit beside its excess risk (theory/README.md 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcbrain.asking.estimators import Estimator
from mcbrain.errors import InputError, did_you_mean
from mcbrain.plugins.record import Plugin
from mcbrain.population.model import Model
from mcbrain.population.shifts import Shift

__all__ = ["ERROR_RATE", "METRICS", "Metric", "metrics_from_table"]

ERROR_RATE = "error_rate"


@dataclass(frozen=True)
class Metric:
    """Something that is measured of the coefficients of a fit.

    Attributes
    ----------
    name : str
        As a study names it, and of its column.
    own : Plugin or None
        What computes it where a user brought it.
    """

    name: str
    own: Plugin | None = None

    @property
    def label(self) -> str:
        """Name by content, a part of the name of a statistic."""
        return f"metric {self.name}" + (f" {self.own.digest}" if self.own else "")

    @property
    def meaning(self) -> str:
        """What it is, in words."""
        return (
            f"mean of the metric '{self.name}' of {self.own.where}"
            if self.own
            else (METRICS[self.name])
        )

    def objection(
        self, model: Model, shift: Shift, estimator: Estimator | None = None
    ) -> str | None:
        """Why it has no value for a model under a shift.

        Parameters
        ----------
        model : Model
        shift : Shift
        estimator : Estimator, optional
            Of whose fits it is.

        Returns
        -------
        str or None
            A sentence; None where it has one.
        """
        brought = None if estimator is None else estimator.own
        if brought is not None and (self.own is not None or not brought.plugin.compiled):
            return f"{brought.plugin.name}: metrics are measured of coefficients"
        if self.own is not None:
            adversary = shift.kind == "adversarial"
            return f"{shift.label}: an adversary has no test inputs" if adversary else None
        if self.name == ERROR_RATE:
            if model.input_distribution.name != "gaussian":
                return f"inputs = {model.inputs!r}: the error rate is known of Gaussian inputs"
            if not shift.record.centred:
                return f"{shift.label}: the error rate is known of test inputs of mean 0"
        return None


METRICS = {
    ERROR_RATE: "how often sign(beta_hat'x) is not sign(beta'x) for Gaussian test inputs x",
}
"""The metrics that mcbrain has, and what each is."""


def metrics_from_table(
    table: Mapping[str, object], brought: Mapping[tuple[str, str], Plugin]
) -> tuple[Metric, ...]:
    """The metrics of the table [metrics] of a study.

    Parameters
    ----------
    table : mapping
        Name of each to its settings.
    brought : mapping of (str, str) to Plugin
        The study's plug-ins by kind and name.

    Returns
    -------
    tuple of Metric

    Raises
    ------
    InputError
        An unknown metric, or settings that it does not take.
    """
    found = []
    for name, settings in table.items():
        where, own = f"[metrics] {name}", brought.get(("metric", name))
        if name not in METRICS and own is None:
            known = [*METRICS, *(n for kind, n in brought if kind == "metric")]
            raise InputError(f"{where}: no such metric; {did_you_mean(name, known)}")
        if not isinstance(settings, Mapping):
            raise InputError(f"{where} = {settings!r}: a table is allowed, such as {name} = {{}}")
        if settings:
            raise InputError(f"{where}.{next(iter(settings))}: it takes no settings")
        found.append(Metric(name, own))
    return tuple(found)
