"""Chance that can be had again: every draw has a name, so that the order of the work changes nothing."""

import random
from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class Luck:
    """A seed; `of` gives the dice for one thing, always the same for the same name."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def of(self, *what: object) -> random.Random:
        return random.Random(" ".join(map(str, (self._seed, *what))))  # noqa: S311 - play


def pick(dice: random.Random, weights: Mapping[T, int]) -> T:
    """Return one of the keys, each as often as its weight says."""
    return dice.choices(list(weights), list(weights.values()))[0]
