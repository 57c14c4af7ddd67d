"""Answers built by hand must have the shape that the document promises."""

from typing import Any

from circle.posts.schemas import PostOut


def assert_posts(*cards: Any) -> None:
    for card in cards:
        assert PostOut().validate(card) == {}, card
