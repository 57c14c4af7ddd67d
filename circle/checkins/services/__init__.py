"""Use cases of camps."""
