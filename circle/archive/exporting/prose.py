"""What people said, as Markdown: comments, what teachers say about homework, entries of a diary, attachments."""

from collections.abc import Sequence

from circle.archive.exporting.wording import say
from circle.kernel.db import Json, Row
from circle.kernel.text import Language
from circle.media.models import MediaKind


def attached(shown: Sequence[Json], *, below: str = "") -> list[str]:
    """Return attachments as Markdown, pictures shown and files linked; what the text shows itself is left out."""
    return [
        f"{'!' if one['kind'] == MediaKind.IMAGE else ''}[{_label(one['filename'])}](/v1/media/{one['id']})"
        for one in shown
        if f"/v1/media/{one['id']}" not in below
    ]


def _label(filename: str) -> str:
    return filename.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def comments(cards: Sequence[Json], language: Language) -> list[str]:
    """Return comments by age, replies under what they reply to."""
    if not cards:
        return []
    below = {
        card["id"]: [one for one in cards if one["parent_id"] == card["id"]]
        for card in cards
        if card["parent_id"] is None
    }
    tops = [card for card in cards if card["parent_id"] is None]
    lines = [f"## {say('comments', language)}"]
    for card in tops:
        lines.append(_comment(card, "- ", language))
        lines += [_comment(reply, "    - ", language) for reply in below[card["id"]]]
    return ["\n".join([lines[0], "", *lines[1:]])]


def _comment(card: Json, bullet: str, language: Language) -> str:
    name = card["author"]["display_name"] if card["author"] else say("anonymous", language)
    body = card["body"] if card["status"] != "deleted" else f"*{say('deleted', language)}*"
    indent = "\n" + " " * len(bullet)
    return f"{bullet}**{name}** {card['created_at']:%Y-%m-%d %H:%M}: {indent.join(body.splitlines())}"


def review(card: Json, judged: str, criteria: Sequence[str], language: Language) -> list[str]:
    """Return what was said about a text: score, rubric, words, spoken note, remarks below what they are about.

    `criteria` are those of the rubric in their order.
    """
    who = f" · {card['reviewer']['display_name']}" if card["reviewer"] else ""
    lines = [f"### {say('review', language)}{who} · {card['verdict']}"]
    if card["final_score"] is not None:
        lines.append(say("score", language, score=card["final_score"]))
    levels = [f"- {one}: {card['rubric'][one]}" for one in criteria if one in card["rubric"]]
    lines += ["\n".join(levels)] if levels else []
    lines += [card["body"]] if card["body"] else []
    lines += attached([card["audio"]]) if card["audio"] else []
    for remark in card["remarks"]:
        quoted = "\n".join(f"> {line}" for line in judged[remark["start"] : remark["end"]].splitlines())
        lines += [quoted, remark["text"]]
    return lines


def entry_text(row: Row, shown: Sequence[Json], language: Language) -> str:
    """Return a day's entry, what is attached to it and the teacher's note."""
    made_up = f" · {say('made_up', language)}" if row["kind"] == "made_up" else ""
    lines = [f"## {row['day']:%Y-%m-%d}{made_up}", row["body"], *attached(shown)]
    if row["number"] is not None:
        lines.append(f"{row['number'].normalize():f}")
    if row["teacher_note"]:
        lines += [f"### {say('note', language)}", row["teacher_note"]]
    return "\n\n".join(lines)
