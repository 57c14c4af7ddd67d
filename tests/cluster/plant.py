"""The cluster: which machine does what, and what is done to it."""

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

from circle.kernel.clock import elapsed
from tests.cluster import engines
from tests.cluster.engines import PASSWORD, SERVICE, Postgres, Storage
from tests.cluster.figures import Seen
from tests.cluster.hosts import ROOT, Host, Network, wait_until

_POSTS = "SELECT body, count(*) FROM posts WHERE body LIKE '写于 %' GROUP BY 1"
_CHECKOUTS = """
    SELECT c.id, count(*) FILTER (WHERE a.status = 'succeeded'), i.status FROM checkouts c
    JOIN invoices i ON i.id = c.invoice_id LEFT JOIN payment_attempts a ON a.invoice_id = i.id GROUP BY c.id, i.status
"""
_CHARGED_TWICE = """
    SELECT a.invoice_id FROM sandbox_charges s JOIN payment_attempts a ON a.number = s.number
    WHERE s.state = 'succeeded' GROUP BY 1 HAVING count(*) > 1
"""
_DUE = """
    SELECT (SELECT count(*) FROM search_due WHERE due_at <= now())
    + (SELECT count(*) FROM outbox WHERE delivered_at IS NULL AND failed_at IS NULL AND due_at <= now())
"""
_SCANS = "SELECT coalesce(seq_scan, 0) + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = 'posts'"
_WAIT_FOR_POSTS = "SELECT pid FROM pg_locks WHERE NOT granted AND relation = 'posts'::regclass"
_FOLLOWERS = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
WEB_PORTS = (8001, 8002)
DRAIN_SECONDS = 2
# As systemd does with `RestartSec=1`.
RESTART_SECONDS = 1.0
_CIRCLE = (sys.executable, "-c", "from circle.cli import main; main()")


@dataclass(frozen=True)
class Sized:
    """How much load: requests a second, and clients that share them out."""

    rate: float = float(os.environ.get("CIRCLE_CLUSTER_RATE", "40"))
    clients: int = 24


class Cluster:
    """Two web hosts behind a proxy, two worker hosts, a pooler, a primary and its standby, Valkey with a replica and
    three sentinels, object storage, and a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network = Network(folder)
        host = self.network.host
        self.client, self.proxy = host("client", 2), host("proxy", 10)
        self.db1, self.db2, self.pool = host("db1", 11), host("db2", 12), host("pool", 13)
        self.kv1, self.kv2, self.objects = host("kv1", 14), host("kv2", 15), host("objects", 16)
        self.webs = [host("web1", 21), host("web2", 22)]
        self.workers = [host("worker1", 31), host("worker2", 32)]
        self.base = self.proxy.address

    def begin(self) -> None:
        programs = engines.programs_of_postgres(self.folder)
        self.primary = Postgres(self.db1, self.folder / "db1", programs)
        self.standby = Postgres(self.db2, self.folder / "db2", programs)
        self.primary.make_primary()
        self.standby.make_standby(self.primary)
        engines.start_pgbouncer(self.pool, self.folder / "pool", self.db1.address)
        for host in (self.kv1, self.kv2):
            engines.start_valkey(host, self.folder / host.name, self.kv1.address)
        for host in (self.kv1, self.kv2, self.proxy):
            engines.start_sentinel(host, self.folder / f"sentinel-{host.name}", self.kv1.address)
        self.storage = Storage(self.objects, self.folder / "objects")
        self.circle("release", DATABASE_URL=f"postgresql+psycopg://circle@{self.db1.address}:5432/circle")
        for web in self.webs:
            for port in WEB_PORTS:
                web.start(
                    f"web{port}", *_CIRCLE, "web", settings={**self.settings(), "HOST": web.address, "PORT": str(port)}
                )
        for worker in self.workers:
            worker.start("workers", sys.executable, "-m", "workers", settings=self.settings())
            worker.start("clock", sys.executable, "-m", "workers.clock", settings=self.settings())
        servers = [f"{web.address}:{port}" for web in self.webs for port in WEB_PORTS]
        engines.start_haproxy(self.proxy, self.folder / "proxy", servers)
        wait_until(lambda: self.answers("/healthz"), "the web answers")
        told = self.client.run(
            sys.executable, ROOT / "tests/cluster/load.py", "prepare", self.base, self.folder / "told.json"
        )
        assert told == "", told

    def close(self) -> None:
        self.network.close()

    def settings(self) -> dict[str, str]:
        sentinels = ",".join(f"{host.address}:26379" for host in (self.kv1, self.kv2, self.proxy))
        return {
            "DATABASE_URL": f"postgresql+psycopg://circle@{self.pool.address}:6432/circle",
            "READ_DATABASE_URL": f"postgresql+psycopg://circle@{self.db2.address}:5432/circle",
            "REDIS_URL": f"redis+sentinel://:{PASSWORD}@{sentinels}/{SERVICE}/0",
            "S3_ENDPOINT": f"http://{self.objects.address}:8333",
            "S3_ACCESS_KEY": self.storage.access_key,
            "S3_SECRET_KEY": self.storage.secret_key,
            "SECRET_KEY": "s" * 40,
            "SITE_URL": f"http://{self.base}",
            "WEB_WORKERS": "1",
            "WEB_THREADS": "4",
            "DRAIN_SECONDS": str(DRAIN_SECONDS),
            "TRUSTED_PROXIES": "1",
            "PREPARED_STATEMENTS": "on" if engines.keeps_statements() else "off",
            "RATE_LIMITS": "off",
            "MAIL_URL": "mailbox:",
            "LOG_LEVEL": "warning",
        }

    def circle(self, *command: str, check: bool = True, **settings: str) -> str:
        """Run `circle …` on the first worker host, with the cluster's settings."""
        variables = [f"{name}={value}" for name, value in {**self.settings(), **settings}.items()]
        return self.workers[0].run("env", *variables, *_CIRCLE, *command, check=check)

    def answers(self, path: str, host: str = "") -> bool:
        code = self.client.run(
            "curl",
            "-s",
            "-m",
            "3",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            f"http://{host or self.base}{path}",
            check=False,
        )
        return code == "200"

    def restart_later(self, host: Host, *names: str) -> None:
        """Start what was killed again after the pause of a service manager."""
        time.sleep(RESTART_SECONDS)
        for name in names:
            host.again(name)

    def under_load(
        self, seconds: float, act: Callable[[], Any] | None = None, *, after: float = 5.0, sized: Sized = Sized()
    ) -> Seen:
        """Have people use it for so long, do something to it meanwhile, and tell what they saw."""
        out = self.folder / "load.json"
        out.unlink(missing_ok=True)
        arguments = map(str, (seconds, sized.rate, sized.clients))
        self.client.start(
            "load",
            sys.executable,
            ROOT / "tests/cluster/load.py",
            "run",
            self.base,
            self.folder / "told.json",
            *arguments,
            out,
        )
        load: Popen[bytes] = self.client.running["load"]
        acted = 0.0
        if act is not None:
            time.sleep(after)
            acted = elapsed()
            act()
        load.wait(seconds + 200)
        del self.client.running["load"]
        return Seen(json.loads(out.read_text(encoding="utf-8")), acted)

    def settled(self, seen: Seen, database: Postgres | None = None) -> str:
        """Compare what was promised with what is there: `seen.lost` and `seen.twice`, and both in words."""
        database = database or self.primary
        there = dict(row.rsplit("|", 1) for row in database.sql(_POSTS))
        books = dict(row.split("|", 1) for row in database.sql(_CHECKOUTS))
        lost = [body for body in seen.posted if body not in there]
        unpaid = [checkout for checkout in seen.paid if books.get(checkout) != "1|paid"]
        seen.lost = len(lost) + len(unpaid)
        seen.twice = sum(count != "1" for count in there.values()) + len(database.sql(_CHARGED_TWICE))
        promised = f"{len(seen.posted)} posts and {len(seen.paid)} payments promised"
        return f"{promised}: {seen.lost} lost, {seen.twice} twice, {len(seen.missing)} not found by their author"

    def caught_up(self, database: Postgres | None = None) -> bool:
        """Whether the workers have done what is due."""
        return (database or self.primary).sql(_DUE) == ["0"]

    def point_at(self, primary: Postgres) -> None:
        """Tell the pooler who is the primary now."""
        engines.point_pgbouncer(self.folder / "pool", primary.host.address)
        self.pool.running["pgbouncer"].send_signal(signal.SIGHUP)

    def asked_of_standby(self) -> int:
        """How often the standby has looked for posts: lists of feed and search do."""
        [count] = self.standby.sql(_SCANS)
        return int(count)

    def at_work_on(self, web: Host) -> int:
        """How many requests a web host has not answered yet, as the proxy sees it."""
        return engines.sent_to(self.folder / "proxy", web.address)

    def writing(self) -> Counter[str]:
        """How many requests wait in a transaction for posts that are held, by web host: the pooler knows whose."""
        waiting = set(self.primary.sql(_WAIT_FOR_POSTS))
        webs = {web.address for web in self.webs}
        clients = {one["ptr"]: one["addr"] for one in self.primary.ask_pooler(self.pool, "CLIENTS")}
        servers = self.primary.ask_pooler(self.pool, "SERVERS")
        found = (clients.get(one["link"], "") for one in servers if one["remote_pid"] in waiting)
        return Counter(address for address in found if address in webs)

    def upright(self) -> None:
        """Wait until every part answers, each web process, too, and the standby follows."""
        for at in [f"{web.address}:{port}" for web in self.webs for port in WEB_PORTS]:
            wait_until(lambda at=at: self.answers("/healthz", at), f"{at} answers")
        wait_until(lambda: self.answers("/readyz"), "all parts answer")
        wait_until(lambda: self.primary.sql(_FOLLOWERS) == ["1"], "the standby follows")
