"""A pytest plugin: notes which lines each test executes, then runs the tests of a mutant's lines until one fails.

All in one process, in which the engines, the application and its stock of circles stay. What fails beside a mutant is
run again without it at once: were the process spoilt, that would fail too, and nothing is said about the mutant.
"""

import hashlib
import json
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import coverage
import pytest

from bench.mutants.making import Mutant
from bench.mutants.switching import OutOfReach, SameCode, Switches

_SLOWER_AT_MOST = 20
_LONG_ENOUGH_SECONDS = 10.0
_AT_LAST_SECONDS = 600.0
# Tests that are watched between two savings.
_AT_ONCE = 100
# So much more likely a test notices a change of a function than of another in the same file, if it has noticed one.
_NEARER = 10
_AN_INSTANT = 0.001


class TookTooLong(BaseException):
    """A test that runs on for ever has noticed."""


class Spoilt(Exception):
    """A mutant left something behind in the process; it has to begin anew."""


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Judge:
    def __init__(
        self,
        mutants: list[Mutant],
        paths: list[str],
        folder: Path,
        root: Path,
        patience: float,
        known: Iterable[dict[str, Any]] = (),
    ) -> None:
        """`paths`: all files that tests are watched for, of whichever group. `known`: verdicts of before."""
        self._mutants = mutants
        self._paths = paths
        self._folder = folder
        self._root = root
        self._patience = patience
        # Who noticed how many changes of a function, and of a file.
        self._noticed: dict[str, Counter[str]] = defaultdict(Counter)
        for verdict in known:
            if verdict["verdict"] == "noticed":
                self._remember(verdict["path"], verdict["function"], verdict["by"])
        self._seen: dict[str, Any] = {}
        self.spoilt: str | None = None
        # From before the modules are imported.
        self._start = self._tracer()
        self._start.start()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._session = session
        self._items = {item.nodeid: item for item in session.items}
        self._make_session_fixtures(session.items[0])
        self._switches = Switches(self._paths, self._root)
        self._watch_all()
        try:
            self._judge_all()
        except Spoilt as spoilt:
            self.spoilt = str(spoilt)
        return True

    def _make_session_fixtures(self, first: pytest.Item) -> None:
        """Have the application made. What only that executes can't be judged: it has happened before every mutant."""
        _run(first, _AT_LAST_SECONDS)
        self._start.stop()
        data = self._start.get_data()
        self._at_start = {
            (str(Path(file).relative_to(self._root)), line)
            for file in data.measured_files()
            for line in data.lines(file) or []
        }

    # Which test executes which line

    def _tracer(self) -> coverage.Coverage:
        files = [str(self._root / path) for path in self._paths]
        tracer = coverage.Coverage(data_file=None, include=files, config_file=False)
        tracer.set_option("run:disable_warnings", ["no-data-collected"])
        return tracer

    def _watch_all(self) -> None:
        """Watch the tests that are new, or have changed, or executed a file that has changed since."""
        file = self._folder / "tests.json"
        now = {path: _mark(self._root / path) for path in self._paths}
        kept = json.loads(file.read_text()) if file.exists() else {"sources": {}, "tests": {}}
        changed = {path for path, mark in now.items() if kept["sources"].get(path) != mark}
        self._seen = kept["tests"]
        names = hashlib.sha256(" ".join(self._paths).encode()).hexdigest()[:16]
        marks: dict[Path, str] = {}
        missing = []
        for nodeid, item in self._items.items():
            mark = f"{names} {marks.setdefault(item.path, _mark(item.path))}"
            known = self._seen.get(nodeid)
            if known is None or known["mark"] != mark or changed & known["lines"].keys():
                missing.append((nodeid, mark))
        for at in range(0, len(missing), _AT_ONCE):
            self._watch(missing[at : at + _AT_ONCE])
            # Some may not have been watched with the files as they are now, so these are not told yet.
            file.write_text(json.dumps({"sources": now | kept["sources"], "tests": self._seen}))
            _say(f"{min(at + _AT_ONCE, len(missing))} of {len(missing)} tests were watched")
        file.write_text(json.dumps({"sources": now, "tests": self._seen}))
        self._by_line: dict[tuple[str, int], list[str]] = defaultdict(list)
        for nodeid in self._items:
            if not self._seen[nodeid]["well"]:
                continue
            for path, lines in self._seen[nodeid]["lines"].items():
                for line in lines:
                    self._by_line[path, line].append(nodeid)

    def _watch(self, tests: list[tuple[str, str]]) -> None:
        tracer = self._tracer()
        tracer.start()
        for nodeid, mark in tests:
            self._switches.forget_what_was_built()
            tracer.switch_context(nodeid)
            begun = time.perf_counter()
            well = _run(self._items[nodeid], _AT_LAST_SECONDS)
            seconds = round(time.perf_counter() - begun, 4)
            self._seen[nodeid] = {"mark": mark, "seconds": seconds, "well": well, "lines": {}}
            if not well:
                _say(f"fails by itself, and is not asked: {nodeid}")
        tracer.stop()
        data = tracer.get_data()
        for file in data.measured_files():
            path = str(Path(file).relative_to(self._root))
            for line, contexts in data.contexts_by_lineno(file).items():
                for nodeid in set(contexts) & self._seen.keys():
                    self._seen[nodeid]["lines"].setdefault(path, []).append(line)

    # Which mutants are noticed

    def _judge_all(self) -> None:
        begun = time.monotonic()
        with (self._folder / "verdicts.jsonl").open("a", encoding="utf-8") as verdicts:
            for at, mutant in enumerate(self._mutants, 1):
                verdict = self._judge(mutant)
                verdicts.write(json.dumps(verdict) + "\n")
                verdicts.flush()
                if at % 25 == 0 or at == len(self._mutants):
                    _say(f"{at} of {len(self._mutants)} mutants judged, {time.monotonic() - begun:.0f} s")

    def _judge(self, mutant: Mutant) -> dict[str, Any]:
        found = {"id": mutant.id, "path": mutant.path, "function": mutant.function, "line": mutant.line}
        found |= {"was": mutant.was, "now": mutant.now}
        tests = self._tests_of(mutant)
        if not tests:
            # The line of a function without a name is executed by whatever makes the function.
            named = mutant.function != "<lambda>"
            at_start = named and any((mutant.path, line) in self._at_start for line in mutant.lines)
            return found | {"verdict": "start" if at_start else "no test", "tests": 0}
        try:
            with self._switches.switched(mutant):
                noticed, asked = self._ask(tests)
        except (SameCode, SyntaxError):
            return found | {"verdict": "same code", "tests": 0}
        except OutOfReach:
            return found | {"verdict": "start", "tests": 0}
        if noticed is None:
            return found | {"verdict": "lived", "tests": asked, "all": asked == len(tests)}
        if not _run(self._items[noticed], _AT_LAST_SECONDS):
            raise Spoilt(f"{mutant.path}:{mutant.line} {noticed}")
        self._remember(mutant.path, mutant.function, noticed)
        return found | {"verdict": "noticed", "tests": asked, "by": noticed}

    def _remember(self, path: str, function: str, noticed: str) -> None:
        self._noticed[path][noticed] += 1
        self._noticed[f"{path} {function}"][noticed] += 1

    def _ask(self, tests: list[str]) -> tuple[str | None, int]:
        spent = time.monotonic() + self._patience
        for asked, nodeid in enumerate(tests, 1):
            seconds = max(_LONG_ENOUGH_SECONDS, self._seen[nodeid]["seconds"] * _SLOWER_AT_MOST)
            if not _run(self._items[nodeid], seconds):
                return nodeid, asked
            if time.monotonic() > spent:
                return None, asked
        return None, len(tests)

    def _tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests of the mutant's lines: those that notice most a second, then the quickest of each file."""
        tests = {nodeid for line in mutant.lines for nodeid in self._by_line[mutant.path, line]}
        of_file, of_function = self._noticed[mutant.path], self._noticed[f"{mutant.path} {mutant.function}"]
        quickest = sorted(tests, key=lambda nodeid: self._seen[nodeid]["seconds"])
        asked = Counter[str]()
        order: dict[str, tuple[float, int]] = {}
        for nodeid in quickest:
            file, seconds = nodeid.partition("::")[0], max(self._seen[nodeid]["seconds"], _AN_INSTANT)
            order[nodeid] = -(of_file[nodeid] + _NEARER * of_function[nodeid]) / seconds, asked[file]
            asked[file] += 1
        return sorted(quickest, key=order.__getitem__)


def _run(item: pytest.Item, seconds: float) -> bool:
    """Run a test, keeping only what the whole session keeps; return whether it went well.

    The hooks are called without pytest's reports: to format what failed takes longer than most tests.
    """
    item._initrequest()  # type: ignore[attr-defined] # noqa: SLF001 - as pytest does before a test
    try:
        with _at_most(seconds):
            item.ihook.pytest_runtest_setup(item=item)
            item.ihook.pytest_runtest_call(item=item)
        well = True
    except pytest.skip.Exception:
        well = True
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - whatever it is: the test has noticed
        well = False
    try:
        item.ihook.pytest_runtest_teardown(item=item, nextitem=item.session)
    except Exception:  # noqa: BLE001 - as above
        well = False
    item.funcargs = None  # type: ignore[attr-defined]
    return well


def _mark(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _say(words: str) -> None:
    print(words, file=sys.__stderr__, flush=True)
