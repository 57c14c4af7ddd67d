"""Checks of an installation: `/readyz` asks some at every probe, `circle doctor` asks all."""

from collections.abc import Callable
from dataclasses import dataclass

from circle.kernel.uow import Units


@dataclass(frozen=True, slots=True)
class Check:
    """Something that must be well: `run` returns what is wrong in plain words, or None."""

    name: str
    run: Callable[[Units], str | None]
