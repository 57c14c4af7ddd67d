"""A Chinese font for PDF files, cut down to the letters that are printed; the text can be selected and searched.

The font has 30,000 glyphs: whoever prints a batch cuts once, for all letters of the batch, instead of for every page.
Source of the font: Noto Sans SC, SIL Open Font License 1.1.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from fontTools.subset import Options, Subsetter
from fontTools.ttLib import TTFont
from pylopdf_fonts_zh_cn import sans_path

FAMILY = "NotoSansSC"


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font file and the letters it has."""

    file: Path
    letters: frozenset[str]

    def clean(self, text: str) -> str:
        """Leave out what the font can't show, such as emoji in names."""
        return re.sub(r"\s+", " ", "".join(letter for letter in _normal(text) if letter in self.letters)).strip()


@contextmanager
def typeface_for(lines: Iterable[str]) -> Iterator[Typeface]:
    """Cut a font that has the letters of these lines and no others; it is gone at the end."""
    letters = {letter for line in lines for letter in _normal(line)} | {" "}
    with TTFont(sans_path(), lazy=True) as whole, TemporaryDirectory(prefix="circle-press-") as folder:
        known = frozenset(letter for letter in letters if ord(letter) in whole.getBestCmap())
        options = Options(
            layout_features=[], name_IDs=[1, 2, 4, 6], hinting=False, desubroutinize=True, notdef_outline=True
        )
        subsetter = Subsetter(options)
        subsetter.populate(text="".join(known))
        subsetter.subset(whole)
        file = Path(folder) / f"{FAMILY}.otf"
        whole.save(file)
        yield Typeface(file, known)


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text)
