"""The words of a folded text, for ranking. Only workers use this: the dictionary takes 33 MB and 0.15 s to load.

So a few new texts are found at once and ranked without their words for some seconds, until many are done together.
"""

from functools import cache
from types import ModuleType

# The last place that PostgreSQL keeps in a tsvector.
_LAST_PLACE = 16_383
# Longer ones are no words, and PostgreSQL takes 2 kB at most.
_LONGEST = 40
# Characters after which the words of a text don't change its rank any more.
_READ = 20_000


# Texts for which the dictionary is loaded: a process of its own is forked for each ring.
_MANY = 50


@cache
def _dictionary() -> ModuleType:
    import rjieba  # noqa: PLC0415 - web processes import this module, but never load the dictionary

    return rjieba


def is_worth_loading(texts: int) -> bool:
    """Whether so many texts, in a process that may have loaded it, get their words at once."""
    return texts >= _MANY or _dictionary.cache_info().currsize > 0


def words_of(title: str, text: str) -> str:
    """Return the words as the text of a tsvector, those of the title with weight A."""
    cut = _dictionary().cut
    heads = [word for word in cut(title) if word.isalnum() and len(word) <= _LONGEST]
    body = [word for word in cut(text[:_READ]) if word.isalnum() and len(word) <= _LONGEST]
    # PostgreSQL gathers the places of a word that stands here several times, and knows how many it can keep.
    placed = [f"{word}:{min(at, _LAST_PLACE)}A" for at, word in enumerate(heads, 1)]
    placed += [f"{word}:{min(at, _LAST_PLACE)}" for at, word in enumerate(body, len(heads) + 1)]
    return " ".join(placed)
