"""`python -m tests.billing.honest_stripe`: localstripe, behind a front that is as honest as Stripe itself.

localstripe forgets Idempotency-Key, refunds more than was paid, can't search and never loses anything. The front adds
what Stripe's documents promise, and a network that fails when `POST /_network` says so. It prints its port.
"""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from localstripe import resources
from localstripe.server import app as localstripe

# localstripe writes its whole store to one file for all at each change.
resources.Store.dump_to_disk = lambda _self: None

# What localstripe does not know of a PaymentIntent, and refuses.
_UNKNOWN = ("description", "setup_future_usage", "return_url")
_ALL = "100000"
Params = dict[str, str]


@dataclass
class Network:
    """What happens to the next calls that move money, in order; and every call that came."""

    faults: list[str] = field(default_factory=list)
    decline_code: str = "generic_decline"
    calls: list[dict[str, Any]] = field(default_factory=list)


class Front:
    """Takes calls, remembers answers by key, and adds what localstripe lacks."""

    def __init__(self, inner: str) -> None:
        self._inner = inner
        self._network = Network()
        self._answers: dict[str, tuple[Params, int, dict[str, Any]]] = {}
        # What was told to create each PaymentIntent, and what is known of it beyond localstripe.
        self._created: dict[str, Params] = {}
        self._known: dict[str, dict[str, Any]] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/_network", self._set_network)
        app.router.add_get("/_calls", self._tell_calls)
        app.router.add_get("/v1/payment_intents/search", self._search)
        app.router.add_route("*", "/{path:.*}", self._take)
        return app

    async def _set_network(self, request: web.Request) -> web.Response:
        said = await request.json()
        self._network = Network(said.get("faults", []), said.get("decline_code", "generic_decline"))
        return web.json_response({})

    async def _tell_calls(self, _request: web.Request) -> web.Response:
        return web.json_response(self._network.calls)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        params = {key: str(value) for key, value in (await request.post()).items()}
        key = request.headers.get("Idempotency-Key")
        self._network.calls.append({"method": request.method, "path": request.path, "key": key, **params})
        moves_money = request.method == "POST" and request.path in {"/v1/payment_intents", "/v1/refunds"}
        fault = self._network.faults.pop(0) if moves_money and self._network.faults else None
        if fault == "lost_request":
            return self._hang_up(request)
        if fault == "error_before":
            return web.json_response({"error": {"type": "api_error", "message": "not today"}}, status=500)
        status, body, replayed = await self._answer(request, key, params, fault)
        if fault == "lost_answer":
            return self._hang_up(request)
        if fault == "slow":
            await asyncio.sleep(3)
        return web.json_response(body, status=status, headers={"Idempotent-Replayed": "true"} if replayed else {})

    def _hang_up(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def _answer(
        self, request: web.Request, key: str | None, params: Params, fault: str | None
    ) -> tuple[int, dict[str, Any], bool]:
        """Answer once per key: https://docs.stripe.com/api/idempotent_requests."""
        if request.method != "POST" or key is None:
            return *(await self._do(request, params)), False
        if key in self._answers:
            before, status, body = self._answers[key]
            if before != params:
                return 400, _error("idempotency_error", "Keys can only be used with the same parameters."), False
            return status, body, True
        status, body = await self._do(request, params)
        if fault == "error_after":
            # The work was done, and the failure is what every later request with this key is told.
            status, body = 500, _error("api_error", "Something went wrong on our end.")
        self._answers[key] = (params, status, body)
        return status, body, False

    async def _do(self, request: web.Request, params: Params) -> tuple[int, dict[str, Any]]:
        path, query = request.path, dict(request.query)
        if request.method == "POST" and path == "/v1/payment_intents":
            return await self._create_intent(params)
        if request.method == "POST" and path == "/v1/refunds" and (refused := await self._refuse_refund(params)):
            return 400, refused
        since, before = int(query.pop("created[gte]", 0)), int(query.pop("created[lt]", 2**40))
        query.pop("expand[0]", None)
        status, body = await self._ask(request.method, path, params, query)
        if status == 404:
            return status, _error("invalid_request_error", "No such thing.", "resource_missing")
        if status == 200 and isinstance(body.get("data"), list):
            body["data"] = [one for one in body["data"] if since <= one["created"] < before]
            if path == "/v1/balance_transactions":
                body["data"] = [{**one, "source": await self._source(one["source"])} for one in body["data"]]
        return status, self._as_stripe_says(body)

    async def _create_intent(self, params: Params) -> tuple[int, dict[str, Any]]:
        plain = {name: value for name, value in params.items() if name not in _UNKNOWN}
        status, body = await self._ask("POST", "/v1/payment_intents", plain)
        made = body if status == 200 else await self._newest(params["metadata[circle_number]"])
        if made is None:
            return status, body
        self._created[made["id"]] = params
        if status == 200 and body["status"] == "requires_action" and params.get("off_session") == "true":
            # Stripe declines what would need its payer; localstripe waits for them.
            self._known[made["id"]] = {"status": "requires_payment_method", "next_action": None}
            status, code = 402, "authentication_required"
        else:
            code = self._network.decline_code
        if status == 402:
            said = {"type": "card_error", "code": "card_declined", "decline_code": code}
            self._known[made["id"]] = {**self._known.get(made["id"], {}), "last_payment_error": said}
            return 402, {"error": {**said, "message": "Declined.", "payment_intent": self._as_stripe_says(made)}}
        if params.get("setup_future_usage") and body["status"] == "succeeded":
            await self._ask(
                "POST", f"/v1/payment_methods/{body['payment_method']}/attach", {"customer": body["customer"]}
            )
        return status, self._as_stripe_says(body)

    async def _refuse_refund(self, params: Params) -> dict[str, Any] | None:
        intent_id = params["payment_intent"]
        _, intent = await self._ask("GET", f"/v1/payment_intents/{intent_id}")
        _, given = await self._ask("GET", "/v1/refunds", query={"payment_intent": intent_id, "limit": _ALL})
        left = intent["amount"] - sum(one["amount"] for one in given["data"])
        if int(params["amount"]) > left:
            code = "charge_already_refunded" if left == 0 else None
            return _error("invalid_request_error", f"Only {left} is left.", code)
        return None

    async def _search(self, request: web.Request) -> web.Response:
        """https://docs.stripe.com/search#metadata: the one kind of question that we ask."""
        self._network.calls.append({"method": "GET", "path": request.path, **request.query})
        number = request.query["query"].partition(":")[2].strip("'")
        found = await self._newest(number)
        data = [self._as_stripe_says(found)] if found else []
        return web.json_response({"object": "search_result", "data": data, "has_more": False, "url": request.path})

    async def _newest(self, number: str) -> dict[str, Any] | None:
        _, body = await self._ask("GET", "/v1/payment_intents", query={"limit": _ALL})
        return next((one for one in body["data"] if one["metadata"].get("circle_number") == number), None)

    async def _source(self, source_id: str) -> dict[str, Any]:
        """Charges carry the metadata of their PaymentIntent."""
        kind = "refunds" if source_id.startswith("re_") else "charges"
        _, source = await self._ask("GET", f"/v1/{kind}/{source_id}")
        if kind == "charges" and source["payment_intent"]:
            _, intent = await self._ask("GET", f"/v1/payment_intents/{source['payment_intent']}")
            source["metadata"] = intent["metadata"]
        return source

    def _as_stripe_says(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("object") != "payment_intent":
            return body
        said = {**body, **self._known.get(body["id"], {})}
        said["amount_received"] = said["amount"] if said["status"] == "succeeded" else 0
        return_url = self._created.get(said["id"], {}).get("return_url")
        if said["status"] == "requires_action" and return_url:
            url = f"https://hooks.stripe.com/3d_secure/{said['id']}"
            said["next_action"] = {
                "type": "redirect_to_url",
                "redirect_to_url": {"url": url, "return_url": return_url},
            }
        return said

    async def _ask(
        self, method: str, path: str, params: Params | None = None, query: Params | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": "Bearer sk_test_51honest"}
        async with (
            aiohttp.ClientSession(self._inner, headers=headers) as session,
            session.request(method, path, data=params or None, params=query) as response,
        ):
            return response.status, json.loads(await response.text())


def _error(kind: str, message: str, code: str | None = None) -> dict[str, Any]:
    return {"error": {"type": kind, "message": message, **({"code": code} if code else {})}}


async def _serve(app: web.Application) -> int:
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return int(runner.addresses[0][1])


async def main() -> None:
    inner = await _serve(localstripe)
    port = await _serve(Front(f"http://127.0.0.1:{inner}").app())
    print(port, flush=True)  # noqa: T201 - the tests read it
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
