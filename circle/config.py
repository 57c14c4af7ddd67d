"""Settings: every knob of an installation, with why it exists. The only reader of the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

_MIN_SECRET = 32
# How provider keys begin that move real money.
_LIVE_KEYS = ("sk_live", "rk_live")
# What may be said of the sandbox's network and post.
SANDBOX_FAULTS = ("lost_request", "lost_answer", "server_error")
SANDBOX_WEBHOOKS = ("drop", "double", "shuffle", "delay")
_MOST_PERCENT = 100
_LONGEST_DELAY_SECONDS = 3600
_RANGES = {
    "web_workers": (1, 512),
    "web_threads": (1, 512),
    "drain_seconds": (0, 300),
    "worker_nice": (0, 19),
    "trusted_proxies": (0, 10),
    "statement_timeout_ms": (100, 3_600_000),
    "worker_statement_timeout_ms": (100, 3_600_000),
    "search_timeout_ms": (100, 3_600_000),
    "sandbox_latency_ms": (0, 60_000),
    # A month has 28 days at least, and the notice of one period belongs into the one before.
    "notice_days": (1, 27),
    "usual_charges": (1, 1_000_000_000),
    "charge_threads": (1, 50),
    "refund_window_hours": (0, 24 * 366),
    "platform_fee_bps": (0, 10_000),
}
# Of an address that names hosts and a service.
_SENTINEL_SLASHES = 3
_TRUE = frozenset({"1", "on", "true", "yes"})
_FALSE = frozenset({"0", "off", "false", "no", ""})


class SettingError(Exception):
    """A setting is missing or wrong; the message names it."""


def _setting(why: str, default: Any, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"why": why, "secret": secret}, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """One installation. Each field is read from the environment variable of its name in upper case."""

    database_url: str = _setting("PostgreSQL 15 or newer, as a SQLAlchemy URL.", "", secret=True)
    read_database_url: str = _setting(
        "A streaming standby for feed, search and archive; empty: all reads go to the primary.", "", secret=True
    )
    redis_url: str = _setting(
        "Redis 7 or Valkey: doorbell of the workers and rate limits. By Sentinel: "
        "redis+sentinel://:password@host:port,host:port/service/0.",
        "",
        secret=True,
    )
    s3_endpoint: str = _setting("Object storage as the server reaches it.", "")
    s3_public_endpoint: str = _setting("Object storage as clients reach it, for presigned links; empty: the same.", "")
    s3_access_key: str = _setting("Key id of the object storage.", "", secret=True)
    s3_secret_key: str = _setting("Key of the object storage.", "", secret=True)
    s3_bucket: str = _setting("Bucket of this installation.", "circle")
    s3_region: str = _setting("Region that requests are signed for.", "us-east-1")
    secret_key: str = _setting("Seals stored answers, codes and signed links; 32 characters at least.", "", secret=True)
    secret_key_before: str = _setting(
        "The last SECRET_KEY, for a day after it was changed: what it sealed is still read.", "", secret=True
    )
    site_url: str = _setting("Address that people and providers reach this installation at.", "http://127.0.0.1:8000")
    host: str = _setting("Address that the web process listens on.", "127.0.0.1")
    port: int = _setting("Port that the web process listens on.", 8000)
    web_workers: int = _setting("Web processes; one per core.", 2)
    web_threads: int = _setting("Threads of a web process: how many may wait for the database at once.", 4)
    drain_seconds: int = _setting(
        "How long a web process that is told to end says so on /healthz, and still serves, before it stops.", 0
    )
    worker_nice: int = _setting("How far workers step back for the web on the same cores, as `nice` counts.", 0)
    trusted_proxies: int = _setting("Proxies in front whose X-Forwarded-For is believed.", 0)
    test_mode: bool = _setting(
        "A clock that can be set and a drain of due work; refuses live provider keys.", default=False
    )
    rate_limits: bool | None = _setting("Off or on; unset: on, but 1,000 times higher in test mode.", None)
    common_passwords: bool | None = _setting(
        "Take passwords that are guessed first, such as 12345678; unset: in test mode alone.", None
    )
    statement_timeout_ms: int = _setting("The last wall against a runaway query.", 10_000)
    worker_statement_timeout_ms: int = _setting("The same for jobs, whose statements take a batch of rows.", 60_000)
    search_timeout_ms: int = _setting("After this a search is told to be too broad.", 2_000)
    prepared_statements: bool = _setting(
        "Off behind a pooler that can't keep them (PgBouncer before 1.21).", default=True
    )
    log_level: str = _setting("debug, info, warning or error.", "info")
    metrics_token: str = _setting(
        "Bearer token for /metrics from beyond loopback; empty: loopback only.", "", secret=True
    )
    mail_url: str = _setting(
        "smtp://user:password@host:587 for e-mail; `mailbox:` keeps mail for the dev mailbox page.",
        "",
        secret=True,
    )
    mail_from: str = _setting("Sender of e-mail.", "circle@localhost")
    sms_url: str = _setting("Webhook that sends text messages; `mailbox:` as above.", "", secret=True)
    sms_secret: str = _setting("Signs what is posted to SMS_URL.", "", secret=True)
    webhooks_private: bool = _setting("Let members' webhooks be HTTP and inside a closed network, or in tests.", False)
    wechat_base_url: str = _setting("WeChat's API, for mini-program log-in.", "https://api.weixin.qq.com")
    wechat_app_id: str = _setting("App id of the mini program; empty: WeChat log-in is off.", "")
    wechat_app_secret: str = _setting("Secret of the mini program.", "", secret=True)
    stripe_secret_key: str = _setting("Stripe's secret key; empty: Stripe is off.", "", secret=True)
    stripe_webhook_secret: str = _setting("Signing secret of the webhook endpoint at Stripe.", "", secret=True)
    stripe_api_base: str = _setting("Another address for Stripe's API, for tests; never with a live key.", "")
    talk_max_length: int = _setting("Characters in a talk, question or answer.", 10_000)
    article_max_length: int = _setting("Characters in an article.", 100_000)
    comment_max_length: int = _setting("Characters in a comment.", 1_000)
    max_images: int = _setting("Images on one post.", 9)
    max_files: int = _setting("Other files on one post.", 9)
    max_image_bytes: int = _setting("Bytes of one image.", 20 * 1024 * 1024)
    max_file_bytes: int = _setting("Bytes of one file, audio or video.", 200 * 1024 * 1024)
    max_circle_bytes: int = _setting(
        "Bytes that all attachments of a circle may take; `circle quota` gives one another figure.", 100 * 1024**3
    )
    import_bytes_a_day: int = _setting("Bytes of archives that a circle may import in 24 hours.", 20 * 1024**3)
    import_posts_a_day: int = _setting("Posts that a circle's uploaded archives may bring in 24 hours.", 200_000)
    payment_providers: str = _setting(
        "Who takes payments, separated by commas: sandbox, stripe. Empty: Stripe where it has a key, else the sandbox.",
        "",
    )
    sandbox_latency_ms: int = _setting("How long the sandbox takes to answer, as a provider far away does.", 0)
    sandbox_faults: str = _setting(
        "What the sandbox's network does to so many calls in 100, in test mode: lost_request:5,lost_answer:5,"
        "server_error:5.",
        "",
    )
    sandbox_webhooks: str = _setting(
        "What the sandbox's post does to so many webhooks in 100, in test mode: drop:10,double:10,shuffle:50; "
        "delay:60 is seconds at most.",
        "",
    )
    notice_days: int = _setting("How long before an automatic charge its payer is told of it.", 7)
    usual_charges: int = _setting("Automatic charges a day that are usual; three times as many stop billing.", 1_000)
    charge_threads: int = _setting("Charges that one worker has under way at once; 1: one after the other.", 16)
    refund_window_hours: int = _setting("How long a payer may have their money back without a reason.", 72)
    platform_fee_bps: int = _setting("The operator's share of each payment, in basis points.", 0)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> "Settings":
        """Read and check the environment. Errors: SettingError naming the variable."""
        env = os.environ if env is None else env
        values: dict[str, object] = {}
        for one in fields(cls):
            raw = env.get(one.name.upper())
            if raw is not None:
                values[one.name] = _parse(one.name.upper(), raw, one.default)
        settings = cls(**values)  # type: ignore[arg-type]
        settings.check()
        return settings

    def check(self) -> None:
        """Refuse an installation that can't work or isn't safe. Errors: SettingError."""
        for name in (
            "database_url",
            "redis_url",
            "s3_endpoint",
            "s3_access_key",
            "s3_secret_key",
            "secret_key",
        ):
            if not getattr(self, name):
                raise SettingError(f"{name.upper()} is not set")
        if not self.database_url.startswith("postgresql+psycopg://"):
            raise SettingError("DATABASE_URL must begin with postgresql+psycopg://")
        if not self.redis_url.startswith(("redis://", "rediss://", "unix://", "redis+sentinel://")):
            raise SettingError("REDIS_URL must begin with redis://, rediss://, unix:// or redis+sentinel://")
        if self.redis_url.startswith("redis+sentinel://") and self.redis_url.count("/") < _SENTINEL_SLASHES:
            raise SettingError("REDIS_URL must name the service: redis+sentinel://host:port,host:port/service/0")
        for name in ("s3_endpoint", "site_url", "wechat_base_url"):
            if not getattr(self, name).startswith(("http://", "https://")):
                raise SettingError(f"{name.upper()} must begin with http:// or https://")
        for name, (least, most) in _RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise SettingError(f"{name.upper()} must be between {least} and {most}")
        self._check_secrets()
        self._check_channels()
        self._check_test_mode()
        self._check_providers()

    def _check_secrets(self) -> None:
        for name, key in (("SECRET_KEY", self.secret_key), ("SECRET_KEY_BEFORE", self.secret_key_before)):
            if key and len(key) < _MIN_SECRET:
                raise SettingError(f"{name} must have at least {_MIN_SECRET} characters")

    def _check_channels(self) -> None:
        if self.mail_url not in {"", "mailbox:"} and not self.mail_url.startswith(("smtp://", "smtps://")):
            raise SettingError("MAIL_URL must begin with smtp:// or smtps://, or be mailbox:")
        if self.sms_url not in {"", "mailbox:"}:
            if not self.sms_url.startswith(("http://", "https://")):
                raise SettingError("SMS_URL must begin with http:// or https://, or be mailbox:")
            if not self.sms_secret:
                raise SettingError("SMS_SECRET is not set, and SMS_URL needs it")

    def _check_providers(self) -> None:
        """Refuse what would take no money, or play money for real things."""
        for name in self.providers:
            if name not in {"sandbox", "stripe"}:
                raise SettingError(f"PAYMENT_PROVIDERS names {name!r}; there are sandbox and stripe")
        if "stripe" in self.providers:
            self._check_stripe()
        elif self.stripe_secret_key:
            raise SettingError("PAYMENT_PROVIDERS does not name stripe, and STRIPE_SECRET_KEY is set")
        figures("SANDBOX_FAULTS", self.sandbox_faults, SANDBOX_FAULTS)
        figures("SANDBOX_WEBHOOKS", self.sandbox_webhooks, SANDBOX_WEBHOOKS)
        if (self.sandbox_faults or self.sandbox_webhooks) and not self.test_mode:
            raise SettingError("SANDBOX_FAULTS and SANDBOX_WEBHOOKS need TEST_MODE")

    def _check_stripe(self) -> None:
        if not self.stripe_secret_key.startswith(("sk_", "rk_")):
            raise SettingError("STRIPE_SECRET_KEY must be Stripe's secret or restricted key: sk_… or rk_…")
        if not self.stripe_webhook_secret.startswith("whsec_"):
            raise SettingError("STRIPE_WEBHOOK_SECRET must be the signing secret of Stripe's webhook: whsec_…")
        if self.stripe_api_base and not self.stripe_api_base.startswith(("http://", "https://")):
            raise SettingError("STRIPE_API_BASE must begin with http:// or https://")
        live = self.stripe_secret_key.startswith(_LIVE_KEYS)
        if live and self.stripe_api_base:
            raise SettingError("STRIPE_API_BASE must be empty beside the live key in STRIPE_SECRET_KEY")
        if live and "sandbox" in self.providers:
            raise SettingError("PAYMENT_PROVIDERS must not name sandbox beside the live key in STRIPE_SECRET_KEY")

    def _check_test_mode(self) -> None:
        if self.test_mode and self.stripe_secret_key.startswith(_LIVE_KEYS):
            raise SettingError("TEST_MODE refuses the live key in STRIPE_SECRET_KEY")

    def for_workers(self) -> "Settings":
        """Return the settings of a process that works jobs: nobody waits for its statements."""
        return replace(self, statement_timeout_ms=self.worker_statement_timeout_ms)

    @property
    def providers(self) -> tuple[str, ...]:
        """Who takes payments, by name."""
        named = tuple(name.strip() for name in self.payment_providers.split(",") if name.strip())
        return named or (("stripe",) if self.stripe_secret_key else ("sandbox",))

    @property
    def secret_keys(self) -> tuple[str, ...]:
        """What seals now, and what sealed before it was changed."""
        return (self.secret_key, self.secret_key_before) if self.secret_key_before else (self.secret_key,)

    @property
    def takes_common_passwords(self) -> bool:
        return self.test_mode if self.common_passwords is None else self.common_passwords

    @property
    def secure(self) -> bool:
        """Whether people reach the site by TLS, so that cookies may insist on it."""
        return self.site_url.startswith("https://")


def figures(name: str, raw: str, words: tuple[str, ...]) -> dict[str, int]:
    """Read `word:figure,…` of the setting `name`: per cent, or seconds of delay. Errors: SettingError."""
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in raw.split(","))):
        word, _, figure = part.partition(":")
        if word not in words or not figure.isdecimal():
            raise SettingError(f"{name} must be like {words[0]}:5, of {', '.join(words)}; not {part!r}")
        if int(figure) > (_LONGEST_DELAY_SECONDS if word == "delay" else _MOST_PERCENT):
            raise SettingError(f"{name} has too large a figure in {part!r}")
        found[word] = int(figure)
    if sum(figure for word, figure in found.items() if word not in {"delay", "shuffle"}) > _MOST_PERCENT:
        raise SettingError(f"{name} adds up to more than 100")
    return found


def _parse(name: str, raw: str, default: object) -> object:
    if isinstance(default, bool) or default is None:
        lowered = raw.strip().lower()
        if lowered in _TRUE | _FALSE:
            return lowered in _TRUE
        raise SettingError(f"{name} must be on or off, not {raw!r}")
    if isinstance(default, int):
        try:
            return int(raw)
        except ValueError:
            raise SettingError(f"{name} must be a whole number, not {raw!r}") from None
    return raw.strip()
