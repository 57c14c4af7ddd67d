"""HTTP of search."""

from circle.archive.search import errors, finding, schemas
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.errors import NotFound
from circle.kernel.uow import UnitOfWork
from circle.memberships.errors import Banned
from circle.memberships.gates import circles_gate
from circle.web.answers import Answer
from circle.web.limits import Limit
from circle.web.pagination import page_of
from circle.web.routes import Routes

routes = Routes("search", "Finding what was written.", gate=circles_gate())

SEARCHING = (Limit("search", "120/minute"),)


@routes.get(
    "/search",
    query=schemas.SearchArgs,
    answer=page_of(schemas.HitOut),
    hot=True,
    limits=SEARCHING,
    errors=(NotFound, Banned, errors.TooManyTerms, errors.SearchTooBroad),
)
def search(uow: UnitOfWork, caller: Caller, query: Json) -> Answer:
    """What you may open that holds all words of `q`: posts, answers, comments, attached files, homework.

    A single character is looked for in the newest texts of a circle only.
    """
    found = finding.search(uow, caller, **query)
    return Answer(found.page, afterwards=found.note)
