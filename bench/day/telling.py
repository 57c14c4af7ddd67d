"""What is printed of a day: tables in Markdown, and the verdict."""

from collections import Counter
from collections.abc import Sequence

from bench.day.crowd import LEAVING, Record
from bench.day.people import Written
from bench.day.plan import RAMP
from bench.day.watch import FLAT, JUDGED, Watch

_SHOWN = 10


def phases(record: Record, watch: Watch) -> None:
    """Print each part of the day, and how slow the machine was then beside its fastest of the day."""
    print("\n| part of the day | requests | a second | p50 | p99 | longest | the machine's own time |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, seconds in record.seconds.items():
        taken, began = record.of(phase=name), record.began[name]
        slow = watch.slowness(began, began + seconds)
        print(f"| {name} | {len(taken):,} | {len(taken) / seconds:,.1f} | {_times(taken)} | {_slower(slow)} |")
    taken = record.of()
    slow, whole = watch.slowness(0, float("inf")), sum(record.seconds.values())
    print(f"| all | {len(taken):,} | {len(taken) / whole:,.1f} | {_times(taken)} | {_slower(slow)} |")


def kinds(record: Record) -> None:
    print("\n| request | how many | p50 | p99 | longest |\n| --- | --- | --- | --- | --- |")
    for kind in dict.fromkeys(kind for _, kind in record.latencies):
        taken = record.of(kind=kind)
        print(f"| {kind} | {len(taken):,} | {_times(taken)} |")


def parts(record: Record, watch: Watch) -> None:
    requests, seconds = len(record.of()), sum(record.seconds.values())
    print("\n| part | CPU | a request | PSS, first quarter | second | last | at most |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for part, cpu in sorted(watch.cpu.items(), key=lambda one: -one[1]):
        first, second, last = (f"{watch.quarter(part, number):,.0f} MiB" for number in (1, 2, 4))
        most = max(one.get(part, 0.0) for one in watch.memory)
        share = f"{cpu / seconds:.2f} cores | {cpu / requests * 1000:.2f} ms"
        print(f"| {part} | {share} | {first} | {second} | {last} | {most:,.0f} MiB |")


def work(watch: Watch, written: Written, *, renewals: int, after: float) -> None:
    most = watch.most_owed
    print(
        f"\n{len(written.check_ins):,} check-ins, {len(written.posts):,} posts, {len(written.comments):,} comments,"
        f" {len(written.reactions):,} reactions written; {renewals:,} renewals charged."
    )
    print(
        f"Waiting at most: {most['search']:.0f} texts for search, {most['outbox']:.0f} messages"
        f" ({most['outbox_age']:.0f} s), {most['renewals']:.0f} renewals; nothing {after:.1f} s after the last request."
    )


def verdict(record: Record, watch: Watch, wrong: Sequence[str], *, p99_seconds: float) -> None:
    worst, grows = worst_p99(record), watch.grows()
    print(f"\np99 of the worst part of the day {worst * 1000:.0f} ms: {_word(worst < p99_seconds)}")
    print(f"memory of {', '.join(JUDGED)} flat (last quarter at most {FLAT} of the second): {_word(not grows)}")
    print(f"0 errors, all there that was answered for, every rule holds: {_word(not wrong)}", flush=True)
    complain([*wrong, *(f"{part} grows" for part in grows)])


def complain(wrong: Sequence[str]) -> None:
    for what, times in Counter(wrong).most_common(_SHOWN):
        print(f"  WRONG {times} times: {what}", flush=True)


def shortly(record: Record) -> str:
    """Say the p50 and p99 of each part of the day, and the three slowest kinds."""
    parts = [
        f"{name} {_at(record.of(phase=name), 0.5)} / {_at(record.of(phase=name), 0.99)} ms" for name in _judged(record)
    ]
    slow = {kind: record.of(kind=kind) for kind in {kind for _, kind in record.latencies}}
    slowest = sorted(slow, key=lambda kind: -quantile(slow[kind], 0.99))[:3]
    return f"{', '.join(parts)} (slowest: {', '.join(f'{kind} {_at(slow[kind], 0.99)}' for kind in slowest)})"


def worst_p99(record: Record) -> float:
    """Return the longest p99 of a part of the day, in seconds."""
    return max(quantile(record.of(phase=name), 0.99) for name in _judged(record))


def _judged(record: Record) -> list[str]:
    return [name for name in record.seconds if not name.startswith(RAMP) and name != LEAVING]


def quantile(taken: Sequence[float], share: float) -> float:
    """Return a quantile of what is in order; 0 of nothing."""
    return taken[int(len(taken) * share)] if taken else 0.0


def _times(taken: Sequence[float]) -> str:
    return " | ".join(f"{_at(taken, share)} ms" for share in (0.5, 0.99, 0.999999))


def _at(taken: Sequence[float], share: float) -> str:
    return f"{quantile(taken, share) * 1000:,.0f}"


def _slower(times: float) -> str:
    return f"x {times:.2f}" if times else "-"  # too short for a look


def _word(fine: object) -> str:
    return "yes" if fine else "NO"
