"""Use cases of memberships, a family a file."""
