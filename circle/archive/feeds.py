"""A circle's or a column's posts as an Atom feed (RFC 4287), as one member sees them: locked posts as teasers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from xml.etree import ElementTree as ET

from sqlalchemy import select

from circle.archive.policy import require_look_at_column
from circle.archive.rendering import as_html, is_safe_link, xml_text
from circle.circles.models import Circle
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.text import Text
from circle.kernel.uow import UnitOfWork
from circle.memberships.policy import Standing, find_standing
from circle.posts.archive_queries import whole_posts
from circle.posts.cards import post_card
from circle.posts.filing import Column
from circle.posts.models import PostStatus
from circle.posts.queries import feed

ATOM = "application/atom+xml"
_NAMESPACE = "http://www.w3.org/2005/Atom"
# Posts of one answer: readers ask often, and keep what they saw.
_LATEST = 30
_FIRST_WORDS = 40
_LOCKED = Text("此内容需要更高的会员等级。", "Your membership does not open this post.")
_UNTITLED = Text("无题", "Untitled")
_ANONYMOUS = Text("匿名", "Anonymous")


@dataclass(frozen=True, slots=True)
class Feed:
    """The feed's bytes, and when the latest of its posts changed."""

    xml: bytes
    updated_at: datetime


def circle_feed(uow: UnitOfWork, caller: Caller, circle_id: UUID, address: str) -> Feed:
    """Return the latest posts of a circle. Errors: NotFound, Banned."""
    name, made_at = _circle(uow, circle_id)
    return _feed(uow, caller, circle_id, title=name, made_at=made_at, key=circle_id, address=address, column=None)


def column_feed(uow: UnitOfWork, caller: Caller, column_id: UUID, address: str) -> Feed:
    """Return the latest posts of a column, none where it is locked. Errors: NotFound, Banned."""
    circle_id = require_look_at_column(uow, caller, column_id).circle_id
    name, _made_at = _circle(uow, circle_id)
    column = uow.session.get_one(Column, column_id)
    title, made_at = f"{name} · {column.name}", column.created_at
    return _feed(uow, caller, circle_id, title=title, made_at=made_at, key=column_id, address=address, column=column_id)


def _circle(uow: UnitOfWork, circle_id: UUID) -> tuple[str, datetime]:
    found = uow.session.execute(select(Circle.name, Circle.created_at).where(Circle.id == circle_id)).one_or_none()
    # A circle that is not there is refused, as one that hides itself, where its posts are read.
    return ("", datetime.min.replace(tzinfo=UTC)) if found is None else (found.name, found.created_at)


def _feed(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    title: str,
    made_at: datetime,
    key: UUID,
    address: str,
    column: UUID | None,
) -> Feed:
    chosen: dict[str, Any] = {"status": PostStatus.PUBLISHED, "kind": None, "digest": None, "cursor": None}
    cards = feed(uow, caller, circle_id, limit=_LATEST, column=column, **chosen)["items"]
    whole = _whole(uow, find_standing(uow, caller, circle_id), cards)
    updated_at = max([made_at, *(_changed(card) for card in cards)])
    site = uow.use(Settings).site_url.rstrip("/")
    root = ET.Element("feed", {"xmlns": _NAMESPACE})
    _add(root, "id", f"urn:uuid:{key}")
    _add(root, "title", title)
    _add(root, "updated", _instant(updated_at))
    _add(root, "link", rel="self", type=ATOM, href=address)
    for card in cards:
        _add_entry(root, whole.get(card["id"], card), site)
    return Feed(ET.tostring(root, encoding="utf-8", xml_declaration=True), updated_at)


def _whole(uow: UnitOfWork, standing: Standing, cards: list[Json]) -> dict[UUID, Json]:
    """Return the posts that the reader may open, in full length."""
    rows = whole_posts(uow, standing, [card["id"] for card in cards if not card["locked"]])
    return {post_id: post_card(row, standing) for post_id, row in rows.items()}


def _add_entry(root: ET.Element, card: Json, site: str) -> None:
    entry = ET.SubElement(root, "entry")
    _add(entry, "id", f"urn:uuid:{card['id']}")
    _add(entry, "title", _title(card))
    _add(entry, "published", _instant(card["published_at"]))
    _add(entry, "updated", _instant(_changed(card)))
    author = ET.SubElement(entry, "author")
    _add(author, "name", card["author"]["display_name"] if card["author"] else _ANONYMOUS.zh)
    _add(entry, "link", rel="alternate", href=f"{site}/posts/{card['id']}")
    for tag in card["tags"]:
        _add(entry, "category", term=tag)
    if card["locked"]:
        _add(entry, "summary", " ".join(part for part in (card["excerpt"], _LOCKED.zh) if part))
    else:
        _add(entry, "content", _html(card, site), type="html")


def _title(card: Json) -> str:
    words = card["title"] or " ".join((card["body"] or "").split())
    return words if card["title"] else (words[:_FIRST_WORDS] or _UNTITLED.zh)


def _html(card: Json, site: str) -> str:
    """Return the text and its answer; pictures of ours need a log-in, so that they are links."""

    def link(address: str) -> str | None:
        if address.startswith("/") and not address.startswith("//"):
            return f"{site}{address}"
        return address if is_safe_link(address) else None

    texts = [card["body"]]
    answer = (card["question"] or {}).get("answer")
    if answer:
        texts.append(f"**{answer['author']['display_name']}**\n\n{answer['body']}")
    return as_html("\n\n---\n\n".join(texts), link=link, picture=lambda _address: None)


def _changed(card: Json) -> datetime:
    changed: datetime = card["edited_at"] or card["published_at"]
    return changed


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> None:
    element = ET.SubElement(parent, name, {key: xml_text(value) for key, value in attributes.items()})
    element.text = None if text is None else xml_text(text)
