"""Invoices as PDF: one page that can be read, searched and kept; it goes on where there were many movements."""

from fpdf import FPDF
from fpdf.enums import TableBordersLayout, WrapMode, XPos, YPos

from circle.billing.receipts import Receipt, bilingual
from circle.kernel.text import Text
from circle.kernel.typeface import FAMILY, Typeface, typeface_for

_MARGIN = 18.0  # millimetres of A4
_LABEL_WIDTH = 52.0
_LINE = 8.0
_INK, _FAINT, _RULE = (34, 34, 34), (120, 120, 120), (214, 214, 214)
_TITLE = Text("账单", "Invoice")
_HEAD = (Text("事项", "What"), Text("时间", "When"), Text("单号", "Number"), Text("金额", "Amount"))
# Shares of the page's width; a provider's number has 32 letters.
_COLUMNS = (30, 22, 38, 18)


def print_receipt(receipt: Receipt) -> bytes:
    """Return the file."""
    with typeface_for([bilingual(_TITLE), *map(bilingual, _HEAD), *receipt.words]) as typeface:
        page = FPDF(unit="mm", format="A4")
        page.set_title(typeface.clean(f"{_TITLE.zh} {receipt.number}"))
        page.set_creator("Circle")
        page.set_margin(_MARGIN)
        page.set_auto_page_break(auto=True, margin=_MARGIN)
        page.add_page()
        page.add_font(FAMILY, fname=typeface.file)
        _print_facts(page, typeface, receipt)
        _print_lines(page, typeface, receipt)
        return bytes(page.output())


def _print_facts(page: FPDF, typeface: Typeface, receipt: Receipt) -> None:
    _write(page, typeface, bilingual(_TITLE), size=22, height=16, ends_line=True)
    for label, value in receipt.facts:
        _write(page, typeface, label, colour=_FAINT, width=_LABEL_WIDTH)
        page.set_text_color(*_INK)
        page.multi_cell(0, _LINE, typeface.clean(value), wrapmode=WrapMode.CHAR, new_x=XPos.LMARGIN, new_y=YPos.NEXT)
    page.ln(_LINE)


def _print_lines(page: FPDF, typeface: Typeface, receipt: Receipt) -> None:
    page.set_font(FAMILY, size=8)
    page.set_draw_color(*_RULE)
    with page.table(
        col_widths=_COLUMNS,
        text_align=("LEFT", "LEFT", "LEFT", "RIGHT"),
        borders_layout=TableBordersLayout.HORIZONTAL_LINES,
        line_height=6.0,
        first_row_as_headings=False,
        wrapmode=WrapMode.CHAR,
    ) as table:
        table.row([typeface.clean(bilingual(name)) for name in _HEAD])
        for line in receipt.lines:
            table.row([typeface.clean(word) for word in (line.what, line.at, line.number, line.amount)])
        table.row([typeface.clean(receipt.total[0]), "", "", typeface.clean(receipt.total[1])])


def _write(
    page: FPDF,
    typeface: Typeface,
    text: str,
    *,
    size: float = 10,
    colour: tuple[int, int, int] = _INK,
    width: float = 0,
    height: float = _LINE,
    ends_line: bool = False,
) -> None:
    page.set_font(FAMILY, size=size)
    page.set_text_color(*colour)
    after = (XPos.LMARGIN, YPos.NEXT) if ends_line else (XPos.RIGHT, YPos.TOP)
    page.cell(width, height, typeface.clean(text), new_x=after[0], new_y=after[1])
