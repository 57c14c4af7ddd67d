"""Refusals around homework."""

from circle.kernel.errors import Conflict, Forbidden, on_constraint
from circle.kernel.text import Text


class AssignmentLocked(Forbidden):
    code = "assignment_locked"
    text = Text("这份作业不面向你的会员等级。", "This assignment is not for your tier.")


class NotAddressed(Forbidden):
    code = "not_addressed"
    text = Text("这份作业不是布置给你的。", "This assignment was not given to you.")


class NotOpenYet(Conflict):
    code = "not_open_yet"
    text = Text("作业还没有开始。", "This assignment has not opened yet.")


class TooLate(Conflict):
    code = "too_late"
    text = Text("作业已截止。", "The time to hand this in is over.")


class NoAttemptsLeft(Conflict):
    code = "no_attempts_left"
    text = Text("提交次数已用完。", "No attempts are left.")


class AlreadyPassed(Conflict):
    code = "already_passed"
    text = Text("作业已通过，无需再交。", "This work has passed already.")


class NothingChanged(Conflict):
    code = "nothing_changed"
    text = Text("与上一次提交相同。", "This is the same as the version before.")


class OwnWork(Forbidden):
    code = "own_work"
    text = Text("不能点评自己的作业。", "Nobody reviews their own work.")


class AlreadyReviewed(Conflict):
    code = "already_reviewed"
    text = Text("这一版已有点评，请修改原点评。", "This version has its review; edit that one.")


class ClaimedByAnother(Conflict):
    code = "claimed_by_another"
    text = Text("另一位老师正在批改。", "Another teacher is grading this.")


class NotAPeerTask(Forbidden):
    code = "not_a_peer_task"
    text = Text("没有请你互评这份作业。", "You were not asked to review this.")


class PeerTaskOver(Conflict):
    code = "peer_task_over"
    text = Text("互评时间已过。", "The time for this review is over.")


class NoConsent(Conflict):
    code = "no_consent"
    text = Text("作者尚未同意展示。", "The author has not agreed to show it.")


class AlreadyShown(Conflict):
    code = "already_shown"
    text = Text("这份作业已经展示。", "This work is shown already.")


class NothingHeld(Conflict):
    code = "nothing_held"
    text = Text("没有待公布的成绩。", "No scores are held back.")


class RulesInUse(Conflict):
    code = "rules_in_use"
    text = Text(
        "已有人提交，评分规则和互评设置不能再改。", "Work was handed in: how it is scored can't change any more."
    )


class ScoresOut(Conflict):
    code = "scores_out"
    text = Text("成绩已公布，不能再收回。", "The scores are out and can't be held back again.")


on_constraint("uq_reviews_teacher", AlreadyReviewed)
on_constraint("uq_reviews_peer", AlreadyReviewed)
on_constraint("uq_submissions_work_id_number", NoAttemptsLeft)
on_constraint("ck_works_consent", NoConsent)
