"""Every kind of notice: its sentences in both languages, and who gets it by mail unless they say otherwise.

A new kind is a word in `Kind` and a row in `NOTICES`. `{circle}` is filled by `notify`; the other names in braces
are what its caller passes. Sentences name things, they never quote what somebody may not be allowed to read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from string import Formatter

from circle.kernel.text import Text


class Kind(StrEnum):
    MEMBERSHIP_APPROVED = "membership_approved"
    MEMBERSHIP_REJECTED = "membership_rejected"
    MEMBERSHIP_EXPIRING = "membership_expiring"
    MEMBERSHIP_REMOVED = "membership_removed"
    RENEWAL_COMING = "renewal_coming"
    RENEWAL_OVERDUE = "renewal_overdue"
    RENEWAL_FAILED = "renewal_failed"
    PAYMENT_METHOD_FAILED = "payment_method_failed"
    GRACE_ENDING = "grace_ending"
    SUBSCRIPTION_ENDED = "subscription_ended"
    PAYMENT_SUCCEEDED = "payment_succeeded"
    REFUND_MADE = "refund_made"
    PAYOUT_SENT = "payout_sent"
    PAYOUT_FAILED = "payout_failed"
    GIFT_CLAIMED = "gift_claimed"
    PRICE_RISES = "price_rises"
    PRICE_FALLS = "price_falls"
    QUESTION_RECEIVED = "question_received"
    QUESTION_ANSWERED = "question_answered"
    QUESTION_REFUNDED = "question_refunded"
    COMMENT_RECEIVED = "comment_received"
    MENTION = "mention"
    REPORT_RESOLVED = "report_resolved"
    CAMP_DAY_CLOSING = "camp_day_closing"
    CAMP_AT_RISK = "camp_at_risk"
    CAMP_NUDGE = "camp_nudge"
    CAMP_COMPLETED = "camp_completed"
    CERTIFICATE_REVOKED = "certificate_revoked"
    CHECK_IN_COMMENTED = "check_in_commented"
    CHECK_IN_NOTED = "check_in_noted"
    CONTENT_WARNED = "content_warned"
    SCHEDULED_POST_PUBLISHED = "scheduled_post_published"
    HOMEWORK_DUE = "homework_due"
    HOMEWORK_OVERDUE = "homework_overdue"
    HOMEWORK_REVIEWED = "homework_reviewed"
    HOMEWORK_EXTENDED = "homework_extended"
    PEER_REVIEW_ASKED = "peer_review_asked"
    PEER_REVIEW_DUE = "peer_review_due"
    PEER_REVIEWS_MISSED = "peer_reviews_missed"
    WEEKLY_DIGEST = "weekly_digest"
    WEBHOOK_DISABLED = "webhook_disabled"


@dataclass(frozen=True)
class Notice:
    """`required` kinds are always in the inbox, because something hangs on them: money or access."""

    title: Text
    body: Text
    email: bool = False
    required: bool = False

    @cached_property
    def names(self) -> frozenset[str]:
        """The values that the sentences need."""
        parts = [part for sentence in (*self.title, *self.body) for part in Formatter().parse(sentence)]
        return frozenset(name for _, name, _, _ in parts if name)


NOTICES: Mapping[Kind, Notice] = {
    Kind.MEMBERSHIP_APPROVED: Notice(
        Text("欢迎加入“{circle}”", "Welcome to {circle}"),
        Text("你的加入申请已通过。", "Your request to join was approved."),
        email=True,
        required=True,
    ),
    Kind.MEMBERSHIP_REJECTED: Notice(
        Text("“{circle}”没有通过你的申请", "Your request to join {circle} was declined"),
        Text("星主没有通过你的加入申请，没有扣款。", "The owner declined your request to join; nothing was charged."),
        email=True,
        required=True,
    ),
    Kind.MEMBERSHIP_EXPIRING: Notice(
        Text("“{circle}”的会员将于 {on} 到期", "Your membership of {circle} ends on {on}"),
        Text("到期前续费可以不间断地阅读。", "Renew before then to keep reading without a gap."),
        email=True,
        required=True,
    ),
    Kind.MEMBERSHIP_REMOVED: Notice(
        Text("你已不再是“{circle}”的成员", "You are no longer a member of {circle}"),
        Text("管理者结束了你的成员身份。", "A moderator ended your membership."),
        email=True,
        required=True,
    ),
    Kind.RENEWAL_COMING: Notice(
        Text("“{circle}”将于 {on} 自动续费 {amount}", "{circle} renews on {on} for {amount}"),
        Text(
            "如不需要续费，请在此之前取消订阅，不会扣款。",
            "If you don't want that, cancel before then and nothing is charged.",
        ),
        email=True,
        required=True,
    ),
    Kind.RENEWAL_OVERDUE: Notice(
        Text("“{circle}”的会员已于 {on} 到期", "Your membership of {circle} ended on {on}"),
        Text("续费 {amount} 后即可继续阅读。", "Renew for {amount} to go on reading."),
        email=True,
        required=True,
    ),
    Kind.RENEWAL_FAILED: Notice(
        Text("“{circle}”续费扣款失败：{amount}", "The renewal of {circle} for {amount} did not go through"),
        Text(
            "我们会在几天内重试；你也可以更换支付方式或手动付款。",
            "It is tried again in the next days; you can also change the payment method, or pay by hand.",
        ),
        email=True,
        required=True,
    ),
    Kind.PAYMENT_METHOD_FAILED: Notice(
        Text("“{circle}”无法用现有支付方式续费 {amount}", "Your payment method can't renew {circle} for {amount}"),
        Text("请更换支付方式或手动付款。", "Please change the payment method, or pay by hand."),
        email=True,
        required=True,
    ),
    Kind.GRACE_ENDING: Notice(
        Text("“{circle}”的续费尚未成功，{on} 起将无法阅读", "{circle} has not been renewed: access ends on {on}"),
        Text("请更换支付方式或手动付款。", "Please change the payment method, or pay by hand."),
        email=True,
        required=True,
    ),
    Kind.SUBSCRIPTION_ENDED: Notice(
        Text("“{circle}”的订阅已结束", "Your subscription to {circle} has ended"),
        Text("不会再扣款。想回来时可以重新续费。", "Nothing is charged any more; you can renew whenever you like."),
        email=True,
        required=True,
    ),
    Kind.PAYMENT_SUCCEEDED: Notice(
        Text("已付款 {amount}", "Payment of {amount} received"),
        Text("你对“{circle}”的付款已成功。", "Your payment to {circle} went through."),
        email=True,
        required=True,
    ),
    Kind.REFUND_MADE: Notice(
        Text("已退款 {amount}", "{amount} refunded"),
        Text("“{circle}”的款项已原路退回。", "The money you paid to {circle} goes back the way it came."),
        email=True,
        required=True,
    ),
    Kind.GIFT_CLAIMED: Notice(
        Text("{actor}领取了你的礼物", "{actor} claimed your gift"),
        Text("“{circle}”的会员已送达。", "The membership of {circle} has found its owner."),
        email=True,
    ),
    Kind.PRICE_RISES: Notice(
        Text("“{circle}”的续费价格将调整为 {after}", "Renewing {circle} will cost {after}"),
        Text(
            "现为 {before}，自 {on} 起的新周期按新价格续费。请确认是否同意；不同意则会员在当期结束后终止，不会扣款。",
            "It is {before} now; periods from {on} on cost the new price. Please agree to it: without your consent the"
            " subscription ends with its term, and nothing is charged.",
        ),
        email=True,
        required=True,
    ),
    Kind.PRICE_FALLS: Notice(
        Text("“{circle}”的续费价格将降为 {after}", "Renewing {circle} will cost only {after}"),
        Text(
            "现为 {before}，自 {on} 起的新周期按新价格续费，无需操作。",
            "It is {before} now; periods from {on} on cost the new price. There is nothing to do.",
        ),
        email=True,
        required=True,
    ),
    Kind.PAYOUT_SENT: Notice(
        Text("已提现 {amount}", "Your withdrawal of {amount} was sent"),
        Text("“{circle}”的收入已打款。", "What {circle} earned is on its way to you."),
        email=True,
        required=True,
    ),
    Kind.PAYOUT_FAILED: Notice(
        Text("提现 {amount} 未成功", "Your withdrawal of {amount} was not sent"),
        Text("款项已退回“{circle}”的可提现余额。", "The money is available in {circle} again."),
        email=True,
        required=True,
    ),
    Kind.QUESTION_RECEIVED: Notice(
        Text("{actor}向你提问", "{actor} asked you a question"),
        Text("“{circle}”里有一个等你回答的问题。", "A question in {circle} waits for your answer."),
        email=True,
    ),
    Kind.QUESTION_ANSWERED: Notice(
        Text("{actor}回答了你的问题", "{actor} answered your question"),
        Text("去“{circle}”看看回答。", "Read the answer in {circle}."),
        email=True,
    ),
    Kind.QUESTION_REFUNDED: Notice(
        Text("你的提问未在期限内得到回答", "Your question was not answered in time"),
        Text("“{circle}”的提问费用将原路退回。", "What you paid in {circle} goes back the way it came."),
        email=True,
        required=True,
    ),
    Kind.COMMENT_RECEIVED: Notice(
        Text("{actor}评论了你", "{actor} commented on what you wrote"),
        Text("在“{circle}”里。", "In {circle}."),
    ),
    Kind.MENTION: Notice(
        Text("{actor}提到了你", "{actor} mentioned you"),
        Text("在“{circle}”里。", "In {circle}."),
    ),
    Kind.CAMP_DAY_CLOSING: Notice(
        Text("“{camp}”今天的打卡 {closes_at} 截止", "Today's check-in of {camp} closes at {closes_at}"),
        Text("“{circle}”里你今天还没打卡。", "You have not checked in today in {circle}."),
        email=True,
    ),
    Kind.CAMP_AT_RISK: Notice(
        Text("“{camp}”在等你回来", "{camp} is waiting for you"),
        Text(
            "最近三天你有两天没有打卡；如果还有补卡机会，可以补上。",
            "You missed two of the last three days; a make-up card, if you have one left, can repair them.",
        ),
        email=True,
    ),
    Kind.CAMP_NUDGE: Notice(
        Text("{actor}提醒你打卡", "{actor} asks you to check in"),
        Text("“{circle}”的“{camp}”在等你回来。", "{camp} in {circle} is waiting for you."),
        email=True,
    ),
    Kind.CAMP_COMPLETED: Notice(
        Text("恭喜完成“{camp}”", "You completed {camp}"),
        Text("坚持打卡 {days} 天，证书已颁发。", "{days} days done; your certificate has been issued."),
        email=True,
    ),
    Kind.CERTIFICATE_REVOKED: Notice(
        Text("“{camp}”的证书已被撤销", "Your certificate of {camp} was revoked"),
        Text("“{circle}”的老师撤销了你的证书。", "A teacher of {circle} revoked your certificate."),
        email=True,
    ),
    Kind.CHECK_IN_COMMENTED: Notice(
        Text("{actor}评论了你的打卡", "{actor} commented on your check-in"),
        Text("在“{circle}”的“{camp}”里。", "In {camp} of {circle}."),
    ),
    Kind.CHECK_IN_NOTED: Notice(
        Text("{actor}点评了你的打卡", "{actor} wrote a note on your check-in"),
        Text("在“{circle}”的“{camp}”里。", "In {camp} of {circle}."),
    ),
    Kind.REPORT_RESOLVED: Notice(
        Text("你的举报已处理", "Your report was dealt with"),
        Text("“{circle}”的管理者已处理你举报的内容。", "The moderators of {circle} dealt with what you reported."),
    ),
    Kind.CONTENT_WARNED: Notice(
        Text("你发布的内容受到提醒", "What you wrote was found against the rules"),
        Text("“{circle}”的管理者认为它违反规则，请留意。", "The moderators of {circle} ask you to keep to them."),
        required=True,
    ),
    Kind.SCHEDULED_POST_PUBLISHED: Notice(
        Text("定时主题已发布", "Your scheduled post is out"),
        Text("“{title}”已发布到“{circle}”。", "'{title}' was published in {circle}."),
    ),
    Kind.HOMEWORK_DUE: Notice(
        Text("作业“{title}”还没有交", "You have yet to hand in '{title}'"),
        Text("截止时间 {due}，在“{circle}”提交。", "It is due {due}; hand it in at {circle}."),
        email=True,
    ),
    Kind.HOMEWORK_OVERDUE: Notice(
        Text("作业“{title}”已过截止时间", "'{title}' was due"),
        Text("截止时间是 {due}，“{circle}”没有按时收到。", "It was due {due}; {circle} did not get it in time."),
        email=True,
    ),
    Kind.HOMEWORK_REVIEWED: Notice(
        Text("作业“{title}”有了点评", "'{title}' has been reviewed"),
        Text("去“{circle}”看看老师怎么说。", "Read what your teacher says in {circle}."),
        email=True,
    ),
    Kind.HOMEWORK_EXTENDED: Notice(
        Text("作业“{title}”延期到 {due}", "You have until {due} for '{title}'"),
        Text("“{circle}”的老师给了你更多时间。", "Your teacher at {circle} gave you more time."),
    ),
    Kind.PEER_REVIEW_ASKED: Notice(
        Text("请互评一份“{title}”", "Please review a fellow member's '{title}'"),
        Text("在“{circle}”，{due} 前完成。", "At {circle}, until {due}."),
    ),
    Kind.PEER_REVIEW_DUE: Notice(
        Text("还有一份“{title}”等你互评", "A review of '{title}' waits for you"),
        Text("在“{circle}”，{due} 前完成。", "At {circle}, until {due}."),
        email=True,
    ),
    Kind.PEER_REVIEWS_MISSED: Notice(
        Text("“{title}”有 {count} 份作业缺少互评", "{count} works of '{title}' lack a peer review"),
        Text("它们已进入“{circle}”的待批改列表。", "They wait in the grading queue of {circle}."),
    ),
    Kind.WEBHOOK_DISABLED: Notice(
        Text("你的 webhook 已停用", "Your webhook is switched off"),
        Text("{host} 一直没有接收通知；重新设置后继续发送。", "{host} takes no notices; set it anew to begin again."),
        email=True,
    ),
    Kind.WEEKLY_DIGEST: Notice(
        Text("“{circle}”的一周", "Your week in {circle}"),
        Text(
            "这周有 {missed} 篇新内容你还没看，往期另有 {gems} 篇值得一读。",
            "You have not opened {missed} posts of this week, nor {gems} of the archive that are worth it.",
        ),
        email=True,
    ),
}
