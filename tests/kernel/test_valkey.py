"""Where Valkey is: one server, or whichever the sentinels say."""

import pytest
from redis.exceptions import RedisError
from redis.sentinel import SentinelConnectionPool

from circle.config import Settings
from circle.kernel.valkey import connect


def test_sentinels_a_service_and_a_password_are_read_from_the_address() -> None:
    pool = connect("redis+sentinel://:a%2Fb@s1:26380,s2/circle/3", socket_timeout=2).connection_pool

    assert isinstance(pool, SentinelConnectionPool)
    addresses = [one.connection_pool.connection_kwargs for one in pool.sentinel_manager.sentinels]
    assert [(one["host"], one["port"], one["password"]) for one in addresses] == [
        ("s1", 26380, "a/b"),
        ("s2", 26379, "a/b"),
    ]
    assert pool.service_name == "circle"
    assert {"db": 3, "password": "a/b", "socket_timeout": 2}.items() <= pool.connection_kwargs.items()


def test_sentinels_that_are_away_are_an_error_like_any_other() -> None:
    client = connect("redis+sentinel://127.0.0.1:1,127.0.0.1:2/circle")

    with pytest.raises(RedisError):
        client.ping()


@pytest.mark.parametrize(("address", "wrong"), [("redis+sentinel://s1,s2", "name the service"), ("s1", "begin with")])
def test_an_address_that_says_too_little_is_refused(settings: Settings, address: str, wrong: str) -> None:
    with pytest.raises(Exception, match=wrong):
        Settings.from_env({"DATABASE_URL": settings.database_url, "REDIS_URL": address, **rest(settings)})


def rest(settings: Settings) -> dict[str, str]:
    names = ("s3_endpoint", "s3_access_key", "s3_secret_key", "secret_key")
    return {name.upper(): str(getattr(settings, name)) for name in names}
