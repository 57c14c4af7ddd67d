"""Sentences that people read, in the product's two languages, side by side where they are used."""

import re
from typing import Any, Literal, NamedTuple

Language = Literal["zh-CN", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")
DEFAULT_LANGUAGE: Language = "zh-CN"

# Letters that show nothing: a text of them alone is blank.
_INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2060\ufeff\u00ad\u3164\uffa0]+")


def is_blank(text: str) -> bool:
    return not _INVISIBLE.sub("", text)


class Text(NamedTuple):
    """One sentence in both languages; `{name}` stands for a value."""

    zh: str
    en: str

    def say(self, language: Language, **values: Any) -> str:
        template = self.en if language == "en" else self.zh
        return template.format(**values)

    def escaped(self) -> "Text":
        """Return the same with braces that are part of the sentence, such as a person's own input."""
        return Text(*(sentence.replace("{", "{{").replace("}", "}}") for sentence in self))
