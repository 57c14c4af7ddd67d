"""Use cases of posts, a family a file."""
