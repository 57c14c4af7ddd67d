"""Argon2id with OWASP's smaller parameters: 19 MiB, two passes, one lane; and which passwords are guessed first."""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from itertools import chain

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
# Verified for accounts that don't exist, so that they take as long as those that do.
_NOBODY = _HASHER.hash("nobody has this password")


def hash_password(password: str) -> str:
    return _HASHER.hash(password)


def password_matches(stored: str | None, password: str) -> bool:
    """Tell whether `password` is the stored one, in the same time whether or not one is stored."""
    try:
        _HASHER.verify(stored or _NOBODY, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
    return stored is not None


def is_guessed_first(password: str, about: Iterable[str]) -> bool:
    """Tell whether a password is among those that are tried before all others, in whatever case.

    `about` is what is known of its owner: name and addresses.
    """
    tried = password.casefold()
    known = {word.casefold() for one in about for word in (one, one.partition("@")[0])}
    return tried in _common() or tried in known or len(set(tried)) == 1


@cache
def _common() -> frozenset[str]:
    """Read when a password is first set: 0.1 s and 14 MB, which nobody needs who only logs in."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # noqa: PLC0415 - see above

    ours = files(__package__).joinpath("common_passwords.txt").read_text("ascii").splitlines()
    return frozenset(chain(FREQUENCY_LISTS["passwords"], (line for line in ours if not line.startswith("#"))))
