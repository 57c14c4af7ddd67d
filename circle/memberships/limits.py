"""How often a member may speak: one count for a person, whatever it is that they speak about."""

from circle.web.limits import Limit

COMMENTING = (Limit("commenting", "30/minute"), Limit("commenting", "1000/day"))
REACTING = (Limit("reacting", "120/minute"),)
