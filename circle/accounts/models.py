"""Tables of people and of what proves who they are."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.db import Base, Id, Versioned
from circle.kernel.text import DEFAULT_LANGUAGE


class IdentityKind(StrEnum):
    EMAIL = "email"
    PHONE = "phone"
    WECHAT = "wechat"


class CodePurpose(StrEnum):
    REGISTER = "register"
    LOGIN = "login"
    RESET_PASSWORD = "reset_password"  # noqa: S105 - a purpose, not a secret
    ADD_IDENTITY = "add_identity"


class User(Versioned, Base):
    __tablename__ = "users"

    id: Mapped[Id]
    display_name: Mapped[str]
    bio: Mapped[str] = mapped_column(default="")
    avatar_media_id: Mapped[UUID | None]
    language: Mapped[str] = mapped_column(default=DEFAULT_LANGUAGE)
    timezone: Mapped[str] = mapped_column(default="Asia/Shanghai")
    password_hash: Mapped[str | None]
    is_operator: Mapped[bool] = mapped_column(default=False)
    suspended_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012

    @property
    def may_log_in(self) -> bool:
        return self.suspended_at is None and self.deleted_at is None


class Identity(Base):
    """One way to reach and recognise a person: `value` is normalised (lower-case e-mail, E.164, openid)."""

    __tablename__ = "identities"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    kind: Mapped[str]
    value: Mapped[str]
    verified_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __table_args__ = (
        UniqueConstraint("kind", "value"),
        CheckConstraint("kind IN ('email', 'phone', 'wechat')", name="kind"),
    )


class LoginSession(Base):
    """A log-in on one device; the token itself is never stored."""

    __tablename__ = "sessions"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    device_name: Mapped[str]
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    # Kept only where reads go to a standby.
    wrote_at: Mapped[datetime | None]


class PersonalToken(Base):
    """A token for scripts, with scopes; shown once, stored hashed."""

    __tablename__ = "personal_tokens"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    hint: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    wrote_at: Mapped[datetime | None]


class OneTimeCode(Base):
    """A short code sent to an e-mail address or phone: used once, guessed at most a few times."""

    __tablename__ = "one_time_codes"

    id: Mapped[Id]
    kind: Mapped[str]
    value: Mapped[str]
    purpose: Mapped[str]
    code_hash: Mapped[bytes] = mapped_column(LargeBinary)
    guesses: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_one_time_codes_value", "value"),
        Index(
            "uq_one_time_codes_live",
            "kind",
            "value",
            "purpose",
            unique=True,
            postgresql_where=text("used_at IS NULL"),
        ),
    )
