"""Operators: people who run the installation. Only the command line makes them."""

from circle.accounts.addresses import read_address
from circle.accounts.errors import NoAccount
from circle.accounts.models import User
from circle.accounts.queries import find_identity
from circle.kernel import audit
from circle.kernel.uow import UnitOfWork


def set_operator(uow: UnitOfWork, *, email: str, is_operator: bool) -> User:
    """Give the right to run the installation, or take it. Errors: NoAccount."""
    identity = find_identity(uow, read_address(email, None))
    if identity is None:
        raise NoAccount
    user = uow.session.get_one(User, identity.user_id)
    user.is_operator = is_operator
    action = "operator.appoint" if is_operator else "operator.dismiss"
    audit.record(uow, None, action, circle_id=None, subject_kind="user", subject_id=user.id)
    return user
