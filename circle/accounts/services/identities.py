"""The addresses of an account: adding, proving and dropping them. Each change is told to those that are there."""

from uuid import UUID

from sqlalchemy import func, select

from circle.accounts.addresses import Address, read_address
from circle.accounts.errors import IdentityTaken, LastIdentity
from circle.accounts.models import CodePurpose, Identity, User
from circle.accounts.queries import find_identity
from circle.accounts.services.codes import redeem_code
from circle.accounts.services.letters import What, tell
from circle.accounts.services.sessions import identity_of_holder, require_password, require_session
from circle.kernel.caller import Caller
from circle.kernel.errors import NotFound
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork


def require_user(uow: UnitOfWork, caller: Caller, *, lock: bool = False) -> User:
    return uow.session.get_one(User, caller.user_id, with_for_update=lock)


def add_identity(uow: UnitOfWork, user: User, address: Address, *, proven: bool) -> Identity:
    identity = Identity(
        id=new_id(),
        user_id=user.id,
        kind=address.kind,
        value=address.value,
        verified_at=uow.now if proven else None,
        created_at=uow.now,
    )
    uow.session.add(identity)
    uow.session.flush()
    return identity


def claim_identity(
    uow: UnitOfWork,
    caller: Caller,
    *,
    code: str,
    email: str | None = None,
    phone: str | None = None,
    current_password: str | None = None,
) -> Identity:
    """Prove an address of one's account, or add one, which asks for the password of an account that has one.

    Errors: WrongCode, IdentityTaken, BadCredentials.
    """
    require_session(caller)
    address = read_address(email, phone)
    redeem_code(uow, address, CodePurpose.ADD_IDENTITY, code)
    known = find_identity(uow, address)
    if known is not None and known.user_id == caller.user_id:
        known.verified_at = known.verified_at or uow.now
        return known
    user = require_user(uow, caller, lock=True)
    require_password(user, current_password)
    if identity_of_holder(uow, address) is not None:
        raise IdentityTaken
    added = add_identity(uow, user, address, proven=True)
    tell(uow, user, What.ADDRESS_ADDED, added)
    return added


def remove_identity(uow: UnitOfWork, caller: Caller, identity_id: UUID, *, password: str | None) -> None:
    """Drop a way to log in. Errors: LastIdentity, BadCredentials."""
    require_session(caller)
    user = require_user(uow, caller, lock=True)
    identity = uow.session.get(Identity, identity_id)
    if identity is None or identity.user_id != caller.user_id:
        raise NotFound
    owned = select(func.count()).select_from(Identity).where(Identity.user_id == caller.user_id)
    if uow.session.scalar(owned) == 1:
        raise LastIdentity
    require_password(user, password)
    tell(uow, user, What.ADDRESS_REMOVED, identity)
    uow.session.delete(identity)
