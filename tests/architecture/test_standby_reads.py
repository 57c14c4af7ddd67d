"""What may be a second old is written down here: lists of feed, search and archive. See docs/decisions/0016."""

import ast
from collections import Counter

from tests.architecture.sources import modules

MAY_LAG = {
    "circle/posts/queries.py": 1,  # the feed
    "circle/posts/question_queries.py": 1,
    "circle/archive/queries.py": 1,  # tags
    "circle/archive/column_queries.py": 2,  # columns, and what is in one
    "circle/archive/shelf_queries.py": 2,  # pins, and where to start
    "circle/archive/resurfacing_queries.py": 3,  # gems, this day, related posts
    "circle/archive/report_queries.py": 4,
    "circle/archive/search/statements.py": 1,
}


def test_only_lists_may_lag() -> None:
    found = Counter(
        str(path)
        for path, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and any(one.arg == "may_lag" for one in node.keywords)
    )

    assert found == MAY_LAG
