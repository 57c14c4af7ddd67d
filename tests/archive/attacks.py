"""Texts that try to become a program in whoever reads them, and the readers that are asked what became of them."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

# What a program would do that got to run.
_ACT = "document.documentElement.setAttribute('data-ran','1')"

ATTACKS: tuple[str, ...] = (
    f"<script>{_ACT}</script>",
    f"<ScRiPt >{_ACT}</sCrIpT >",
    f"<script/x>{_ACT}</script>",
    f"<<script>{_ACT}//<</script>",
    f'<img src=x onerror="{_ACT}">',
    f"<img/src='x'/onerror={_ACT}>",
    f"<svg/onload={_ACT}>",
    f'<svg><script href="data:text/javascript,{_ACT}"/></svg>',
    f"<svg><animate onbegin={_ACT} attributeName=x dur=1s>",
    f'<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={_ACT}&gt;">',
    f'<iframe srcdoc="<script>parent.{_ACT}</script>"></iframe>',
    "<iframe src=\"javascript:parent.document.documentElement.setAttribute('data-ran','1')\"></iframe>",
    f"<details open ontoggle={_ACT}>",
    f"<input autofocus onfocus={_ACT}>",
    f"<body onload={_ACT}>",
    f'<video><source onerror="{_ACT}"></video>',
    f'<object data="data:text/html,<script>{_ACT}</script>"></object>',
    f'<meta http-equiv=refresh content="0;url=javascript:{_ACT}">',
    f'<base href="javascript:/{_ACT}//"><a href="x">x</a>',
    f"<style>@import 'javascript:{_ACT}';</style>",
    f'<noscript><p title="</noscript><img src=x onerror={_ACT}>">',
    f"<template><script>{_ACT}</script></template>",
    f"<!-- --><script>{_ACT}</script> -->",
    f"<![CDATA[<script>{_ACT}</script>]]>",
    f"<?xml version='1.0'?><script>{_ACT}</script>",
    f"</p></div></body></html><script>{_ACT}</script>",
    f"[a link](javascript:{_ACT})",
    f"[a link](JaVaScRiPt:{_ACT})",
    f"[a link](&#106;avascript:{_ACT})",
    f"[a link](&#x6A;avascript&colon;{_ACT})",
    f"[a link](java\tscript:{_ACT})",
    f"[a link](<java\nscript:{_ACT}>)",
    f"[a link](\x01javascript:{_ACT})",
    f"[a link](<  javascript:{_ACT}>)",
    f"[a link](vbscript:{_ACT})",
    f"[a link](data:text/html,<script>{_ACT}</script>)",
    f"[a link](data:image/svg+xml,<svg/onload={_ACT}>)",
    "[a link](file:///etc/passwd)",
    "[a link](blob:https://example.org/1)",
    "[a link](intent://example.org#Intent;scheme=http;end)",
    f'[a link](https://example.org "x\\" onmouseover=\\"{_ACT}")',
    f'[a link](https://example.org/"onmouseover="{_ACT})',
    f"![a picture](javascript:{_ACT})",
    f'![a picture](x" onerror="{_ACT})',
    f'![" onerror="{_ACT}](https://example.org/x.png)',
    f'![a picture](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+ "{_ACT}")',
    f"<javascript:{_ACT}>",
    f"<a href=javascript:{_ACT}>a link</a>",
    f'[a reference][r]\n\n[r]: javascript:{_ACT} "x"',
    f'```"><img src=x onerror={_ACT}>\ncode\n```',
    f"```<script>{_ACT}</script>\n</code></pre><script>{_ACT}</script>\n```",
    f"`</code><script>{_ACT}</script>`",
    f"| a |\n| --- |\n| <img src=x onerror={_ACT}> |",
    f"# <img src=x onerror={_ACT}>",
    f"> <img src=x onerror={_ACT}>",
    f"&lt;script&gt;{_ACT}&lt;/script&gt;",
    f"\ufeff<script>{_ACT}</script>",
    f"\u2028<script>{_ACT}</script>",
    f"<scr\x00ipt>{_ACT}</scr\x00ipt>",
    f"＜script＞{_ACT}＜/script＞",
    f'<a href="https://example.org" style="position:fixed;inset:0" onclick={_ACT}>a link</a>',
    f'@[x](user:"><script>{_ACT}</script>)',
    "[" * 200 + f"](javascript:{_ACT})",
    "*" * 500 + f"<script>{_ACT}</script>",
)  # fmt: skip

# Texts that are harmless where they are first read, and something else where they are read again, or elsewhere; and
# what Markdown itself could be made to write.
SECOND_SIGHT: tuple[str, ...] = (
    f"<form><math><mtext></form><form><mglyph><style></math><img src onerror={_ACT}>",
    f'<svg></p><style><a id="</style><img src=1 onerror={_ACT}>">',
    f'<math><annotation-xml encoding="text/html"><svg><script>{_ACT}</script>',
    f'<svg><foreignObject><iframe srcdoc="&lt;script&gt;parent.{_ACT}&lt;/script&gt;">',
    f"<svg><title><img src=x onerror={_ACT}></title></svg>",
    f"<noscript><style></noscript><img src=x onerror={_ACT}>",
    f'<xmp><img title="</xmp><img src onerror={_ACT}>">',
    f'<noembed><img title="</noembed><img src onerror={_ACT}>"></noembed>',
    f"<textarea></textarea><img src onerror={_ACT}>",
    f"</textarea></title></style></noscript></desc></svg><script>{_ACT}</script>",
    f"<title></title><script>{_ACT}</script>",
    f"<plaintext><script>{_ACT}</script>",
    f"<select><template><img src onerror={_ACT}></template></select>",
    f'<table><td><svg><desc><td></desc></svg><style><!--</style><img title="--><img src onerror={_ACT}>">',
    f"<!--><img src onerror={_ACT}>-->",
    f"<!-- --!><img src onerror={_ACT}> -->",
    f"<?x ><img src onerror={_ACT}>?>",
    f"</ x><img src onerror={_ACT}>",
    f'<a\nhref="javascript:{_ACT}">x</a>',
    f'<div style="background:url(javascript:{_ACT})">x</div>',
    f'<link rel=stylesheet href="data:text/css,*{{x:expression({_ACT})}}">',
    f"[x](<&Tab;javascript:{_ACT}>)",
    f"[x](&NewLine;javascript:{_ACT})",
    f"[x](javascript&#58;{_ACT})",
    f"[x](j\x00avascript:{_ACT})",
    f"[x](\u202ejavascript:{_ACT})",
    f"[x](\u00a0javascript:{_ACT})",
    f"[x](%6Aavascript:{_ACT})",
    f"[x](\\javascript:{_ACT})",
    f"[x](javascript://example.org/%0a{_ACT})",
    f"[x](view-source:javascript:{_ACT})",
    f"[x](feed:javascript:{_ACT})",
    f"[x](https://example.org '\"><img src onerror={_ACT}>')",
    f"[x][y]\n\n[y]: <javascript:{_ACT}> (t)",
    f'[y]: https://example.org "\\"><img src onerror={_ACT}>"\n\n[y]',
    f'<https://example.org/"onmouseover={_ACT}>',
    "<data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==>",
    f'![x](https://example.org/x.png "\\" onload=\\"{_ACT}")',
    f"![x][y]\n\n[y]: javascript:{_ACT}",
    f"![<img src onerror={_ACT}>](https://example.org/x.png)",
    f"[![x](javascript:{_ACT})](javascript:{_ACT})",
    f"```html onload={_ACT}\n<script>{_ACT}</script>\n```",
    f'~~~"><script>{_ACT}</script>\nx\n~~~',
    f"    <script>{_ACT}</script>",
    f"[^1]\n\n[^1]: <img src onerror={_ACT}>",
    f"| a |\n| :-: |\n| `</code><img src onerror={_ACT}>` |",
    f"~~<img src onerror={_ACT}>~~",
    f"- [ ] <img src onerror={_ACT}>",
    f"1. <svg onload={_ACT}>\n2. </ol><script>{_ACT}</script>",
    f"# x <!-- \n<script>{_ACT}</script>\n-->",
    f"&amp;lt;img src onerror={_ACT}&amp;gt;",
    f"&#60;img src=x onerror={_ACT}&#62;",
    f"\\<img src onerror={_ACT}\\>",
    f"\ufffe<script>{_ACT}</script>",
    f"\x1b<script>{_ACT}</script>",
)

# All that Markdown makes.
ELEMENTS = frozenset(
    {"p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "strong", "em", "s", "code", "pre", "blockquote"}
    | {"ul", "ol", "li", "a", "img", "table", "thead", "tbody", "tr", "th", "td"}
)
_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "code": {"class"},
    "th": {"style"},
    "td": {"style"},
}
_STYLE = re.compile(r"text-align:(left|right|center)")
_SCHEMES = {"http", "https", "mailto"}


def _strange_attribute(tag: str, name: str, value: str | None) -> Iterator[str]:
    if name not in _ATTRIBUTES.get(tag, set()):
        yield f"<{tag} {name}>"
    elif name == "style" and not _STYLE.fullmatch(value or ""):
        yield f"style={value}"
    elif name in {"href", "src"} and urlsplit(re.sub(r"[\x00-\x20]", "", value or "")).scheme not in _SCHEMES:
        yield f"{name}={value}"


class _Reader(HTMLParser):
    """Notes what Markdown never makes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ELEMENTS:
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            self.found += _strange_attribute(tag, name, value)

    def handle_comment(self, data: str) -> None:
        self.found.append(f"<!--{data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"<!{decl}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"<?{data}")


def more_than_markdown(html: str) -> list[str]:
    """Name the elements, attributes and addresses that no Markdown makes."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


# Where somebody's program puts what it was given.
PLACES = (
    "<div>{}</div>",
    "<table><tr><td>{}</td></tr></table>",
    "<svg><desc>{}</desc></svg>",
    "<math><mtext>{}</mtext></math>",
    "<noscript>{}</noscript>",
    "<textarea>{}</textarea>",
)
_PLACE = frozenset(
    {"html", "head", "body", "div", "tr", "svg", "desc", "math", "mtext", "noscript", "textarea", "-text"}
)


def more_than_markdown_in(place: str, html: str) -> list[str]:
    """Read HTML as browsers do, put somewhere, write it out and read that again; name what no Markdown makes.

    The reader is Lexbor, which follows the rules of browsers for what is no HTML, too.
    """
    first = LexborHTMLParser(place.format(html))
    again = LexborHTMLParser(first.html or "")
    found = [*_strange(first), *_strange(again)]
    if [one.tag for one in _elements(first)] != [one.tag for one in _elements(again)]:
        found.append("something else when it is read again")
    return found


def _elements(page: LexborHTMLParser) -> list[LexborNode]:
    return list(page.root.traverse(include_text=False)) if page.root else []


def _strange(page: LexborHTMLParser) -> Iterator[str]:
    for one in _elements(page):
        tag = one.tag or ""
        if tag not in ELEMENTS | _PLACE:
            yield f"<{tag}>"
        for name, value in one.attributes.items():
            yield from _strange_attribute(tag, name, value)


# Run by the browser itself, after the page: it sees addresses and elements as it understands them.
_INSPECTION = """
const found = [];
for (const one of document.querySelectorAll('body *')) {
  const tag = one.localName;
  if (tag === 'script' && one.dataset.inspection) continue;
  if (ALLOWED && !ALLOWED.includes(tag) && !one.dataset.frame) found.push(tag);
  for (const attribute of one.attributes) if (attribute.name.startsWith('on')) found.push(tag + ' ' + attribute.name);
  for (const address of [one.href, one.src, one.action])
    if (address && !['http:', 'https:', 'mailto:', 'file:'].includes(new URL(address, document.baseURI).protocol))
      found.push(String(address));
}
const root = document.documentElement;
root.setAttribute('data-found', JSON.stringify({ran: root.hasAttribute('data-ran'), found}));
"""


def inspection(*, allowed: frozenset[str] | None) -> str:
    """Return the script that looks at a page from inside, to be put at its end."""
    names = json.dumps(sorted(allowed)) if allowed else "null"
    return f'<script data-inspection="1">//<![CDATA[\nconst ALLOWED = {names};{_INSPECTION}\n//]]></script>'


# Tests run as root too, where Chromium's own sandbox does not start.
_SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--virtual-time-budget=3000",
)


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def seen_by_chromium(page: Path, profile: Path) -> Any:
    """Open the page; return `{"ran": …, "found": […]}`: whether a program in its text ran, and what should not be."""
    browser = chromium()
    assert browser
    shown = subprocess.run(  # noqa: S603 - the browser that was found
        [browser, *_SWITCHES, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        check=True,
        timeout=300,
    ).stdout.decode()
    told = re.search(r'data-found="([^"]*)"', shown)
    assert told, shown[:500]
    return json.loads(unescape(told.group(1)))
