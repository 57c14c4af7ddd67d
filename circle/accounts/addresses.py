"""E-mail addresses and phone numbers in the one form in which they are stored and compared."""

from typing import NamedTuple

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from circle.accounts.models import IdentityKind
from circle.kernel.errors import Invalid


class Address(NamedTuple):
    kind: IdentityKind
    value: str


def read_address(email: str | None, phone: str | None) -> Address:
    """Return the normalised address. Errors: Invalid unless exactly one valid address is given."""
    if (email is None) == (phone is None):
        raise Invalid.field(
            "email", "one_of", "邮箱和手机号须填且只填一个。", "Give either an e-mail address or a phone number."
        )
    return _read_email(email) if email is not None else _read_phone(phone or "")


def _read_email(email: str) -> Address:
    try:
        checked = validate_email(email, check_deliverability=False)
    except EmailNotValidError:
        raise Invalid.field("email", "bad_email", "邮箱地址无效。", "Not a valid e-mail address.") from None
    return Address(IdentityKind.EMAIL, checked.normalized.lower())


def _read_phone(phone: str) -> Address:
    refused = Invalid.field("phone", "bad_phone", "手机号无效，须为 E.164 格式。", "Not a valid E.164 phone number.")
    try:
        number = phonenumbers.parse(phone, None)
    except phonenumbers.NumberParseException:
        raise refused from None
    if not phonenumbers.is_valid_number(number):
        raise refused
    return Address(IdentityKind.PHONE, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
