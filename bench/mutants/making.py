"""Mutants of a file: mutmut's operators, on every function there is (mutmut itself leaves out decorated ones)."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

# Sentences for people, log lines, words for the type checker, types of SQL parameters (the driver tells them by their
# values, or the statement fails), and how a thing shows itself to a programmer.
_UNSEEN_CALLS = m.Call(
    func=m.Name("Text")
    | m.Name("DateTime")
    | m.Name("cast")
    | m.Name("isinstance")
    | m.Name("len")
    | m.Attribute(value=m.Name("_log") | m.Name("log") | m.Name("logger"))
)
_REFUSED_FIELD = m.Call(func=m.Attribute(value=m.Name("Invalid"), attr=m.Name("field")))
_UNSEEN_ARGUMENT = m.Arg(keyword=m.Name("type_"))
_PROGRAMMERS_ERRORS = m.Raise(
    exc=m.Call(func=m.Name("RuntimeError") | m.Name("ValueError") | m.Name("TypeError") | m.Name("AssertionError"))
)
_UNSEEN_FUNCTIONS = {"__repr__", "__str__"}
_DOCSTRING = m.SimpleStatementLine(body=[m.Expr(value=m.SimpleString() | m.ConcatenatedString())])


@dataclass
class Mutant:
    """One change of one node; `id` stays while the function around it stays as it is."""

    id: str
    path: str
    function: str
    line: int
    lines: range
    was: str
    now: str
    module: cst.Module = field(repr=False)
    old: cst.CSTNode = field(repr=False)
    new: cst.CSTNode = field(repr=False)

    def source(self) -> str:
        """Return the whole file with the change."""
        changed = self.module.deep_replace(self.old, self.new)  # type: ignore[arg-type]
        return changed.code  # type: ignore[union-attr]


class _Visitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path
        self._names: list[str] = []
        self._outer: cst.CSTNode | None = None
        self._outer_mark = ""
        self._count = 0
        self._seen: Counter[str] = Counter()
        self.found: list[Mutant] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if self._is_unseen(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
        if m.matches(node, _REFUSED_FIELD):
            # A field and its code; the sentences after them are for people.
            for argument in cst.ensure_type(node, cst.Call).args[:2]:
                argument.visit(self)
            return False
        if self._outer is None:
            if isinstance(node, cst.FunctionDef | cst.Lambda):
                self._enter(node)
            return True
        self._mutate(node)
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if original_node is self._outer:
            self._outer = None
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef) and not self._is_unseen(original_node):
            self._names.pop()

    def _enter(self, node: cst.CSTNode) -> None:
        self._outer = node
        mark = f"{self._path} {'.'.join(self._names)} {cst.Module([]).code_for_node(node)}"
        self._seen[mark] += 1
        self._outer_mark = f"{mark} {self._seen[mark]}"
        self._count = 0

    def _mutate(self, node: cst.CSTNode) -> None:
        place = self.get_metadata(PositionProvider, node, None)
        for kind, operator in mutation_operators:
            if not isinstance(node, kind):
                continue
            for new in operator(node):
                self._count += 1
                was, now = cst.Module([]).code_for_node(node), cst.Module([]).code_for_node(new)
                if _types_of(node) != _types_of(new):
                    continue
                mark = hashlib.sha256(f"{self._outer_mark} {self._count} {now}".encode()).hexdigest()[:16]
                self.found.append(
                    Mutant(
                        id=mark,
                        path=self._path,
                        function=".".join(self._names) or "<lambda>",
                        line=place.start.line,
                        lines=range(place.start.line, place.end.line + 1),
                        was=was,
                        now=now,
                        module=cst.Module([]),
                        old=node,
                        new=new,
                    )
                )

    def _is_unseen(self, node: cst.CSTNode) -> bool:
        # Defaults and decorators are run when the module is imported, before any test.
        if isinstance(node, cst.Annotation | cst.Decorator | cst.Parameters):
            return True
        if isinstance(node, cst.FunctionDef) and node.name.value in _UNSEEN_FUNCTIONS:
            return True
        return m.matches(node, _UNSEEN_CALLS | _UNSEEN_ARGUMENT | _PROGRAMMERS_ERRORS | _DOCSTRING)


def _types_of(node: cst.CSTNode) -> list[str]:
    """Return the types that a call gives to SQL parameters."""
    arguments = node.args if isinstance(node, cst.Call) else ()
    return [cst.Module([]).code_for_node(one.value) for one in arguments if m.matches(one, _UNSEEN_ARGUMENT)]


def mutants_of(path: Path, root: Path) -> Iterator[Mutant]:
    """Yield every mutant of a file."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text(encoding="utf-8")))
    visitor = _Visitor(str(path.relative_to(root)))
    wrapper.visit(visitor)
    for mutant in visitor.found:
        mutant.module = wrapper.module
        yield mutant
