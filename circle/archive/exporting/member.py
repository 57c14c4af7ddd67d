"""All that one member may read in a circle, and all they wrote: piece by piece, a page of the database at a time.

Every page asks anew what the member may read: who is banned in the middle takes nothing more along.
"""

import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from circle.archive.exporting import prose
from circle.archive.exporting.pieces import Attached, Piece, named, post_path
from circle.archive.exporting.wording import say
from circle.checkins import diary_queries
from circle.homework import own_queries
from circle.homework import queries as homework
from circle.homework.policy import require_circle_reader
from circle.kernel.caller import Caller
from circle.kernel.db import Json, Row
from circle.kernel.errors import NotFound
from circle.kernel.text import Language
from circle.kernel.uow import UnitOfWork, Units
from circle.media.models import MediaKind
from circle.media.queries import attachments, objects
from circle.memberships.policy import Standing
from circle.posts import archive_queries as posts
from circle.posts.cards import post_card
from circle.posts.discussion_queries import comment_card
from circle.posts.policy import hides_asker

# Posts of one page: their texts are in memory together, and what is said below them.
PAGE = 50
_MOST_COMMENTS = 2_000
_CONTENTS_PAGE = 2_000
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)
_FIRST_ID = UUID(int=0)
_ID_BYTES = 16
_POST = re.compile(r"\]\(/posts/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\)")


class Entry(NamedTuple):
    """A post in the table of contents, and how much is said below it."""

    id: UUID
    comments: int


class PostList:
    """Posts in their order, some twenty bytes each: a circle may have a million."""

    def __init__(self) -> None:
        self._ids = bytearray()
        self._comments = array("I")

    def __len__(self) -> int:
        return len(self._comments)

    def __iter__(self) -> Iterator[Entry]:
        for at, comments in enumerate(self._comments):
            yield Entry(UUID(bytes=bytes(self._ids[at * _ID_BYTES : (at + 1) * _ID_BYTES])), comments)

    def add(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._ids += row["id"].bytes
            self._comments.append(row["comment_count"])


@dataclass(slots=True)
class Contents:
    """What there is to take along, listed before anything is written."""

    posts: PostList = field(default_factory=PostList)
    homework: list[Row] = field(default_factory=list)
    camps: list[Row] = field(default_factory=list)

    @property
    def total(self) -> int:
        return len(self.posts) + len(self.homework) + len(self.camps)


@dataclass(frozen=True, slots=True)
class Member:
    """Whose export it is."""

    units: Units
    caller: Caller
    circle_id: UUID
    language: Language

    def standing(self, uow: UnitOfWork) -> Standing:
        """Errors: NotAMember, MembershipExpired, Banned."""
        return require_circle_reader(uow, self.caller, self.circle_id)


def list_contents(member: Member) -> Contents:
    """Return everything that goes along, texts aside."""
    found = Contents()
    after_at, after_id = _BEGINNING, _FIRST_ID
    while True:
        with member.units.read() as uow:
            page = posts.contents(uow, member.standing(uow), after_at=after_at, after_id=after_id, limit=_CONTENTS_PAGE)
        found.posts.add(page)
        if len(page) < _CONTENTS_PAGE:
            break
        after_at, after_id = page[-1]["published_at"], page[-1]["id"]
    with member.units.read() as uow:
        found.posts.add(posts.own_unseen(uow, member.standing(uow), after_id=_FIRST_ID, limit=_CONTENTS_PAGE))
        found.homework += own_queries.handed_in(uow, member.caller.user_id, member.circle_id)
        found.camps += diary_queries.own_camps(uow, member.caller.user_id, member.circle_id)
    return found


def _path(member: Member, row: Row, words: str) -> str:
    words = words or say("untitled", member.language)
    return post_path(row["id"], words, row["published_at"] or row["created_at"])


def _linked(member: Member, pieces: Sequence[Piece]) -> list[Piece]:
    """Return pieces that know where the posts stand that they link to."""
    named = {piece.path: {UUID(found) for found in _POST.findall(piece.text)} for piece in pieces}
    wanted = {post_id for some in named.values() for post_id in some}
    if not wanted:
        return list(pieces)
    with member.units.read() as uow:
        rows = posts.named_posts(uow, member.standing(uow), wanted)
    paths = {row["id"]: _path(member, row, row["words"]) for row in rows}
    return [
        replace(piece, links={post_id: paths[post_id] for post_id in named[piece.path] if post_id in paths})
        for piece in pieces
    ]


def post_pages(member: Member, contents: Contents) -> Iterator[list[Piece]]:
    """Yield the posts of a contents, a page at a time."""
    for page in _pages(contents.posts):
        yield _linked(member, _read_page(member, page))


def _pages(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    page: list[Entry] = []
    weight = 0
    for entry in entries:
        if page and (len(page) == PAGE or weight + entry.comments > _MOST_COMMENTS):
            yield page
            page, weight = [], 0
        page.append(entry)
        weight += entry.comments
    if page:
        yield page


def _read_page(member: Member, page: Sequence[Entry]) -> list[Piece]:
    with member.units.read() as uow:
        standing = member.standing(uow)
        rows = posts.whole_posts(uow, standing, [entry.id for entry in page])
        said = _by_post(posts.comments_below(uow, standing, rows))
        columns = _by_post(posts.columns_of(uow, standing, rows))
        cards = {post_id: post_card(row, standing) for post_id, row in rows.items()}
        files = _files(uow, [one for card in cards.values() for one in _shown_files(card)])
    return [
        _post_piece(member, entry, rows[entry.id], cards[entry.id], standing, said, columns, files)
        for entry in page
        if entry.id in rows
    ]


def _by_post(rows: Sequence[Row]) -> dict[UUID, list[Row]]:
    return {post_id: list(some) for post_id, some in groupby(rows, key=lambda row: row["post_id"])}


def _shown_files(card: Json) -> list[Json]:
    answer = (card["question"] or {}).get("answer")
    return [*card["attachments"], *(answer["attachments"] if answer else ())]


def _files(uow: UnitOfWork, shown: Sequence[Json]) -> dict[str, Attached]:
    """Return what can be copied of the attachments that cards show, by id as text."""
    found = objects(uow, [UUID(str(one["id"])) for one in shown])
    return {
        str(media_id): Attached(
            media_id, row["object_key"], row["filename"], row["content_type"], row["kind"] == MediaKind.IMAGE
        )
        for media_id, row in found.items()
    }


def _post_piece(
    member: Member,
    entry: Entry,
    row: Row,
    card: Json,
    standing: Standing,
    said: Mapping[UUID, list[Row]],
    columns: Mapping[UUID, list[Row]],
    files: Mapping[str, Attached],
) -> Piece:
    language = member.language
    path = _path(member, row, card["title"] or card["body"][: posts.FIRST_WORDS])
    text = [card["body"], *prose.attached(card["attachments"], below=card["body"])]
    answer = (card["question"] or {}).get("answer")
    if answer:
        text += [f"## {say('answer', language)} · {answer['author']['display_name']}", answer["body"]]
        text += prose.attached(answer["attachments"], below=answer["body"])
    hidden = row["author_id"] if hides_asker(standing, row["author_id"], anonymous=row["anonymous"]) else None
    text += prose.comments([comment_card(one, hidden_author=hidden) for one in said.get(entry.id, ())], language)
    shown = _shown_files(card)
    return Piece(
        path=path,
        title=card["title"] or path.rpartition("/")[2],
        at=card["published_at"] or card["created_at"],
        text="\n\n".join(text),
        head={
            "title": card["title"],
            "date": (card["published_at"] or card["created_at"]).isoformat(),
            "author": card["author"]["display_name"] if card["author"] else say("anonymous", language),
            "kind": card["kind"],
            "status": None if card["status"] == "published" else card["status"],
            "tags": list(card["tags"]),
            "column": next((one["name"] for one in columns.get(entry.id, ())), None),
            "digest": card["digest"] or None,
            "excerpt": card["excerpt"],
            "id": str(entry.id),
        },
        files=tuple(files[str(one["id"])] for one in shown if str(one["id"]) in files),
    )


def homework_pieces(member: Member, contents: Contents) -> Iterator[Piece]:
    """Yield one's own homework with what was said about it."""
    for row in contents.homework:
        piece = _homework_piece(member, row)
        if piece is not None:
            yield from _linked(member, [piece])


def _homework_piece(member: Member, row: Row) -> Piece | None:
    language = member.language
    with member.units.read() as uow:
        try:
            assignment = homework.assignment(uow, member.caller, row["assignment_id"])
            mine = homework.mine(uow, member.caller, row["assignment_id"])
        except NotFound:
            return None  # taken back meanwhile
        attached = [one for version in mine["versions"] for one in version["attachments"]]
        spoken = [review["audio"] for review in mine["reviews"] if review["audio"]]
        files = _files(uow, [*assignment["attachments"], *attached, *spoken])
    said: dict[str, list[Json]] = {}
    for review in mine["reviews"]:
        said.setdefault(review["submission_id"], []).append(review)
    criteria = [one["name"] for one in assignment["rubric"] or ()]
    brief = [one for one in (assignment["brief"], *prose.attached(assignment["attachments"])) if one]
    text = [f"## {say('brief', language)}", *brief] if brief else []
    for version in mine["versions"]:
        heading = say("version", language, number=version["number"])
        text += [f"## {heading} · {version['submitted_at']:%Y-%m-%d %H:%M}", version["body"]]
        text += prose.attached(version["attachments"])
        for review in said.get(version["id"], ()):
            text += prose.review(review, version["body"], criteria, language)
    last = mine["versions"][-1]["submitted_at"]
    return Piece(
        path=f"homework/{named(row['assignment_id'], assignment['title'])}",
        title=assignment["title"],
        at=last,
        text="\n\n".join(text),
        head={"title": assignment["title"], "date": last.isoformat(), "state": mine["state"], "score": mine["score"]},
        files=tuple(files.values()),
    )


def check_in_pieces(member: Member, contents: Contents) -> Iterator[Piece]:
    """Yield one's own entries, a piece a camp and month."""
    for camp in contents.camps:
        entries = _entries(member, camp["id"])
        folder = f"check-ins/{named(camp['id'], camp['title'])}"
        for month, some in groupby(entries, key=lambda one: f"{one[0]['day']:%Y-%m}"):
            texts, files = [], []
            for row, shown, known in some:
                texts.append(prose.entry_text(row, shown, member.language))
                files += [known[str(one["id"])] for one in shown if str(one["id"]) in known]
            piece = Piece(
                path=f"{folder}/{month}",
                title=f"{camp['title']} {month}",
                at=camp["created_at"],
                text="\n\n".join(texts),
                head={"title": f"{camp['title']} {month}"},
                files=tuple(files),
            )
            yield from _linked(member, [piece])


def _entries(member: Member, camp_id: UUID) -> Iterator[tuple[Row, Sequence[Json], Mapping[str, Attached]]]:
    after_day = date.min
    while True:
        with member.units.read() as uow:
            user_id = member.standing(uow).user_id or member.caller.user_id
            page = diary_queries.own_entries(uow, user_id, camp_id, after_day=after_day, limit=PAGE)
            shown = attachments(uow, [row["id"] for row in page if row["attached"]])
            files = _files(uow, [one for some in shown.values() for one in some])
        for row in page:
            yield row, shown.get(row["id"], ()), files
        if len(page) < PAGE:
            return
        after_day = page[-1]["day"]


def comment_pieces(member: Member) -> Iterator[Piece]:
    """Yield what one wrote below posts, a piece a month."""
    for month, some in groupby(_own_comments(member), key=lambda row: f"{row['created_at']:%Y-%m}"):
        rows = list(some)
        title = f"{say('my_comments', member.language)} {month}"
        where = say("on_post", member.language)
        texts = [
            f"## {row['created_at']:%Y-%m-%d %H:%M}\n\n{row['body']}\n\n[{where}](/posts/{row['post_id']})"
            for row in rows
        ]
        piece = Piece(f"comments/{month}", title, rows[0]["created_at"], "\n\n".join(texts), {"title": title})
        yield from _linked(member, [piece])


def _own_comments(member: Member) -> Iterator[Row]:
    after_at, after_id = _BEGINNING, _FIRST_ID
    while True:
        with member.units.read() as uow:
            standing = member.standing(uow)
            page = posts.own_comments(uow, standing, after_at=after_at, after_id=after_id, limit=_CONTENTS_PAGE)
        yield from page
        if len(page) < _CONTENTS_PAGE:
            return
        after_at, after_id = page[-1]["created_at"], page[-1]["id"]


PARTS: tuple[tuple[str, Callable[[Member, Contents], Iterator[Piece]]], ...] = (
    ("homework", homework_pieces),
    ("check-ins", check_in_pieces),
    ("my_comments", lambda member, _contents: comment_pieces(member)),
)
