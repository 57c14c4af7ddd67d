"""Markdown as HTML, for feeds and books: nothing but what Markdown itself makes, so there is nothing to clean."""

import re
from collections.abc import Callable
from functools import cache
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

from circle.posts.services.mentions import plain

# Characters that XML 1.0 has no way to write.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Where a link of somebody's text may lead: a list of what is good, because nobody knows all that is bad.
_SCHEMES = frozenset({"http", "https", "mailto"})
# Deeper nesting than anybody writes; readers of books and feeds have small stacks.
_MOST_NESTING = 20

# Where a link or picture leads in the document at hand; None: it stays text.
Resolve = Callable[[str], str | None]


def xml_text(text: str) -> str:
    """Return the text without what XML can't say."""
    return _NOT_XML.sub("", text)


def is_safe_link(address: str) -> bool:
    """Tell whether a full address is one that people may be led to from somebody else's text."""
    try:
        return urlsplit(address).scheme in _SCHEMES
    except ValueError:
        return False


def as_html(text: str, *, link: Resolve, picture: Resolve) -> str:
    """Return the text as well-formed HTML; raw HTML in it is shown as text.

    Links that lead nowhere lose their address; pictures that can't be shown become links to where they are.
    """
    parser = _parser()
    tokens = parser.parse(xml_text(plain(text)))
    for token in tokens:
        if token.children:
            token.children = _resolved(token.children, link, picture)
    return str(parser.renderer.render(tokens, parser.options, {}))


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "xhtmlOut": True, "linkify": False, "breaks": True, "maxNesting": _MOST_NESTING}
    return MarkdownIt("commonmark", options).enable(["table", "strikethrough"])


def _resolved(tokens: list[Token], link: Resolve, picture: Resolve) -> list[Token]:
    """Return the tokens of a line with every address settled."""
    settled: list[Token] = []
    # Whether each link that is open now kept its address: one that did not is no element at all.
    kept: list[bool] = []
    for token in tokens:
        if token.type == "image":
            settled += _picture(token, link, picture, inside_link=any(kept))
        elif token.type == "link_open":
            leads_to = link(str(token.attrs.get("href", "")))
            kept.append(leads_to is not None)
            if leads_to is not None:
                token.attrs = {"href": leads_to}
                settled.append(token)
        elif token.type == "link_close":
            if kept.pop():
                settled.append(token)
        else:
            settled.append(token)
    return settled


def _picture(token: Token, link: Resolve, picture: Resolve, *, inside_link: bool) -> list[Token]:
    address = str(token.attrs.get("src", ""))
    shown = picture(address)
    if shown is not None:
        token.attrs = {"src": shown, "alt": token.content}
        return [token]
    words = _text_token(token.content or address)
    leads_to = None if inside_link else link(address)
    return [words] if leads_to is None else _linked(leads_to, words)


def _linked(leads_to: str, words: Token) -> list[Token]:
    return [Token("link_open", "a", 1, attrs={"href": leads_to}), words, Token("link_close", "a", -1)]


def _text_token(words: str) -> Token:
    return Token("text", "", 0, content=words)
