"""Every refusal speaks both languages and has a code of its own."""

import string
from collections import defaultdict
from collections.abc import Iterator

from circle import app as _app  # noqa: F401 - imports every room, and so every error
from circle.kernel.errors import CircleError


def every_error(family: type[CircleError] = CircleError) -> Iterator[type[CircleError]]:
    yield family
    for error in family.__subclasses__():
        yield from every_error(error)


def test_every_error_speaks_both_languages() -> None:
    for error in every_error():
        assert error.text.zh, error
        assert error.text.en, error
        placeholders = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in error.text]
        assert placeholders[0] == placeholders[1], error


def test_a_code_means_one_thing() -> None:
    by_code = defaultdict(set)
    for error in every_error():
        by_code[error.code].add((error.status, error.text))
    ambiguous = {code: meanings for code, meanings in by_code.items() if len(meanings) > 1}
    assert not ambiguous
