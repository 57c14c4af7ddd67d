"""The clone guard: a database that was copied to another site moves no money until an operator says so."""

import hashlib
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from circle.billing.errors import InstallationMoved
from circle.billing.oversight_models import Fingerprint
from circle.billing.providers.base import Providers
from circle.config import Settings
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def require_original(uow: UnitOfWork, provider: str) -> None:
    """Pass if this database charges for this site; the first charge decides. Errors: InstallationMoved."""
    mine = _fingerprint(uow, provider)
    known = uow.session.get(Fingerprint, provider)
    if known is None:
        uow.session.execute(
            insert(Fingerprint)
            .values(provider=provider, fingerprint=mine, confirmed_at=uow.now)
            .on_conflict_do_nothing()
        )
        known = uow.session.get_one(Fingerprint, provider)
    if known.fingerprint != mine:
        raise InstallationMoved


def original_providers(uow: UnitOfWork) -> list[str]:
    """Return the providers through which this site may move money: what is due at the others waits."""
    moved = moved_providers(uow)
    return [name for name in uow.use(Providers).by_name if name not in moved]


def moved_providers(uow: UnitOfWork) -> list[str]:
    """Return the providers for which this database was confirmed at another site, or for another account."""
    known = uow.session.execute(select(Fingerprint.provider, Fingerprint.fingerprint))
    here = uow.use(Providers).by_name
    return [name for name, fingerprint in known if name in here and fingerprint != _fingerprint(uow, name)]


def confirm_installation(uow: UnitOfWork, provider: str, *, confirmed_by: UUID | None) -> None:
    """Let this site charge with this database from now on."""
    mine = _fingerprint(uow, provider)
    values = {"fingerprint": mine, "confirmed_at": uow.now, "confirmed_by": confirmed_by}
    uow.session.execute(
        insert(Fingerprint)
        .values(provider=provider, **values)
        .on_conflict_do_update(index_elements=["provider"], set_=values)
    )
    actor = Caller(user_id=confirmed_by) if confirmed_by else None
    audit.record(uow, actor, "installation.confirm", circle_id=None, subject_kind="provider", subject_id=None)


def _fingerprint(uow: UnitOfWork, provider: str) -> str:
    site = urlsplit(uow.use(Settings).site_url)
    # On one's own machine the port changes from run to run.
    place = site.hostname if site.hostname in _LOOPBACK else site.netloc
    account = uow.use(Providers).get(provider).account
    return hashlib.sha256(f"{place}\0{provider}\0{account}".encode()).hexdigest()
