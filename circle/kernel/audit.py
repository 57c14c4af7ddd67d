"""The audit log: what moderators, creators and operators did. The database refuses to change or delete a row."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.orm import Mapped, mapped_column

from circle.kernel.caller import Caller
from circle.kernel.db import Base, Json
from circle.kernel.uow import UnitOfWork


class AuditEntry(Base):
    __tablename__ = "audit_log"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    circle_id: Mapped[UUID | None]
    actor_id: Mapped[UUID | None]
    action: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[UUID | None]
    data: Mapped[Json]
    at: Mapped[datetime]

    __table_args__ = (Index("ix_audit_log_circle", "circle_id", "id"),)


def record(
    uow: UnitOfWork,
    actor: Caller | None,
    action: str,
    *,
    circle_id: UUID | None,
    subject_kind: str,
    subject_id: UUID | None,
    **data: object,
) -> None:
    """Note an act, such as `member.ban`, with ids and plain values; no actor means the system itself."""
    uow.session.add(
        AuditEntry(
            circle_id=circle_id,
            actor_id=actor.user_id if actor else None,
            action=action,
            subject_kind=subject_kind,
            subject_id=subject_id,
            data=data,
            at=uow.now,
        )
    )
