"""What the other files make, once more in the states and circles in which somebody may come upon it."""

from datetime import timedelta
from typing import Any

from tests.access.maker import POST, Maker
from tests.builders.circles import BuiltCircle
from tests.builders.media import PDF
from tests.builders.posts import BuiltPost

# What a kind of thing can be, by the name under which paths hold it: every route is asked about it in each. The first
# kind that a path names is what it is about; those that are not named here are always one's own, or of one state.
STATES = {
    "post_id": (
        *("draft", "scheduled", "review", "hidden_post", "trashed", "question_unpaid"),
        *("preview", "members", "tier2", "hidden_circle", "closed_circle"),
    ),
    "comment_id": (
        *("", "tier2_comment", "held", "hidden_comment", "trashed_comment", "on_trashed_post"),
        *("hidden_circle", "closed_circle"),
    ),
    "column_id": ("members_column", "tier2_column", "hidden_circle", "closed_circle"),
    "media_id": ("", "draft_file", "scheduled_file", "hidden_file", "trashed_file", "hidden_circle", "closed_circle"),
    "assignment_id": ("", "tier2_homework", "unopened", "deleted", "named", "hidden_circle", "closed_circle"),
    "submission_id": ("", "peers", "agreed", "deleted", "named", "hidden_circle", "closed_circle"),
    "review_id": ("", "held_scores", "hidden_circle", "closed_circle"),
    "camp_id": ("", "tier2_camp", "hidden_circle", "closed_circle"),
    "check_in_id": ("", "tier2_camp", "deleted", "hidden_circle", "closed_circle"),
    "circle_id": ("hidden_circle", "closed_circle"),
}
# Comments on entries have a path of their own, and the target `of_entry` alone.
STATELESS = ("DELETE /v1/check-in-comments/{comment_id}",)

_STREAM = "GET /v1/circles/{circle_id}/comments"
_ASSIGNMENT = "GET /v1/assignments/{assignment_id}"
_SUBMISSION = "GET /v1/submissions/{submission_id}"
_REVIEW = "GET /v1/reviews/{review_id}"
_CHECK_IN = "GET /v1/check-ins/{check_in_id}"


def change_states(make: Maker, members: BuiltPost) -> None:
    """Hide, drop, hold back and address things in the open circle."""
    _attach(make)
    _drop_comments(make, members)
    _set_unseen_homework(make)
    _drop_entry(make)


def _attach(make: Maker) -> None:
    """A file on a post in each state in which others may not see the post."""
    for status in ("draft", "scheduled", "hidden", "trashed"):
        row = f"{POST} @{'hidden_post' if status == 'hidden' else status}"
        name = make.secrets.of(row, f"the name of a file on a post that is {status}")
        media_id = make.world.media(make.by("tier2"), PDF, filename=f"{name}.pdf", content_type="application/pdf")
        at = {"publish_at": make.clock.now() + timedelta(days=1)} if status == "scheduled" else {"status": status}
        make.world.post(make.cast.open, make.by("tier2"), attachments=[media_id], **at)
        make.things[f"{status}_file"] = {"media_id": media_id}


def _drop_comments(make: Maker, members: BuiltPost) -> None:
    for target, verb in (("hidden_comment", "put"), ("trashed_comment", "delete")):
        said = make.secrets.of(_STREAM, f"the text of the @{target}", also=("tier1",))
        comment = make.world.comment(members, make.by("tier1"), said)
        path = f"/comments/{comment['id']}"
        if verb == "put":
            make.by("admin").api.put(f"{path}/hidden").ok(204)
        else:
            make.by("tier1").api.delete(path).ok(204)
        make.things[target] = {"comment_id": comment["id"], "post_id": members.id}
    post = make.world.post(make.cast.open, make.by("tier2"))
    comment = make.world.comment(post, make.by("tier1"), "说过的话")
    make.by("tier2").api.delete(post.path).ok(204)
    make.things["on_trashed_post"] = {"comment_id": comment["id"], "post_id": post.id}


def _set_unseen_homework(make: Maker) -> None:
    """Homework that opens tomorrow, that is deleted, and that is for `tier2` alone."""
    later = (make.clock.now() + timedelta(days=1)).isoformat()
    named = {"kind": "named", "user_ids": [str(make.by("tier2").id)]}
    about: dict[str, dict[str, Any]] = {"unopened": {"opens_at": later}, "deleted": {}, "named": {"audience": named}}
    for target, fields in about.items():
        brief = make.secrets.of(f"{_ASSIGNMENT} @{target}", f"the brief of the homework @{target}")
        made = make.world.assignment(make.cast.open, brief=brief, visibility="never", **fields)
        make.things[target] = {"assignment_id": made.id}
        if target != "unopened":
            what = f"what was handed in for the homework @{target}"
            body = make.secrets.of(f"{_SUBMISSION} @{target}", what, also=("tier2",))
            submission = make.world.hand_in(made, make.by("tier2"), body)
            make.things[target]["submission_id"] = submission["id"]
        if target == "deleted":
            make.by("owner").api.delete(made.path).ok(204)


def _drop_entry(make: Maker) -> None:
    camp = make.world.camp(make.cast.open)
    make.by("tier2").api.post(f"{camp.path}/join").ok()
    said = make.secrets.of(f"{_CHECK_IN} @deleted", "what a deleted entry said")
    entry = make.world.check_in(camp, make.by("tier2"), body=said)
    make.by("tier2").api.delete(f"/check-ins/{entry['id']}").ok(204)
    make.things["deleted"] |= {"check_in_id": entry["id"], "camp_id": camp.id}


def live_in(make: Maker, target: str, circle: BuiltCircle) -> None:
    """Homework, a camp, a column and a file of a circle that is hidden, or will be closed."""
    things = make.things.setdefault(target, {})
    tier1, owner = make.by("tier1"), make.by("owner")
    brief = make.secrets.of(f"{_ASSIGNMENT} @{target}", f"the brief of the homework @{target}")
    homework = make.world.assignment(circle, brief=brief, visibility="never")
    body = make.secrets.of(f"{_SUBMISSION} @{target}", f"what was handed in @{target}")
    submission = make.world.hand_in(homework, tier1, body)
    said = make.secrets.of(f"{_REVIEW} @{target}", f"what a review says @{target}")
    review = make.world.review(submission, owner, body=said)
    camp = make.world.camp(circle)
    make.by("tier2").api.post(f"{camp.path}/join").ok()
    wrote = make.secrets.of(f"{_CHECK_IN} @{target}", f"what an entry says @{target}")
    entry = make.world.check_in(camp, make.by("tier2"), body=wrote)
    column = make.world.column(circle)
    name = make.secrets.of(f"{POST} @{target}", f"the name of a file @{target}")
    media_id = make.world.media(owner, PDF, filename=f"{name}.pdf", content_type="application/pdf")
    make.world.post(circle, owner, attachments=[media_id])
    things |= {"assignment_id": homework.id, "submission_id": submission["id"], "review_id": review["id"]}
    things |= {"camp_id": camp.id, "check_in_id": entry["id"], "column_id": column.id, "media_id": media_id}
