"""`circle up` from an empty data folder: seconds until it serves, and the memory of all its processes when idle.

Shared pages are counted once (PSS); the sum of RSS stands beside it.
"""

import argparse
import tempfile
import time
from pathlib import Path

from bench.report import heading
from bench.whole import MEGABYTE, Whole, memory, whole

BUDGET = 600
_PORT = 8930


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--idle", type=float, default=60.0, help="seconds to wait before memory is read")
    chosen = arguments.parse_args()
    heading("circle up")
    with tempfile.TemporaryDirectory(prefix="circle-up-") as folder:
        for words in ("on an empty folder", "once more"):
            began = time.perf_counter()
            with whole(Path(folder), port=_PORT) as run:
                print(f"  ready {words:<22} {time.perf_counter() - began:8.1f} s")
                if words == "once more":
                    _print_memory(run, chosen.idle)


def _print_memory(run: Whole, idle: float) -> None:
    time.sleep(idle)
    used = memory(run)
    for name, pss in sorted(used.pss.items(), key=lambda one: -one[1]):
        in_each = used.rss[name] / MEGABYTE
        print(f"  {name:<28} {pss / MEGABYTE:8.0f} MB in {used.processes[name]} processes (RSS {in_each:.0f})")
    total, in_each = sum(used.pss.values()) / MEGABYTE, sum(used.rss.values()) / MEGABYTE
    print(f"  {'all, idle':<28} {total:8.0f} MB, {total / BUDGET:.2f} of {BUDGET} MB (RSS {in_each:.0f})")


if __name__ == "__main__":
    main()
