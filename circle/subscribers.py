"""Where features meet sideways: event → handlers, outbox topic → deliverer. Nothing else connects two rooms."""

from collections.abc import Mapping

from circle.kernel.outbox import Deliver
from circle.kernel.uow import Handlers

HANDLERS: Handlers = {}

DELIVERERS: Mapping[str, Deliver] = {}
