"""Identifiers and secrets: UUIDv7 for rows, opaque random strings for what only its holder may know."""

import hashlib
import secrets
from uuid import UUID

from uuid_utils.compat import uuid7

# Crockford's base 32 without letters that are misread: for codes that people type.
_READABLE = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_id() -> UUID:
    """Return a fresh UUIDv7 (RFC 9562): time-ordered, so that indexes grow at their right edge."""
    return uuid7()


def new_secret(prefix: str = "") -> str:
    """Return 256 random bits as text behind `prefix`."""
    return prefix + secrets.token_urlsafe(32)


def new_code(length: int = 10) -> str:
    """Return a random code that can be read out and typed, about 4.9 bits a letter."""
    return "".join(secrets.choice(_READABLE) for _ in range(length))


def code_from(seal: bytes, length: int) -> str:
    """Return the readable code that stands for random bytes: the same bytes, the same code."""
    number = int.from_bytes(seal)
    return "".join(_READABLE[number // len(_READABLE) ** place % len(_READABLE)] for place in range(length))


def digest(secret: str) -> bytes:
    """Return the SHA-256 under which a high-entropy secret is stored and looked up."""
    return hashlib.sha256(secret.encode()).digest()
