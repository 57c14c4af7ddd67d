"""Quiet hours: when something that rings may leave."""

from datetime import UTC, datetime, time, timedelta, tzinfo


def next_loud(now: datetime, zone: tzinfo, starts: time | None, ends: time | None) -> datetime:
    """Return `now`, or the end of the quiet hours if it lies in them. Hours may pass midnight."""
    if starts is None or ends is None:
        return now
    local = now.astimezone(zone)
    clock = local.time()
    passes_midnight = starts > ends
    quiet = (clock >= starts or clock < ends) if passes_midnight else starts <= clock < ends
    if not quiet:
        return now
    day = local.date() + timedelta(days=1 if passes_midnight and clock >= starts else 0)
    return datetime.combine(day, ends, tzinfo=zone).astimezone(UTC)
