"""What the wired application offers to the facade: found in `app.extensions["circle"]`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from flask import Request, current_app, request
from werkzeug.local import LocalProxy

from circle.config import Settings
from circle.kernel.caller import Caller
from circle.kernel.uow import UnitOfWork, Units
from circle.web.limits import Limiter

# Finds whose credential it is, in one statement; gates may fetch along what the route's policy will ask.
Gate = Callable[[UnitOfWork, str, Mapping[str, Any]], Caller | None]


@dataclass(frozen=True)
class System:
    settings: Settings
    units: Units
    limiter: Limiter
    gate: Gate
    # Called after a request whose caller was last seen a while ago.
    seen: Callable[[Units, Caller], None]
    # Called in the unit that a caller writes in, where there is a standby that may not show it at once.
    wrote: Callable[[UnitOfWork, Caller], None] | None = None


def system() -> System:
    return cast("System", current_app.extensions["circle"])


def this_request() -> Request:
    """Return the request itself: whatever is asked of Flask's proxy costs a look-up more."""
    return cast("LocalProxy[Request]", request)._get_current_object()  # noqa: SLF001 - public, by werkzeug's documents
