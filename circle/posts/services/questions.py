"""Questions: asking, paying, answering, and the money back for what was not answered in time.

An anonymous asker is known to themselves and, so that abuse can be dealt with, to the owner; to nobody else.
Experts (owner, partners, admins, guests) ask for nothing: a circle does not sell to those who run it.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from circle.billing.events import InvoicePaid, InvoiceRefunded
from circle.billing.models import Checkout, Invoice
from circle.billing.services.charges import invoice_for, start_charge
from circle.billing.services.locks import lock_invoice
from circle.billing.services.refunds import request_refund
from circle.circles.models import Circle
from circle.kernel import changes
from circle.kernel.caller import Caller
from circle.kernel.errors import Invalid, NotFound
from circle.kernel.money import Money
from circle.kernel.state import WrongState
from circle.kernel.uow import UnitOfWork
from circle.memberships.models import Membership, Status
from circle.memberships.permissions import Permission, allows
from circle.memberships.policy import Standing, require_voice
from circle.posts.discussion_errors import AnonymousNotAllowed, NotAQuestion
from circle.posts.discussion_events import QuestionAsked, QuestionRefunded
from circle.posts.errors import NotTheAuthor
from circle.posts.events import PostPublished
from circle.posts.models import QUESTION_STATUS, Kind, Post, PostStatus, Question, QuestionStatus
from circle.posts.policy import lock_post
from circle.posts.services.composing import compose
from circle.posts.services.publishing import hold, keep_draft, move, publish, put_out, words_hold
from circle.posts.services.words import check_words

# The kind of charge that billing announces as paid.
CHARGE = "question"
ANSWER_WITHIN = timedelta(hours=72)
REASON = "not answered in time"
# Questions that one run of the job takes; it runs again while there are more.
BATCH = 100


def ask_question(
    uow: UnitOfWork,
    caller: Caller,
    circle_id: UUID,
    *,
    asked_id: UUID | None = None,
    anonymous: bool = False,
    amount: int | None = None,
    tags: Sequence[str] = (),
    **content: Any,
) -> Post:
    """Ask the owner, a partner or a guest. `content` is what `compose` takes; a paid question waits for its checkout.

    Errors: those of `require_voice`, AnonymousNotAllowed, Invalid (whom, how much, a blocked word).
    """
    standing = require_voice(uow, caller, circle_id)
    circle = uow.session.get_one(Circle, circle_id)
    if anonymous and not circle.anonymous_questions:
        raise AnonymousNotAllowed
    asked_id = _require_asked(uow, circle, caller, asked_id)
    price = _require_amount(circle, standing, amount)
    post = compose(uow, caller, standing, kind=Kind.QUESTION, anonymous=anonymous, **content)
    keep_draft(uow, post, tags=tags)
    question = Question(
        post_id=post.id,
        circle_id=circle_id,
        asked_id=asked_id,
        status=QuestionStatus.OPEN if price is None else QuestionStatus.UNPAID,
        amount=price,
        currency=None if price is None else circle.currency,
    )
    uow.session.add(question)
    if price is None:
        put_out(uow, standing, post)
    else:
        words_hold(uow, standing, post)
        move(post, PostStatus.UNPAID)
        uow.session.flush()
        _charge(uow, standing, question)
    return post


def _require_asked(uow: UnitOfWork, circle: Circle, caller: Caller, asked_id: UUID | None) -> UUID:
    asked_id = asked_id or circle.owner_id
    if asked_id == caller.user_id:
        raise Invalid.field("asked_id", "asked_self", "不能向自己提问。", "You can't ask yourself.")
    role = uow.session.scalar(
        select(Membership.role).where(
            Membership.circle_id == circle.id, Membership.user_id == asked_id, Membership.status == Status.ACTIVE
        )
    )
    if role is None or not allows(role, Permission.ANSWER):
        zh, en = "只能向星主、合伙人或嘉宾提问。", "Only the owner, partners and guests can be asked."
        raise Invalid.field("asked_id", "not_askable", zh, en)
    return asked_id


def _require_amount(circle: Circle, standing: Standing, amount: int | None) -> int | None:
    """Return what the asker pays, in minor units of the circle's currency; None where asking is free."""
    price = None if standing.reads_everything else circle.question_price
    if price is None:
        if amount is not None:
            raise Invalid.field("amount", "free_here", "这里提问免费。", "Asking is free here.")
        return None
    if amount is None or amount < price:
        least = Money(price, circle.currency)
        zh, en = f"提问价格至少为 {least}。", f"A question costs at least {least}."
        raise Invalid.field("amount", "too_little", zh, en)
    return amount


def _charge(uow: UnitOfWork, standing: Standing, question: Question) -> Checkout:
    assert standing.user_id is not None  # noqa: S101 - for the type checker: nobody asks without a membership
    assert standing.membership_id is not None  # noqa: S101
    assert question.amount is not None  # noqa: S101
    assert question.currency is not None  # noqa: S101
    return start_charge(
        uow,
        payer_id=standing.user_id,
        circle_id=question.circle_id,
        membership_id=standing.membership_id,
        kind=CHARGE,
        subject_id=question.post_id,
        amount=question.amount,
        currency=question.currency,
    )


def open_checkout(uow: UnitOfWork, caller: Caller, post_id: UUID) -> Checkout:
    """Return the checkout of one's own unpaid question: a new one if the first has expired. Errors: WrongState."""
    post, _standing = lock_post(uow, caller, post_id)
    if post.author_id != caller.user_id:
        raise NotTheAuthor
    question = require_question(uow, post_id)
    if post.status != PostStatus.UNPAID:
        raise WrongState(state=post.status)
    return _charge(uow, require_voice(uow, caller, post.circle_id), question)


def require_question(uow: UnitOfWork, post_id: UUID) -> Question:
    """Return the question of a post, locked. Errors: NotAQuestion."""
    question = uow.session.get(Question, post_id, with_for_update=True, populate_existing=True)
    if question is None:
        raise NotAQuestion
    return question


def on_invoice_paid(uow: UnitOfWork, paid: InvoicePaid) -> None:
    """Open a question that is paid for now; one that was deleted meanwhile gets its money back."""
    if paid.kind != CHARGE or paid.subject_id is None:
        return
    question = require_question(uow, paid.subject_id)
    if question.status != QuestionStatus.UNPAID:
        return
    post = uow.session.get_one(Post, paid.subject_id, with_for_update=True, populate_existing=True)
    if post.status != PostStatus.UNPAID:
        _refund(uow, question, uow.session.get_one(Invoice, paid.invoice_id), reason="question was deleted")
        return
    question.status = QUESTION_STATUS.require(QuestionStatus.UNPAID, QuestionStatus.OPEN)
    question.due_at = uow.now + ANSWER_WITHIN
    # The words may have changed since it was asked: money is never refused, a moderator looks instead.
    if check_words(uow, post.circle_id, f"{post.title}\n{post.body}") == "pass":
        publish(uow, post)
    else:
        hold(uow, post)


def on_invoice_refunded(uow: UnitOfWork, refunded: InvoiceRefunded) -> None:
    """Close an open question whose money went back by another way."""
    if refunded.kind != CHARGE or refunded.subject_id is None or not refunded.full:
        return
    question = require_question(uow, refunded.subject_id)
    if question.status == QuestionStatus.OPEN:
        _close_refunded(uow, question)


def on_post_published(uow: UnitOfWork, published: PostPublished) -> None:
    """Tell whoever is asked, once members can see the question."""
    if published.kind != Kind.QUESTION:
        return
    question = uow.session.get_one(Question, published.post_id)
    post = uow.session.get_one(Post, published.post_id)
    asker_id = None if post.anonymous else post.author_id
    uow.emit(QuestionAsked(post.circle_id, post.id, question.asked_id, asker_id))


def overdue(uow: UnitOfWork, *, limit: int = BATCH) -> Sequence[UUID]:
    """Return paid questions whose time for an answer is over."""
    due = (
        select(Question.post_id)
        .where(Question.status == QuestionStatus.OPEN, Question.due_at <= uow.now)
        .order_by(Question.due_at)
        .limit(limit)
    )
    return uow.session.scalars(due).all()


def refund_unanswered(uow: UnitOfWork, post_id: UUID) -> bool:
    """Give the money of an overdue question back; tell whether this was the one to do it.

    The invoice is locked before the question, as where money comes: two workers at once refund once.
    """
    invoice = invoice_for(uow, CHARGE, post_id)
    if invoice is None:
        raise NotFound
    invoice = lock_invoice(uow, invoice.id)
    question = require_question(uow, post_id)
    if question.status != QuestionStatus.OPEN or question.due_at is None or question.due_at > uow.now:
        return False
    _refund(uow, question, invoice, reason=REASON)
    return True


def _refund(uow: UnitOfWork, question: Question, invoice: Invoice, *, reason: str) -> None:
    _close_refunded(uow, question)
    if invoice.refundable:
        request_refund(uow, invoice_id=invoice.id, amount=invoice.refundable, reason=reason, actor=None)


def _close_refunded(uow: UnitOfWork, question: Question) -> None:
    question.status = QUESTION_STATUS.require(QuestionStatus(question.status), QuestionStatus.REFUNDED)
    post = uow.session.get_one(Post, question.post_id)
    if post.status == PostStatus.PUBLISHED:
        changes.record(uow, circle_id=post.circle_id, kind="post", item_id=post.id, operation="updated")
    uow.emit(QuestionRefunded(post.circle_id, post.id, post.author_id))
