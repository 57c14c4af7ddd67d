"""The things that the matrix asks for, one of each kind in each state; what only some may read holds a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from circle.jobs import load_job
from circle.kernel.clock import ManualClock
from tests.access.archive import lift
from tests.access.learning import learn
from tests.access.maker import POST, Maker
from tests.access.people import FREE, OPENED, TIER2, Cast
from tests.access.sales import sell
from tests.access.secrets import Secrets
from tests.access.states import change_states, live_in
from tests.builders.archive import BuiltColumn, zip_of
from tests.builders.circles import BuiltCircle
from tests.builders.media import PDF
from tests.builders.payouts import REFUND_WINDOW
from tests.builders.people import Person
from tests.builders.posts import BuiltPost
from tests.client import World

HELD_WORD = "加微信"
# Targets that differ by what is sent about the ordinary thing.
_SAME_THING = ("new_role", "with_refund", "free", "own_drafts", "the_trash", "whole_circle")
_PAID = f"{POST} @tier2"


@dataclass(frozen=True)
class Content:
    """What the placeholders of paths stand for, by target; `""` holds what rows without a target mean."""

    things: Mapping[str, Mapping[str, Any]]
    secrets: Secrets
    # Uploads of owner and partner that can be imported.
    archives: Mapping[str, str]
    webhook: Mapping[str, Any]
    codes: Mapping[str, Mapping[str, str]]
    next_month: str


def fill(world: World, clock: ManualClock, cast: Cast, secrets: Secrets) -> Content:
    """Make everything in the circles of the cast."""
    make = Maker(world, clock, cast, secrets, {"": {}})
    _write_old_post(make)
    members, paid = _write_posts(make)
    _talk(make, members, paid)
    _ask(make)
    _moderate(make, members)
    _file(make, members, paid)
    lift(make, members, paid)
    _invite(make)
    _pay(make)
    sell(make)
    _pay_out(make)
    _keep_accounts(make)
    learn(make)
    change_states(make, members)
    archives = _import(make)
    _write_elsewhere(make)
    load_job("search.catch_up").run(world.units)
    webhook = _webhook(make)
    next_month = (clock.now() + timedelta(days=31)).isoformat()
    return Content(make.things, secrets, archives, webhook, _codes(make), next_month)


def _write_old_post(make: Maker) -> None:
    """A post from the time that an expired member paid for."""
    now = make.clock.now()
    make.clock.set(now - OPENED / 2)
    make.post("paid_term", "owner")
    make.clock.set(now)


def _write_posts(make: Maker) -> tuple[BuiltPost, BuiltPost]:
    make.post("preview", "owner", access="preview", body="试读")
    old = make.secrets.of(f"{POST}/revisions @members", "what a post said before its edit")
    members = make.post("members", "tier2", title="公开的标题", body=old)
    body = make.secrets.of(f"{POST} @members", "the body of the post @members")
    make.by("tier2").api.patch(members.path, {"body": body}).ok()
    make.things["filing"] = make.things["members"]
    paid = _write_paid(make)
    for target in ("draft", "scheduled", "trashed", "hidden_post", "review"):
        title = make.secrets.of(f"{POST} @{target}", f"the title of the post @{target}")
        # Who files the archive sees all of its tags.
        filing = ("owner", "partner", "admin", "token_read")
        tag = make.secrets.of(f"{POST} @{target}", f"a tag of the post @{target}", also=filing, is_name=True)
        make.post(target, "tier2", kind="article", title=title, tags=[tag], **_state(make, target))
    return members, paid


def _state(make: Maker, target: str) -> dict[str, Any]:
    if target == "scheduled":
        return {"publish_at": make.clock.now() + timedelta(days=1)}
    if target == "review":
        make.world.block_word(make.cast.open, HELD_WORD, "review")
        return {"body": HELD_WORD + make.secrets.of(f"{POST} @review", "the body of the post @review")}
    return {"status": {"hidden_post": "hidden"}.get(target, target)}


def _write_paid(make: Maker) -> BuiltPost:
    """The post that the highest tier pays for, with everything that hangs on it."""
    filename = make.secrets.of(_PAID, "the name of an attachment of the post @tier2")
    owner = make.by("owner")
    media_id = make.world.media(owner, PDF, filename=f"{filename}.pdf", content_type="application/pdf")
    make.things[""]["media_id"] = media_id
    title, excerpt = "付费的标题", "免费的节选"
    content: Mapping[str, Any] = {"title": title, "excerpt": excerpt, "attachments": [media_id], "tags": ["写作"]}
    paid = make.post("tier2", "owner", kind="article", access="学员", **content)
    row = f"{POST}/revisions @tier2"
    old = make.secrets.of(row, "what the post @tier2 said before its edit")
    new = make.secrets.of(_PAID, "the edited body of the post @tier2")
    owner.api.patch(paid.path, {"body": old}).ok()
    owner.api.patch(paid.path, {"body": new}).ok()
    return paid


def _talk(make: Maker, members: BuiltPost, paid: BuiltPost) -> None:
    comments = f"{POST}/comments"
    said = make.secrets.of(f"{comments} @members", "a comment on the post @members")
    comment = make.world.comment(members, make.by("tier1"), said)
    make.things[""]["comment_id"] = comment["id"]
    said = make.secrets.of(f"{comments} @tier2", "a comment on the post @tier2")
    make.things["tier2_comment"] = {"comment_id": make.world.comment(paid, make.by("tier2"), said)["id"]}
    held = make.secrets.of(
        "GET /v1/circles/{circle_id}/comments", "a comment that waits for a moderator", also=("tier1",)
    )
    make.things["held"] = {"comment_id": make.world.comment(members, make.by("tier1"), HELD_WORD + held)["id"]}
    make.by("tier1").api.put(f"{members.path}/reactions/🎉").ok()


def _ask(make: Maker) -> None:
    circle, asker = make.cast.open, make.by("tier1")
    asked = {"open": None, "guest": make.by("guest").id, "answered": None}
    for state, expert in asked.items():
        body = make.secrets.of(f"{POST} @question_{state}", f"the body of the question @question_{state}")
        content = {"title": "怎么写？", "body": body, **({"asked_id": str(expert)} if expert else {})}
        question = make.world.ask(circle, asker, **content)
        make.things[f"question_{state}"] = {"post_id": question["id"]}
    owner, answer = make.by("owner"), f"/posts/{make.things['question_answered']['post_id']}/answer"
    old = make.secrets.of(f"{POST}/answer/revisions @question_answered", "what an answer said before its edit")
    new = make.secrets.of(f"{POST} @question_answered", "the answer to a question")
    owner.api.post(answer, {"body": old}).ok(201)
    owner.api.patch(answer, {"body": new}).ok()
    owner.api.patch(circle.path, {"question_price": 500}).ok()
    body = make.secrets.of(f"{POST} @question_unpaid", "the body of a question that is not paid")
    question = make.world.ask(circle, asker, body=body, amount=500)
    make.things["question_unpaid"] = {"post_id": question["id"]}


def _moderate(make: Maker, members: BuiltPost) -> None:
    circle = make.cast.open
    note = make.secrets.of("GET /v1/circles/{circle_id}/reports", "the note of a report", also=("tier1",))
    report = make.by("tier1").api.post(f"{members.path}/report", {"reason": "other", "note": note}).ok(201)
    word = make.secrets.of("GET /v1/circles/{circle_id}/blocked-words", "a word that is not wanted", is_name=True)
    listed = make.world.block_word(circle, word)
    note = make.secrets.of("GET /v1/circles/{circle_id}/members", "the creator's note about a member")
    make.by("owner").api.patch(f"{circle.path}/members/{make.by('tier1').id}", {"note": note}).ok()
    make.things[""] |= {"report_id": report["id"], "word_id": listed["id"]}
    for role in ("pending", "banned", "removed", "partner", "owner"):
        make.things[f"{role}_member"] = {"user_id": make.by(role).id}
    make.things |= {name: {} for name in _SAME_THING}
    make.by("owner").api.post(f"{circle.path}/transfer", {"user_id": str(make.by("tier2").id)}).ok(201)


def _file(make: Maker, members: BuiltPost, paid: BuiltPost) -> None:
    circle = make.cast.open
    tag = make.by("owner").api.get(f"{circle.path}/tags").ok()["items"][0]
    make.things[""] |= {"tag_id": tag["id"], "path": "写作"}
    make.things["members_column"] = _column(make, circle, "members_column", members, paid)
    make.things["tier2_column"] = _column(make, circle, "tier2_column", members, paid, access="学员")
    make.things[""] |= make.things["tier2_column"]


def _column(
    make: Maker, circle: BuiltCircle, target: str, *posts: BuiltPost, access: str = "members"
) -> dict[str, Any]:
    built: BuiltColumn = make.world.column(circle, access=access)
    section = make.secrets.of(f"GET /v1/columns/{{column_id}} @{target}", f"a section of the column @{target}")
    order = {"sections": [{"name": section, "post_ids": [str(post.id) for post in posts]}]}
    circle.owner.api.put(f"{built.path}/items", order).ok()
    return {"column_id": built.id, "circle_id": circle.id}


def _invite(make: Maker) -> None:
    circle = make.cast.open
    row = "GET /v1/circles/{circle_id}/invitations"
    note = make.secrets.of(row, "the note of an invitation")
    made = make.by("owner").api.post(f"{circle.path}/invitations", {"note": note}).ok(201)
    make.secrets.keep(made["code"], row, "an invitation's code")
    tier = circle.tier(TIER2)
    make.things[""] |= {"invitation_id": made["id"], "code": made["code"], "circle_id": circle.id}
    make.things[""] |= {"tier_id": tier.id, "price_id": circle.tier(FREE).price_id, "user_id": make.by("tier1").id}


def _pay(make: Maker) -> None:
    """What `tier1` has paid and has still to pay; the checkout is in a circle of others'."""
    payer, other = make.by("tier1"), make.cast.other
    invoice_id = payer.extra["invoices"][make.cast.open.id]
    invoice = make.world.invoice(payer, invoice_id)
    make.secrets.keep(invoice["number"], "GET /v1/invoices/{invoice_id}", "the number of an invoice")
    checkout = make.world.checkout(payer, other, other.tier(TIER2))
    make.things[""] |= {
        "invoice_id": invoice_id,
        "subscription_id": invoice["subscription_id"],
        "checkout_id": checkout["id"],
        "method_id": make.world.method(payer),
        "provider": "sandbox",
    }


def _pay_out(make: Maker) -> None:
    """What `tier1` paid is the owner's for good; a part of it is on its way out."""
    circle, now = make.cast.open, make.clock.now()
    make.clock.set(now + REFUND_WINDOW)
    load_job("billing.release").run(make.world.units)
    make.clock.set(now)
    make.world.pay_out_to(circle, "ok")
    note = make.secrets.of("GET /v1/circles/{circle_id}/payouts", "the note of a payout")
    make.things[""]["payout_id"] = make.world.withdraw(circle, 500, note=note).ok(201)["id"]


def _keep_accounts(make: Maker) -> None:
    """Each role's address is its own; `tier1` has a second session, token and address, and a face."""
    for role, person in make.cast.people.items():
        also = ("token_read",) if role == "owner" else ()
        make.secrets.keep(person.email, "", f"the address of {role}", also=(role, *also))
    person = make.by("tier1")
    token = person.api.post("/me/tokens", {"name": "脚本", "scopes": ["read"]}).ok(201)
    added = _add_address(make, person)
    session = next(one for one in person.api.get("/me/sessions").ok()["items"] if one["current"])
    avatar = make.world.media(person, filename="脸.png", purpose="avatar")
    person.api.patch("/me", {"avatar_media_id": str(avatar)}).ok()
    make.things["avatar"] = {"media_id": avatar}
    make.things[""] |= {"session_id": session["id"], "token_id": token["id"], "identity_id": added["id"]}
    make.things[""] |= {"emoji": "🎉"}


def _add_address(make: Maker, person: Person) -> Any:
    email = "second-of-tier1@example.org"
    person.api.post("/auth/codes", {"email": email, "purpose": "add_identity"}).ok()
    return person.api.post("/me/identities", {"email": email, "code": make.world.last_code(email)}).ok(201)


def _import(make: Maker) -> dict[str, str]:
    """An import that has ended, and uploads of those who may import."""
    archive = zip_of({"一.md": "# 一\n\n正文"})
    about = {"filename": "文章.zip", "content_type": "application/zip", "purpose": "import"}
    first = make.world.uploaded(make.by("owner"), archive, **about)
    archives = {role: str(make.world.uploaded(make.by(role), archive, **about)) for role in ("owner", "partner")}
    make.world.process_media()
    asked = (
        make.by("owner")
        .api.post(f"{make.cast.open.path}/imports", {"format": "markdown", "media_id": str(first)})
        .ok(202)
    )
    load_job("imports.run").run(make.world.units)
    make.things[""]["import_id"] = asked["id"]
    make.things[""]["export_id"] = make.world.ask_export(make.by("tier2"), make.cast.open)["id"]
    load_job("exports.build").run(make.world.units)
    return archives


def _write_elsewhere(make: Maker) -> None:
    """The same in a circle that shows strangers nothing, and in one that is closed."""
    owner, hidden, closed = make.by("owner"), make.cast.hidden, make.cast.closed
    for target, circle in (("hidden_circle", hidden), ("closed_circle", closed)):
        live_in(make, target, circle)
    title = make.secrets.of(f"{POST} @hidden_circle", "a title in the hidden circle", also=("expired", "refunded"))
    post = make.post("hidden_circle", "owner", hidden, kind="article", title=title)
    preview = make.post("hidden_preview", "owner", hidden, access="preview")
    comment = make.world.comment(post, owner, "评论")
    make.things["hidden_circle"] |= _column(make, hidden, "hidden_circle", post, preview)
    make.things["hidden_circle"] |= {
        "comment_id": comment["id"],
        "tier_id": hidden.tier(TIER2).id,
        "price_id": hidden.tier(TIER2).price_id,
    }
    owner.api.patch(hidden.path, {"join_policy": "invite"}).ok()
    post = make.post("closed_circle", "tier2", closed)
    comment = make.world.comment(post, make.by("tier1"), "评论")
    make.things["closed_circle"] |= {"comment_id": comment["id"], "tier_id": closed.tier(TIER2).id}
    owner.api.patch(closed.path, {"closed": True}).ok()
    gone = make.world.circle(make.by("other_owner"), preview_policy="none")
    gone.owner.api.patch(gone.path, {"closed": True}).ok()
    make.things["hidden_closed"] = {"circle_id": gone.id}


def _webhook(make: Maker) -> dict[str, Any]:
    delivery = next(iter(make.world.sandbox.waiting_webhooks()))
    return {"headers": dict(delivery.headers), "data": delivery.body}


def _codes(make: Maker) -> dict[str, dict[str, str]]:
    """Codes that were sent to a visitor, and to an address that nobody has yet, by purpose."""
    visitor, nobody = make.world.person("访客").email, "nobody-yet@example.org"
    sent = {"register": nobody, "login": visitor, "reset_password": visitor, "add_identity": nobody}
    codes = {}
    for purpose, email in sent.items():
        make.by("outsider").api.post("/auth/codes", {"email": email, "purpose": purpose}).ok()
        codes[purpose] = {"email": email, "code": make.world.last_code(email)}
    return codes
