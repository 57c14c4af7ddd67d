"""Homework and check-in camps of the scene, with what was handed in, judged and said."""

from typing import Any

from tests.access.maker import Maker
from tests.builders.circles import BuiltCircle
from tests.builders.homework import RUBRIC, BuiltAssignment

_ASSIGNMENT = "GET /v1/assignments/{assignment_id}"
_SUBMISSION = "GET /v1/submissions/{submission_id}"
_REVIEW = "GET /v1/reviews/{review_id}"
_CHECK_IN = "GET /v1/check-ins/{check_in_id}"


def learn(make: Maker) -> None:
    """Set homework and open camps."""
    _set_homework(make)
    _swap_homework(make)
    _show_homework(make)
    _open_camps(make)
    _complete_camp(make)


def _set(make: Maker, target: str, circle: BuiltCircle | None = None, **fields: Any) -> BuiltAssignment:
    """Homework whose brief is known to those who get 200 for it."""
    key = f"{_ASSIGNMENT} @{target}" if target else _ASSIGNMENT
    brief = make.secrets.of(key, f"the brief of the homework @{target}")
    made = make.world.assignment(circle or make.cast.open, brief=brief, **fields)
    make.things.setdefault(target, {})["assignment_id"] = made.id
    return made


def _set_homework(make: Maker) -> None:
    """For everybody: `tier1` has handed something in, which was judged, `tier2` has begun; nobody sees others' work."""
    homework = _set(make, "", visibility="never")
    body = make.secrets.of(_SUBMISSION, "what somebody handed in")
    submission = make.world.hand_in(homework, make.by("tier1"), body)
    owner = make.by("owner")
    old = make.secrets.of(f"{_REVIEW}/revisions", "what a review said before its edit")
    new = make.secrets.of(_REVIEW, "what a review says")
    review = make.world.review(submission, owner, body=old)
    owner.api.patch(f"/reviews/{review['id']}", {"body": new}).ok()
    draft = make.secrets.of(f"{_ASSIGNMENT}/draft", "what somebody has not handed in yet")
    make.by("tier2").api.put(f"{homework.path}/draft", {"body": draft}).ok()
    make.things[""] |= {"submission_id": submission["id"], "review_id": review["id"]}
    held = _set(make, "held_scores", visibility="never", hold_scores=True)
    submission = make.world.hand_in(held, make.by("tier1"))
    said = make.secrets.of(f"{_REVIEW} @held_scores", "what a review says whose score is held back")
    make.things["held_scores"]["review_id"] = make.world.review(submission, owner, body=said)["id"]
    tier = make.cast.open.tiers["学员"]
    _set(make, "tier2_homework", audience={"kind": "tier", "tier_id": str(tier.id)})


def _swap_homework(make: Maker) -> None:
    """Homework that `tier1` and `tier2` review for each other."""
    peer_review = {"reviewers": 1, "days": 3}
    homework = _set(make, "peers", rubric=RUBRIC, peer_review=peer_review, visibility="never")
    for role in ("tier1", "tier2"):
        make.world.hand_in(homework, make.by(role))
    task = make.by("tier1").api.get(f"{homework.path}/peer-tasks").ok()["items"][0]
    begun = make.by("tier1").api.post(f"/peer-tasks/{task['id']}/begin").ok()
    make.things["peers"] |= {"task_id": task["id"], "submission_id": begun["id"]}


def _show_homework(make: Maker) -> None:
    """Excellent homework whose author agrees to have it shown."""
    homework = make.world.assignment(make.cast.open, visibility="never")
    submission = make.world.hand_in(homework, make.by("tier1"))
    make.world.review(submission, make.by("owner"), "excellent")
    make.by("tier1").api.put(f"{homework.path}/mine/consent").ok()
    make.things["agreed"] = {"submission_id": submission["id"], "assignment_id": homework.id}


def _open_camps(make: Maker) -> None:
    """A camp for all members, in which `tier1` and `tier2` take part and `tier2` has checked in."""
    camp = make.world.camp(make.cast.open, leave_days=3)
    for role in ("tier1", "tier2"):
        make.by(role).api.post(f"{camp.path}/join").ok()
    old = make.secrets.of(f"{_CHECK_IN}/versions", "what an entry said before its edit")
    new = make.secrets.of(_CHECK_IN, "what an entry says")
    make.world.check_in(camp, make.by("tier2"), body=old)
    entry = make.world.check_in(camp, make.by("tier2"), body=new)
    said = make.secrets.of(f"{_CHECK_IN}/comments", "a comment on an entry")
    below = f"/check-ins/{entry['id']}"
    comment = make.by("tier1").api.post(f"{below}/comments", {"body": said}).ok(201)
    note = make.secrets.of(_CHECK_IN, "a teacher's note on an entry")
    make.by("owner").api.put(f"{below}/note", {"body": note}).ok()
    make.things[""] |= {"camp_id": camp.id, "check_in_id": entry["id"]}
    make.things["of_entry"] = {"comment_id": comment["id"]}
    _open_tier2_camp(make)


def _open_tier2_camp(make: Maker) -> None:
    access = {"level": "tier", "tier_id": str(make.cast.open.tiers["学员"].id)}
    camp = make.world.camp(make.cast.open, access=access)
    tier2 = make.by("tier2")
    tier2.api.post(f"{camp.path}/join").ok()
    said = make.secrets.of(f"{_CHECK_IN} @tier2_camp", "what an entry of a paid camp says")
    entry = make.world.check_in(camp, tier2, body=said)
    make.things["tier2_camp"] = {"camp_id": camp.id, "check_in_id": entry["id"]}


def _complete_camp(make: Maker) -> None:
    """A camp of one day, which `tier1` has completed."""
    camp = make.world.camp(make.cast.open, evergreen_days=1)
    make.by("tier1").api.post(f"{camp.path}/join").ok()
    make.world.check_in(camp, make.by("tier1"))
    certificate = make.by("tier1").api.get("/me/certificates").ok()["items"][0]
    make.things["certificate"] = {"code": certificate["code"], "form": "pdf"}
