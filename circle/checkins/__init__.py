"""Check-in camps: terms, days, streaks, rankings, certificates."""
