"""Certificates: printed by a worker into the storage, shown to whoever has the code, revocable.

Each row is claimed by moving its due time past a lease, so a killed worker only delays it, and two workers on one row
write the same objects. A withdrawn certificate comes to the worker once more, to have its objects deleted.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import select, text, update

from circle.checkins.entry_models import Certificate
from circle.checkins.errors import CertificateNotReady, CertificateRevoked
from circle.checkins.events import CertificateWithdrawn
from circle.checkins.services.completing import RENDER
from circle.config import Settings
from circle.kernel import audit
from circle.kernel.caller import Caller
from circle.kernel.db import Query
from circle.kernel.errors import NotFound
from circle.kernel.isolation import isolated
from circle.kernel.uow import UnitOfWork, Units
from circle.media.errors import StorageUnavailable
from circle.media.names import disposition
from circle.media.storage import Storage
from circle.memberships.permissions import Permission
from circle.memberships.policy import require_permission

if TYPE_CHECKING:
    from circle.checkins.printing import Press, Print

log = structlog.get_logger(__name__)

BATCH = 20
LEASE = timedelta(minutes=5)
MAX_ATTEMPTS = 5
_RETRY = timedelta(seconds=30)
_LINK_SECONDS = 300
# Hops from circle to circle, and deals out: the oldest of each, then the next of each.
_DUE = Query(
    lambda: text("""
        WITH RECURSIVE circles AS (
            (SELECT circle_id FROM certificates WHERE due_at IS NOT NULL ORDER BY circle_id LIMIT 1)
            UNION ALL
            SELECT (
                SELECT certificates.circle_id FROM certificates
                WHERE certificates.circle_id > circles.circle_id AND due_at IS NOT NULL
                ORDER BY certificates.circle_id LIMIT 1
            ) FROM circles WHERE circles.circle_id IS NOT NULL
        )
        SELECT dealt.id FROM circles CROSS JOIN LATERAL (
            SELECT oldest.id, oldest.due_at, row_number() OVER (ORDER BY oldest.due_at) AS round FROM (
                SELECT id, due_at FROM certificates
                WHERE certificates.circle_id = circles.circle_id AND due_at <= CAST(:now AS timestamptz)
                ORDER BY due_at LIMIT CAST(:most AS int)
            ) AS oldest
        ) AS dealt
        ORDER BY dealt.round, dealt.due_at LIMIT CAST(:most AS int)
    """)
)
FORMS = {"pdf": "application/pdf", "png": "image/png"}


def page_url(settings: Settings, code: str) -> str:
    """Return the public page on which anybody can verify a certificate."""
    return f"{settings.site_url.rstrip('/')}/certificates/{code}"


def find_certificate(uow: UnitOfWork, code: str) -> Certificate:
    """Return a certificate by its code, typed in any case. Errors: NotFound."""
    found = uow.session.scalar(select(Certificate).where(Certificate.code == code.strip().upper()))
    if found is None:
        raise NotFound
    return found


def download_link(uow: UnitOfWork, code: str, form: str) -> str:
    """Return a link of five minutes. Errors: NotFound, CertificateRevoked, CertificateNotReady."""
    certificate = find_certificate(uow, code)
    if certificate.revoked_at is not None:
        raise CertificateRevoked
    if certificate.rendered_at is None:
        raise CertificateNotReady
    name = disposition("inline", f"{certificate.camp_title}-{certificate.holder}.{form}")
    return uow.use(Storage).presign_get(
        certificate.object_key(form), seconds=_LINK_SECONDS, content_type=FORMS[form], disposition=name
    )


def revoke(uow: UnitOfWork, caller: Caller, code: str, *, reason: str) -> Certificate:
    """Withdraw a certificate for good; its page says so. Errors: NotFound, MissingPermission."""
    certificate = find_certificate(uow, code)
    require_permission(uow, caller, certificate.circle_id, Permission.TEACH)
    if certificate.revoked_at is None:
        _withdraw(uow, certificate, reason)
        certificate.revoked_by = caller.user_id
        audit.record(
            uow,
            caller,
            "certificate.revoke",
            circle_id=certificate.circle_id,
            subject_kind="certificate",
            subject_id=certificate.id,
            reason=reason,
        )
        uow.emit(
            CertificateWithdrawn(
                certificate.camp_id,
                certificate.circle_id,
                certificate.camp_title,
                certificate.id,
                certificate.user_id,
            )
        )
    return certificate


def withdraw_all(uow: UnitOfWork, user_id: UUID) -> None:
    """Withdraw what somebody has who deletes their account, and forget the name on it."""
    for certificate in uow.session.scalars(select(Certificate).where(Certificate.user_id == user_id)):
        _withdraw(uow, certificate, certificate.revoked_for)
        certificate.holder = ""


def _withdraw(uow: UnitOfWork, certificate: Certificate, reason: str) -> None:
    certificate.revoked_at = certificate.revoked_at or uow.now
    certificate.revoked_for = reason
    certificate.due_at, certificate.attempts = uow.now, 0
    uow.ring(RENDER)


def render_due(units: Units) -> int:
    """Print a batch of certificates, and delete what withdrawn ones left; return how many were taken."""
    with units.write() as uow:
        taken = _claim(uow)
    valid = [one for one in taken if one.revoked_at is None]
    _delete_objects(units, [one for one in taken if one.revoked_at is not None])
    if valid:
        # Half a second and 45 MB, of each process that looks whether something is due.
        from circle.checkins.printing import press_for  # noqa: PLC0415

        prints = {one.id: _print_of(one, units.use(Settings)) for one in valid}
        with press_for(prints.values()) as press:
            for certificate in valid:
                _render(units, press, certificate, prints[certificate.id])
    return len(taken)


def _claim(uow: UnitOfWork) -> Sequence[Certificate]:
    """Take a batch; circles take turns, so those of a large camp hold up nobody else's."""
    ids = [row["id"] for row in uow.rows(_DUE, now=uow.now, most=BATCH)]
    due = select(Certificate).where(Certificate.id.in_(ids), Certificate.due_at <= uow.now)
    taken = uow.session.scalars(due.with_for_update(skip_locked=True).order_by(Certificate.id)).all()
    for certificate in taken:
        certificate.attempts += 1
        certificate.due_at = uow.now + LEASE
    uow.session.flush()
    return taken


def _print_of(certificate: Certificate, settings: Settings) -> "Print":
    from circle.checkins import printing  # noqa: PLC0415 - as above

    return printing.Print(
        holder=certificate.holder,
        camp=certificate.camp_title,
        circle=certificate.circle_name,
        days=certificate.days_done,
        starts_on=certificate.starts_on.isoformat(),
        ends_on=certificate.ends_on.isoformat(),
        issued_on=certificate.issued_on.isoformat(),
        code=certificate.code,
        url=page_url(settings, certificate.code),
    )


def _render(units: Units, press: "Press", certificate: Certificate, what: "Print") -> None:
    storage, away = units.use(Storage), False
    with isolated("certificate_poison", certificate_id=str(certificate.id)) as attempt:
        try:
            pdf = press.pdf(what)
            storage.put(certificate.object_key("pdf"), pdf, content_type=FORMS["pdf"])
            storage.put(certificate.object_key("png"), press.png(pdf), content_type=FORMS["png"])
        except StorageUnavailable:
            away = True
    with units.write() as uow:
        _settle(uow, certificate, error=attempt.error, away=away)


def _settle(uow: UnitOfWork, claimed: Certificate, *, error: str | None, away: bool) -> None:
    """Record what came of it, unless the lease has passed on to another worker or it was withdrawn meanwhile."""
    ours = (Certificate.id == claimed.id, Certificate.due_at == claimed.due_at)
    if away:
        values = {"due_at": uow.now + _RETRY, "attempts": claimed.attempts - 1}
    elif error is not None:
        given_up = claimed.attempts >= MAX_ATTEMPTS
        values = {"due_at": None if given_up else uow.now + _RETRY * 2**claimed.attempts, "error": error}
    else:
        values = {"due_at": None, "error": None, "rendered_at": uow.now}
    uow.session.execute(update(Certificate).where(*ours).values(**values))


def _delete_objects(units: Units, withdrawn: Sequence[Certificate]) -> None:
    if not withdrawn:
        return
    try:
        units.use(Storage).delete_many([one.object_key(form) for one in withdrawn for form in FORMS])
    except StorageUnavailable:
        log.warning("certificates_not_deleted", count=len(withdrawn))  # their leases bring them back
        return
    with units.write() as uow:
        gone = Certificate.id.in_([one.id for one in withdrawn])
        uow.session.execute(update(Certificate).where(gone).values(due_at=None, rendered_at=None))
