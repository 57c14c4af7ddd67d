"""Letters to the addresses of an account about the account: if it was a thief, its owner hears of it there.

They wait for no quiet hours, and nobody can switch them off.
"""

from enum import StrEnum

from sqlalchemy import select

from circle.accounts.models import Identity, IdentityKind, User
from circle.config import Settings
from circle.kernel import outbox
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork

TOPIC = "accounts.letter"
_HINT = 4


class What(StrEnum):
    ADDRESS_ADDED = "address_added"
    ADDRESS_REMOVED = "address_removed"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - what happened, not a secret


def tell(uow: UnitOfWork, user: User, what: What, about: Identity | None = None) -> None:
    """Write to every proven address of the account; of a new address to all others."""
    settings = uow.use(Settings)
    leaving = {IdentityKind.EMAIL: settings.mail_url, IdentityKind.PHONE: settings.sms_url}
    proven = select(Identity).where(Identity.user_id == user.id, Identity.verified_at.is_not(None))
    for identity in uow.session.scalars(proven.order_by(Identity.id)).all():
        if not leaving.get(IdentityKind(identity.kind)) or (what is What.ADDRESS_ADDED and identity is about):
            continue
        outbox.put(
            uow,
            key=f"account:{new_id()}",
            topic=TOPIC,
            payload={
                "kind": identity.kind,
                "to": identity.value,
                "what": what,
                "about": _hint(about) if about else "",
                "at": uow.now.strftime("%Y-%m-%d %H:%M UTC"),
                "language": user.language,
            },
        )


def _hint(identity: Identity) -> str:
    """Return what tells an address to who knows it, and is none to who doesn't."""
    if identity.kind == IdentityKind.EMAIL:
        name, _, domain = identity.value.partition("@")
        return f"{name[0]}…@{domain}"
    return f"…{identity.value[-_HINT:]}"
