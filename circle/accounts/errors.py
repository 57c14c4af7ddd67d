"""Refusals of accounts."""

from circle.kernel.errors import Conflict, Forbidden, Unauthenticated, Unavailable, on_constraint
from circle.kernel.text import Text


class IdentityTaken(Conflict):
    code = "identity_taken"
    text = Text("该邮箱或手机号已被注册。", "This e-mail address or phone number is registered already.")


class BadCredentials(Unauthenticated):
    code = "bad_credentials"
    text = Text("账号或密码不正确。", "The account or the password is wrong.")


class WrongCode(Unauthenticated):
    """Wrong, used, expired or guessed too often: which of these is not told."""

    code = "wrong_code"
    text = Text("验证码不正确或已过期。", "The code is wrong or has expired.")
    keeps_changes = True


class NoAccount(Conflict):
    code = "no_account"
    text = Text("该邮箱或手机号尚未注册。", "There is no account for this address yet.")


class WechatRefused(Unauthenticated):
    code = "wechat_refused"
    text = Text("微信登录失败。", "WeChat did not accept this log-in.")


class WechatUnavailable(Unavailable):
    code = "wechat_unavailable"
    text = Text("暂时无法使用微信登录。", "WeChat log-in is unavailable for the moment.")


class LastIdentity(Conflict):
    code = "last_identity"
    text = Text("至少要保留一种登录方式。", "The last way to log in can't be removed.")


class SessionNeeded(Forbidden):
    code = "session_needed"
    text = Text("此操作需要登录会话，不能用个人令牌。", "This needs a log-in session, not a personal token.")


on_constraint("uq_identities_kind_value", IdentityTaken)
