"""The product's source files, parsed once."""

import ast
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def modules() -> dict[Path, ast.Module]:
    """Every module of `circle` and `workers`, by its path below the project."""
    files = sorted(file for folder in ("circle", "workers") for file in (ROOT / folder).rglob("*.py"))
    return {file.relative_to(ROOT): ast.parse(file.read_text(encoding="utf-8")) for file in files}


@cache
def nodes(tree: ast.AST) -> Sequence[ast.AST]:
    """All that stands in a module, walked through once."""
    return tuple(ast.walk(tree))


@cache
def calls(tree: ast.AST) -> Sequence[tuple[str, int]]:
    """Dotted names of what is called, with line numbers; `x.y()` is `x.y`, deeper ones end in theirs."""
    return tuple((ast.unparse(node.func), node.lineno) for node in nodes(tree) if isinstance(node, ast.Call))


@cache
def imports(tree: ast.AST) -> Sequence[str]:
    return tuple(_imports(tree))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
