"""Tables of camps, of who takes part, and of the days they did. What they wrote stands in `entry_models.py`."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, Date, ForeignKey, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from circle.checkins.schedule import Schedule, ScheduleKind
from circle.checkins.windows import Hours, read_windows
from circle.kernel.db import Base, Id, Json, Versioned


class AccessLevel(StrEnum):
    """Who may look into a camp; joining needs a membership in any case."""

    PREVIEW = "preview"
    MEMBERS = "members"
    TIER = "tier"


class Camp(Versioned, Base):
    """A camp's rules. Fixed: `starts_on` to `ends_on`. Evergreen: so many days from the day one joins."""

    __tablename__ = "camps"

    id: Mapped[Id]
    circle_id: Mapped[UUID] = mapped_column(ForeignKey("circles.id"))
    created_by: Mapped[UUID] = mapped_column(ForeignKey("users.id"))
    title: Mapped[str]
    rules: Mapped[str] = mapped_column(default="")
    access_level: Mapped[str] = mapped_column(default=AccessLevel.MEMBERS)
    access_tier_id: Mapped[UUID | None] = mapped_column(ForeignKey("tiers.id"))
    timezone: Mapped[str]
    # Of an evergreen camp: the first day on which somebody may begin.
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    evergreen_days: Mapped[int | None]
    schedule_kind: Mapped[str] = mapped_column(default=ScheduleKind.DAILY)
    weekdays: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger), default=list)
    dates: Mapped[list[date]] = mapped_column(ARRAY(Date), default=list)
    times: Mapped[int | None]
    # [{"from": "05:00", "to": "08:30"}]; empty: the whole day.
    windows: Mapped[list[dict[str, str]]] = mapped_column(JSONB, default=list)
    # Least words, kinds of media and a number that every entry must hold; see `requirement.py`.
    requirement: Mapped[Json] = mapped_column(default=dict)
    # Days that complete the camp; None: every day of one's own term.
    completion_days: Mapped[int | None]
    makeup_cards: Mapped[int] = mapped_column(default=0)
    # How many days back a card reaches, and whether such a day counts towards completion.
    makeup_within_days: Mapped[int]
    makeups_count: Mapped[bool] = mapped_column(default=True)
    leave_days: Mapped[int] = mapped_column(default=0)
    # The theme of an entry follows how many days its author has done, not the calendar.
    levels: Mapped[bool] = mapped_column(default=False)
    # Whether entries are shown to other members unless their author says otherwise.
    on_feed: Mapped[bool] = mapped_column(default=True)
    # Camp days are written down up to here, and those from `calendar_guessed_from` on may still move.
    planned_until: Mapped[date | None]
    calendar_guessed_from: Mapped[date | None]
    # When streaks that broke at a day's end were last set to 0.
    swept_at: Mapped[datetime | None]
    created_at: Mapped[datetime]

    __mapper_args__ = {"version_id_col": Versioned.version}  # noqa: RUF012
    __table_args__ = (
        Index("ix_camps_circle", "circle_id", "id"),
        Index("ix_camps_running", "planned_until", "id"),
        CheckConstraint("num_nonnulls(ends_on, evergreen_days) = 1", name="term"),
        CheckConstraint("ends_on >= starts_on", name="ends_on"),
        CheckConstraint("evergreen_days > 0", name="evergreen_days"),
        CheckConstraint("(schedule_kind = 'per_week') = (times IS NOT NULL)", name="times"),
        CheckConstraint("times BETWEEN 1 AND 7", name="times_a_week"),
        CheckConstraint(
            "schedule_kind IN ('daily', 'weekdays', 'workdays', 'holidays', 'dates', 'per_week')", name="schedule_kind"
        ),
        CheckConstraint("access_level IN ('preview', 'members', 'tier')", name="access_level"),
        CheckConstraint("(access_level = 'tier') = (access_tier_id IS NOT NULL)", name="access"),
        CheckConstraint("makeup_cards >= 0 AND leave_days >= 0 AND makeup_within_days >= 1", name="kindness"),
        CheckConstraint("completion_days > 0", name="completion_days"),
    )

    @property
    def schedule(self) -> Schedule:
        return Schedule(ScheduleKind(self.schedule_kind), frozenset(self.weekdays), frozenset(self.dates), self.times)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def hours(self) -> Hours:
        return Hours(self.zone, read_windows(self.windows))


class CampDay(Base):
    """A day on which a camp meets, written down when it is promised: a newer calendar moves only days to come."""

    __tablename__ = "camp_days"

    camp_id: Mapped[UUID] = mapped_column(ForeignKey("camps.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    # The step of a streak: the day itself, or its week's Monday.
    period: Mapped[date]


class CampTheme(Base):
    """What the n-th day of a camp, or its n-th level, is about."""

    __tablename__ = "camp_themes"

    camp_id: Mapped[UUID] = mapped_column(ForeignKey("camps.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    body: Mapped[str] = mapped_column(default="")


class CampMember(Base):
    """Somebody's own term in a camp, and what completes it; it stays when they leave, for the day they come back."""

    __tablename__ = "camp_members"

    camp_id: Mapped[UUID] = mapped_column(ForeignKey("camps.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    completion_days: Mapped[int]
    joined_at: Mapped[datetime]
    left_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_camp_members_user", "user_id", "camp_id"),
        CheckConstraint("ends_on >= starts_on", name="term"),
    )


class CheckInDay(Base):
    """That a member did, made up or was excused from a camp day: the truth that every figure is derived from.

    The database refuses to delete a row, and lets its kind only get better.
    """

    __tablename__ = "check_in_days"

    camp_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    kind: Mapped[str]
    # Written within its day, arrived after it.
    late: Mapped[bool] = mapped_column(default=False)
    recorded_at: Mapped[datetime]

    __table_args__ = (
        # By who takes part: ten thousand who check in at once do not all lock the camp's row.
        ForeignKeyConstraint(
            ["camp_id", "user_id"], ["camp_members.camp_id", "camp_members.user_id"], name="fk_check_in_days_member"
        ),
        Index("ix_check_in_days_heatmap", "user_id", "day"),
        CheckConstraint("kind IN ('leave', 'made_up', 'done')", name="kind"),
    )


class Standing(Base):
    """Figures of a member in a camp, kept for reading; `circle camps rebuild` derives them again from the day rows."""

    __tablename__ = "camp_standings"

    camp_id: Mapped[UUID] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    # The run while it stands, else 0.
    streak: Mapped[int] = mapped_column(default=0)
    run: Mapped[int] = mapped_column(default=0)
    alive_until: Mapped[date | None]
    longest: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    made_up: Mapped[int] = mapped_column(default=0)
    leave_taken: Mapped[int] = mapped_column(default=0)
    last_day: Mapped[date | None]
    completed_at: Mapped[datetime | None]
    # Whether rankings show them: not while they are out of the camp or of the circle.
    ranked: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        ForeignKeyConstraint(
            ["camp_id", "user_id"], ["camp_members.camp_id", "camp_members.user_id"], name="fk_camp_standings_member"
        ),
        # Read backwards: the best first, and among equals always the same first.
        Index("ix_camp_standings_streak", "camp_id", "streak", "user_id", postgresql_where=text("ranked")),
        Index("ix_camp_standings_total", "camp_id", "total", "user_id", postgresql_where=text("ranked")),
        # A write names the figures that it goes by; where they are no longer those, it asks for -1: see `recording.py`.
        CheckConstraint("total >= 0", name="total"),
    )


class Tally(Base):
    """How many ranked members have a figure, counted by a worker: tells a rank far down without counting all above."""

    __tablename__ = "camp_tallies"

    camp_id: Mapped[UUID] = mapped_column(ForeignKey("camps.id"), primary_key=True)
    by: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(primary_key=True)
    members: Mapped[int]

    __table_args__ = (CheckConstraint("by IN ('streak', 'total')", name="by"),)


class CampReminder(Base):
    """That a camp's reminder of one kind and day was given, so that two clocks give it once."""

    __tablename__ = "camp_reminders"

    camp_id: Mapped[UUID] = mapped_column(ForeignKey("camps.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    reminded_at: Mapped[datetime]
