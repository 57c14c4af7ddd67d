"""How measurements are printed: alternating rounds, medians, and the ratio against the reference."""

import platform
import statistics
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from bench.load import Result


def compare(paths: Mapping[str, Callable[[], Result]], *, reference: str, rounds: int = 5) -> dict[str, float]:
    """Measure every path in each round, so that a noisy minute hurts all alike; return ratios to the reference."""
    results: dict[str, list[Result]] = {name: [] for name in paths}
    for measure in paths.values():
        measure()  # warm caches, plans and connections
    for _ in range(rounds):
        for name, measure in paths.items():
            results[name].append(measure())
    ratios = {
        name: statistics.median(mine.rate / theirs.rate for mine, theirs in zip(found, results[reference], strict=True))
        for name, found in results.items()
    }
    for name, found in results.items():
        middle = sorted(found, key=lambda result: result.rate)[len(found) // 2]
        print(f"  {name:<34} {middle}   {ratios[name]:.2f} of {reference}")
    return ratios


def heading(title: str) -> None:
    print(f"{title}: {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.machine()}")
