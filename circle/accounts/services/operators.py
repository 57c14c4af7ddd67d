"""What an operator, who runs the installation, decides about people. Only the command line does it."""

from circle.accounts.addresses import read_address
from circle.accounts.errors import NoAccount
from circle.accounts.events import UserSuspended
from circle.accounts.models import User
from circle.accounts.queries import find_identity
from circle.accounts.services.sessions import end_sessions, revoke_tokens
from circle.kernel import audit
from circle.kernel.uow import UnitOfWork


def set_operator(uow: UnitOfWork, *, email: str, is_operator: bool) -> User:
    """Give the right to run the installation, or take it. Errors: NoAccount."""
    user = _find(uow, email)
    user.is_operator = is_operator
    _note(uow, "operator.appoint" if is_operator else "operator.dismiss", user)
    return user


def suspend_user(uow: UnitOfWork, *, email: str) -> User:
    """Shut somebody out at once: sessions and tokens end, no mail leaves, nothing renews. Errors: NoAccount.

    What they wrote and what they paid for stays; nobody is charged for a term that they can't use.
    """
    user = _find(uow, email)
    if user.suspended_at is None:
        user.suspended_at = uow.now
        end_sessions(uow, user.id)
        revoke_tokens(uow, user.id)
        _note(uow, "user.suspend", user)
        uow.emit(UserSuspended(user.id))
    return user


def restore_user(uow: UnitOfWork, *, email: str) -> User:
    """Let somebody log in again; what renews they decide themselves. Errors: NoAccount."""
    user = _find(uow, email)
    if user.suspended_at is not None:
        user.suspended_at = None
        _note(uow, "user.restore", user)
    return user


def _find(uow: UnitOfWork, email: str) -> User:
    identity = find_identity(uow, read_address(email, None))
    if identity is None:
        raise NoAccount
    return uow.session.get_one(User, identity.user_id, with_for_update=True, populate_existing=True)


def _note(uow: UnitOfWork, action: str, user: User) -> None:
    audit.record(uow, None, action, circle_id=None, subject_kind="user", subject_id=user.id)
