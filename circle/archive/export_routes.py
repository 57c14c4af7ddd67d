"""HTTP of exports."""

from uuid import UUID

from circle.archive import errors, export_queries, export_schemas
from circle.archive.services import export_requests
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import MEMBERS_ONLY, Banned, MembershipExpired, MissingPermission, NotAMember
from circle.web.answers import language
from circle.web.limits import Limit
from circle.web.pagination import PageArgs, page_of
from circle.web.routes import Routes

routes = Routes("exports", "Exports: taking along what one may read, or a whole circle.", errors=MEMBERS_ONLY)

EXPORTING = (Limit("export", "10/hour"), Limit("export", "500/hour", "all"))
_TAKING = (Banned, NotAMember, MembershipExpired, MissingPermission)


@routes.post(
    "/circles/<uuid:circle_id>/exports",
    body=export_schemas.ExportIn,
    answer=export_schemas.ExportPageOut,
    status=202,
    limits=EXPORTING,
    errors=(*_TAKING, errors.ExportRunning),
)
def request_export(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Take along what you may read here; a worker builds the file, and `GET /exports/{id}` tells how far it is."""
    wanted = export_requests.request_export(uow, caller, circle_id, **body)
    return export_queries.export_page(uow, caller, wanted, language())


@routes.get("/circles/<uuid:circle_id>/exports", query=PageArgs, answer=page_of(export_schemas.ExportOut))
def list_exports(uow: UnitOfWork, caller: Caller, circle_id: UUID, query: Json) -> Json:
    """Your own exports from a circle, the latest first."""
    return export_queries.exports(uow, caller, circle_id, language(), **query)


@routes.get("/exports/<uuid:export_id>", answer=export_schemas.ExportPageOut, errors=_TAKING)
def get_export(uow: UnitOfWork, caller: Caller, export_id: UUID) -> Json:
    """How far your export is; once it is ready, with a link of five minutes to the file."""
    return export_queries.find_export(uow, caller, export_id, language())
