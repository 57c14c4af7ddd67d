"""When things happen to a subscription, in days: on one page, with the settings that belong to them."""

from datetime import timedelta

# A charge is announced this much earlier than it has to be, so that an hour's standstill does not put it off.
NOTICE_MARGIN = timedelta(days=1)
# An invoice that the member pays by themselves is opened so long before the term ends, and they are reminded on these
# days, counted from its end.
MANUAL_AHEAD = timedelta(days=14)
REMINDER_DAYS = (-7, -3, -1, 0, 3)
# A declined charge that may go through later is tried again on these days after the first.
RETRY_DAYS = (1, 3, 5, 7)
# How long an automatic renewal that is not paid yet keeps its access.
GRACE = timedelta(days=3)
# How long a renewal may be paid after its day; the last retry falls on its end.
PAST_DUE_FOR = timedelta(days=7)
# The last retry has this long to come to its end before the subscription is given up all the same.
LAST_RETRY_TAKES = timedelta(days=1)
# A charge at the end of a term has this long before the subscription is called past due.
CHARGE_TAKES = timedelta(minutes=5)
