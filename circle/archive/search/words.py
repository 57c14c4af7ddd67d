"""The words of a folded text, for ranking. Only workers use this: the dictionary takes 33 MB."""

from collections import defaultdict
from functools import cache
from types import ModuleType

# Beyond these PostgreSQL keeps no more of a tsvector: places, and how many of one word.
_LAST_PLACE = 16_383
_MOST_PLACES = 255
# Longer ones are no words, and PostgreSQL takes 2 kB at most.
_LONGEST = 40
# Characters after which the words of a text don't change its rank any more.
_READ = 20_000


@cache
def _dictionary() -> ModuleType:
    import rjieba  # noqa: PLC0415 - web processes import this module, but never load the dictionary

    return rjieba


def words_of(title: str, text: str) -> str:
    """Return the words as the text of a tsvector, those of the title with weight A."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    at = 0
    for part, weight in ((title, "A"), (text[:_READ], "")):
        for word in _dictionary().cut(part):
            if word.isalnum() and len(word) <= _LONGEST:
                at = min(at + 1, _LAST_PLACE)
                if len(places[word]) < _MOST_PLACES:
                    places[word].append(f"{at}{weight}")
    return " ".join(f"'{word}':{','.join(where)}" for word, where in places.items())
