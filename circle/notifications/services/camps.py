"""What people are told about camps. Keys name the day, the lapse or the thing, so nobody is told twice."""

from circle.checkins import events
from circle.kernel.uow import UnitOfWork
from circle.notifications.kinds import Kind
from circle.notifications.services.sending import notify


def on_window_closing(uow: UnitOfWork, happened: events.WindowClosing) -> None:
    notify(
        uow,
        happened.user_ids,
        Kind.CAMP_DAY_CLOSING,
        key=f"camp:{happened.camp_id}:closing:{happened.day}",
        circle_id=happened.circle_id,
        subject=("camp", happened.camp_id),
        camp=happened.camp_title,
        closes_at=happened.closes_at,
    )


def on_members_at_risk(uow: UnitOfWork, happened: events.MembersAtRisk) -> None:
    """Once a lapse: the key is the last day that was done."""
    notify(
        uow,
        happened.user_ids,
        Kind.CAMP_AT_RISK,
        key=f"camp:{happened.camp_id}:at_risk:{happened.since}",
        circle_id=happened.circle_id,
        subject=("camp", happened.camp_id),
        camp=happened.camp_title,
    )


def on_members_nudged(uow: UnitOfWork, happened: events.MembersNudged) -> None:
    notify(
        uow,
        (user_id for user_id in happened.user_ids if user_id != happened.by),
        Kind.CAMP_NUDGE,
        key=f"camp:{happened.camp_id}:nudge:{happened.day}",
        circle_id=happened.circle_id,
        subject=("camp", happened.camp_id),
        camp=happened.camp_title,
        actor=happened.by_name,
    )


def on_camp_completed(uow: UnitOfWork, happened: events.CampCompleted) -> None:
    notify(
        uow,
        happened.user_id,
        Kind.CAMP_COMPLETED,
        key=f"certificate:{happened.certificate_id}",
        circle_id=happened.circle_id,
        subject=("certificate", happened.certificate_id),
        camp=happened.camp_title,
        days=happened.days_done,
    )


def on_certificate_withdrawn(uow: UnitOfWork, happened: events.CertificateWithdrawn) -> None:
    notify(
        uow,
        happened.user_id,
        Kind.CERTIFICATE_REVOKED,
        key=f"certificate:{happened.certificate_id}:revoked",
        circle_id=happened.circle_id,
        subject=("certificate", happened.certificate_id),
        camp=happened.camp_title,
    )


def on_check_in_commented(uow: UnitOfWork, happened: events.CheckInCommented) -> None:
    if happened.author_id != happened.by:
        notify(
            uow,
            happened.author_id,
            Kind.CHECK_IN_COMMENTED,
            key=f"check_in_comment:{happened.comment_id}",
            circle_id=happened.circle_id,
            subject=("check_in", happened.check_in_id),
            camp=happened.camp_title,
            actor=happened.by_name,
        )


def on_check_in_noted(uow: UnitOfWork, happened: events.CheckInNoted) -> None:
    if happened.author_id != happened.by:
        notify(
            uow,
            happened.author_id,
            Kind.CHECK_IN_NOTED,
            key=f"check_in:{happened.check_in_id}:note",
            circle_id=happened.circle_id,
            subject=("check_in", happened.check_in_id),
            camp=happened.camp_title,
            actor=happened.by_name,
        )
