"""Rate limits on the engine of Flask-Limiter; with Redis down each process keeps counting by itself."""

from dataclasses import dataclass

import structlog
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import MovingWindowRateLimiter, RateLimiter, SlidingWindowCounterRateLimiter

from circle.kernel.clock import elapsed, unix_seconds
from circle.kernel.errors import TooManyRequests
from circle.kernel.ids import digest
from circle.kernel.uow import forbid_inside_unit_of_work
from circle.kernel.valkey import connect

log = structlog.get_logger(__name__)

TEST_MODE_FACTOR = 1000
# After Redis failed, this long is counted in memory before it is asked again.
_FALLBACK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests of one kind: `per` is "user", "ip", "identity" (the body's e-mail or phone) or "all".

    `rate` as in "10/minute".
    """

    name: str
    rate: str
    per: str = "user"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left after a hit, for the `RateLimit-*` headers: counts, and seconds to the reset."""

    limit: int
    remaining: int
    reset: int


class Limiter:
    """Counts hits; `factor` raises every limit (test mode), None switches them off."""

    def __init__(self, redis_url: str, *, factor: int | None = 1) -> None:
        self._factor = factor
        self._local: RateLimiter = MovingWindowRateLimiter(MemoryStorage())
        pool = connect(redis_url, socket_timeout=1).connection_pool
        self._shared: RateLimiter = SlidingWindowCounterRateLimiter(
            RedisStorage("redis://", connection_pool=pool, key_prefix="limit", wrap_exceptions=True)
        )
        self._local_until = 0.0

    def hit(self, limit: Limit, identity: str, *, cost: int = 1) -> Allowance | None:
        """Count one request. Errors: TooManyRequests with the seconds to wait."""
        forbid_inside_unit_of_work()
        if self._factor is None:
            return None
        identity = digest(identity).hex()[:32]  # an e-mail address is nothing to leave lying in Redis
        item = parse(limit.rate)
        item = type(item)(item.amount * self._factor, item.multiples)
        if elapsed() >= self._local_until:
            try:
                return self._hit(self._shared, item, limit, identity, cost)
            except StorageError as error:
                self._local_until = elapsed() + _FALLBACK_SECONDS
                log.warning("limits_in_memory", error=str(error))
        return self._hit(self._local, item, limit, identity, cost)

    @staticmethod
    def _hit(limiter: RateLimiter, item: RateLimitItem, limit: Limit, identity: str, cost: int) -> Allowance:
        allowed = limiter.hit(item, limit.name, limit.per, identity, cost=cost)
        stats = limiter.get_window_stats(item, limit.name, limit.per, identity)
        reset = max(1, round(stats.reset_time - unix_seconds()))
        if not allowed:
            raise TooManyRequests(retry_after=reset, limit=item.amount)
        return Allowance(item.amount, int(stats.remaining), reset)
