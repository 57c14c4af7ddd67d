"""What a circle's settings may be, beyond the shape of each field."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Any
from zoneinfo import available_timezones

from circle.kernel.errors import Invalid
from circle.kernel.ids import new_code

SLUG = re.compile(r"[a-z0-9](?:-?[a-z0-9]){2,39}")
_MAX_BASE = 30


def slug_for(name: str) -> str:
    """Return a short name of letters that an address bar shows, with a random tail so that it is free."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_MAX_BASE].strip("-")
    return "-".join(part for part in (base, new_code(6).lower()) if part)


def check_settings(settings: Mapping[str, Any]) -> None:
    """Check those settings that are given. Errors: Invalid."""
    slug = settings.get("slug")
    if slug is not None and not SLUG.fullmatch(slug):
        raise Invalid.field(
            "slug",
            "bad_format",
            "须为 3 到 40 位小写字母、数字或连字符。",
            "3 to 40 lower-case letters, digits or single hyphens.",
        )
    zone = settings.get("timezone")
    if zone is not None and zone not in available_timezones():
        raise Invalid.field("timezone", "unknown_timezone", "未知的时区。", "Not a known time zone.")


def check_quiet_hours(quiet_from: object, quiet_to: object) -> None:
    """Quiet hours have a beginning and an end, or there are none. Errors: Invalid."""
    if (quiet_from is None) != (quiet_to is None) or (quiet_from is not None and quiet_from == quiet_to):
        raise Invalid.field(
            "quiet_to", "one_of", "免打扰时段须有不同的开始和结束。", "Quiet hours need a beginning and another end."
        )
