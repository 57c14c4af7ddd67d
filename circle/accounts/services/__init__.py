"""Use cases of accounts, a family a file."""
