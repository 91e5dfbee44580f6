"""Expressions that a study file may hold, such as "2 * n_task": read, checked, and evaluated.

Python's parser reads them and nothing of Python runs them: each part is looked up in the tables
below, and what is in none of them is refused. Arithmetic is exact, so that "0.29 * n_task" is 29 at
n_task = 100, where floating-point numbers have 28.999999999999996.
"""

from __future__ import annotations

import ast
import math
import operator
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

from mcbrain.errors import InputError, did_you_mean

__all__ = ["Expression", "Number", "expression"]

Number: TypeAlias = int | Fraction
Kind: TypeAlias = Literal["number", "condition"]
# What a part of an expression is at some values of the names; a condition is 0 or 1.
Evaluate: TypeAlias = Callable[[Mapping[str, Number]], Number]

_LONGEST = 500  # characters
_MOST_BITS = 10_000  # of a number on the way
_LARGEST_POWER = 64  # with a larger exponent, or one that is not whole, a power is rounded
_EXAMPLES = {"number": "2 * n_task", "condition": "n_brain <= 10 * n_task"}


@dataclass(frozen=True)
class Expression:
    """A number or a condition that follows from numbers with names.

    Attributes
    ----------
    where : str
        What to call it in sentences, such as "[design] where".
    text : str
        As it was written.
    names : tuple of str
        The names in it, in alphabetical order.
    evaluate : callable
        Names and their numbers -> its value.
    """

    where: str
    text: str
    names: tuple[str, ...]
    evaluate: Evaluate

    def value(self, numbers: Mapping[str, Number]) -> Number:
        """The value at some numbers; of a condition, whether it holds.

        Parameters
        ----------
        numbers : mapping of str to int or Fraction
            A number for each of the names.

        Returns
        -------
        int or Fraction
            Exact, but for powers that are not whole.

        Raises
        ------
        InputError
            It has no value there, as where it divides by 0.
        """
        try:
            return self.evaluate(numbers)
        except ZeroDivisionError:
            why = "divides by 0"
        except OverflowError:
            why = "is too large a number"
        except ValueError:
            why = "is no real number"
        at = ", ".join(f"{name} = {float(numbers[name]):g}" for name in self.names)
        raise InputError(f"{self.where} = {self.text!r}: {why}{at and f' at {at}'}")


def expression(where: str, text: str, kind: Kind, names: tuple[str, ...]) -> Expression:
    """Read an expression.

    Parameters
    ----------
    where : str
        What to call it in sentences.
    text : str
        What was written.
    kind : str
        "number" or "condition".
    names : tuple of str
        The names that it may use.

    Returns
    -------
    Expression
        Checked: it can be evaluated wherever its numbers exist.

    Raises
    ------
    InputError
        One sentence that names the text, the part that is not allowed, and what is.
    """
    said = f"{where} = {text!r}"
    if len(text) > _LONGEST:
        raise InputError(f"{where}: {len(text):,} characters; at most {_LONGEST} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as one about "5 is 5", which is refused below
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        raise InputError(
            f"{said}: cannot be read; an expression such as {_EXAMPLES[kind]!r} is allowed"
        ) from None
    try:
        found, evaluate = _part(tree, said, names)
    except RecursionError:
        raise InputError(f"{said}: is nested too deep; use fewer parentheses and signs") from None
    if found != kind:
        raise InputError(f"{said}: is a {found}; a {kind} such as {_EXAMPLES[kind]!r} is allowed")
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & {*names}
    return Expression(where, text, tuple(sorted(used)), evaluate)


def _sized(value: Number) -> Number:
    """A number on the way to another, unless it takes too much room."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise OverflowError
    return value


def _quotient(a: Number, b: Number) -> Number:
    return Fraction(a) / b


def _power(a: Number, b: Number) -> Number:
    """a ** b: exact where the exponent is whole and not large, else that of floating point."""
    if b.denominator == 1 and -_LARGEST_POWER <= b <= _LARGEST_POWER:
        return Fraction(a) ** int(b)
    rounded: float | complex = float(a) ** float(b)
    if isinstance(rounded, complex):
        raise ValueError
    return Fraction(rounded)


_ARITHMETIC: dict[type[ast.operator], Callable[[Number, Number], Number]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: _quotient,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: _power,
}
_SIGNS: dict[type[ast.unaryop], int] = {ast.UAdd: 1, ast.USub: -1}
_COMPARISONS: dict[type[ast.cmpop], Callable[[Number, Number], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_CONNECTIVES: dict[type[ast.boolop], Callable[..., bool]] = {ast.And: all, ast.Or: any}
_FUNCTIONS: dict[str, Callable[..., Number]] = {"min": min, "max": max}


def _part(node: ast.expr, said: str, names: tuple[str, ...]) -> tuple[Kind, Evaluate]:
    """What kind of thing a part of an expression is, and how it is evaluated."""
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(
            value, bool
        ) and math.isfinite(value):
            constant = value if isinstance(value, int) else Fraction(repr(value))
            return "number", lambda numbers: constant
        case ast.Name(id=name):
            if name not in names:
                raise InputError(f"{said}: {name!r} is no name here; {did_you_mean(name, names)}")
            return "number", lambda numbers: numbers[name]
        case ast.UnaryOp(op=ast.UAdd() | ast.USub() as sign, operand=inner):
            one, factor = _only("number", inner, said, names), _SIGNS[type(sign)]
            return "number", lambda numbers: factor * one(numbers)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            true = _only("condition", inner, said, names)
            return "condition", lambda numbers: not true(numbers)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            a, b = (_only("number", side, said, names) for side in (left, right))
            act = _ARITHMETIC[type(op)]
            return "number", lambda numbers: _sized(act(a(numbers), b(numbers)))
        case ast.Compare(left=left, ops=ops, comparators=rest) if {*map(type, ops)} <= {
            *_COMPARISONS
        }:
            sides = [_only("number", side, said, names) for side in (left, *rest)]
            return "condition", _comparison([_COMPARISONS[type(op)] for op in ops], sides)
        case ast.BoolOp(op=op, values=values):
            parts = [_only("condition", value, said, names) for value in values]
            joined = _CONNECTIVES[type(op)]
            return "condition", lambda numbers: joined(part(numbers) for part in parts)
        case ast.Call(func=ast.Name(id=name), args=[_, _, *_] as given, keywords=[]) if (
            name in _FUNCTIONS
        ):
            of, parts = _FUNCTIONS[name], [_only("number", one, said, names) for one in given]
            return "number", lambda numbers: of(part(numbers) for part in parts)
    raise InputError(
        f"{said}: {ast.unparse(node)!r} is not allowed; numbers, the names {', '.join(names)}, "
        "+ - * / // **, comparisons, and, or, not, min(a, b) and max(a, b) are"
    )


def _only(kind: Kind, node: ast.expr, said: str, names: tuple[str, ...]) -> Evaluate:
    """A part of an expression that has to be of one kind."""
    found, evaluate = _part(node, said, names)
    if found != kind:
        raise InputError(f"{said}: {ast.unparse(node)!r} is a {found} where a {kind} is needed")
    return evaluate


def _comparison(tests: list[Callable[[Number, Number], bool]], sides: list[Evaluate]) -> Evaluate:
    """A chain of comparisons, such as 10 <= n_brain < n_task."""

    def evaluate(numbers: Mapping[str, Number]) -> Number:
        values = [side(numbers) for side in sides]
        return all(map(lambda test, a, b: test(a, b), tests, values, values[1:]))

    return evaluate
