"""Which changes of a camp's rules are kinder to those who joined by the old ones, and which are not."""

from collections.abc import Callable, Mapping
from typing import Any

from circle.checkins.windows import Window, read_windows
from circle.kernel.db import Json

_MUST_HAVE = ("image", "audio", "video")


def unkind_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the names of fields whose new value is harder on a member than the old one, or another promise."""
    return [name for name, value in new.items() if value != old[name] and not _is_kinder(name, old[name], value)]


def _is_kinder(name: str, old: Any, new: Any) -> bool:
    judge = _KINDER.get(name)
    return judge is not None and judge(old, new)


def _no_less(old: int, new: int) -> bool:
    return new >= old


def _fewer_days(old: int | None, new: int | None) -> bool:
    """None asks for every day of the term."""
    return new is not None and (old is None or new <= old)


def _later(old: Any, new: Any) -> bool:
    return old is not None and new is not None and new >= old


def _asks_less(old: Json, new: Json) -> bool:
    return (
        (new.get("min_words") or 0) <= (old.get("min_words") or 0)
        and all(old.get(kind) or not new.get(kind) for kind in _MUST_HAVE)
        and (not new.get("number") or new.get("number") == old.get("number"))
    )


def _opens_longer(old: list[dict[str, str]], new: list[dict[str, str]]) -> bool:
    if not new:
        return True
    return bool(old) and all(any(_holds(wide, window) for wide in read_windows(new)) for window in read_windows(old))


def _holds(wide: Window, narrow: Window) -> bool:
    return wide.minutes.start <= narrow.minutes.start and wide.minutes.stop >= narrow.minutes.stop


# Fields that are in no row may not change at all; those without rules (title, themes …) are never asked about.
_KINDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "ends_on": _later,
    "windows": _opens_longer,
    "requirement": _asks_less,
    "completion_days": _fewer_days,
    "makeup_cards": _no_less,
    "makeup_within_days": _no_less,
    "makeups_count": _no_less,
    "leave_days": _no_less,
}
