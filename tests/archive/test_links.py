"""Links between files become links between posts."""

import pytest

from circle.archive.importing.links import Links, local_images

FILES = {"docs/a.md", "docs/java/README.md", "docs/java/b.md", "docs/java/写 作.md", "docs/java/c(1).md"}
LINKS = Links(
    lambda path: f"/posts/{path.removesuffix('.md')}" if path in FILES else None,
    roots=("", "docs"),
    site="https://blog.example.org",
)


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("[x](./b.md)", "[x](/posts/docs/java/b)"),
        ("[x](b.md)", "[x](/posts/docs/java/b)"),
        ("[x](../a.md#锚点)", "[x](/posts/docs/a#锚点)"),
        ("[x](../a.md?v=1#y)", "[x](/posts/docs/a#y)"),
        ("[x](/docs/a.md)", "[x](/posts/docs/a)"),
        ("[x](/a.md)", "[x](/posts/docs/a)"),
        ("[x](/java/b.html)", "[x](/posts/docs/java/b)"),
        ("[x](./b)", "[x](/posts/docs/java/b)"),
        ("[x](./)", "[x](/posts/docs/java/README)"),
        ('[x](./b.md "标题")', '[x](/posts/docs/java/b "标题")'),
        ("[x](./写%20作.md)", "[x](/posts/docs/java/写 作)"),
        ("[x](<写 作.md>)", "[x](</posts/docs/java/写 作>)"),
        ("[x](c(1).md)", "[x](/posts/docs/java/c(1))"),
        ("[x]: ./b.md", "[x]: /posts/docs/java/b"),
        ('<a href="./b.md">x</a>', '<a href="/posts/docs/java/b">x</a>'),
        ("[x](https://blog.example.org/java/b.html)", "[x](/posts/docs/java/b)"),
        ("**[甲](b.md)**、[乙](../a.md)。", "**[甲](/posts/docs/java/b)**、[乙](/posts/docs/a)。"),
    ],
)
def test_a_link_to_a_file_of_the_archive_leads_to_its_post(written: str, becomes: str) -> None:
    assert LINKS.rewrite(written, "docs/java/x.md") == becomes


@pytest.mark.parametrize(
    "written",
    [
        "[x](https://example.com/b.md)",
        "[x](//example.com/b.md)",
        "[x](mailto:a@example.com)",
        "[x](#b.md)",
        "[x](./gone.md)",
        "[x](../../../../etc/passwd)",
        "![图](./b.png)",
        "`[x](./b.md)`",
        "``a ` [x](./b.md)``",
        "```\n[x](./b.md)\n```",
        "~~~md\n[x](./b.md)\n```\n[x](./b.md)\n~~~",
        "纯文字 ./b.md",
    ],
)
def test_everything_else_stays(written: str) -> None:
    assert LINKS.rewrite(written, "docs/java/x.md") == written


def test_pathological_lines_end() -> None:
    for line in ("[" * 50_000 + "](", "`" * 400 + "a`" * 50_000, "](" * 50_000, "[x](" + "(" * 50_000, "<a " * 30_000):
        LINKS.rewrite(f"{line} ](x", "docs/a.md")
        local_images(f"{line} ![](")
