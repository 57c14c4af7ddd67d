"""Use cases of homework."""
