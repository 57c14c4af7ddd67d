"""Use cases of billing, a family a file."""
