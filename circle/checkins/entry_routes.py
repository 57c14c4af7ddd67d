"""HTTP of entries and certificates."""

from uuid import UUID

from circle.checkins import certificates, entries, entry_schemas, errors
from circle.checkins.policy import entry_gate
from circle.checkins.services import certificates as issuing
from circle.checkins.services import discussion
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import MEMBERS_ONLY, MissingPermission, Muted, TooNew
from circle.memberships.limits import COMMENTING, REACTING
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of, whole
from circle.web.routes import Routes

routes = Routes("check-ins", "Entries of camps, what is said about them, and certificates.", errors=MEMBERS_ONLY)

CERTIFICATE = (Limit("certificate", "120/minute", "ip"),)


@routes.get("/check-ins/<uuid:check_in_id>", answer=entry_schemas.CheckInOut, hot=True, gate=entry_gate)
def get_check_in(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> Json:
    """An entry."""
    return entries.entry(uow, caller, check_in_id)


@routes.delete("/check-ins/<uuid:check_in_id>", status=204, errors=(errors.NotTheAuthor,))
def remove_check_in(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Delete what an entry says; the day stays done."""
    discussion.remove_entry(uow, caller, check_in_id)


@routes.get(
    "/check-ins/<uuid:check_in_id>/versions", answer=whole(entry_schemas.CheckInVersionOut), errors=(MissingPermission,)
)
def list_check_in_versions(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> Json:
    """What an entry said before its edits, for its author and teachers."""
    return entries.versions(uow, caller, check_in_id)


@routes.put("/check-ins/<uuid:check_in_id>/like", status=204, limits=REACTING, errors=(Muted, TooNew))
def like_check_in(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Like an entry."""
    discussion.like(uow, caller, check_in_id)


@routes.delete("/check-ins/<uuid:check_in_id>/like", status=204, limits=REACTING)
def unlike_check_in(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Take a like back."""
    discussion.unlike(uow, caller, check_in_id)


@routes.get(
    "/check-ins/<uuid:check_in_id>/comments",
    query=PageArgs,
    answer=page_of(entry_schemas.CheckInCommentOut),
    gate=entry_gate,
)
def list_check_in_comments(uow: UnitOfWork, caller: Caller, check_in_id: UUID, query: Json) -> Json:
    """Comments on an entry, oldest first."""
    return entries.comments(uow, caller, check_in_id, **query)


@routes.post(
    "/check-ins/<uuid:check_in_id>/comments",
    body=entry_schemas.CheckInCommentIn,
    answer=entry_schemas.CheckInCommentOut,
    status=201,
    limits=COMMENTING,
    errors=(Muted, TooNew),
)
def comment_check_in(uow: UnitOfWork, caller: Caller, check_in_id: UUID, body: Json) -> Json:
    """Comment on an entry."""
    return entries.comment(uow, discussion.comment(uow, caller, check_in_id, **body))


@routes.delete("/check-in-comments/<uuid:comment_id>", status=204, errors=(MissingPermission,))
def remove_check_in_comment(uow: UnitOfWork, caller: Caller, comment_id: UUID) -> None:
    """Take a comment back, or as a moderator take it down."""
    discussion.remove_comment(uow, caller, comment_id)


@routes.put(
    "/check-ins/<uuid:check_in_id>/note", body=entry_schemas.CheckInNoteIn, status=204, errors=(MissingPermission,)
)
def put_note(uow: UnitOfWork, caller: Caller, check_in_id: UUID, body: Json) -> None:
    """Write the teacher's note on an entry."""
    discussion.put_note(uow, caller, check_in_id, body=body["body"])


@routes.delete("/check-ins/<uuid:check_in_id>/note", status=204, errors=(MissingPermission,))
def remove_note(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Take the teacher's note away."""
    discussion.put_note(uow, caller, check_in_id, body=None)


@routes.put("/check-ins/<uuid:check_in_id>/pin", status=204, errors=(MissingPermission,))
def pin_check_in(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Pin a good entry."""
    discussion.pin(uow, caller, check_in_id, pinned=True)


@routes.delete("/check-ins/<uuid:check_in_id>/pin", status=204, errors=(MissingPermission,))
def unpin_check_in(uow: UnitOfWork, caller: Caller, check_in_id: UUID) -> None:
    """Unpin an entry."""
    discussion.pin(uow, caller, check_in_id, pinned=False)


@routes.get("/me/certificates", answer=whole(entry_schemas.CertificateOut))
def list_my_certificates(uow: UnitOfWork, caller: Caller) -> Json:
    """Your certificates, the latest first."""
    return {"items": certificates.own_certificates(uow, caller)}


@routes.get("/certificates/<code>", public=True, answer=entry_schemas.CertificateOut, limits=CERTIFICATE)
def get_certificate(uow: UnitOfWork, _caller: Caller | None, code: str) -> Json:
    """Whether a certificate is valid, and what stands on it: for everybody who has its code."""
    return certificates.certificate(uow, code)


@routes.get(
    "/certificates/<code>/<any(pdf, png):form>",
    public=True,
    redirects=True,
    status=302,
    limits=CERTIFICATE,
    errors=(errors.CertificateRevoked, errors.CertificateNotReady),
)
def download_certificate(uow: UnitOfWork, _caller: Caller | None, code: str, form: str) -> str:
    """Get a link of five minutes to the PDF or PNG."""
    return issuing.download_link(uow, code, form)


@routes.post(
    "/certificates/<code>/revoke",
    body=entry_schemas.CertificateRevokeIn,
    answer=entry_schemas.CertificateOut,
    errors=(MissingPermission,),
)
def revoke_certificate(uow: UnitOfWork, caller: Caller, code: str, body: Json) -> Json:
    """Withdraw a certificate for good, as a teacher; its page says so."""
    issuing.revoke(uow, caller, code, **body)
    return certificates.certificate(uow, code)
