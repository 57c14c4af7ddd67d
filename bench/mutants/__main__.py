"""Tell how many changes of the code the tests notice: `make mutants ARGS="policy"`."""

import argparse
import fnmatch
import hashlib
import json
import math
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.mutants.judging import Judge
from bench.mutants.making import Mutant, mutants_of

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / ".data" / "mutants"
# What is looked at, how many mutants of it at most, and the tests that shall notice.
GROUPS: dict[str, tuple[list[str], int, list[str]]] = {
    "policy": (
        ["circle/*/policy*.py", "circle/memberships/permissions.py"],
        10_000,
        ["tests/accounts", "tests/archive", "tests/billing", "tests/checkins", "tests/homework", "tests/media",
         "tests/memberships", "tests/posts", "tests/access"],
    ),
    "billing": (["circle/billing/**/*.py"], 600, ["tests/billing", "tests/cli/test_billing.py"]),
}  # fmt: skip
_ENOUGH = 0.85
_UNNOTICED = {"lived", "no test"}
# A figure of a sample lies within this many standard errors of the whole, 19 times of 20.
_Z = 1.96


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.mutants", description=__doc__)
    parser.add_argument("group", choices=[*GROUPS], help="what to change")
    parser.add_argument("--sample", type=int, help="how many mutants, drawn by the seed")
    parser.add_argument("--seed", default="circle", help="another one draws other mutants")
    parser.add_argument("--only", default="*", help="files to keep to, such as */policy.py")
    parser.add_argument("--tests", nargs="+", help="who shall notice, if not the usual ones")
    parser.add_argument(
        "--patience", type=float, default=30.0, help="seconds of tests that a mutant has to live through"
    )
    parser.add_argument("--again", action="store_true", help="judge those that lived again")
    parser.add_argument("--list", action="store_true", help="show those that lived, and judge nothing")
    asked = parser.parse_args()
    drawn = _drawn(asked.group, asked.sample, asked.seed, asked.only)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if not asked.list:
        _judge(drawn, asked.tests or GROUPS[asked.group][2], asked.patience, again=asked.again)
    return _report(asked.group, drawn, listed=asked.list)


def _drawn(group: str, sample: int | None, seed: str, only: str) -> list[Mutant]:
    """Return a random sample in random order; it stays as it is for functions that stay as they are."""
    _globs, most, _tests = GROUPS[group]
    mutants = [
        mutant for path in _paths(group) if fnmatch.fnmatch(path, only) for mutant in mutants_of(ROOT / path, ROOT)
    ]
    mutants.sort(key=lambda mutant: hashlib.sha256(f"{seed} {mutant.id}".encode()).digest())
    drawn = mutants[: sample or most]
    print(f"{group}: {len(drawn)} of {len(mutants)} mutants", file=sys.stderr, flush=True)
    return drawn


def _paths(*groups: str) -> list[str]:
    return sorted(
        {str(file.relative_to(ROOT)) for group in groups for glob in GROUPS[group][0] for file in ROOT.glob(glob)}
    )


def _verdicts() -> dict[str, dict[str, Any]]:
    file = FOLDER / "verdicts.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return {verdict["id"]: verdict for verdict in map(json.loads, lines)}


def _judge(drawn: list[Mutant], tests: list[str], patience: float, *, again: bool) -> None:
    known = _verdicts()
    to_judge = [
        mutant for mutant in drawn if mutant.id not in known or (again and known[mutant.id]["verdict"] in _UNNOTICED)
    ]
    if not to_judge:
        return
    judge = Judge(to_judge, _paths(*GROUPS), FOLDER, ROOT, patience, known.values())
    options = ["-p", "no:terminal", "--capture=sys", "-m", "not reliability and not cluster"]
    pytest.main([*options, *tests], plugins=[judge])
    if judge.spoilt is not None:
        print(f"begins anew: {judge.spoilt}", file=sys.stderr, flush=True)
        os.execv(sys.executable, [sys.executable, "-m", "bench.mutants", *sys.argv[1:]])  # noqa: S606 - itself


def _report(group: str, drawn: list[Mutant], *, listed: bool) -> int:
    known = _verdicts()
    found = [known[mutant.id] for mutant in drawn if mutant.id in known]
    counted = Counter(verdict["verdict"] for verdict in found)
    judged = counted["noticed"] + counted["lived"] + counted["no test"]
    if listed:
        for verdict in sorted(found, key=lambda one: (one["path"], one["line"])):
            if verdict["verdict"] in _UNNOTICED:
                print("{path}:{line} {function} ({verdict}, {tests})".format_map(verdict))
                print(f"    - {verdict['was']}\n    + {verdict['now']}")
    share = counted["noticed"] / judged if judged else 0.0
    low, high = _interval(counted["noticed"], judged)
    print(
        f"{group}: {counted['noticed']} of {judged} noticed, {share:.1%} (95 %: {low:.1%} to {high:.1%}); "
        f"{counted['no test']} in lines that no test executes; left out: {counted['same code']} same code, "
        f"{counted['start']} done before any test; not judged yet: {len(drawn) - len(found)}"
    )
    return 0 if share >= _ENOUGH else 1


def _interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's interval of a share."""
    if not of:
        return 0.0, 1.0
    share, square = hits / of, _Z * _Z
    middle = (share + square / (2 * of)) / (1 + square / of)
    half = _Z * math.sqrt(share * (1 - share) / of + square / (4 * of * of)) / (1 + square / of)
    return middle - half, middle + half


if __name__ == "__main__":
    sys.exit(main())
