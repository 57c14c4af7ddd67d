"""Notices: the in-app inbox, who wants what on which channel, and how mail and text messages leave."""
