"""Puts a mutant into the running process: the code of its function is exchanged, wherever the function is held."""

import functools
import gc
import inspect
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

from bench.mutants.making import Mutant
from circle.kernel.db import Query

# What `@cache` and `@lru_cache` make of a function.
_Kept = type(functools.cache(lambda: None))


class SameCode(Exception):
    """The change compiles to what was there: nobody could notice."""


class OutOfReach(Exception):
    """Nothing holds the function any more once the modules are imported: what it did is done."""


def _outermost(code: CodeType) -> Iterator[CodeType]:
    """Yield the functions of a module and of its classes, not those inside of functions."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_flags & inspect.CO_OPTIMIZED:
                yield constant
            else:
                yield from _outermost(constant)


def _meaning(code: CodeType) -> tuple[Any, ...]:
    """Return all of a function except where in the file it stands."""
    constants = tuple(
        _meaning(constant) if isinstance(constant, CodeType) else (type(constant), repr(constant))
        for constant in code.co_consts
    )
    return code.co_code, constants, code.co_names, code.co_varnames, code.co_freevars, code.co_exceptiontable


def _changed(old: CodeType, new: CodeType) -> Iterator[tuple[CodeType, CodeType]]:
    """Yield a changed function, and the changed ones inside of it: some of those were made long ago, as views are."""
    yield old, new
    inside = zip(_inner(old), _inner(new), strict=False)
    for before, after in inside:
        if _meaning(before) != _meaning(after):
            yield from _changed(before, after)


def _inner(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


class Switches:
    """Every function of some files, and everything that is built once, as they live in this process."""

    def __init__(self, paths: list[str], root: Path) -> None:
        self._root = root
        self._live: dict[tuple[str, int, str], list[FunctionType]] = defaultdict(list)
        self._queries: list[Query] = []
        self._kept: list[Any] = []
        files = {str(root / path) for path in paths}
        for found in gc.get_objects():
            if type(found) is FunctionType and found.__code__.co_filename in files:
                code = found.__code__
                self._live[code.co_filename, code.co_firstlineno, code.co_qualname].append(found)
            elif isinstance(found, Query):
                self._queries.append(found)
            elif isinstance(found, _Kept) and (found.__module__ or "").startswith("circle."):
                self._kept.append(found)

    @contextmanager
    def switched(self, mutant: Mutant) -> Iterator[None]:
        """Have the mutant in place. Errors: SameCode, OutOfReach, SyntaxError."""
        held = [
            (function, function.__code__, new)
            for old, new in _changed(*self._compiled(mutant))
            for function in self._live[old.co_filename, old.co_firstlineno, old.co_qualname]
            if function.__code__.co_freevars == new.co_freevars
        ]
        if not held:
            raise OutOfReach
        try:
            for function, _was, new in held:
                function.__code__ = new
            self.forget_what_was_built()
            yield
        finally:
            for function, was, _new in held:
                function.__code__ = was
            self.forget_what_was_built()

    def forget_what_was_built(self) -> None:
        """Statements that were compiled once, and whatever functions keep: built again, by the code as it is now."""
        for query in self._queries:
            vars(query).pop("_compiled", None)
        for kept in self._kept:
            kept.cache_clear()

    def _compiled(self, mutant: Mutant) -> tuple[CodeType, CodeType]:
        file = str(self._root / mutant.path)
        before = list(_outermost(compile(mutant.module.code, file, "exec")))
        after = list(_outermost(compile(mutant.source(), file, "exec")))
        changed = [(old, new) for old, new in zip(before, after, strict=True) if _meaning(old) != _meaning(new)]
        if not changed:
            raise SameCode
        return changed[0]
