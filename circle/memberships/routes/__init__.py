"""HTTP of circles and their members, a family a file."""

from circle.memberships.routes import circles, invitations, members, offers
from circle.web.routes import Routes

ROUTES: tuple[Routes, ...] = (circles.routes, offers.routes, invitations.routes, members.routes)
