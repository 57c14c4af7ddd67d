"""WeChat mini-program log-in: one call that turns the client's code into an openid.

Source: WeChat's "code2Session" (auth.code2Session), GET /sns/jscode2session.
"""

from typing import Protocol

import httpx
import structlog

from circle.accounts.errors import WechatRefused, WechatUnavailable
from circle.config import Settings
from circle.kernel.uow import forbid_inside_unit_of_work

log = structlog.get_logger(__name__)

_TIMEOUT = httpx.Timeout(5.0, connect=3.0)
_MAX_OPENID = 64


class Wechat(Protocol):
    def openid_of(self, code: str) -> str: ...


class WechatHttp:
    """Asks WeChat over HTTPS."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def openid_of(self, code: str) -> str:
        """Return the openid behind a log-in code. Errors: WechatRefused, WechatUnavailable."""
        forbid_inside_unit_of_work()
        if not self._settings.wechat_app_id:
            raise WechatUnavailable
        query = {
            "appid": self._settings.wechat_app_id,
            "secret": self._settings.wechat_app_secret,
            "js_code": code,
            "grant_type": "authorization_code",
        }
        try:
            answer = httpx.get(
                f"{self._settings.wechat_base_url}/sns/jscode2session", params=query, timeout=_TIMEOUT
            ).raise_for_status()
            content = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            # The error's text would carry the secret in its URL.
            log.warning("wechat_unreachable", kind=type(error).__name__)
            raise WechatUnavailable from None
        openid = content.get("openid") if isinstance(content, dict) else None
        if not isinstance(openid, str) or not 0 < len(openid) <= _MAX_OPENID:
            log.info("wechat_refused", errcode=content.get("errcode") if isinstance(content, dict) else None)
            raise WechatRefused
        return openid
