"""Names of code in CONTRIBUTING and in the glossary exist."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("CONTRIBUTING.md", "docs/glossary.md", "SECURITY.md")
# `room/module.name` or `room/module.py`; folders outside the package are written from the root.
NAME = re.compile(r"`((?:[a-z_]+/)+[a-z_]+)\.([A-Za-z_]+)`")


def defined(module: Path) -> set[str]:
    """Names that a module defines or imports at its top."""
    names: set[str] = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {
                part.id for t in targets for part in ast.walk(t) if isinstance(part, ast.Name)
            }
        elif isinstance(node, ast.ImportFrom):
            names |= {alias.asname or alias.name for alias in node.names}
    return names


def wrong(text: str) -> list[str]:
    """References to code that lead nowhere."""
    found = []
    for place, name in NAME.findall(text):
        homes = [base / f"{place}.py" for base in (ROOT / "mcbrain", ROOT)]
        module = next((home for home in homes if home.is_file()), None)
        others = any((base / f"{place}.{name}").exists() for base in (ROOT / "mcbrain", ROOT))
        if module is None and not others:
            found.append(f"{place}.{name}: there is no such module")
        elif module is not None and name != "py" and name not in defined(module):
            found.append(f"{place}.{name}: the module has no such name")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_names_of_code_exist(page):
    assert wrong((ROOT / page).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "page", [*PAGES, "README.md", "tests/README.md", "mcbrain/theory/README.md"]
)
def test_links_to_files_lead_somewhere(page):
    source = ROOT / page
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", source.read_text(encoding="utf-8"))
    assert [link for link in links if not (source.parent / link).exists()] == []


def test_a_name_that_is_gone_is_seen():
    assert wrong("`worth/surface.Surface`, `worth/surface.py` and `checks.integer`") == []
    assert wrong("`worth/surface.Plane`") == ["worth/surface.Plane: the module has no such name"]
    assert wrong("`worth/plane.py`") == ["worth/plane.py: there is no such module"]
