"""Connections to Valkey or Redis: one server, or the one that Sentinel says is the primary now.

`redis+sentinel://:PASSWORD@s1:26379,s2:26379,s3:26379/SERVICE/0`: the password is that of the servers and the
sentinels. Who is primary is asked at each new connection, and one that was opened to a former primary is dropped.
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

SENTINEL = "redis+sentinel://"
_SENTINEL_PORT = 26379
# A sentinel that is away must not hold up whoever could ask another.
_SENTINEL_SECONDS = 0.5


def connect(url: str, **options: Any) -> "Redis":
    """Return a client of the installation's `REDIS_URL`; `options` are those of its connections.

    What fails is tried once more at once, for a connection may have been closed while it was idle, and not again after
    pauses as the library would: whoever uses it knows better how long to leave it alone.
    """
    options = {"retry": Retry(NoBackoff(), 1), **options}
    if not url.startswith(SENTINEL):
        client: Redis = Redis.from_url(url, **options)
        return client
    parts = urlsplit(url)
    service, _, number = parts.path.strip("/").partition("/")
    login = {"username": parts.username, "password": parts.password}
    login = {name: unquote(value) for name, value in login.items() if value}
    patience = {"socket_timeout": _SENTINEL_SECONDS, "socket_connect_timeout": _SENTINEL_SECONDS}
    asking = {**login, **patience, "retry": Retry(NoBackoff(), 0)}
    hosts = parts.netloc.rpartition("@")[2].split(",")
    sentinels = Sentinel([_address(host) for host in hosts], sentinel_kwargs=asking, **login)  # type: ignore[no-untyped-call]
    found: Redis = sentinels.master_for(service, db=int(number or 0), **options)  # type: ignore[no-untyped-call]
    return found


def _address(host: str) -> tuple[str, int]:
    name, _, port = host.partition(":")
    return name, int(port or _SENTINEL_PORT)
