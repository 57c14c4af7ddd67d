"""Words that a circle does not want. `block` refuses a text, `review` holds it back for a moderator.

Letters are compared as people read them: NFKC (so full-width ＶＸ is vx), case folded, without what is invisible.
A word with characters of a script without spaces, such as Chinese, is found through spaces and punctuation put
between them; a word of letters and digits alone is found as a whole word only, so that `ass` leaves `class` alone.
"""

import re
import unicodedata
from typing import Literal, NamedTuple
from uuid import UUID

from sqlalchemy import Text as SqlText
from sqlalchemy import bindparam, exists, func, or_, select, update

from circle.circles.models import Circle
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.db import Query
from circle.kernel.errors import FieldError, Invalid, NotFound
from circle.kernel.ids import new_id
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.memberships.permissions import Permission
from circle.memberships.policy import Standing, require_permission
from circle.posts.discussion_errors import TooManyWords, WordListed
from circle.posts.models import BlockedWord
from circle.posts.services.mentions import plain

Verdict = Literal["pass", "block", "review"]
# A check reads those of them that occur at all, so the cap is for the moderators' own list.
MAX_WORDS = 1_000

# Latin, Greek, Cyrillic and their like, where a neighbouring letter makes another word.
_LETTER = "a-z\u00df-\u024f\u0370-\u058f"
_SPACED = re.compile(rf"[{_LETTER}0-9 ]+")
_SPACES = re.compile(r"\s+")
# Blank although no format character: fillers, joiners, variation selectors.
_FILLERS = frozenset("\u034f\u115f\u1160\u3164\ufe0e\ufe0f")

_OCCURRING = Query(
    lambda: select(BlockedWord.word, BlockedWord.action).where(
        BlockedWord.circle_id == bindparam("circle_id"),
        or_(
            func.strpos(bindparam("folded", type_=SqlText()), BlockedWord.word) > 0,
            func.strpos(bindparam("tight", type_=SqlText()), BlockedWord.word) > 0,
        ),
    )
)


class Folded(NamedTuple):
    """A text as words are looked for in it: `tight` has lost everything but letters and digits."""

    folded: str
    tight: str

    @classmethod
    def of(cls, text: str) -> "Folded":
        visible = "".join(c for c in unicodedata.normalize("NFKC", text) if not _is_invisible(c))
        folded = _SPACES.sub(" ", unicodedata.normalize("NFKC", visible.casefold())).strip()
        return cls(folded, "".join(c for c in folded if c.isalnum()))

    def has(self, word: str) -> bool:
        """Tell whether a word, in the form of `fold_word`, stands here."""
        found = re.compile(f"{_edge(word[0], '?<!')}{re.escape(word)}{_edge(word[-1], '?!')}")
        return found.search(self.folded if _SPACED.fullmatch(word) else self.tight) is not None


def _is_invisible(character: str) -> bool:
    return character in _FILLERS or unicodedata.category(character) == "Cf"


def _edge(character: str, look: str) -> str:
    """A letter must not go on as a letter, a digit not as a digit; the rest may stand anywhere."""
    kind = "0-9" if "0" <= character <= "9" else _LETTER if re.match(f"[{_LETTER}]", character) else ""
    return f"({look}[{kind}])" if kind else ""


def fold_word(word: str) -> str:
    """Return the form in which a word is kept. Errors: Invalid for one without a letter or digit."""
    folded = Folded.of(word)
    if not folded.tight:
        raise Invalid.field("word", "blank", "须含文字或数字。", "A word needs a letter or a digit.")
    return folded.folded if _SPACED.fullmatch(folded.folded) else folded.tight


def check_words(uow: UnitOfWork, circle_id: UUID, text: str) -> Verdict:
    """Return what a text deserves by the circle's words."""
    verdicts = set(_verdicts(uow, circle_id, [text]))
    return "block" if "block" in verdicts else "review" if "review" in verdicts else "pass"


def held_by_words(uow: UnitOfWork, standing: Standing, **texts: str) -> bool:
    """Tell whether any of the texts, by field, waits for a moderator; moderators' own never do.

    Errors: Invalid naming every field with a blocked word, though not the word.
    """
    if standing.may(Permission.MODERATE) or not standing.blocked_words:
        return False
    verdicts = dict(zip(texts, _verdicts(uow, standing.circle_id, list(texts.values())), strict=True))
    blocked = [name for name, verdict in verdicts.items() if verdict == "block"]
    if blocked:
        refusal = Text("包含星球不允许的词语。", "Contains a word that this circle does not allow.")
        raise Invalid(*(FieldError(name, "blocked_word", refusal) for name in blocked))
    return "review" in verdicts.values()


def _verdicts(uow: UnitOfWork, circle_id: UUID, texts: list[str]) -> list[Verdict]:
    folded = [Folded.of(plain(text)) for text in texts]
    together = Folded("\n".join(one.folded for one in folded), "\n".join(one.tight for one in folded))
    words = uow.rows(_OCCURRING, circle_id=circle_id, **together._asdict())
    return [_verdict({row["action"] for row in words if one.has(row["word"])}) for one in folded]


def _verdict(actions: set[str]) -> Verdict:
    return "block" if "block" in actions else "review" if "review" in actions else "pass"


def block_word(uow: UnitOfWork, caller: Caller, circle_id: UUID, *, word: str, action: str) -> BlockedWord:
    """Add a word to the circle's list. Errors: WordListed, TooManyWords, Invalid."""
    require_permission(uow, caller, circle_id, Permission.MODERATE)
    folded = fold_word(word)
    listed = select(exists().where(BlockedWord.circle_id == circle_id, BlockedWord.word == folded))
    if uow.session.scalar(listed):
        raise WordListed
    _count(uow, circle_id, 1)
    row = BlockedWord(id=new_id(), circle_id=circle_id, word=folded, action=action, created_at=uow.now)
    uow.session.add(row)
    _note(uow, caller, "word.block", row)
    return row


def allow_word(uow: UnitOfWork, caller: Caller, word_id: UUID) -> None:
    """Take a word off the list; what it holds back already stays for the moderators to decide."""
    row = uow.session.get(BlockedWord, word_id)
    if row is None:
        raise NotFound
    require_permission(uow, caller, row.circle_id, Permission.MODERATE)
    uow.session.delete(row)
    _count(uow, row.circle_id, -1)
    _note(uow, caller, "word.allow", row)


def _count(uow: UnitOfWork, circle_id: UUID, difference: int) -> None:
    """Keep the circle's count of words. Its row is locked by that, so nobody lists one too many beside another."""
    counted = Circle.blocked_words + difference
    kept = update(Circle).where(Circle.id == circle_id, counted <= MAX_WORDS).values(blocked_words=counted)
    if not uow.session.execute(kept.returning(Circle.id)).all():
        raise TooManyWords(most=MAX_WORDS)


def _note(uow: UnitOfWork, caller: Caller, action: str, row: BlockedWord) -> None:
    audit.record(
        uow,
        caller,
        action,
        circle_id=row.circle_id,
        subject_kind="blocked_word",
        subject_id=row.id,
        word=row.word,
        effect=row.action,
    )
