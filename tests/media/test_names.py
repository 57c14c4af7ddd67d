"""File names, as they come and as they go."""

import pytest

from circle.media.names import clean_filename, disposition
from circle.media.types import TYPES


@pytest.mark.parametrize(
    ("given", "content_type", "kept"),
    [
        ("读书笔记.jpg", "image/jpeg", "读书笔记.jpg"),
        ("IMG_1.JPEG", "image/jpeg", "IMG_1.JPEG"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\fakepath\\a.png", "image/png", "a.png"),
        ("page.html", "text/plain", "page.html.txt"),
        ("setup.exe", "application/zip", "setup.exe.zip"),
        ("a<b>:c?.pdf", "application/pdf", "a_b__c_.pdf"),
        ("\u200b.png", "image/png", "_.png"),
        ("a\u202egnp.exe", "image/png", "a_gnp.exe.png"),
        (".png", "image/png", "png.png"),
        ("...", "image/png", "file.png"),
        ("", "image/gif", "file.gif"),
        ("长" * 300 + ".png", "image/png", "长" * 120 + ".png"),
    ],
)
def test_names_become_harmless(given: str, content_type: str, kept: str) -> None:
    assert clean_filename(given, TYPES[content_type]) == kept


def test_a_header_holds_any_name() -> None:
    assert disposition("attachment", '引"号;\r\n.txt') == (
        "attachment; filename=\"___;__.txt\"; filename*=UTF-8''%E5%BC%95%22%E5%8F%B7%3B%0D%0A.txt"
    )
