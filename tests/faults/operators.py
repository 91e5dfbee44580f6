"""Which small faults a module could have: each an edit of a few characters of its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

OFF = 1.002
"""Factor by which a number is wrong: 0.2 %, the size that must not go unseen."""

_TURNED = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}
_EDGES = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
_SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


@dataclass(frozen=True)
class Fault:
    """One wrong change.

    Attributes
    ----------
    module : str
        Path of the file, from the clone's root.
    line : int
    kind : str
        What is wrong, in words.
    before, after : str
        The text that is replaced, and what takes its place.
    start : int
        Offset of that text in the source, in bytes of UTF-8.
    """

    module: str
    line: int
    kind: str
    before: str
    after: str
    start: int

    @property
    def name(self) -> str:
        """By which a record knows it: place and change, not the line, which moves."""
        return f"{self.module}: {self.before} -> {self.after} at byte {self.start}"

    def into(self, source: str) -> str:
        """The module's source with this fault."""
        raw, old = source.encode(), self.before.encode()
        assert raw[self.start : self.start + len(old)] == old
        return (raw[: self.start] + self.after.encode() + raw[self.start + len(old) :]).decode()


def faults_of(module: str, source: str) -> Iterator[Fault]:
    """Every fault that the operators below find a place for in a module."""
    raw, lines = source.encode(), [0]
    for line in raw.splitlines(keepends=True):
        lines.append(lines[-1] + len(line))

    def text(node: ast.expr) -> tuple[int, str]:
        start = lines[node.lineno - 1] + node.col_offset
        end = lines[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or 0)
        return start, raw[start:end].decode()

    for node in _computing(ast.parse(source)):
        start, before = text(node)
        for kind, after in _edits(node, lambda part: text(part)[1]):
            yield Fault(module, node.lineno, kind, before, after, start)


def _computing(tree: ast.AST) -> Iterator[ast.expr]:
    """Expressions that take part in a result: none of annotations, errors, texts or defaults."""
    skipped = (ast.Raise, ast.Assert, ast.JoinedStr, ast.Import, ast.ImportFrom)
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, skipped) or _type_checking(child):
            continue
        if isinstance(tree, (ast.arg, ast.AnnAssign)) and child is tree.annotation:
            continue
        if isinstance(tree, (ast.FunctionDef, ast.AsyncFunctionDef)) and (
            child is tree.returns or child in tree.decorator_list
        ):
            continue
        if isinstance(child, ast.expr):
            yield child
        yield from _computing(child)


def _type_checking(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.If)
        and isinstance(node.test, ast.Name)
        and node.test.id == "TYPE_CHECKING"
    )


def _edits(node: ast.expr, text: object) -> Iterator[tuple[str, str]]:
    """What may be wrong with one expression: the kind of fault, and the text in its place."""
    assert callable(text)
    match node:
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right) if not _texts(node):
            one = isinstance(right, ast.Constant) and right.value == 1
            yield ("n for n - 1" if one else "a term is dropped"), f"({text(left)})"
            yield "a sign is turned", f"({text(left)} {_TURNED[type(op)]} ({text(right)}))"
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
            yield "a factor is dropped", f"({text(left)})"
            sign = _SIGNS[type(op)]
            yield "a factor is off by 0.2 %", f"(({text(left)}) * {OFF} {sign} ({text(right)}))"
            yield "a factor is its inverse", f"(({text(left)}) {_TURNED[type(op)]} ({text(right)}))"
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=2)):
            yield "a square is forgotten", f"({text(left)})"
        case ast.UnaryOp(op=ast.USub(), operand=inner) if not isinstance(inner, ast.Constant):
            yield "a sign is forgotten", f"({text(inner)})"
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _EDGES:
            yield (
                "an edge belongs to the other side",
                (f"({text(left)} {_EDGES[type(op)]} {text(right)})"),
            )
        case ast.Subscript(value=value, slice=ast.Constant(value=(0 | 1) as place)):
            yield "the neighbour's entry", f"{text(value)}[{1 - place}]"
        case ast.IfExp(test=test, body=body, orelse=orelse):
            yield "the other branch", f"({text(orelse)} if {text(test)} else {text(body)})"
        case ast.Call(func=func, args=[ast.Name() as one, ast.Name() as two, *rest], keywords=[]):
            others = "".join(f", {text(argument)}" for argument in rest)
            yield "two arguments are swapped", f"{text(func)}({text(two)}, {text(one)}{others})"
        case ast.BoolOp(op=op, values=[first, *rest]):
            word = " or " if isinstance(op, ast.And) else " and "
            yield "and for or", "(" + word.join(f"({text(v)})" for v in [first, *rest]) + ")"


def _texts(node: ast.BinOp) -> bool:
    """Whether a sum is of texts or lists, which decide no number."""
    kinds = (ast.JoinedStr, ast.List, ast.Tuple)
    sides = (node.left, node.right)
    return any(
        isinstance(s, kinds) or (isinstance(s, ast.Constant) and isinstance(s.value, str))
        for s in sides
    )
