"""Pictures and files beside Markdown come along, and stand in the text where they stood."""

from pathlib import Path
from typing import Any

import pytest

from circle.archive.importing import besides
from tests.builders.archive import folder_of, zip_of
from tests.builders.circles import BuiltCircle
from tests.builders.media import PDF, picture
from tests.client import World

PNG, OTHER = picture(), picture(30, 20)


def only_post(circle: BuiltCircle) -> Any:
    (listed,) = circle.owner.api.get(f"{circle.path}/posts").ok()["items"]
    return circle.owner.api.get(f"/posts/{listed['id']}").ok()


def test_they_are_uploaded_and_shown_where_they_stood(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    text = (
        '# 配图\n\n![第一](img/1.png "标题") 与 ![](</assets/图 二.png>)，[讲义](../files/讲义.pdf)。\n\n'
        "`![](img/1.png)` ![](https://example.org/x.png) ![没有](img/none.png) [程序](run.exe)"
    )
    archive = tmp_path / "笔记.zip"
    archive.write_bytes(
        zip_of(
            {
                "笔记/写作/文.md": text,
                "笔记/写作/img/1.png": PNG,
                "笔记/assets/图 二.png": OTHER,
                "笔记/files/讲义.pdf": PDF,
                "笔记/写作/run.exe": b"MZ",
            }
        )
    )

    tally = world.imported(circle, archive)
    world.process_media()

    post = only_post(circle)
    first, second, third = post["attachments"]
    assert [(one["filename"], one["status"]) for one in post["attachments"]] == [
        ("1.png", "ready"),
        ("图 二.png", "ready"),
        ("讲义.pdf", "ready"),
    ]
    assert post["body"] == (
        f'![第一]({first["url"]} "标题") 与 ![](<{second["url"]}>)，[讲义]({third["url"]})。\n\n'
        "`![](img/1.png)` ![](https://example.org/x.png) ![没有](img/none.png) [程序](run.exe)"
    )
    assert world.fetch(circle.owner, third["id"]).content == PDF
    assert [(one["code"], one["data"]["value"]) for one in tally.report] == [("local_image", "img/none.png")]


def test_importing_again_brings_nothing_twice(world: World, tmp_path: Path, sql: Any) -> None:
    circle = world.circle()
    folder = folder_of(tmp_path, {"文.md": "# 文\n![](1.png)", "1.png": PNG})
    world.imported(circle, folder)
    world.process_media()

    again = world.imported(circle, folder)

    assert dict(again.counts) == {"unchanged": 1, "failed": 0}
    assert sql("SELECT count(*) AS n FROM media")[0]["n"] == 1


def test_a_changed_text_keeps_what_it_still_shows_and_lets_go_of_the_rest(world: World, tmp_path: Path) -> None:
    circle = world.circle()
    files = {"文.md": "# 文\n![](1.png)![](2.png)", "1.png": PNG, "2.png": OTHER, "3.pdf": PDF}
    world.imported(circle, folder_of(tmp_path, files))
    world.process_media()
    before = only_post(circle)
    world.imported(circle, folder_of(tmp_path, {"文.md": "# 文\n新的 ![](1.png)，[三](3.pdf)"}))
    world.process_media()

    after = only_post(circle)

    assert [(one["filename"], one["status"]) for one in after["attachments"]] == [
        ("1.png", "ready"),
        ("3.pdf", "ready"),
    ]
    first, third = after["attachments"]
    assert after["body"] == f"新的 ![]({first['url']})，[三]({third['url']})"
    assert first["id"] in {one["id"] for one in before["attachments"]}, "the same picture is not uploaded again"
    assert world.fetch(circle.owner, first["id"]).status_code == 200


def test_what_is_too_much_is_named_and_who_edits_may_keep_the_others(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    circle = world.circle()
    monkeypatch.setattr(besides, "_MOST_IN_TEXT", 11)
    pictures = {f"{number}.png": PNG for number in range(12)}
    text = "# 文\n" + " ".join(f"![]({name})" for name in pictures)

    tally = world.imported(circle, folder_of(tmp_path, {"文.md": text, **pictures}))
    world.process_media()

    post = only_post(circle)
    kept = [one["id"] for one in post["attachments"]]
    assert (len(kept), [one["data"] for one in tally.report]) == (11, [{"value": "11.png"}])
    assert circle.owner.api.patch(f"/posts/{post['id']}", {"attachments": kept[:10]}).status == 200
    one_more = str(world.media(circle.owner))
    refused = circle.owner.api.patch(f"/posts/{post['id']}", {"attachments": [*kept[:10], one_more]})
    assert refused.fields == {"attachments": "too_many_images"}


@pytest.mark.parametrize(
    "link", ["../../secret.png", "/etc/passwd.png", "..%2fsecret.png", "file:///1.png", "1.png%00"]
)
def test_nothing_outside_the_archive_is_reached(world: World, tmp_path: Path, link: str, sql: Any) -> None:
    circle = world.circle()
    (tmp_path / "secret.png").write_bytes(PNG)
    folder = folder_of(tmp_path / "a" / "b", {"文.md": f"# 文\n![]({link})"})

    world.imported(circle, folder)

    assert only_post(circle)["body"] == f"![]({link})"
    assert sql("SELECT count(*) AS n FROM media")[0]["n"] == 0


def test_a_members_export_comes_in_again_with_its_pictures_once(world: World, tmp_path: Path) -> None:
    circle, other = world.circle(), world.circle()
    world.imported(circle, folder_of(tmp_path, {"文.md": "# 文\n看 ![](1.png) 图", "1.png": PNG}))
    world.process_media()
    exported = world.export(circle.owner, circle, "mine", "markdown")
    archive = tmp_path / "mine.zip"
    archive.write_bytes(exported.content)

    tally = world.imported(other, archive)
    world.process_media()

    posts = other.owner.api.get(f"{other.path}/posts").ok()["items"]
    post = next(one for one in posts if one["title"] == "文")
    (shown,) = post["attachments"]
    assert (post["body"].strip(), shown["status"]) == (f"看 ![](<{shown['url']}>) 图", "ready")
    assert tally.counts["failed"] == 0
