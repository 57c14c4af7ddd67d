"""Reading what somebody types into the search box.

Words are parted by spaces and punctuation, and each has to stand in the text, anywhere in it. What stands in quotes has
to stand there as it is. There are no operators: AND and * are words like others.
"""

import re
from dataclasses import dataclass
from functools import cached_property

from circle.archive.search.errors import TooManyTerms
from circle.archive.search.folding import JOINERS, fold, is_exact, pairs
from circle.kernel.errors import Invalid

MAX_LENGTH = 200
MAX_TERMS = 10
# Han characters that a word may be long; every part of a query up to this may be a word of a text.
LONGEST_WORD = 4

_QUOTED = re.compile('"([^"]*)"|“([^”]*)”|「([^」]*)」|『([^』]*)』')
_PAIR = 2
_ENDS = "".join(JOINERS - {"#", "+"})
_BEGINNINGS = "".join(JOINERS)
_HAN = re.compile("[\u3400-\u9fff]+")


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to be found; with `parts` a phrase of several words in this order."""

    parts: tuple[str, ...]

    @property
    def key(self) -> str:
        return " ".join(self.parts)

    @property
    def pattern(self) -> str:
        """A regular expression for the folded text, for Python and PostgreSQL alike."""
        return " +".join(re.escape(part) for part in self.parts)


@dataclass(frozen=True)
class Asked:
    """A query that was understood."""

    terms: tuple[Term, ...]

    @cached_property
    def pairs(self) -> list[int]:
        """Keys that every text has that holds all terms; none for single characters."""
        return sorted({key for term in self.terms for part in term.parts for key in pairs(part)})

    @cached_property
    def needles(self) -> list[str]:
        """Words that have to be looked for in the texts themselves, because their pairs don't prove them."""
        return [
            term.key
            for term in self.terms
            if len(term.parts) == 1 and not (len(term.key) == _PAIR and is_exact(term.key))
        ]

    @cached_property
    def phrases(self) -> list[str]:
        """The same of phrases, as patterns."""
        return [term.pattern for term in self.terms if len(term.parts) > 1]

    @property
    def everything(self) -> list[str]:
        return [term.key for term in self.terms]

    @property
    def landmark(self) -> str:
        """The longest word: where it stands, a snippet is cut."""
        return max((part for term in self.terms for part in term.parts), key=len)

    @cached_property
    def pattern(self) -> "re.Pattern[str]":
        """All terms, the longest first, for marking them."""
        return re.compile("|".join(sorted((term.pattern for term in self.terms), key=len, reverse=True)))

    @cached_property
    def words(self) -> str:
        """A tsquery of all words that may be in it: a text's own words decide which of them are."""
        found = {part for term in self.terms for part in term.parts if part.isalnum()}
        for part in tuple(found):
            for run in _HAN.findall(part):
                found |= {
                    run[at : at + size] for size in range(_PAIR, LONGEST_WORD + 1) for at in range(len(run) - size + 1)
                }
        return " | ".join(f"'{word}'" for word in sorted(found))


def read_query(query: str) -> Asked:
    """Return what is asked for. Errors: Invalid where there is nothing to look for, TooManyTerms."""
    terms = [Term(tuple(fold(_inside(found)).split())) for found in _QUOTED.finditer(query)]
    for word in fold(_QUOTED.sub(" ", query)).split():
        bare = word.lstrip(_BEGINNINGS).rstrip(_ENDS)
        terms.append(Term((bare,) if bare else ()))
    distinct = tuple(dict.fromkeys(term for term in terms if term.parts))
    if not distinct:
        zh, en = "没有可以搜索的文字。", "There is nothing in it to look for."
        raise Invalid.field("q", "nothing_to_search", zh, en)
    if sum(len(term.parts) for term in distinct) > MAX_TERMS:
        raise TooManyTerms(most=MAX_TERMS)
    return Asked(distinct)


def _inside(found: "re.Match[str]") -> str:
    return next(group for group in found.groups() if group is not None)
