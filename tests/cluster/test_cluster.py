"""Parts of a cluster are killed under load: what stops and for how long; nothing promised is lost, nothing done twice.

Everything goes through PgBouncer in transaction mode, which wipes its sessions after each transaction. Writes that got
no answer are tried again with their key, as an app does.
"""

import http.client
import signal
import time
from collections.abc import Callable

import pytest

from circle.kernel.clock import elapsed
from tests.cluster.engines import Postgres
from tests.cluster.figures import READS
from tests.cluster.hosts import wait_until
from tests.cluster.load import WRITERS
from tests.cluster.plant import RESTART_SECONDS, WEB_PORTS, Cluster, Sized

pytestmark = pytest.mark.cluster
Tell = Callable[[str], None]
_CALM_SECONDS, _STORM_SECONDS, _LAG_SECONDS = 12.0, 20.0, 12.0
_CUT_OFF_SECONDS, _GIVEN_UP_SECONDS = 1.0, 8.0
_ROLLING = Sized(rate=100.0, clients=40)


def test_nothing_leans_on_a_session_and_own_writes_are_found(cluster: Cluster, tell: Tell) -> None:
    lag(cluster.standby, milliseconds=250)
    before = cluster.asked_of_standby()

    seen = cluster.under_load(_CALM_SECONDS)

    asked = cluster.asked_of_standby() - before
    tell(f"calm, standby 0.25 s behind: {seen}\n    {cluster.settled(seen)}; the standby was asked {asked} times")
    assert (seen.failed, seen.lost, seen.twice, seen.missing) == ([], 0, 0, [])
    assert asked > len(seen.requests) / 10


def test_a_standby_that_lags_is_left_out(cluster: Cluster, tell: Tell) -> None:
    lag(cluster.standby, milliseconds=3000)
    before: list[int] = []

    # It may be asked until the first writes are a second old, and counts that up to ten seconds later.
    seen = cluster.under_load(2 * _LAG_SECONDS, lambda: before.append(cluster.asked_of_standby()), after=_LAG_SECONDS)

    asked = cluster.asked_of_standby() - before[0]
    tell(f"standby 3 s behind: {seen}; it was asked {asked} times")
    lag(cluster.standby, milliseconds=0)
    assert (seen.failed, seen.missing) == ([], [])
    assert asked < len(seen.requests) / 20
    cluster.upright()


def lag(standby: Postgres, *, milliseconds: int) -> None:
    """Have the standby show what was written so much later."""
    standby.sql(f"ALTER SYSTEM SET recovery_min_apply_delay = {milliseconds}")
    standby.sql("SELECT pg_reload_conf()")


def test_a_release_refuses_to_go_through_the_pooler(cluster: Cluster) -> None:
    cluster.primary.sql("UPDATE alembic_version SET version_num = '0001'")
    try:
        assert "names a pooler" in cluster.circle("release", check=False)
    finally:
        cluster.primary.sql("UPDATE alembic_version SET version_num = (SELECT max(version_num) FROM alembic_version)")


def test_a_web_host_dies(cluster: Cluster, tell: Tell) -> None:
    web = cluster.webs[0]

    seen = cluster.under_load(_STORM_SECONDS, web.kill)

    tell(f"web host killed: {seen}\n    {cluster.settled(seen)}")
    web.again_all()
    cluster.upright()
    assert (seen.lost, seen.twice, seen.missing) == (0, 0, [])
    assert len(seen.failed) < len(seen.requests) / 50
    assert max(seen.outage(reads=True), seen.outage(reads=False)) < 10


def test_a_web_host_is_unplugged(cluster: Cluster, tell: Tell) -> None:
    web, writers = cluster.webs[0], Sized().clients // WRITERS
    pulled = 0.0

    def pull() -> None:
        nonlocal pulled, web
        with cluster.primary.held("posts"):
            # All who write are in the middle of their transaction now …
            wait_until(lambda: cluster.writing().total() == writers, "all who write wait")
            writing = cluster.writing()
            # … so what anybody gets from here on are reads; the proxy prefers the host with fewer under way …
            web = min(cluster.webs, key=lambda host: writing[host.address])
            # … which takes them, and leaves them lying.
            web.signal(signal.SIGSTOP)
            wait_until(lambda: cluster.at_work_on(web) > writing[web.address], "reads are under way there")
            pulled = elapsed()
            web.unplug()

    seen = cluster.under_load(30.0, pull)

    taken = seen.waited_for(pulled, _CUT_OFF_SECONDS)
    reads, writes = [one for one in taken if one["what"] in READS], [one for one in taken if one["what"] not in READS]
    told = [max((one["at"] for one in some), default=pulled) - pulled for some in (reads, writes)]
    later = max(one["at"] - one["sent"] for one in seen.requests if one["sent"] >= pulled)
    tell(
        f"web host unplugged: {seen}\n    {cluster.settled(seen)}; of those under way there {len(reads)} reads were"
        f" answered within {told[0]:.1f} s, {len(writes)} writes told within {told[1]:.1f} s that nobody knows what"
        f" became of them, and done after {seen.went_through(writes) - pulled:.1f} s; whoever asked later waited"
        f" {later:.1f} s at most"
    )
    web.plug()
    web.signal(signal.SIGCONT)
    cluster.upright()
    assert (seen.lost, seen.twice, seen.missing) == (0, 0, [])
    assert len(seen.failed) < len(seen.requests) / 50
    assert reads
    assert {one["status"] for one in reads} == {http.client.OK}
    # Where it had kept its connection to the host, the proxy closes the client's without a word.
    assert writes
    assert {one["status"] for one in writes} <= {0, http.client.BAD_GATEWAY}
    # What it had taken is given up long before a slow answer would be.
    assert max(*told, later) < _GIVEN_UP_SECONDS


def test_a_web_host_is_restarted_under_full_load_without_a_failed_request(cluster: Cluster, tell: Tell) -> None:
    def roll() -> None:
        for web in cluster.webs:
            for port in WEB_PORTS:
                web.end(f"web{port}")
                time.sleep(RESTART_SECONDS)
                web.again(f"web{port}")
                wait_until(lambda at=f"{web.address}:{port}": cluster.answers("/healthz", at), "the web is back")
                # What the proxy asks before it trusts a server again.
                time.sleep(RESTART_SECONDS)

    seen = cluster.under_load(60.0, roll, sized=_ROLLING)

    tell(f"rolling restart: {seen}\n    {cluster.settled(seen)}")
    assert (seen.failed, seen.lost, seen.twice, seen.missing) == ([], 0, 0, [])


def test_a_worker_host_dies(cluster: Cluster, tell: Tell) -> None:
    worker = cluster.workers[0]

    seen = cluster.under_load(_STORM_SECONDS, worker.kill)

    began = time.monotonic()
    wait_until(cluster.caught_up, "the other worker host does what is due", 120)
    tell(
        f"worker host killed: {seen}\n    {cluster.settled(seen)}; "
        f"all due work done {time.monotonic() - began:.0f} s after the load"
    )
    worker.again_all()
    cluster.upright()
    assert (seen.failed, seen.lost, seen.twice, seen.missing) == ([], 0, 0, [])


def test_the_proxy_is_reloaded(cluster: Cluster, tell: Tell) -> None:
    seen = cluster.under_load(_CALM_SECONDS, lambda: cluster.proxy.running["haproxy"].send_signal(signal.SIGUSR2))

    tell(f"proxy reloaded: {seen}")
    assert not seen.failed


def test_the_proxy_dies(cluster: Cluster, tell: Tell) -> None:
    def kill() -> None:
        cluster.proxy.kill("haproxy")
        cluster.restart_later(cluster.proxy, "haproxy")

    seen = cluster.under_load(_STORM_SECONDS, kill)

    tell(f"proxy killed, started again {RESTART_SECONDS:g} s later: {seen}\n    {cluster.settled(seen)}")
    assert (seen.lost, seen.twice, seen.missing) == (0, 0, [])
    assert seen.outage(reads=True) < 5


def test_the_pooler_dies(cluster: Cluster, tell: Tell) -> None:
    def kill() -> None:
        cluster.pool.kill()
        cluster.restart_later(cluster.pool, "pgbouncer")

    seen = cluster.under_load(_STORM_SECONDS, kill)

    tell(f"pooler killed, started again {RESTART_SECONDS:g} s later: {seen}\n    {cluster.settled(seen)}")
    cluster.upright()
    assert (seen.lost, seen.twice, seen.missing) == (0, 0, [])
    assert seen.outage(reads=False) < 10


def test_valkey_dies_and_its_replica_takes_over(cluster: Cluster, tell: Tell) -> None:
    seen = cluster.under_load(_STORM_SECONDS, cluster.kv1.kill)

    began = time.monotonic()
    wait_until(cluster.caught_up, "rings arrive by the new primary", 120)
    tell(
        f"Valkey's primary killed: {seen}\n    {cluster.settled(seen)}; "
        f"all due work done {time.monotonic() - began:.0f} s after the load"
    )
    cluster.kv1.again_all()
    cluster.upright()
    assert (seen.failed, seen.lost, seen.twice, seen.missing) == ([], 0, 0, [])


def test_the_object_storage_dies(cluster: Cluster, tell: Tell) -> None:
    seen = cluster.under_load(_STORM_SECONDS, cluster.storage.kill)

    tell(f"object storage killed: {seen}\n    {cluster.settled(seen)}")
    cluster.storage.start()
    cluster.upright()
    assert (seen.failed, seen.lost, seen.twice, seen.missing) == ([], 0, 0, [])


@pytest.mark.parametrize("how", ["killed", "frozen", "unplugged"])
def test_the_standby_goes_away(cluster: Cluster, tell: Tell, how: str) -> None:
    standby = cluster.standby
    away, back = {
        "killed": (standby.host.kill, standby.again),
        "frozen": (lambda: standby.host.signal(signal.SIGSTOP), lambda: standby.host.signal(signal.SIGCONT)),
        "unplugged": (standby.host.unplug, standby.host.plug),
    }[how]

    seen = cluster.under_load(_STORM_SECONDS, away)

    tell(f"standby {how}: {seen}\n    {cluster.settled(seen)}")
    back()
    cluster.upright()
    assert (seen.failed, seen.lost, seen.twice, seen.missing) == ([], 0, 0, [])


@pytest.mark.parametrize("synchronous", [True, False], ids=["synchronous", "asynchronous"])
def test_the_primary_dies_and_its_standby_is_promoted(cluster: Cluster, tell: Tell, *, synchronous: bool) -> None:
    old, new = cluster.primary, cluster.standby
    follow(old, new if synchronous else None)

    def promote() -> None:
        # The network fails a second before the power: what was written in it has not reached the standby.
        new.host.unplug()
        time.sleep(_CUT_OFF_SECONDS)
        old.host.unplug()
        old.host.kill()
        new.host.plug()
        new.promote()
        cluster.point_at(new)

    seen = cluster.under_load(30.0, promote)

    kind = "synchronous" if synchronous else "asynchronous"
    tell(
        f"primary without power, {kind} standby cut off {_CUT_OFF_SECONDS:g} s before and promoted at once: {seen}"
        f"\n    {cluster.settled(seen, new)}"
    )
    assert seen.twice == 0
    # Without waiting for the standby that second is gone, which also shows that a loss is seen here.
    assert (seen.lost == 0) == synchronous
    assert seen.outage(reads=False) < 20
    swap(cluster)


def follow(primary: Postgres, standby: Postgres | None) -> None:
    """Have commits wait for the standby, or for nobody."""
    name = standby.host.name if standby else ""
    primary.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    primary.sql("SELECT pg_reload_conf()")


def swap(cluster: Cluster) -> None:
    """Make the old primary follow the new one, then change back: web hosts know the standby by its address."""
    old, new = cluster.primary, cluster.standby
    old.host.plug()
    # The switch has to learn anew where it is.
    wait_until(lambda: old.reaches(new), "the old primary reaches the new one")
    old.make_standby(new)
    follow(new, None)
    wait_until(lambda: new.sql("SELECT count(*) FROM pg_stat_replication") == ["1"], "the old primary follows")
    new.host.kill()
    old.promote()
    cluster.point_at(old)
    new.make_standby(old)
    cluster.upright()


def test_in_the_end_the_doctor_finds_nothing_wrong(cluster: Cluster, tell: Tell) -> None:
    wait_until(cluster.caught_up, "all due work is done", 120)

    found = cluster.circle("doctor", check=False)

    wrong = [line for line in found.splitlines() if line.startswith("WRONG")]
    tell(f"doctor: {found.count('ok  ')} well, wrong: {wrong or 'nothing'}")
    assert not wrong
