"""Imports every feature's tables, so that the metadata is complete."""

from circle.accounts import models as accounts
from circle.kernel import audit, changes, idempotency, outbox
from circle.kernel.db import Base

__all__ = ["Base", "accounts", "audit", "changes", "idempotency", "outbox"]
