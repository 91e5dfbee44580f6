"""Docstrings say what every argument is: signatures are held against their numpydoc sections.

Ruff's `D` rules hold the form of a docstring. What they do not see is held here, from the source
alone: that the Parameters section names the arguments of the signature in their order, that what is
returned and what is raised has a section, and that a record describes each of its fields.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "mcbrain"

# Every package and module of mcbrain is held.
HELD = sorted(
    item.name
    for item in ROOT.iterdir()
    if item.suffix == ".py" or (item.is_dir() and item.name != "__pycache__")
)

SECTIONS = ("Parameters", "Attributes", "Returns", "Yields", "Raises", "Notes", "Examples")
# Raised for the developer who forgot a branch, not for the caller: `errors.unhandled`.
UNDECLARED = {"NotImplementedError", "AssertionError", "unhandled"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def sections(docstring: str) -> dict[str, list[str]]:
    """The lines of each section of a docstring."""
    found: dict[str, list[str]] = {}
    lines, name = docstring.splitlines(), ""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line in SECTIONS and following == "-" * len(line):
            name = line
            found[name] = []
        elif name and not re.fullmatch(r"-+", line):
            found[name].append(line)
    return found


def entries(lines: list[str]) -> list[str]:
    """The names that a section describes: `a, b : float` describes two."""
    heads = [line for line in lines if line and not line.startswith(" ")]
    return [name.strip() for head in heads for name in head.split(" : ")[0].split(",")]


def decorators(function: Function) -> set[str]:
    return {ast.unparse(item).split("(")[0].split(".")[-1] for item in function.decorator_list}


def arguments(function: Function, method: bool) -> list[ast.arg]:
    """The arguments that a caller gives, in the order of the signature."""
    a = function.args
    listed = [*a.posonlyargs, *a.args]
    if method and "staticmethod" not in decorators(function):
        listed = listed[1:]
    star = [a.vararg] if a.vararg else []
    double = [a.kwarg] if a.kwarg else []
    return [*listed, *star, *a.kwonlyargs, *double]


def is_command(function: Function, aliases: set[str]) -> bool:
    """Whether the help of options describes the arguments, which a terminal shows instead."""
    texts = [ast.unparse(arg.annotation) for arg in arguments(function, False) if arg.annotation]
    options = [text for text in texts if "typer.Option" in text or "typer.Argument" in text]
    named = [text for text in texts if text in aliases]
    return bool(options or named) and all("help=" in text for text in options)


def raised(function: Function) -> set[str]:
    """Names of the exceptions that a function's own body raises."""
    names = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            names.add(ast.unparse(node.exc.func).split(".")[-1])
    return {name for name in names if name[0].isupper() or name in UNDECLARED}


def fields(record: ast.ClassDef) -> list[str]:
    """Public fields of a dataclass or a NamedTuple, in their order."""
    plain = {ast.unparse(item).split("(")[0] for item in record.decorator_list} & {"dataclass"}
    if not plain and "NamedTuple" not in {ast.unparse(base) for base in record.bases}:
        return []
    return [
        item.target.id
        for item in record.body
        if isinstance(item, ast.AnnAssign)
        and isinstance(item.target, ast.Name)
        and not item.target.id.startswith("_")
    ]


def missing_from_function(function: Function, method: bool) -> Iterator[str]:
    found = sections(ast.get_docstring(function) or "")
    wanted = [arg.arg for arg in arguments(function, method)]
    described = [name.lstrip("*") for name in entries(found.get("Parameters", []))]
    if described != wanted:
        yield f"Parameters are {wanted}, described are {described}"
    unsaid = raised(function) - UNDECLARED - set(entries(found.get("Raises", [])))
    if unsaid:
        yield f"raises {sorted(unsaid)}, which no section Raises names"
    gives = ast.unparse(function.returns) if function.returns else "None"
    if (
        gives not in ("None", "NoReturn", "Iterator[None]")
        and not {"Returns", "Yields"} & found.keys()
    ):
        yield f"returns {gives}, which no section Returns or Yields describes"


def missing_from_class(record: ast.ClassDef) -> Iterator[tuple[str, str]]:
    found = sections(ast.get_docstring(record) or "")
    described = entries(found.get("Parameters", [])) + entries(found.get("Attributes", []))
    wanted = fields(record)
    if wanted and described[: len(wanted)] != wanted:
        yield record.name, f"fields are {wanted}, described are {described}"
    for item in record.body:
        if not isinstance(item, Function) or "overload" in decorators(item):
            continue  # an overload is described with the function itself
        if item.name == "__init__":
            given = [arg.arg for arg in arguments(item, True)]
            if described[: len(given)] != given:
                yield record.name, f"is made from {given}, described are {described}"
        elif not item.name.startswith("_"):
            if decorators(item) & {"property", "cached_property"}:
                continue  # its one sentence says what it is
            for fault in missing_from_function(item, True):
                yield f"{record.name}.{item.name}", fault


def faults(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    aliases = {
        ast.unparse(item.targets[0])
        for item in tree.body
        if isinstance(item, ast.Assign) and "help=" in ast.unparse(item.value)
    }
    for item in tree.body:
        if isinstance(item, Function) and not item.name.startswith("_"):
            if not is_command(item, aliases):
                yield from (
                    f"{path.relative_to(ROOT)}: {item.name}: {fault}"
                    for fault in missing_from_function(item, False)
                )
        elif isinstance(item, ast.ClassDef) and not item.name.startswith("_"):
            yield from (
                f"{path.relative_to(ROOT)}: {name}: {fault}"
                for name, fault in missing_from_class(item)
            )


@pytest.mark.parametrize("room", HELD)
def test_docstrings_describe_every_argument_result_and_error(room):
    place = ROOT / room
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    assert [fault for file in files for fault in faults(file)] == []


def test_a_fault_is_seen(tmp_path):
    source = (
        "from dataclasses import dataclass\n\n"
        "@dataclass\nclass Pair:\n"
        '    """A pair.\n\n    Attributes\n    ----------\n    one : int\n    """\n'
        "    one: int\n    two: int\n\n"
        "def share(n, of):\n"
        '    """A share.\n\n    Parameters\n    ----------\n    of, n : int\n    """\n'
        "    raise ValueError(n)\n\n"
        "def half(n) -> float:\n"
        '    """Half.\n\n    Parameters\n    ----------\n    n : int\n    """\n'
    )
    tree = ast.parse(source)
    record, share, half = tree.body[1:]
    assert [fault for _, fault in missing_from_class(record)] == [
        "fields are ['one', 'two'], described are ['one']"
    ]
    assert list(missing_from_function(share, False)) == [
        "Parameters are ['n', 'of'], described are ['of', 'n']",
        "raises ['ValueError'], which no section Raises names",
    ]
    assert list(missing_from_function(half, False)) == [
        "returns float, which no section Returns or Yields describes"
    ]
