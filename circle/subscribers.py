"""Where features meet sideways: event → handlers, outbox topic → deliverer. Nothing else connects two rooms."""

from collections.abc import Callable, Mapping

from circle.accounts.events import AccessRenewed, AvatarChosen, UserDeleted, UserSuspended
from circle.accounts.services import codes, letters
from circle.accounts.services import housekeeping as accounts
from circle.archive import column_queries as archived_columns
from circle.archive import events as archive_events
from circle.archive import queries as archive
from circle.archive import shelf_queries as shelf
from circle.archive.events import PostsImported
from circle.archive.search import indexing as search
from circle.archive.search import misses as search_misses
from circle.archive.services import bookmarking, scoring, showcasing, weekly
from circle.archive.services import export_requests as exports
from circle.billing import events as billing_events
from circle.billing import invariants, oversight
from circle.billing.events import CheckoutExpired, InvoicePaid, InvoiceRefunded
from circle.billing.offer_events import GiftClaimed, PriceChangeAnnounced
from circle.billing.services import coupons, departures, gifts, joining, payouts, subscriptions, upgrading
from circle.checkins import events as camp_events
from circle.checkins import policy as camps
from circle.checkins.invariants import figures_are_derived
from circle.checkins.services import forgetting as checkins_forgetting
from circle.checkins.services import joining as camp_joining
from circle.checkins.services import reminding
from circle.homework import events as homework_events
from circle.homework import queries as homework
from circle.homework.services import forgetting as homework_forgetting
from circle.homework.services import media as homework_media
from circle.kernel import idempotency, outbox
from circle.kernel.checks import Check
from circle.kernel.outbox import Deliver
from circle.kernel.uow import Handlers, UnitOfWork, Units
from circle.media import readiness
from circle.media.events import MediaReady, MediaRejected
from circle.media.models import Purpose
from circle.media.policy import MediaGuard
from circle.media.services import attachments as media_attachments
from circle.media.services import deleting as media
from circle.media.services import quotas
from circle.memberships.events import (
    CircleTransferred,
    MemberActivated,
    MemberApproved,
    MemberExpired,
    MemberLeft,
    MemberRemoved,
)
from circle.memberships.services import members
from circle.notifications import deliverers
from circle.notifications.services import archive as archive_notices
from circle.notifications.services import camps as camp_notices
from circle.notifications.services import discussion, hooks, inbox, sending
from circle.notifications.services import homework as homework_notices
from circle.notifications.services import housekeeping as notices
from circle.notifications.services import offers as offer_notices
from circle.notifications.services import payouts as payout_notices
from circle.notifications.services import renewals as billing_notices
from circle.posts import discussion_events, discussion_queries
from circle.posts import events as posts_events
from circle.posts import queries as posts
from circle.posts.services import attachments, comments, questions
from circle.posts.services import forgetting as posts_forgetting
from circle.posts.services.changes import ItemCards

HANDLERS: Handlers = {
    AccessRenewed: (hooks.on_access_renewed,),
    AvatarChosen: (media_attachments.on_avatar_chosen,),
    UserDeleted: (
        members.forget_person,
        departures.on_user_deleted,
        media.forget_person,
        inbox.forget_person,
        posts_forgetting.forget_person,
        checkins_forgetting.forget_person,
        bookmarking.forget_person,
        homework_forgetting.forget_person,
    ),
    UserSuspended: (departures.on_user_suspended,),
    MediaReady: (attachments.on_media_settled, search.on_media_ready),
    MediaRejected: (attachments.on_media_settled,),
    CircleTransferred: (subscriptions.on_circle_transferred, payouts.on_circle_transferred),
    billing_events.RenewalsAnnounced: (billing_notices.on_renewals_announced,),
    billing_events.RenewalsUnpaid: (billing_notices.on_renewals_unpaid,),
    billing_events.RenewalsFailed: (billing_notices.on_renewals_failed,),
    billing_events.GraceEnding: (billing_notices.on_grace_ending,),
    billing_events.SubscriptionsEnded: (billing_notices.on_subscriptions_ended,),
    InvoicePaid: (questions.on_invoice_paid,),
    InvoiceRefunded: (questions.on_invoice_refunded, upgrading.on_invoice_refunded, gifts.on_invoice_refunded),
    CheckoutExpired: (coupons.on_checkout_expired,),
    GiftClaimed: (offer_notices.on_gift_claimed,),
    PriceChangeAnnounced: (offer_notices.on_price_change_announced,),
    posts_events.PostPublished: (questions.on_post_published, search.on_post_published),
    posts_events.PostEdited: (search.on_post_edited,),
    posts_events.PostReturned: (search.on_post_returned,),
    posts_events.PostPurged: (search.on_post_purged,),
    PostsImported: (search.on_posts_imported, scoring.on_imported),
    archive_events.PostMarkedDigest: (scoring.on_digest,),
    archive_events.PostUnmarkedDigest: (scoring.on_digest,),
    archive_events.PostKept: (scoring.on_engagement,),
    archive_events.PostDropped: (scoring.on_engagement,),
    archive_events.WeekMissed: (archive_notices.on_week_missed,),
    discussion_events.EngagementChanged: (scoring.on_engagement,),
    discussion_events.CommentPosted: (discussion.on_comment_posted, search.on_comment_posted),
    discussion_events.CommentChanged: (search.on_comment_changed,),
    discussion_events.CommentTrashed: (search.on_comment_changed,),
    discussion_events.MemberMentioned: (discussion.on_member_mentioned,),
    discussion_events.QuestionAsked: (discussion.on_question_asked,),
    discussion_events.QuestionAnswered: (discussion.on_question_answered, search.on_question_answered),
    discussion_events.AnswerEdited: (search.on_answer_edited,),
    discussion_events.QuestionRefunded: (discussion.on_question_refunded,),
    discussion_events.ReportResolved: (discussion.on_report_resolved,),
    discussion_events.AuthorWarned: (discussion.on_author_warned,),
    homework_events.HomeworkDueSoon: (homework_notices.on_due_soon,),
    homework_events.HomeworkOverdue: (homework_notices.on_overdue,),
    homework_events.HomeworkNudged: (homework_notices.on_nudged,),
    homework_events.WorkHandedIn: (search.on_work_handed_in,),
    homework_events.WorkReviewed: (homework_notices.on_work_reviewed,),
    homework_events.ScoresReleased: (homework_notices.on_scores_released,),
    homework_events.ExtensionGranted: (homework_notices.on_extension_granted,),
    homework_events.PeerReviewsAsked: (homework_notices.on_peer_reviews_asked,),
    homework_events.PeerReviewDueSoon: (homework_notices.on_peer_review_due_soon,),
    homework_events.PeerReviewsMissed: (homework_notices.on_peer_reviews_missed,),
    homework_events.WorkShowcased: (showcasing.on_work_showcased,),
    billing_events.PayoutSettled: (payout_notices.on_payout_settled,),
    MemberApproved: (joining.on_member_approved,),
    MemberActivated: (camp_joining.on_member_activated,),
    MemberExpired: (camp_joining.on_member_gone,),
    MemberLeft: (departures.on_member_left, camp_joining.on_member_gone),
    MemberRemoved: (departures.on_member_removed, camp_joining.on_member_gone),
    camp_events.WindowClosing: (camp_notices.on_window_closing,),
    camp_events.MembersAtRisk: (camp_notices.on_members_at_risk,),
    camp_events.MembersNudged: (camp_notices.on_members_nudged,),
    camp_events.CampCompleted: (camp_notices.on_camp_completed,),
    camp_events.CertificateWithdrawn: (camp_notices.on_certificate_withdrawn,),
    camp_events.CheckInCommented: (camp_notices.on_check_in_commented,),
    camp_events.CheckInNoted: (camp_notices.on_check_in_noted,),
}

DELIVERERS: Mapping[str, Deliver] = {
    codes.TOPIC: deliverers.deliver_code,
    letters.TOPIC: deliverers.deliver_account_letter,
    sending.EMAIL_TOPIC: deliverers.deliver_email,
}
# What leaves for addresses that strangers named: relayed apart, where a slow one holds up no mail.
HOOK_DELIVERERS: Mapping[str, Deliver] = {sending.HOOK_TOPIC: deliverers.deliver_hook}

# Who may read what an object is attached to, by its purpose.
MEDIA_GUARDS: Mapping[Purpose, MediaGuard] = {
    Purpose.POST: attachments.may_fetch,
    Purpose.CHECK_IN: camps.may_read_attachment,
    Purpose.ASSIGNMENT: homework_media.may_fetch,
    Purpose.SUBMISSION: homework_media.may_fetch,
    Purpose.REVIEW: homework_media.may_fetch,
}

# What offline clients mirror: how each kind of item in the change log is shown.
SYNCED: Mapping[str, ItemCards] = {
    "post": posts.cards,
    "tag": archive.tag_cards,
    "column": archived_columns.column_cards,
    "pins": shelf.pin_lists,
    "start_here": shelf.start_lists,
    "comment": discussion_queries.cards,
    "assignment": homework.cards,
}

# Run every hour by `workers.housekeeping`, each in its own transaction; each returns how many rows it deleted.
HOUSEKEEPING: tuple[Callable[[UnitOfWork], int], ...] = (
    idempotency.forget_old,
    outbox.forget_old,
    accounts.forget_used_codes,
    accounts.forget_ended_sessions,
    notices.forget_old_notices,
    notices.forget_old_mail,
    hooks.forget_old_deliveries,
    reminding.forget_old_reminders,
    comments.forget_trashed,
    search_misses.forget_old_misses,
    weekly.forget_old,
    exports.forget_old,
)

# What else must answer for `/readyz`, what else `circle doctor` asks, what else `circle release` prepares.
READY: tuple[Check, ...] = (readiness.STORAGE_READY,)
DOCTOR: tuple[Check, ...] = (
    Check("the money adds up", invariants.money_adds_up),
    Check("automatic charges are not stopped", oversight.breaker_is_closed),
    Check("this database charges for this site", oversight.installation_is_original),
    Check("the providers' books and ours agree", oversight.books_agree),
    Check("the space of circles is counted rightly", quotas.storage_adds_up),
    Check("streaks and totals follow from the days", figures_are_derived),
    readiness.STORAGE_DOCTOR,
)
RELEASE: tuple[Callable[[Units], None], ...] = (readiness.make_bucket,)
