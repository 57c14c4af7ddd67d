"""Refusals of camps."""

from circle.kernel.errors import Conflict, Forbidden, Overtaken, on_constraint
from circle.kernel.text import Text


class CampLocked(Forbidden):
    code = "camp_locked"
    text = Text("这个打卡营需要等级“{required_tier}”。", "This camp needs the tier '{required_tier}'.")


class NotInCamp(Conflict):
    code = "not_in_camp"
    text = Text("请先加入打卡营。", "Join the camp first.")


class AlreadyInCamp(Conflict):
    code = "already_in_camp"
    text = Text("你已经加入了这个打卡营。", "You have joined this camp already.")


class CampOver(Conflict):
    code = "camp_over"
    text = Text("打卡营已经结束。", "This camp is over.")


class CampNotStarted(Conflict):
    code = "camp_not_started"
    text = Text("打卡营 {starts_on} 开始。", "This camp starts on {starts_on}.")


class BeforeJoining(Conflict):
    code = "before_joining"
    text = Text("不能为加入之前的日子打卡。", "This day is before you joined.")


class NotACampDay(Conflict):
    code = "not_a_camp_day"
    text = Text("{day} 不是打卡日。", "The camp does not meet on {day}.")


class WindowClosed(Conflict):
    code = "window_closed"
    text = Text(
        "现在不在打卡时段内，下次 {opens_at} 开始。", "It is not check-in time; the next window opens at {opens_at}."
    )


class NoCardsLeft(Conflict):
    code = "no_cards_left"
    text = Text("补卡次数已用完。", "You have no make-up cards left.")


class TooLateToMakeUp(Conflict):
    code = "too_late_to_make_up"
    text = Text("只能补最近 {days} 天的卡。", "Only the last {days} days can be made up.")


class TooLateToUpload(Conflict):
    code = "too_late_to_upload"
    text = Text(
        "离线写的打卡须在 {hours} 小时内上传。", "What was written offline counts if it arrives within {hours} hours."
    )


class NoLeaveLeft(Conflict):
    code = "no_leave_left"
    text = Text("请假天数不够。", "You have not that many days of leave left.")


class LeaveNotAhead(Conflict):
    code = "leave_not_ahead"
    text = Text("请假须提前。", "Leave has to be taken in advance.")


class RulesFrozen(Conflict):
    """`fields` are the changes that would be harder on those who joined."""

    code = "rules_frozen"
    text = Text(
        "已有人按原规则参加，只能改得更宽松：{fields}。",
        "Members joined by these rules; they can only become kinder: {fields}.",
    )


class NotTheAuthor(Forbidden):
    code = "not_the_entrys_author"
    text = Text("只有作者可以这样做。", "Only its author may do this.")


class CertificateRevoked(Conflict):
    code = "certificate_revoked"
    text = Text("这张证书已被撤销。", "This certificate was revoked.")


class CertificateNotReady(Conflict):
    code = "certificate_not_ready"
    text = Text("证书正在生成，请稍后再试。", "The certificate is being made; try again shortly.")


on_constraint("pk_camp_members", AlreadyInCamp)
on_constraint("ck_camp_standings_total", Overtaken)
on_constraint("uq_check_ins_camp_id_user_id_day", Overtaken)
