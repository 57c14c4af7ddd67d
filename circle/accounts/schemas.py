"""Shapes of accounts in requests and answers."""

from typing import Any

import marshmallow as ma

from circle.accounts.addresses import read_address
from circle.accounts.models import CodePurpose
from circle.accounts.policy import FEED_SCOPE
from circle.kernel.text import LANGUAGES
from circle.web.fields import Choice, Dict, Id, Instant, Int, List, Nested, OutBool, OutStr, Schema, Str

_EMAIL = {"example": "linxiao@example.org"}
_PASSWORD = {"example": "correct horse battery staple"}
_NEW_PASSWORD = {
    "description": "Any characters. One of those that are guessed first is refused (`too_common`).",
    **_PASSWORD,
}
_ASKED_AGAIN = {"description": "Needed where the account has a password.", **_PASSWORD}
SCOPES = ("read", "write", FEED_SCOPE)


class _Address(Schema):
    email = Str(most=254, metadata=_EMAIL)
    phone = Str(most=32, metadata={"description": "E.164, such as +8613800138000."})

    @ma.post_load
    def in_one_form(self, data: dict[str, Any], **_options: Any) -> dict[str, Any]:
        """Give the address the form in which it is stored: limits by address count every way to write it as one."""
        address = read_address(data.get("email"), data.get("phone"))
        return {**data, address.kind.value: address.value}


class RegisterIn(_Address):
    password = Str(most=128, least=8, metadata=_NEW_PASSWORD)
    code = Str(most=12)
    display_name = Str(most=40, required=True, metadata={"example": "林晓"})
    device_name = Str(most=80, least=0, load_default="", metadata={"example": "Pixel 9"})


class CodeIn(_Address):
    purpose = Choice(CodePurpose, required=True)


class LoginIn(_Address):
    password = Str(most=128, metadata=_PASSWORD)
    code = Str(most=12)
    device_name = Str(most=80, least=0, load_default="", metadata={"example": "Pixel 9"})


class WechatIn(Schema):
    code = Str(most=200, required=True, metadata={"example": "0a3Lzl0w3"})
    display_name = Str(most=40, least=0, load_default="", metadata={"example": "林晓"})
    device_name = Str(most=80, least=0, load_default="", metadata={"example": "微信"})


class ResetPasswordIn(_Address):
    code = Str(most=12, required=True, metadata={"example": "402913"})
    password = Str(most=128, least=8, required=True, metadata=_NEW_PASSWORD)


class IdentityIn(_Address):
    code = Str(most=12, required=True, metadata={"example": "402913"})
    current_password = Str(
        most=128, metadata={"description": "Needed to add an address to an account that has a password.", **_PASSWORD}
    )


class IdentityOut(Schema):
    id = Id(required=True)
    kind = OutStr(required=True, metadata={"example": "email"})
    value = OutStr(required=True, metadata=_EMAIL)
    verified = OutBool(required=True)


class MeOut(Schema):
    id = Id(required=True)
    display_name = OutStr(required=True, metadata={"example": "林晓"})
    avatar_url = OutStr(required=True, allow_none=True, metadata={"example": None})
    bio = OutStr(required=True, metadata={"example": "读书写字。"})
    language = OutStr(required=True, metadata={"example": "zh-CN"})
    timezone = OutStr(required=True, metadata={"example": "Asia/Shanghai"})
    email = OutStr(required=True, allow_none=True, metadata=_EMAIL)
    phone = OutStr(required=True, allow_none=True, metadata={"example": None})
    has_password = OutBool(required=True)
    identities = List(Nested(IdentityOut), required=True)
    created_at = Instant(required=True)
    version = Int(required=True)


class AuthenticatedOut(Schema):
    user = Nested(MeOut, required=True)
    token = OutStr(required=True, metadata={"example": "cs_…"})
    expires_at = Instant(required=True)


class MePatch(Schema):
    display_name = Str(most=40, metadata={"example": "林晓"})
    bio = Str(most=500, least=0, lines=True, metadata={"example": "读书写字。"})
    avatar_media_id = Id(allow_none=True, metadata={"example": None})
    language = Choice(LANGUAGES)
    timezone = Str(most=64, metadata={"example": "Asia/Shanghai"})
    password = Str(most=128, least=8, metadata=_NEW_PASSWORD)
    current_password = Str(most=128, metadata={"description": "Needed to change a password that is set.", **_PASSWORD})


class PasswordIn(Schema):
    password = Str(most=128, metadata=_ASKED_AGAIN)


class SessionOut(Schema):
    id = Id(required=True)
    device_name = OutStr(required=True, metadata={"example": "Pixel 9"})
    created_at = Instant(required=True)
    last_seen_at = Instant(required=True)
    expires_at = Instant(required=True)
    current = OutBool(required=True)


class TokenIn(Schema):
    name = Str(most=80, required=True, metadata={"example": "back-up script"})
    scopes = List(
        Choice(SCOPES),
        validate=ma.validate.Length(max=len(SCOPES)),
        required=True,
        metadata={"description": "`feed` stands alone: for the addresses of Atom feeds.", "example": ["read"]},
    )
    expires_at = Instant(load_default=None)


class TokenOut(Schema):
    id = Id(required=True)
    name = OutStr(required=True, metadata={"example": "back-up script"})
    hint = OutStr(required=True, metadata={"example": "cp_…x7Qk"})
    scopes = List(OutStr(metadata={"example": "read"}), required=True)
    created_at = Instant(required=True)
    last_seen_at = Instant(required=True, allow_none=True)
    expires_at = Instant(required=True, allow_none=True)


class NewTokenOut(TokenOut):
    token = OutStr(required=True, metadata={"description": "Shown this once.", "example": "cp_…"})


class PersonalDataOut(Schema):
    """All that the installation keeps about a person, by section."""

    generated_at = Instant(required=True)
    sections = Dict(required=True, metadata={"example": {"profile": []}})
