"""Certificates as PDF and PNG: a press is made for a batch, with one font for all of it."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO

import pypdfium2
import segno
from fpdf import FPDF
from fpdf.enums import WrapMode

from circle.kernel.text import Text
from circle.kernel.typeface import FAMILY, Typeface, typeface_for

_WIDTH, _HEIGHT, _MARGIN = 297.0, 210.0, 14.0  # A4 across, in millimetres
_QR = 30.0
_PNG_SCALE = 2.0  # 144 dots an inch
_INK, _FAINT, _ACCENT = (34, 34, 34), (120, 120, 120), (176, 120, 44)

_TITLE = Text("结营证书", "Certificate of Completion")
_BODY = Text(
    "{starts_on} 至 {ends_on} 参加“{circle}”的“{camp}”，坚持打卡 {days} 天。",
    "Took part in {camp} of {circle} from {starts_on} to {ends_on} and kept at it for {days} days.",
)
_ISSUED = Text("颁发日期 {issued_on}", "Issued on {issued_on}")
_CHECK = Text("扫码验证", "Scan to verify")


@dataclass(frozen=True, slots=True)
class Print:
    """What stands on a certificate; `url` is its public page."""

    holder: str
    camp: str
    circle: str
    days: int
    starts_on: str
    ends_on: str
    issued_on: str
    code: str
    url: str

    @property
    def lines(self) -> tuple[str, ...]:
        body = {"camp": self.camp, "circle": self.circle, "days": self.days}
        dates = {"starts_on": self.starts_on, "ends_on": self.ends_on}
        said = [text.say(language, **body, **dates) for language in ("zh-CN", "en") for text in (_TITLE, _BODY)]
        issued = [_ISSUED.say(language, issued_on=self.issued_on) for language in ("zh-CN", "en")]
        return (self.holder, *said, *issued, *_CHECK, self.code, self.url)


class Press:
    """Prints certificates with one cut-down font."""

    def __init__(self, typeface: Typeface) -> None:
        self._typeface = typeface

    def pdf(self, what: Print) -> bytes:
        page = FPDF(orientation="landscape", unit="mm", format="A4")
        page.set_title(self._typeface.clean(f"{_TITLE.zh} {what.holder}"))
        page.set_creator("Circle")
        page.set_auto_page_break(auto=False)
        page.add_page()
        page.add_font(FAMILY, fname=self._typeface.file)
        _draw_frame(page)
        self._line(page, 38, 40, _TITLE.zh, _ACCENT)
        self._line(page, 56, 14, _TITLE.en, _FAINT)
        self._line(page, 82, 34, what.holder, _INK, fit=True)
        values = {"camp": what.camp, "circle": what.circle, "days": what.days}
        dates = {"starts_on": what.starts_on, "ends_on": what.ends_on}
        self._paragraph(page, 106, 16, _BODY.say("zh-CN", **values, **dates), _INK)
        self._paragraph(page, 130, 11, _BODY.say("en", **values, **dates), _FAINT)
        self._left(page, 168, 12, _ISSUED.zh.format(issued_on=what.issued_on), _INK)
        self._left(page, 176, 9, _ISSUED.en.format(issued_on=what.issued_on), _FAINT)
        self._left(page, 184, 9, f"No. {what.code}", _FAINT)
        _draw_code(page, what.url)
        self._below_code(page, f"{_CHECK.zh} {_CHECK.en}")
        return bytes(page.output())

    @staticmethod
    def png(pdf: bytes) -> bytes:
        document = pypdfium2.PdfDocument(pdf)
        try:
            image = document[0].render(scale=_PNG_SCALE).to_pil()
        finally:
            document.close()
        out = BytesIO()
        image.convert("RGB").save(out, "PNG")
        return out.getvalue()

    def _line(
        self, page: FPDF, y: float, size: float, text: str, colour: tuple[int, int, int], *, fit: bool = False
    ) -> None:
        text = self._typeface.clean(text)
        page.set_text_color(*colour)
        page.set_font(FAMILY, size=size)
        wide = _WIDTH - 4 * _MARGIN
        if fit and page.get_string_width(text) > wide:
            page.set_font(FAMILY, size=max(9.0, size * wide / page.get_string_width(text)))
        page.set_xy(2 * _MARGIN, y)
        page.cell(wide, size / 2, text, align="C")

    def _paragraph(self, page: FPDF, y: float, size: float, text: str, colour: tuple[int, int, int]) -> None:
        page.set_text_color(*colour)
        page.set_font(FAMILY, size=size)
        page.set_xy(3 * _MARGIN, y)
        page.multi_cell(_WIDTH - 6 * _MARGIN, size * 0.6, self._typeface.clean(text), align="C", wrapmode=WrapMode.CHAR)

    def _left(self, page: FPDF, y: float, size: float, text: str, colour: tuple[int, int, int]) -> None:
        page.set_text_color(*colour)
        page.set_font(FAMILY, size=size)
        page.set_xy(2 * _MARGIN, y)
        page.cell(_WIDTH / 2, size / 2, self._typeface.clean(text))

    def _below_code(self, page: FPDF, text: str) -> None:
        page.set_text_color(*_FAINT)
        page.set_font(FAMILY, size=8)
        page.set_xy(_WIDTH - 2 * _MARGIN - _QR - 15, _HEIGHT - 2 * _MARGIN + 3)
        page.cell(_QR + 30, 4, self._typeface.clean(text), align="C")


def _draw_frame(page: FPDF) -> None:
    page.set_draw_color(*_ACCENT)
    for inset, width in ((_MARGIN - 4, 1.2), (_MARGIN, 0.3)):
        page.set_line_width(width)
        page.rect(inset, inset, _WIDTH - 2 * inset, _HEIGHT - 2 * inset)


def _draw_code(page: FPDF, url: str) -> None:
    """Draw the QR code as rectangles, a run of dark modules at a time."""
    matrix = segno.make(url, micro=False, error="m").matrix
    side = _QR / len(matrix)
    left, top = _WIDTH - 2 * _MARGIN - _QR, _HEIGHT - 2 * _MARGIN - _QR
    page.set_fill_color(*_INK)
    for row, modules in enumerate(matrix):
        start = None
        for column, dark in enumerate([*modules, 0]):
            if dark and start is None:
                start = column
            elif not dark and start is not None:
                page.rect(left + start * side, top + row * side, (column - start) * side, side, style="F")
                start = None


@contextmanager
def press_for(prints: Iterable[Print]) -> Iterator[Press]:
    """Make a press for a batch: its font has the letters of these certificates and no others."""
    with typeface_for([*(line for one in prints for line in one.lines), "No."]) as typeface:
        yield Press(typeface)
