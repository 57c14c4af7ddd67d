"""Counting words of any script: a Chinese character is a word, and so is a run of letters or digits."""

import re

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORD = re.compile(rf"[{_CJK}]|(?:(?![{_CJK}_])\w)+(?:['’-](?:(?![{_CJK}_])\w)+)*")


def count_words(text: str) -> int:
    return len(_WORD.findall(text))
