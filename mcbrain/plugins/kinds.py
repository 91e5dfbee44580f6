"""The kinds of plug-ins: what the function of each takes and gives, and whether mcbrain runs it."""

from __future__ import annotations

from dataclasses import dataclass

from mcbrain.errors import unhandled

__all__ = ["ESTIMATOR", "KINDS", "Kind", "kind_of"]


@dataclass(frozen=True)
class Kind:
    """What somebody may bring.

    Attributes
    ----------
    name : str
        Of the decorator in `mcbrain`, and of the kind on the command line.
    section : str
        Where a study names one.
    takes : tuple of str
        Parameters of a compiled function, in their order.
    writes : str
        What that function does, as a sentence goes on.
    takes_in_python : tuple of str
        Parameters of a function that is not compiled; empty where it has to be compiled.
    returns : str
        What such a function returns.
    built_in : str
        Where the names stand that a plug-in may not have, for the sentence that refuses one.
    served : bool
        Whether mcbrain runs plug-ins of this kind.
    """

    name: str
    section: str
    takes: tuple[str, ...]
    writes: str
    takes_in_python: tuple[str, ...] = ()
    returns: str = ""
    built_in: str = ""
    served: bool = False


ESTIMATOR = "estimator"

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            ESTIMATOR,
            "estimators",
            ("data", "parameters", "beta"),
            "writes the coefficients to beta (d,)",
            ("data", "parameters"),
            "coefficients (d,), or a fitted object with coef_ or predict",
            "estimators",
            served=True,
        ),
        Kind(
            "encoder",
            "encoding",
            ("data", "parameters", "basis"),
            "writes orthonormal rows to basis (r, d)",
        ),
        Kind(
            "inputs",
            "model",
            (),
            "",
            ("rng", "parameters", "X"),
            "nothing: it fills the inputs X (n, d) with rows of mean 0 and covariance I",
            "inputs",
            served=True,
        ),
        Kind("labels", "model", ("stream", "parameters", "X", "y"), "fills the labels y (n,)"),
        Kind(
            "recordings",
            "model",
            ("stream", "parameters", "Z", "R"),
            "fills the recordings R (n, p)",
        ),
        Kind(
            "shift",
            "shifts",
            (),
            "",
            ("population", "parameters"),
            "the second moment of the test inputs (d, d), or that and beta at test time (d,)",
            served=True,
        ),
        Kind(
            "metric",
            "metrics",
            (),
            "",
            ("beta_hat", "population", "test"),
            "a number",
            served=True,
        ),
        Kind(
            "law",
            "laws",
            (),
            "",
            ("model", "n_task", "n_brain", "estimator", "penalty", "shift"),
            "the predicted excess risk",
        ),
    )
}
"""Every kind, by the name of its decorator."""


def kind_of(name: str) -> Kind:
    """The kind of a name.

    Parameters
    ----------
    name : str

    Returns
    -------
    Kind

    Raises
    ------
    NotImplementedError
        No kind has this name.
    """
    if name not in KINDS:
        raise unhandled("kind of plug-in", name, "the table of kinds (mcbrain/plugins/kinds.py)")
    return KINDS[name]
