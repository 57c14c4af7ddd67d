"""`/feeds/<token>/…`: Atom for feed readers, which send no header. The token is a personal one of scope `feed`."""

from collections.abc import Callable
from uuid import UUID

from flask import Blueprint, Response, abort, request

from circle.accounts.policy import FEED_SCOPE, TOKEN_PREFIX, find_caller
from circle.archive.feeds import ATOM, Feed, circle_feed, column_feed
from circle.kernel.caller import Caller
from circle.kernel.errors import Forbidden, NotFound
from circle.kernel.uow import UnitOfWork
from circle.web.limits import Limit
from circle.web.system import system

_BY_ADDRESS = Limit("feed_address", "600/hour", "ip")
_BY_READER = Limit("feed", "240/hour")

Read = Callable[[UnitOfWork, Caller, UUID, str], Feed]


def feeds_blueprint() -> Blueprint:
    """Serve a circle's and a column's feed; whatever is not to be had is 404 alike, a wrong token too."""
    blueprint = Blueprint("feeds", __name__, url_prefix="/feeds")

    @blueprint.get("/<token>/circles/<uuid:circle_id>.atom")
    def circle(token: str, circle_id: UUID) -> Response:
        return _answer(token, circle_feed, circle_id)

    @blueprint.get("/<token>/columns/<uuid:column_id>.atom")
    def column(token: str, column_id: UUID) -> Response:
        return _answer(token, column_feed, column_id)

    return blueprint


def _answer(token: str, read: Read, subject_id: UUID) -> Response:
    at = system()
    at.limiter.hit(_BY_ADDRESS, request.remote_addr or "")
    caller = _caller(token)
    at.limiter.hit(_BY_READER, str(caller.user_id))
    address = f"{at.settings.site_url.rstrip('/')}{request.path}"
    try:
        with at.units.read() as uow:
            found = read(uow, caller, subject_id, address)
    except (NotFound, Forbidden):
        abort(404)
    if caller.unseen:
        at.seen(at.units, caller)
    response = Response(found.xml, mimetype=ATOM)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex"
    response.last_modified = found.updated_at
    response.add_etag()
    response.make_conditional(request)
    return response


def _caller(token: str) -> Caller:
    """Return whose feed token it is; anything else is 404: a token that opens more is not to stand in an address."""
    caller = None
    if token.startswith(TOKEN_PREFIX) and token.isascii():
        with system().units.read() as uow:
            caller = find_caller(uow, token, {})
    if caller is None or caller.scopes is None or FEED_SCOPE not in caller.scopes:
        abort(404)
    return caller
