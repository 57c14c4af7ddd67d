"""Structured logs: one JSON object a line, with the request's id and never a secret."""

import logging
import re
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog

_SECRET_KEYS = re.compile(r"password|secret|token|authorization|cookie|code\b|signature", re.IGNORECASE)
_HIDDEN = "[hidden]"


def hide_secrets(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace values whose key names a secret."""
    for key in event:
        if _SECRET_KEYS.search(key):
            event[key] = _HIDDEN
    return event


def _to_json(event: Any, **_kwargs: Any) -> str:
    return orjson.dumps(event, default=str).decode()


def configure_logging(level: str) -> None:
    """Send structlog and the standard library's records through one JSON formatter on standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(_to_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # Some log addresses too, whose queries hold secrets; fontTools every step of every certificate.
    for noisy in ("botocore", "urllib3", "httpx", "httpcore", "rq", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
