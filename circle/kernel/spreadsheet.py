"""CSV files that a spreadsheet opens as they are meant: in Chinese, and without running anything."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO
from typing import Any

# Spreadsheets read a file as UTF-8 only behind this mark.
_BOM = "\ufeff"
# What they take for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def csv_file(lines: Iterable[Sequence[Any]]) -> str:
    """Return a file of these lines; text that looks like a formula is marked as text, numbers stay numbers."""
    out = StringIO()
    out.write(_BOM)
    csv.writer(out).writerows([_safe(cell) for cell in line] for line in lines)
    return out.getvalue()


def _safe(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA) else cell
