"""Homework of the example: one assignment whose works are in every state, one of them done again, one shown to all."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from uuid import UUID

from circle.archive.services.columns import create_column
from circle.demo.stage import Stage, Step
from circle.homework.services import assignments, drafts, extensions, handing_in, reviewing, showcasing
from circle.kernel.caller import Caller

_ORDER = 20_000
_RUBRIC = [
    {"name": "画面", "levels": [{"name": "看得见", "points": 6}, {"name": "还模糊", "points": 2}]},
    {"name": "文字", "levels": [{"name": "干净", "points": 4}, {"name": "可以再删", "points": 1}]},
]
_GOOD, _FAIR = {"画面": "看得见", "文字": "干净"}, {"画面": "看得见", "文字": "可以再删"}
_POOR = {"画面": "还模糊", "文字": "可以再删"}
_PEOPLE = 5
_OPENINGS = (
    "雨停的时候，外婆正把晒了一半的豆子收进屋。",
    "那天的事情很多，我觉得非常非常难忘。",
    "那天下午有三件事，最后一件是我把钥匙弄丢了。",
    "我的家乡是一个很美的地方。",
    "修表的老人抬起头，说，快了五分钟。",
)


class _Homework:
    """One assignment, and what five members do with it."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.assignment_id = UUID(int=0)
        self.people: list[Caller] = []
        self.latest: dict[int, UUID] = {}

    def steps(self) -> Iterator[Step]:
        """Who is who: 0 excellent and shown, 1 did it again and passed, 2 is to do it again, 3 waits, 4 drafts."""
        story: list[tuple[timedelta, Callable[[Stage], None]]] = [
            (timedelta(days=10), self._set),
            (timedelta(days=9), lambda stage: self._hand_in(stage, 0, _OPENINGS[0])),
            (timedelta(days=8, hours=5), lambda stage: self._hand_in(stage, 1, _OPENINGS[1])),
            (timedelta(days=8), lambda stage: self._review(stage, 0, "excellent", _GOOD, "开头就有画面。")),
            (timedelta(days=7), lambda stage: self._review(stage, 1, "redo", _POOR, "「难忘」在哪里？写出来。")),
            (timedelta(days=6, hours=8), self._show),
            (timedelta(days=6), lambda stage: self._hand_in(stage, 2, _OPENINGS[3])),
            (timedelta(days=5), lambda stage: self._hand_in(stage, 1, _OPENINGS[2])),
            (timedelta(days=4, hours=2), lambda stage: self._review(stage, 1, "passed", _FAIR, "好多了。")),
            (timedelta(days=4), lambda stage: self._review(stage, 2, "redo", _POOR, "换成只有你知道的细节。")),
            (timedelta(days=2), lambda stage: self._hand_in(stage, 3, _OPENINGS[4])),
            (timedelta(days=1, hours=6), self._draft),
            (timedelta(days=1), self._extend),
        ]
        for order, (ago, act) in enumerate(story, _ORDER):
            yield Step(self.now - ago, order, act)

    def _set(self, stage: Stage) -> None:
        self.people = stage.speakers[:_PEOPLE]
        with stage.units.write() as uow:
            made = assignments.set_assignment(
                uow,
                stage.owner,
                stage.circle_id,
                title="写一个开头",
                brief="三百字以内，让人想读第二段。",
                due_at=self.now + timedelta(days=2),
                rubric=_RUBRIC,
                redo_until_passed=True,
                visibility="after_submission",
            )
            self.assignment_id = made.id

    def _hand_in(self, stage: Stage, who: int, body: str) -> None:
        with stage.units.write() as uow:
            self.latest[who] = handing_in.hand_in(uow, self.people[who], self.assignment_id, body=body).id

    def _review(self, stage: Stage, who: int, verdict: str, rubric: dict[str, str], said: str) -> None:
        remarks = [{"start": 0, "end": 4, "text": "从这里开始改。"}] if verdict == "redo" else []
        with stage.units.write() as uow:
            teacher = stage.partner or stage.owner
            reviewing.review_submission(
                uow, teacher, self.latest[who], body=said, remarks=remarks, verdict=verdict, rubric=rubric
            )

    def _show(self, stage: Stage) -> None:
        """Put the excellent one into a column, as its author agreed."""
        with stage.units.write() as uow:
            showcasing.agree(uow, self.people[0], self.assignment_id)
            column = create_column(uow, stage.owner, stage.circle_id, name="优秀作业", access={"level": "members"})
            uow.session.flush()
            showcasing.showcase(uow, stage.owner, self.latest[0], column_id=column.id)

    def _draft(self, stage: Stage) -> None:
        with stage.units.write() as uow:
            drafts.save_draft(uow, self.people[4], self.assignment_id, body="车站的钟")

    def _extend(self, stage: Stage) -> None:
        with stage.units.write() as uow:
            due_at = self.now + timedelta(days=5)
            extensions.extend(
                uow, stage.owner, self.assignment_id, user_id=self.people[4].user_id, due_at=due_at, note="出差"
            )


def homework(now: datetime) -> Iterator[Step]:
    """Yield what becomes of an assignment that was set ten days ago."""
    yield from _Homework(now).steps()
