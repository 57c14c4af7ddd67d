"""What is written, as documents of the index. What a reader is shown of it comes from the rows themselves."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from circle.archive.search.folding import circle_key, drift, fold, pairs, title_keys
from circle.archive.search.models import Found
from circle.archive.search.words import words_of
from circle.homework.models import Submission
from circle.kernel.db import Json, Row
from circle.media.types import TYPES
from circle.posts.services.mentions import plain

_CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+)$", re.MULTILINE)
# Characters of headings that are kept; the longest article of JavaGuide has 3,000.
_HEADINGS = 8_000


@dataclass(frozen=True, slots=True)
class Document:
    """A text as it was written. `content` is that of a file: None as long as it has not been read."""

    subject_id: UUID
    kind: Found
    circle_id: UUID
    post_id: UUID | None
    author_id: UUID
    shown_at: datetime
    title: str
    text: str
    content: str | None = None
    headings: str = ""


def of_post(post: Row) -> Document:
    said = f"{post['body']}\n{post['excerpt']}"
    headings = headings_of(post["body"])
    return _document(post, Found.POST, post["id"], post["published_at"], said, title=post["title"], headings=headings)


def of_answer(answer: Row) -> Document:
    return _document(answer, Found.ANSWER, answer["post_id"], answer["created_at"], answer["body"])


def of_comment(comment: Row) -> Document:
    return _document(comment, Found.COMMENT, comment["post_id"], comment["created_at"], comment["body"])


def headings_of(body: str) -> str:
    """Return the headings of a Markdown text, a line each."""
    if "#" not in body:
        return ""
    return "\n".join(_HEADING.findall(_CODE.sub("", body)))[:_HEADINGS]


def _document(row: Row, kind: Found, post_id: UUID, shown_at: datetime, text: str, **more: str) -> Document:
    about = {"title": "", **more}
    return Document(row["id"], kind, row["circle_id"], post_id, row["author_id"], shown_at, text=text, **about)


def of_submission(submission: Submission, title: str) -> Document:
    return Document(
        submission.id,
        Found.SUBMISSION,
        submission.circle_id,
        None,
        submission.author_id,
        submission.submitted_at,
        title,
        submission.body,
    )


def of_files(cards: Iterable[Json], shown_in: Document) -> list[Document]:
    """Return the attachments of a post or an answer by their names; text files are read later."""
    return [
        Document(
            UUID(card["id"]),
            Found.FILE,
            shown_in.circle_id,
            shown_in.post_id,
            shown_in.author_id,
            shown_in.shown_at,
            card["filename"],
            "",
            None if is_read(card["content_type"]) else "",
        )
        for card in cards
    ]


def is_read(content_type: str) -> bool:
    """Whether what a file says is searched, and not its name alone."""
    known = TYPES.get(content_type)
    return known is not None and known.is_text


def row_of(document: Document, *, with_words: bool) -> dict[str, Any]:
    """Return the columns of the index."""
    spoken = plain(document.text)
    title, text = fold(document.title), fold(spoken)
    gained, lost = drift(spoken, text)
    in_title = pairs(title)
    terms = {circle_key(document.circle_id)} | in_title | pairs(text) | title_keys(in_title)
    return {
        "subject_id": document.subject_id,
        "kind": document.kind,
        "circle_id": document.circle_id,
        "post_id": document.post_id,
        "author_id": document.author_id,
        "shown_at": document.shown_at,
        "title": title,
        "text": text,
        "gained": gained,
        # A snippet is cut from the text as stored, mark-up of mentions included.
        "lost": lost + len(document.text) - len(spoken),
        "content": document.content,
        "headings": fold(document.headings),
        "terms": "{" + ",".join(map(str, sorted(terms))) + "}",
        "words": words_of(title, text) if with_words else None,
    }
