"""What is sent in each row: a body that is right, so that whoever is refused is refused for who they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from circle.app import ROUTES
from circle.web.routes import Operation
from tests.access.people import FREE, TIER2
from tests.access.rows import Row, path_of
from tests.access.scene import Scene
from tests.builders.billing import idempotency_key
from tests.builders.homework import BEST

Body = Any
MakeBody = Callable[[Scene, str], Body]

OPERATIONS: Mapping[str, Operation] = {
    f"{operation.method} {path_of(operation.path)}": operation for routes in ROUTES for operation in routes.operations
}


@dataclass(frozen=True)
class Sent:
    """One request of one role."""

    method: str
    path: str
    arguments: Mapping[str, Any]


def request_of(scene: Scene, row: Row, role: str) -> Sent:
    """The request of a row as a role sends it: its own body where it has one, else the route's."""
    path = row.path.format_map({name: str(value) for name, value in scene.things(row.target).items()})
    if row.route == "POST /v1/webhooks/{provider}":
        return Sent(row.method, path, scene.content.webhook)
    arguments: dict[str, Any] = {}
    query = QUERIES.get(row.key, QUERIES.get(row.route))
    if query is not None:
        arguments["query_string"] = query
    body = BODIES.get(row.key, BODIES.get(row.route))
    if body is not None:
        arguments["json"] = body(scene, role) if callable(body) else body
    elif row.method in {"POST", "PUT", "PATCH"}:
        arguments["json"] = {}
    if OPERATIONS[row.route].key_required:
        arguments["headers"] = idempotency_key()
    return Sent(row.method, path, arguments)


def _code(purpose: str, **more: str) -> MakeBody:
    return lambda scene, _role: {**scene.content.codes[purpose], **more}


def _import(scene: Scene, role: str) -> Body:
    return {"format": "markdown", "media_id": scene.content.archives.get(role, scene.content.archives["owner"])}


def _join(circle: str, rank: int) -> MakeBody:
    return lambda scene, _role: {"price_id": str(getattr(scene.cast, circle).tier(rank).price_id)}


_PASSWORD = "correct horse battery staple"
_TALK = {"kind": "talk", "body": "一句话"}

# By route, or by row where one row sends something else.
BODIES: Mapping[str, Body | MakeBody] = {
    "POST /v1/auth/register": _code("register", display_name="新人"),
    "POST /v1/auth/codes": {"email": "brand-new@example.org", "purpose": "register"},
    "POST /v1/auth/login": _code("login"),
    "POST /v1/auth/password": _code("reset_password", password=_PASSWORD),
    "POST /v1/auth/wechat": {"code": "0a3Lzl0w3"},
    "PATCH /v1/me": {"bio": "读书写字。"},
    "POST /v1/me/identities": _code("add_identity"),
    "POST /v1/me/tokens": {"name": "脚本", "scopes": ["read"]},
    "POST /v1/me/payment-methods": {"provider": "sandbox", "token": "ok"},
    "PATCH /v1/me/payment-methods/{method_id}": {"token": "decline_soft"},
    "PUT /v1/subscriptions/{subscription_id}/payment-method": lambda scene, _role: {
        "payment_method": str(scene.things(None)["method_id"])
    },
    "PUT /v1/subscriptions/{subscription_id}/collection": {"collection": "auto"},
    "POST /v1/me/notifications/read": {"ids": []},
    "PUT /v1/me/notification-settings": {"switches": []},
    "PUT /v1/me/webhook": {"url": "https://bot.example.org/circle"},
    "POST /v1/circles": {"name": "新的圈子"},
    "PATCH /v1/circles/{circle_id}": {"rules": "友善。"},
    "POST /v1/circles/{circle_id}/transfer": lambda scene, _role: {"user_id": str(scene.user_id("tier1"))},
    "POST /v1/circles/{circle_id}/tiers": {"name": "导师班", "rank": 9},
    "PATCH /v1/tiers/{tier_id}": {"description": "每周一次点评。"},
    "POST /v1/tiers/{tier_id}/prices": {"amount": 29900, "currency": "CNY", "interval": "year"},
    "PATCH /v1/circles/{circle_id}/membership": {"alias": "新名字"},
    "PATCH /v1/circles/{circle_id}/members/{user_id}": {"note": "写小说的"},
    "PATCH /v1/circles/{circle_id}/members/{user_id} @new_role": {"role": "guest"},
    "POST /v1/circles/{circle_id}/members/{user_id}/remove": {"refund": False},
    "POST /v1/circles/{circle_id}/members/{user_id}/remove @with_refund": {"refund": True},
    "POST /v1/circles/{circle_id}/members/{user_id}/ban": {"refund": False},
    "POST /v1/circles/{circle_id}/join": _join("open", TIER2),
    "POST /v1/circles/{circle_id}/join @free": _join("open", FREE),
    "POST /v1/circles/{circle_id}/join @hidden_circle": _join("hidden", TIER2),
    "POST /v1/checkouts/{checkout_id}/pay": lambda scene, _role: {"payment_method": scene.things(None)["method_id"]},
    "POST /v1/circles/{circle_id}/coupons": {"percent": 20},
    "POST /v1/circles/{circle_id}/gifts": _join("open", TIER2),
    "POST /v1/circles/{circle_id}/gifts @hidden_circle": _join("hidden", TIER2),
    "POST /v1/circles/{circle_id}/gifts @closed_circle": _join("closed", TIER2),
    "POST /v1/gifts/claim": lambda scene, _role: {"code": scene.things("sales")["gift_code"]},
    "POST /v1/subscriptions/{subscription_id}/quote": _join("open", TIER2),
    "POST /v1/subscriptions/{subscription_id}/change": lambda scene, _role: scene.things("sales")["change"],
    "POST /v1/circles/{circle_id}/price-campaigns": lambda scene, _role: scene.things("sales")["campaign"],
    "POST /v1/invoices/{invoice_id}/refund": {"reason": "买错了"},
    "POST /v1/circles/{circle_id}/payouts": {"amount": 100, "currency": "CNY"},
    "PUT /v1/circles/{circle_id}/payout-account": {"provider": "sandbox", "token": "ok"},
    "POST /v1/media": {"filename": "图.png", "content_type": "image/png", "size": 1000, "purpose": "post"},
    "POST /v1/circles/{circle_id}/posts": _TALK,
    "POST /v1/circles/{circle_id}/posts @preview": {**_TALK, "access": {"level": "preview"}},
    "PATCH /v1/posts/{post_id}": {"body": "改过的话"},
    "PATCH /v1/posts/{post_id} @filing": {"tags": ["阅读"]},
    "POST /v1/posts/{post_id}/comments": {"body": "同意"},
    "PUT /v1/posts/{post_id}/read": {"progress": 50},
    "POST /v1/posts/{post_id}/answer": {"body": "先写一百字。"},
    "PATCH /v1/posts/{post_id}/answer": {"body": "先写两百字。"},
    "POST /v1/posts/{post_id}/report": {"reason": "spam"},
    "PATCH /v1/comments/{comment_id}": {"body": "改过的评论"},
    "POST /v1/comments/{comment_id}/report": {"reason": "spam"},
    "POST /v1/reports/{report_id}/resolve": {"outcome": "dismissed"},
    "POST /v1/circles/{circle_id}/blocked-words": {"word": "广告", "action": "block"},
    "PATCH /v1/tags/{tag_id}": {"name": "读书"},
    "POST /v1/circles/{circle_id}/columns": {"name": "新专栏"},
    "PATCH /v1/columns/{column_id}": {"intro": "从一百字开始。"},
    "PUT /v1/columns/{column_id}/items": {"post_ids": []},
    "PUT /v1/circles/{circle_id}/start-here": {"post_ids": []},
    "PUT /v1/posts/{post_id}/bookmark": {"folder": "新的", "note": "留着"},
    "PATCH /v1/me/bookmark-folders/{folder_id}": {"name": "别的"},
    "POST /v1/circles/{circle_id}/batch": {"filter": {"kind": "article"}, "digest": True},
    "POST /v1/circles/{circle_id}/imports": _import,
    "POST /v1/circles/{circle_id}/exports": {"scope": "mine", "format": "markdown"},
    "POST /v1/circles/{circle_id}/exports @whole_circle": {"scope": "circle", "format": "archive"},
    "POST /v1/circles/{circle_id}/assignments": {"title": "写一个开头"},
    "PATCH /v1/assignments/{assignment_id}": {"title": "写一个结尾"},
    "PUT /v1/assignments/{assignment_id}/draft": {"body": "那年冬天"},
    "POST /v1/assignments/{assignment_id}/submissions": {"body": "那年夏天"},
    "POST /v1/assignments/{assignment_id}/extensions": lambda scene, _role: {
        "user_id": str(scene.user_id("tier1")),
        "due_at": scene.content.next_month,
    },
    "POST /v1/assignments/{assignment_id}/queue/claim": {},
    "POST /v1/submissions/{submission_id}/reviews": {"verdict": "passed", "body": "不错"},
    "PATCH /v1/reviews/{review_id}": {"body": "很不错"},
    "POST /v1/submissions/{submission_id}/peer-review": {"rubric": BEST, "body": "读得很高兴"},
    "POST /v1/submissions/{submission_id}/showcase": {},
    "POST /v1/circles/{circle_id}/camps": {"title": "晨间写作营", "evergreen_days": 21},
    "PATCH /v1/camps/{camp_id}": {"rules": "写了就算。"},
    "POST /v1/camps/{camp_id}/check-ins": {"body": "今天也写了。"},
    "POST /v1/camps/{camp_id}/leave-days": {"days": ["2026-03-02"]},
    "POST /v1/check-ins/{check_in_id}/comments": {"body": "写得真好！"},
    "PUT /v1/check-ins/{check_in_id}/note": {"body": "细节写得好。"},
    "POST /v1/certificates/{code}/revoke": {"reason": "代打卡"},
}

QUERIES: Mapping[str, Mapping[str, str]] = {
    "GET /v1/circles/{circle_id}/posts @own_drafts": {"status": "draft"},
    "GET /v1/circles/{circle_id}/posts @the_trash": {"status": "trashed"},
    "GET /v1/camps/{camp_id}/calendar": {"month": "2026-03"},
    "GET /v1/circles/{circle_id}/statements": {"month": "2026-03"},
    "GET /v1/camps/{camp_id}/class-calendar": {"month": "2026-03"},
    "GET /v1/me/check-ins/heatmap": {"year": "2026"},
    # Every secret begins with this.
    "GET /v1/search": {"q": "机密", "limit": "100"},
}
