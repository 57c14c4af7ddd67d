"""Use cases of the archive, a family a file."""
