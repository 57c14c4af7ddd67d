"""HTTP of tiers and prices."""

from uuid import UUID

from circle.circles import errors, schemas
from circle.kernel.caller import Caller
from circle.kernel.db import Json
from circle.kernel.uow import UnitOfWork
from circle.memberships import pages
from circle.memberships.errors import MEMBERS_ONLY, MissingPermission
from circle.memberships.gates import standing_gate
from circle.memberships.services import offers
from circle.web.pagination import whole
from circle.web.routes import Routes

routes = Routes("offers", "What a circle sells: tiers and prices.", errors=MEMBERS_ONLY)


@routes.get(
    "/circles/<uuid:circle_id>/tiers",
    public=True,
    answer=whole(schemas.TierOut),
    hot=True,
    gate=standing_gate("circle_id"),
)
def list_tiers(uow: UnitOfWork, caller: Caller | None, circle_id: UUID) -> Json:
    """The tiers of a circle by rank, with the prices on offer."""
    return pages.tiers(uow, caller, circle_id)


@routes.post(
    "/circles/<uuid:circle_id>/tiers",
    body=schemas.TierIn,
    answer=schemas.TierOut,
    status=201,
    errors=(errors.RankTaken, errors.TooManyTiers, MissingPermission),
)
def add_tier(uow: UnitOfWork, caller: Caller, circle_id: UUID, body: Json) -> Json:
    """Add a tier; a higher rank sees all that lower ranks see."""
    return pages.tier(uow, offers.add_tier(uow, caller, circle_id, **body))


@routes.patch(
    "/tiers/<uuid:tier_id>",
    body=schemas.TierPatch,
    answer=schemas.TierOut,
    versioned=True,
    errors=(errors.SeatsInUse, MissingPermission),
)
def edit_tier(uow: UnitOfWork, caller: Caller, tier_id: UUID, body: Json, version: int | None) -> Json:
    """Rename, cap or archive a tier; members keep what they have."""
    return pages.tier(uow, offers.edit_tier(uow, caller, tier_id, version=version, **body))


@routes.post(
    "/tiers/<uuid:tier_id>/prices",
    body=schemas.PriceIn,
    answer=schemas.PriceOut,
    status=201,
    errors=(errors.TierArchived, errors.TooManyPrices, MissingPermission),
)
def add_price(uow: UnitOfWork, caller: Caller, tier_id: UUID, body: Json) -> Json:
    """Offer a tier at a price; a price is never changed, only archived."""
    return pages.price(uow, offers.add_price(uow, caller, tier_id, **body))


@routes.delete("/prices/<uuid:price_id>", status=204, errors=(MissingPermission,))
def archive_price(uow: UnitOfWork, caller: Caller, price_id: UUID) -> None:
    """Take a price off the table; whoever has it keeps it."""
    offers.archive_price(uow, caller, price_id)
