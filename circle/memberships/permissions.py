"""Who may do what: the one table. A missing permission is 403 with the sentence beside it."""

from enum import StrEnum

from circle.kernel.text import Text
from circle.memberships.models import Role


class Permission(StrEnum):
    EDIT_CIRCLE = "edit_circle"
    EDIT_OFFERS = "edit_offers"
    TRANSFER_CIRCLE = "transfer_circle"
    SEE_MONEY = "see_money"
    MOVE_MONEY = "move_money"
    GIVE_DISCOUNTS = "give_discounts"
    INVITE = "invite"
    GIVE_ACCESS = "give_access"
    SET_ROLES = "set_roles"
    SEE_MEMBERS = "see_members"
    MANAGE_MEMBERS = "manage_members"
    REMOVE_MEMBERS = "remove_members"
    READ_EVERYTHING = "read_everything"
    POST = "post"
    ANSWER = "answer"
    MODERATE = "moderate"
    FILE_ARCHIVE = "file_archive"
    IMPORT_EXPORT = "import_export"
    SEE_AUDIT = "see_audit"
    TEACH = "teach"
    CORRECT_TEACHERS = "correct_teachers"


_OWNER = frozenset({Role.OWNER})
_PARTNERS = _OWNER | {Role.PARTNER}
_STAFF = _PARTNERS | {Role.ADMIN}
_EXPERTS = _STAFF | {Role.GUEST}
_ALL = _EXPERTS | {Role.MEMBER}

TABLE: dict[Permission, tuple[frozenset[Role], Text]] = {
    Permission.EDIT_CIRCLE: (_PARTNERS, Text("只有星主和合伙人可以修改星球设置。", "Only the owner and partners may change the circle.")),
    Permission.EDIT_OFFERS: (_OWNER, Text("只有星主可以修改等级和价格。", "Only the owner may change tiers and prices.")),
    Permission.TRANSFER_CIRCLE: (_OWNER, Text("只有星主可以转让星球。", "Only the owner may hand the circle over.")),
    Permission.SEE_MONEY: (_PARTNERS, Text("只有星主和合伙人可以查看收入。", "Only the owner and partners may see the money.")),
    Permission.MOVE_MONEY: (_OWNER, Text("只有星主可以退款和提现。", "Only the owner may refund and withdraw.")),
    Permission.GIVE_DISCOUNTS: (_PARTNERS, Text("只有星主和合伙人可以管理优惠码。", "Only the owner and partners may manage coupons.")),
    Permission.INVITE: (_STAFF, Text("你不能邀请成员。", "You may not invite members.")),
    Permission.GIVE_ACCESS: (_PARTNERS, Text("只有星主和合伙人可以赠送会员天数。", "Only the owner and partners may give access on the house.")),
    Permission.SET_ROLES: (_PARTNERS, Text("只有星主和合伙人可以设置角色。", "Only the owner and partners may set roles.")),
    Permission.SEE_MEMBERS: (_STAFF, Text("你不能查看成员名单。", "You may not see the list of members.")),
    Permission.MANAGE_MEMBERS: (_STAFF, Text("你不能管理成员。", "You may not manage members.")),
    Permission.REMOVE_MEMBERS: (_STAFF, Text("你不能移除成员。", "You may not remove members.")),
    Permission.READ_EVERYTHING: (_EXPERTS, Text("你的会员等级不能阅读此内容。", "Your tier does not include this.")),
    Permission.POST: (_ALL, Text("你不能在此发布内容。", "You may not post here.")),
    Permission.ANSWER: (_PARTNERS | {Role.GUEST}, Text("只有被提问者可以回答。", "Only the person asked may answer.")),
    Permission.MODERATE: (_STAFF, Text("只有管理人员可以这样做。", "Only moderators may do this.")),
    Permission.FILE_ARCHIVE: (_STAFF, Text("只有管理人员可以整理内容。", "Only the owner, partners and admins may file posts.")),
    Permission.IMPORT_EXPORT: (_PARTNERS, Text("只有星主和合伙人可以导入导出。", "Only the owner and partners may import or export.")),
    Permission.SEE_AUDIT: (_PARTNERS, Text("只有星主和合伙人可以查看操作记录。", "Only the owner and partners may see the audit log.")),
    Permission.TEACH: (_EXPERTS, Text("只有老师可以这样做。", "Only teachers may do this.")),
    Permission.CORRECT_TEACHERS: (_PARTNERS, Text("只有写点评的人、星主和合伙人可以修改它。", "Only who wrote it, the owner and partners may change a review.")),
}  # fmt: skip


# From the top; a role reaches those after it.
LADDER = (Role.OWNER, Role.PARTNER, Role.ADMIN, Role.GUEST, Role.MEMBER)


def outranks(role: str | None, other: str) -> bool:
    return role is not None and LADDER.index(Role(role)) < LADDER.index(Role(other))


def allows(role: str, permission: Permission) -> bool:
    return role in TABLE[permission][0]
