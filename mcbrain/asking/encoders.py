"""How an estimator gets its subspace from recordings: stage 1's rank and penalty (theory 2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mcbrain.asking.penalty_rules import FIXED, RULES, Rule, rules_from
from mcbrain.checks import integer
from mcbrain.errors import InputError, did_you_mean
from mcbrain.population.model import Model

__all__ = ["PLAIN", "Encoder", "check_encoders", "encoders_from_table"]

_KEYS = ("rank", "penalty")
_LARGEST = 1e150
# What may be asked for; a penalty for each shift would be another subspace for each.
_WORDS = [name for name, kind in RULES.items() if name != FIXED and kind.under != "each"]


_LEAST_SQUARES = Rule(FIXED, 0.0)


@dataclass(frozen=True)
class Encoder:
    """The ridge regression of stage 1, as a study asks for it.

    Attributes
    ----------
    rank : int or None
        Of the subspace that is estimated; None for the number of measured latents.
    rule : Rule
        How its ridge penalty is chosen, per brain sample.
    """

    rank: int | None = None
    rule: Rule = _LEAST_SQUARES

    def rank_of(self, model: Model) -> int:
        """The rank for a model.

        Parameters
        ----------
        model : Model
            What the recordings come from.

        Returns
        -------
        int
        """
        return model.k_m if self.rank is None else self.rank

    @property
    def words(self) -> str:
        """What tells it from others, in a label; empty for least squares of the default rank."""
        found = [] if self.rank is None else [f"rank {self.rank}"]
        if self.rule != _LEAST_SQUARES:
            found.append(f"encoder {f'{self.rule.value:g}' if self.rule.fixed else self.rule.kind}")
        return ", ".join(found)


PLAIN = Encoder()
"""Least squares of the default rank; also what an estimator without recordings is said to have."""


def encoders_from_table(table: Mapping[str, Any]) -> tuple[Encoder, ...]:
    """Every encoder of the section [encoding] of a study file, each rank under each rule.

    Parameters
    ----------
    table : mapping
        "rank": a whole number or a list. "penalty": a number, a rule in words,
        `{geometric = [low, high, count]}`, or a list of these.

    Returns
    -------
    tuple of Encoder
        At least one, and none twice.

    Raises
    ------
    InputError
        Naming the key, the value and what is allowed.
    """
    for key in table:
        if key not in _KEYS:
            raise InputError(f"[encoding] {key}: unknown key; {did_you_mean(str(key), _KEYS)}")
    ranks = [
        rank if rank is None else integer("[encoding] rank", rank, 1, 2**31 - 1)
        for rank in _listed("rank", table.get("rank"))
    ]
    rules = [
        rule
        for value in _listed("penalty", table.get("penalty", 0.0))
        for rule in _rules_from(value)
    ]
    found = tuple(Encoder(rank, rule) for rank in ranks for rule in rules)
    if len(set(found)) < len(found):
        raise InputError("[encoding]: the same rank and penalty are listed twice")
    return found


def _listed(key: str, value: Any) -> list[Any]:
    """A value, or those of a list that is not empty."""
    if not isinstance(value, (list, tuple)):
        return [value]
    if not value:
        raise InputError(f"[encoding] {key} = []: an empty list asks for no encoder")
    return list(value)


def _rules_from(value: Any) -> list[Rule]:
    """The rules that a value of `penalty` stands for."""
    where = f"[encoding] penalty = {value!r}"
    if isinstance(value, str) and value not in _WORDS:
        raise InputError(f"{where}: a number, a list or a rule; {did_you_mean(value, _WORDS)}")
    rules = rules_from(value, where, "")
    for rule in rules:
        if rule.fixed and not 0.0 <= rule.value <= _LARGEST:
            raise InputError(f"{where}: a number >= 0 is allowed")
    return rules


def check_encoders(encoders: Iterable[Encoder], models: Iterable[Model]) -> None:
    """Refuse a rank that no recordings of a model can give.

    Parameters
    ----------
    encoders : iterable of Encoder
    models : iterable of Model

    Raises
    ------
    InputError
        A rank above the number of inputs or of channels.
    """
    encoders = tuple(encoders)
    for model in models:
        limit = min(model.native_dim, model.n_channels)
        for encoder in encoders:
            rank = encoder.rank_of(model)
            if not 1 <= rank <= limit:
                raise InputError(
                    f"[encoding] rank = {rank}: allowed is 1 to min(input_dim, n_channels) = "
                    f"{limit}"
                )
