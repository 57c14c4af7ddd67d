"""Refusals of the facade itself, which every route has."""

from circle.kernel.errors import Forbidden, Malformed
from circle.kernel.text import Text


class ScopeMissing(Forbidden):
    code = "scope_missing"
    text = Text("这个令牌没有“{scope}”权限。", "This token lacks the scope '{scope}'.")


class IdempotencyKeyRequired(Malformed):
    code = "idempotency_key_required"
    text = Text("这里必须带 Idempotency-Key。", "An Idempotency-Key is required here.")


class BadIdempotencyKey(Malformed):
    code = "bad_idempotency_key"
    text = Text("Idempotency-Key 无效。", "The Idempotency-Key is not valid.")
