"""Does an answer's time tell whether an address has an account? Known and unknown ones in one run, in random order.

Each kind of request is refused, or answers nothing, for both. Printed are the medians, their ratio, and the interval
that holds it in 95 of 100 cases (by resampling): 1 should lie in it.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import httpx

from bench.report import heading
from bench.whole import whole

_PORT = 8931
_PEOPLE = 25
_WRONG = "xxxxxx"
_PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody
# What is asked, by name: where, what besides the address, and the one answer.
CASES: Mapping[str, tuple[str, Mapping[str, str], int]] = {
    "log-in, wrong password": ("/auth/login", {"password": "not this one"}, 401),
    "log-in, wrong code": ("/auth/login", {"code": _WRONG}, 401),
    "code for logging in": ("/auth/codes", {"purpose": "login"}, 204),
    "code for a reset": ("/auth/codes", {"purpose": "reset_password"}, 204),
    "code for registering": ("/auth/codes", {"purpose": "register"}, 204),
    "reset, wrong code": ("/auth/password", {"code": _WRONG, "password": _PASSWORD}, 401),
    "registering, wrong code": ("/auth/register", {"code": _WRONG, "display_name": "x"}, 401),
}
Times = dict[tuple[str, str], list[float]]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--times", type=int, default=220, help="requests of each kind, to each kind of address")
    arguments.add_argument("--seed", type=int, default=7)
    chosen = arguments.parse_args()
    heading("enumeration")
    luck = random.Random(chosen.seed)
    with (
        tempfile.TemporaryDirectory(prefix="circle-enumeration-") as folder,
        whole(Path(folder), port=_PORT, environ={"RATE_LIMITS": "off"}) as run,
        httpx.Client(base_url=f"{run.base_url}/v1", timeout=30) as client,
    ):
        took = _measure(client, _prepare(client), luck, times=chosen.times)
    for name in CASES:
        _print(name, took[name, "known"], took[name, "unknown"], luck)


def _prepare(client: httpx.Client) -> dict[str, list[str]]:
    """Register half of the addresses; each has been asked about before."""
    addresses = {kind: [f"{kind}{number}@example.org" for number in range(_PEOPLE)] for kind in ("known", "unknown")}
    for email in addresses["known"]:
        account = {"email": email, "password": _PASSWORD, "display_name": "x"}
        client.post("/auth/register", json=account).raise_for_status()
    for email in (*addresses["known"], *addresses["unknown"]):
        for path, more, _status in CASES.values():
            client.post(path, json={"email": email, **more})
    return addresses


def _measure(client: httpx.Client, addresses: Mapping[str, list[str]], luck: random.Random, *, times: int) -> Times:
    took: Times = {(name, kind): [] for name in CASES for kind in addresses}
    plan = [one for one in took for _ in range(times)]
    luck.shuffle(plan)
    for name, kind in plan:
        path, more, status = CASES[name]
        body = {"email": luck.choice(addresses[kind]), **more}
        began = time.perf_counter()
        answer = client.post(path, json=body)
        took[name, kind].append((time.perf_counter() - began) * 1000)
        assert answer.status_code == status, answer.text  # noqa: S101 - else nothing is measured
    return took


def _print(name: str, known: list[float], unknown: list[float], luck: random.Random) -> None:
    again = sorted(
        median(luck.choices(known, k=len(known))) / median(luck.choices(unknown, k=len(unknown))) for _ in range(400)
    )
    figures = f"known {median(known):7.2f} ms, unknown {median(unknown):7.2f} ms"
    print(f"  {name:<26} {figures}, ratio {median(known) / median(unknown):.3f} ({again[10]:.3f}-{again[389]:.3f})")


if __name__ == "__main__":
    main()
