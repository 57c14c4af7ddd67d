"""The statement of a search: find by pairs, keep what the reader may see, rank, and bring the cards along.

For each circle of the reader the index gives the documents that have all pairs; they are ordered by time and checked
one by one against the live rows until there are enough. "Newest" shows them so. "Relevance" ranks the newest and,
apart, the newest by title: that is why a common word costs no more than a rare one.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Float,
    FromClause,
    Integer,
    Select,
    Text,
    Uuid,
    and_,
    bindparam,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    tuple_,
    union_all,
)
from sqlalchemy.dialects.postgresql import ARRAY, TSQUERY, distinct_on
from sqlalchemy.orm import aliased

from circle.accounts.models import User
from circle.archive.search.filters import FILTERS, is_there
from circle.archive.search.models import Found, SearchDocument
from circle.archive.search.readers import in_each, readers
from circle.homework.models import Assignment, Submission, Work
from circle.kernel.db import Query, constant
from circle.media.models import Media
from circle.memberships.models import Membership
from circle.posts.cards import select_cards
from circle.posts.models import Answer, Comment, CommentStatus, Post
from circle.posts.policy import IS_PUBLISHED, Required, unlocked

# Candidates that are ranked, over all circles and at least of each.
RANKED, RANKED_AT_LEAST = 400, 20
# Documents of a circle among which a single character is looked for: the index knows pairs.
SCANNED = 2_000
# Characters of a text that are fetched around a hit, besides what folding may have moved it by.
BEFORE, AFTER = 60, 240

# The score, in millionths: what stands in the title counts most, then headings, words before parts of words, digest.
_TITLE, _HEADINGS, _WORDS, _WHOLE_TITLE, _DIGEST, _OF_POST = 1.5, 1.0, 2.0, 1.0, 0.1, 0.1
_MILLION = 1_000_000
# ts_rank_cd counts every occurrence. 1: divided by 1 + the logarithm of the length; 32: brought between 0 and 1.
_SATURATED = 1 | 32

Writer = aliased(User, name="writer")
WriterMembership = aliased(Membership, name="writer_membership")
_ALSO = (
    "hit_subject_id",
    "hit_kind",
    "hit_author_id",
    "hit_author_name",
    "hit_author_avatar",
    "hit_shown_at",
    "hit_score",
    "hit_text",
    "hit_cut",
    "hit_title",
    "hit_assignment_id",
)
_HITS = ("subject_id", "kind", "circle_id", "post_id", "author_id", "shown_at")
_INSTANT = DateTime(timezone=True)


@dataclass(frozen=True)
class Shape:
    """What makes one search another statement: built once, prepared once a connection."""

    newest: bool
    filters: frozenset[str]
    needles: bool
    phrases: bool
    single: bool
    limit: int
    # Of each circle.
    ranked: int


def _param(name: str, kind: Any) -> Any:
    return bindparam(name, type_=kind)


def _each_of(name: str) -> Any:
    """Select the elements of an array whose length the planner does not see: see `readers`."""
    return func.unnest(select(_param(name, ARRAY(Text()))).scalar_subquery())


def _number(number: int) -> Any:
    # The planner must know that few rows are wanted, or it reads and sorts a tenth of the table.
    return literal_column(str(number))


@cache
def search_statement(shape: Shape) -> Query:
    return Query(lambda: _select(shape), may_lag=True)


def _select(shape: Shape) -> Select[*tuple[Any, ...]]:
    each = readers()
    # OFFSET 0: the score is reckoned once a row, and not once more for the cursor.
    hits = (_newest if shape.newest else _ranked)(shape, each).offset(_number(0)).subquery("hits")
    place = (hits.c.score, hits.c.shown_at, hits.c.subject_id)
    page = (
        select(hits)
        .where(tuple_(*place) < tuple_(_param("score", BigInteger()), *_after()))
        .order_by(*(column.desc() for column in place))
        .limit(_number(shape.limit))
    )
    return _with_cards(page.cte("hit").prefix_with("MATERIALIZED"))


def _after() -> tuple[Any, Any]:
    return _param("shown_at", _INSTANT), _param("subject_id", Uuid())


def _newest(shape: Shape, each: FromClause) -> Select[*tuple[Any, ...]]:
    found = _seen(shape, each, limit=shape.limit).lateral("found")
    return select(found, literal(0, BigInteger()).label("score")).select_from(each.join(found, true()))


def _ranked(shape: Shape, each: FromClause) -> Select[*tuple[Any, ...]]:
    """Select the newest of each circle, and the newest by title, with their scores."""
    some: Any = _seen(shape, each, limit=shape.ranked)
    if not shape.single:
        by_title = _seen(shape, each, limit=shape.ranked, by_title=True)
        both = union_all(select(some.lateral("newest")), select(by_title.lateral("by_title"))).subquery("both")
        some = select(both).ext(distinct_on(both.c.subject_id)).order_by(both.c.subject_id)
    found = some.lateral("found")
    score = cast(_score(found.c) * _MILLION, BigInteger()).label("score")
    return select(*(found.c[name] for name in _HITS), score).select_from(each.join(found, true()))


def _score(found: Any) -> Any:
    in_title = _share_in(found.title)
    in_headings = _share_in(func.concat(found.title, literal_column("' '"), found.headings))
    weights: Any = literal_column("'{0.1, 0.2, 0.4, 1.0}'::real[]")
    query = cast(_param("words", Text()), TSQUERY())
    words = func.ts_rank_cd(weights, found.words, query, _number(_SATURATED), type_=Float())
    return (
        _WORDS * func.coalesce(words, 0.0)
        + _TITLE * in_title
        + _HEADINGS * in_headings
        + case((found.title == _param("whole", Text()), _WHOLE_TITLE), else_=0.0)
        + case((found.is_digest, _DIGEST), else_=0.0)
        + case((found.kind.in_([constant(Found.POST), constant(Found.ANSWER)]), _OF_POST), else_=0.0)
    )


def _share_in(text: Any) -> Any:
    """Select the share of the words that stand in a text."""
    term = _each_of("everything").column_valued("term")
    share = select(func.avg(case((func.strpos(text, term) > 0, 1.0), else_=0.0))).scalar_subquery()
    return cast(share, Float())


def _seen(shape: Shape, each: FromClause, *, limit: int, by_title: bool = False) -> Select[*tuple[Any, ...]]:
    """Select the newest documents of a circle that hold what is asked for and that the reader may see.

    One after the other until there are enough: a post is looked up in a LATERAL, which no planner hashes or sorts.
    """
    matched = _matched(shape, each, by_title=by_title)
    found = matched.c
    rules = [FILTERS[name](found, each) for name in sorted(shape.filters)]
    one = select(literal_column("1").label("one")).subquery("one")
    shown = (
        select(Post.digest_at.is_not(None).label("is_digest"))
        .select_from(one.outerjoin(Post, Post.id == found.post_id))
        .correlate(matched, each)
        .where(_visible(found, each), *rules)
        .offset(_number(0))
        .lateral("shown")
    )
    proofs = [] if shape.single else _proofs(shape, found)
    if by_title:
        proofs.append(_stands(found.title, "everything"))
    return (
        select(*(found[name] for name in (*_HITS, *_weighed(shape))), shown.c.is_digest)
        .select_from(matched.join(shown, true()))
        .correlate(each)
        .where(*proofs)
        .order_by(found.shown_at.desc(), found.subject_id.desc())
        .limit(_number(limit))
    )


def _matched(shape: Shape, each: FromClause, *, by_title: bool) -> Any:
    """Select the documents of one circle that hold all pairs asked for, newest first, behind a fence.

    Only the index of pairs may find them: `IS TRUE` keeps the one by time out, which would read the whole circle. Texts
    come along as they are stored, and are read when their turn comes.
    """
    document = aliased(SearchDocument, name="document")
    keys = _param("title_pairs" if by_title else "pairs", ARRAY(Integer()))
    here = document.circle_id == each.c.circle_id
    names = (*_HITS, *dict.fromkeys((*_weighed(shape), "title", "text")))
    some = select(*(getattr(document, name) for name in names)).correlate(each)
    if shape.newest and not shape.single:
        some = some.where((tuple_(document.shown_at, document.subject_id) < tuple_(*_after())).is_(True))
    some = some.order_by(document.shown_at.desc(), document.subject_id.desc())
    if shape.single:
        # The newest of the circle, whatever they hold, are read for what the index does not know.
        some = some.where(here)
        if shape.newest:
            some = some.where(tuple_(document.shown_at, document.subject_id) < tuple_(*_after()))
        some = some.limit(_number(SCANNED))
        newest = some.lateral("newest")
        return select(*newest.c).where(*_proofs(shape, newest.c)).lateral("matched")
    terms = func.array_append(keys, each.c.circle_key, type_=ARRAY(Integer()))
    return some.where(document.terms.contains(terms), here.is_(True)).offset(_number(0)).lateral("matched")


def _weighed(shape: Shape) -> tuple[str, ...]:
    """Return what the score is made of: stored aside, and read of those alone that are ranked."""
    return () if shape.newest else ("title", "headings", "words")


def _proofs(shape: Shape, document: Any) -> list[Any]:
    """What pairs can't prove is looked up in the text: longer words, single characters, phrases."""
    proofs = []
    if shape.needles:
        proofs.append(_stand_together(document))
    if shape.phrases:
        pattern = _each_of("phrases").column_valued("pattern")
        found = or_(document.title.op("~")(pattern), document.text.op("~")(pattern))
        proofs.append(select(func.bool_and(found)).scalar_subquery())
    return proofs


def _stands(text: Any, name: str) -> Any:
    """Tell whether all words of an array stand in a text."""
    word = _each_of(name).column_valued("word")
    return select(func.bool_and(func.strpos(text, word) > 0)).scalar_subquery()


def _stand_together(document: Any) -> Any:
    """Tell whether each word stands in title or text."""
    word = _each_of("needles").column_valued("word")
    either = or_(func.strpos(document.text, word) > 0, func.strpos(document.title, word) > 0)
    return select(func.bool_and(either)).scalar_subquery()


def _visible(found: Any, each: FromClause) -> Any:
    """Tell whether the reader may open what a document was made of, as it is now."""
    comment = select(Comment.id).where(
        Comment.id == found.subject_id, Comment.status == constant(CommentStatus.PUBLISHED)
    )
    of_post = and_(
        Post.id.is_not(None),
        IS_PUBLISHED,
        in_each(unlocked(_rank_of_post()), each),
        or_(found.kind != constant(Found.COMMENT), is_there(comment.correlate_except(Comment))),
    )
    own = and_(found.author_id == _param("reader_id", Uuid()), each.c.keeps_own_work)
    work = is_there(
        select(Work.id)
        .select_from(Submission)
        .join(Work, and_(Work.id == Submission.work_id, Work.submission_id == Submission.id))
        .join(Assignment, Assignment.id == Work.assignment_id)
        .where(Submission.id == found.subject_id, Assignment.deleted_at.is_(None))
        .correlate_except(Submission, Work, Assignment)
    )
    of_homework = and_(found.kind == constant(Found.SUBMISSION), or_(own, each.c.teaches), work)
    return or_(of_post, of_homework)


def _rank_of_post() -> Any:
    """Select the rank of the tier that a post is for; a join might read all tiers for each post."""
    rank = select(Required.rank).where(Required.id == Post.access_tier_id).correlate(Post).scalar_subquery()
    return func.coalesce(rank, 0)


def _with_cards(hit: Any) -> Select[*tuple[Any, ...]]:
    """Select hits in their order, with the cards of their posts and what a snippet is cut from."""
    document = aliased(SearchDocument, name="document")
    names: dict[str, Any] = {column.key: column for column in Post.__table__.columns}
    names["circle_id"], names["author_id"] = hit.c.circle_id, func.coalesce(Post.author_id, hit.c.author_id)
    at = func.strpos(document.text, _param("landmark", Text()))
    begins = func.greatest(at - document.gained - _number(BEFORE), 1)
    window = func.substr(_original(hit, document), begins, document.gained + document.lost + _number(BEFORE + AFTER))
    chosen = (
        select(
            *(column.label(name) for name, column in names.items()),
            Required.name.label("required_name"),
            Required.rank.label("required_rank"),
            func.coalesce(IS_PUBLISHED, false()).label("unlocked"),
            *(hit.c[name].label(f"hit_{name}") for name in ("subject_id", "kind", "author_id", "shown_at", "score")),
            window.label("hit_text"),
            (begins > 1).label("hit_cut"),
            _title(hit).label("hit_title"),
            _assignment_of(hit, Assignment.id).label("hit_assignment_id"),
            _writer_name().label("hit_author_name"),
            Writer.avatar_media_id.label("hit_author_avatar"),
        )
        .select_from(hit)
        .join(document, document.subject_id == hit.c.subject_id)
        .join(Writer, Writer.id == hit.c.author_id)
        .outerjoin(
            WriterMembership,
            and_(WriterMembership.circle_id == hit.c.circle_id, WriterMembership.user_id == hit.c.author_id),
        )
        .outerjoin(Post, Post.id == hit.c.post_id)
        .outerjoin(Required, Required.id == Post.access_tier_id)
    )
    cards = select_cards(chosen, also=_ALSO)
    page = cards.selected_columns
    return cards.order_by(page.hit_score.desc(), page.hit_shown_at.desc(), page.hit_subject_id.desc())


def _original(hit: Any, document: Any) -> Any:
    """Select what was folded, as it stands in its own row (`documents`)."""

    def of(column: Any) -> Any:
        table = column.class_
        return select(column).where(table.id == hit.c.subject_id).scalar_subquery()

    return case(
        (hit.c.kind == constant(Found.POST), func.concat(Post.body, "\n", Post.excerpt)),
        (hit.c.kind == constant(Found.ANSWER), of(Answer.body)),
        (hit.c.kind == constant(Found.COMMENT), of(Comment.body)),
        (hit.c.kind == constant(Found.SUBMISSION), of(Submission.body)),
        else_=document.content,
    )


def _title(hit: Any) -> Any:
    filename = select(Media.filename).where(Media.id == hit.c.subject_id).scalar_subquery()
    return case(
        (hit.c.kind == constant(Found.POST), Post.title),
        (hit.c.kind == constant(Found.FILE), filename),
        (hit.c.kind == constant(Found.SUBMISSION), _assignment_of(hit, Assignment.title)),
        else_=literal_column("''"),
    )


def _assignment_of(hit: Any, column: Any) -> Any:
    of_work = select(column).join(Submission, Submission.assignment_id == Assignment.id)
    return of_work.where(Submission.id == hit.c.subject_id).scalar_subquery()


def _writer_name() -> Any:
    alias = case((Writer.deleted_at.is_(None), func.nullif(WriterMembership.alias, literal_column("''"))), else_=null())
    return func.coalesce(alias, Writer.display_name)
