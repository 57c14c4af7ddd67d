"""Refusals of search."""

from circle.kernel.errors import Invalid, Unavailable
from circle.kernel.text import Text


class TooManyTerms(Invalid):
    code = "too_many_terms"
    text = Text("一次最多搜索 {most} 个词。", "A search takes at most {most} words.")


class SearchTooBroad(Unavailable):
    """It took longer than a statement may: fewer results are asked for by more words or filters."""

    code = "search_too_broad"
    text = Text("这次搜索范围太大，请加词或缩小范围。", "This search is too broad; add words or filters.")
