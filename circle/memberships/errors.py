"""Refusals around membership."""

from circle.kernel.errors import Conflict, Forbidden, on_constraint
from circle.kernel.text import Text


class NotAMember(Forbidden):
    code = "not_a_member"
    text = Text("你还不是这个星球的成员。", "You are not a member of this circle.")


class MembershipExpired(Forbidden):
    code = "membership_expired"
    text = Text("你的会员已到期，续费后可继续。", "Your membership has expired; renew it to go on.")


class Banned(Forbidden):
    code = "banned"
    text = Text("你已被这个星球拉黑。", "You are banned from this circle.")


class MissingPermission(Forbidden):
    """`why` is the sentence of the permission table."""

    code = "missing_permission"
    text = Text("你没有权限这样做。", "You are not allowed to do this.")


class Muted(Forbidden):
    code = "muted"
    text = Text("你被禁言至 {until}。", "You are muted until {until}.")


class TooNew(Forbidden):
    code = "too_new"
    text = Text("新成员在 {until} 之后才能发言。", "New members may speak from {until} on.")


class CircleClosed(Conflict):
    code = "circle_closed"
    text = Text("这个星球已关闭。", "This circle is closed.")


class SeatsTaken(Conflict):
    code = "seats_taken"
    text = Text("该会员等级的名额已满。", "All seats of this tier are taken.")


class TrialUsed(Conflict):
    code = "trial_used"
    text = Text("你在这个星球已试用过。", "You have had a trial in this circle.")


class AlreadyAMember(Conflict):
    code = "already_a_member"
    text = Text("你已经是成员。", "You are a member already.")


class InvitationNeeded(Forbidden):
    code = "invitation_needed"
    text = Text("加入这个星球需要邀请。", "Joining this circle needs an invitation.")


class InvitationNotUsable(Conflict):
    """Unknown, of another circle, revoked, expired or used up: which of these is not told."""

    code = "invitation_not_usable"
    text = Text("邀请无效或已失效。", "This invitation is not valid any more.")


class OutOfReach(Forbidden):
    code = "out_of_reach"
    text = Text("对方的角色不低于你，或者超出你能授予的范围。", "Their role, or the one to give, is not below yours.")


class OwnerMustStay(Conflict):
    code = "owner_must_stay"
    text = Text("星主须先转让星球。", "The owner has to hand the circle over first.")


class OwnsCircles(Conflict):
    code = "owns_circles"
    text = Text("你还是星主，请先转让或关闭星球。", "You still own a circle; hand it over or close it first.")


class NoTransferOffer(Conflict):
    code = "no_transfer_offer"
    text = Text("没有可接受的转让。", "There is no transfer to accept.")


on_constraint("ck_tiers_seats", SeatsTaken)
on_constraint("pk_trials", TrialUsed)
on_constraint("ck_invitations_uses", InvitationNotUsable)


# What whoever may not do something in a circle is told, by how they stand to it.
MEMBERS_ONLY = (NotAMember, MembershipExpired, Banned, MissingPermission)
