"""Snippets: a hit in its surroundings, as segments of plain text that a client marks in its own way."""

import re

from circle.archive.search.folding import drift, fold
from circle.kernel.db import Json
from circle.posts.services.mentions import plain

# Characters of a snippet, and of it before the first hit.
LENGTH, LEAD = 120, 30
_ELLIPSIS = "…"
_SPACE = re.compile(r"\s+")


def snippet(text: str, pattern: "re.Pattern[str]", *, cut: bool) -> list[Json]:
    """Return a piece of a text around its first hit. `cut`: the text goes on before what is given here."""
    shown = _SPACE.sub(" ", plain(text)).strip()
    spans = hits(shown, pattern)
    start = max(spans[0][0] - LEAD, 0) if spans else 0
    end = start + LENGTH
    before = _ELLIPSIS if start or cut else ""
    after = _ELLIPSIS if end < len(shown) else ""
    inside = [(max(one, start), min(other, end)) for one, other in spans if one < end]
    return _segments(
        before + shown[start:end] + after, [(a - start + len(before), b - start + len(before)) for a, b in inside]
    )


def marked(text: str, pattern: "re.Pattern[str]") -> list[Json]:
    """Return a whole text with its hits, such as a title."""
    return _segments(text, hits(text, pattern))


def hits(text: str, pattern: "re.Pattern[str]") -> list[tuple[int, int]]:
    """Return where the pattern stands in the text, found in its folded form."""
    folded = fold(text)
    found = [match.span() for match in pattern.finditer(folded)]
    if drift(text, folded) == (0, 0):
        return found  # each character became one
    origin = [at for at, character in enumerate(text) for _one in fold(character)]
    spans: list[tuple[int, int]] = []
    for begin, after in found:
        start, end = origin[begin], origin[after - 1] + 1
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _segments(text: str, spans: list[tuple[int, int]]) -> list[Json]:
    segments: list[Json] = []
    at = 0
    for start, end in spans:
        if start > at:
            segments.append({"text": text[at:start], "hit": False})
        segments.append({"text": text[start:end], "hit": True})
        at = end
    if at < len(text):
        segments.append({"text": text[at:], "hit": False})
    return segments
