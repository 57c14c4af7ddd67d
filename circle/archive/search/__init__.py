"""Search: found by pairs of characters, ranked by words. See docs/decisions/0010-search.md."""
