"""Certificates as answers and their page show them: public, so nothing but what stands on them."""

from sqlalchemy import select

from circle.checkins.entry_models import Certificate
from circle.checkins.services.certificates import find_certificate, page_url
from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork

_MOST = 100


def certificate(uow: UnitOfWork, code: str) -> Json:
    """Return a certificate by its code, in the shape of `CertificateOut`. Errors: NotFound."""
    return certificate_card(uow, find_certificate(uow, code))


def own_certificates(uow: UnitOfWork, caller: Caller) -> list[Json]:
    mine = select(Certificate).where(Certificate.user_id == caller.user_id)
    latest = uow.session.scalars(mine.order_by(Certificate.id.desc()).limit(_MOST))
    return [certificate_card(uow, one) for one in latest]


def certificate_card(uow: UnitOfWork, certificate: Certificate) -> Json:
    ready = certificate.rendered_at is not None and certificate.revoked_at is None
    path = f"/v1/certificates/{certificate.code}"
    return {
        "code": certificate.code,
        "valid": certificate.revoked_at is None,
        "holder": certificate.holder,
        "camp": certificate.camp_title,
        "circle": certificate.circle_name,
        "days": certificate.days_done,
        "starts_on": certificate.starts_on,
        "ends_on": certificate.ends_on,
        "issued_on": certificate.issued_on,
        "revoked_at": certificate.revoked_at,
        "revoked_for": certificate.revoked_for or None,
        "url": page_url(uow.use(Settings), certificate.code),
        "pdf_url": f"{path}/pdf" if ready else None,
        "png_url": f"{path}/png" if ready else None,
    }
