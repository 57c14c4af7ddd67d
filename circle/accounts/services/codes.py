"""One-time codes: asked for by anybody, sent to the address alone, worth one use."""

import hmac
import secrets
from datetime import timedelta
from hashlib import sha256

from sqlalchemy import select, update

from circle.accounts.addresses import Address, read_address
from circle.accounts.errors import WrongCode
from circle.accounts.models import CodePurpose, OneTimeCode
from circle.config import Settings
from circle.kernel import outbox
from circle.kernel.ids import new_id
from circle.kernel.uow import UnitOfWork

LIFE = timedelta(minutes=10)
MAX_GUESSES = 5
DIGITS = 6
TOPIC = "accounts.code"


def request_code(uow: UnitOfWork, *, purpose: str, email: str | None = None, phone: str | None = None) -> None:
    """Send a fresh code to the address, known or not: the answer and the work are the same for both."""
    address = read_address(email, phone)
    _retire(uow, address, purpose)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    row = OneTimeCode(
        id=new_id(),
        kind=address.kind,
        value=address.value,
        purpose=purpose,
        code_hash=_hash(uow.use(Settings).secret_key, address, purpose, code),
        created_at=uow.now,
        expires_at=uow.now + LIFE,
    )
    uow.session.add(row)
    outbox.put(
        uow,
        key=f"code:{row.id}",
        topic=TOPIC,
        payload={"kind": address.kind, "to": address.value, "purpose": purpose, "code": code},
    )


def redeem_code(uow: UnitOfWork, address: Address, purpose: CodePurpose, code: str) -> None:
    """Use the live code of an address. Errors: WrongCode, whose guess is counted even so."""
    live = uow.session.scalar(
        select(OneTimeCode)
        .where(
            OneTimeCode.kind == address.kind,
            OneTimeCode.value == address.value,
            OneTimeCode.purpose == purpose,
            OneTimeCode.used_at.is_(None),
        )
        .with_for_update()
    )
    if live is None or live.expires_at <= uow.now or live.guesses >= MAX_GUESSES:
        raise WrongCode
    hashes = (_hash(key, address, purpose, code) for key in uow.use(Settings).secret_keys)
    if not any(hmac.compare_digest(live.code_hash, one) for one in hashes):
        live.guesses += 1
        uow.session.flush()
        raise WrongCode
    live.used_at = uow.now


def _retire(uow: UnitOfWork, address: Address, purpose: str) -> None:
    uow.session.execute(
        update(OneTimeCode)
        .where(
            OneTimeCode.kind == address.kind,
            OneTimeCode.value == address.value,
            OneTimeCode.purpose == purpose,
            OneTimeCode.used_at.is_(None),
        )
        .values(used_at=uow.now)
    )


def _hash(secret: str, address: Address, purpose: str, code: str) -> bytes:
    # Six digits are guessed from a bare hash in no time: the server's secret is part of it. So are the
    # address and the purpose, though the query asks for both: the query finds the row among those that are live, the
    # hash holds that somebody who could write to the table makes no code of their own into one of another's.
    return hmac.new(secret.encode(), f"{address.kind}:{address.value}:{purpose}:{code}".encode(), sha256).digest()
