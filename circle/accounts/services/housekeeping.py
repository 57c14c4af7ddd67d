"""Forgetting codes and log-ins that have served."""

from datetime import timedelta

from sqlalchemy import delete

from circle.accounts.models import LoginSession, OneTimeCode
from circle.kernel.uow import UnitOfWork

# Long enough to answer "did you get my code?" and "where was I logged in?".
KEEP_CODES = timedelta(days=7)
KEEP_SESSIONS = timedelta(days=90)


def forget_used_codes(uow: UnitOfWork) -> int:
    """Delete codes that can't be used any more; return how many."""
    old = delete(OneTimeCode).where(OneTimeCode.expires_at < uow.now - KEEP_CODES)
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]


def forget_ended_sessions(uow: UnitOfWork) -> int:
    """Delete sessions that ended long ago, by log-out or by themselves; return how many."""
    long_ago = uow.now - KEEP_SESSIONS
    old = delete(LoginSession).where((LoginSession.ended_at < long_ago) | (LoginSession.expires_at < long_ago))
    return int(uow.session.execute(old).rowcount)  # type: ignore[attr-defined]
