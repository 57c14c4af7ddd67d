"""boto3, which costs 40 MB and 0.3 s: `circle.media.s3` imports this module when it first needs it."""

from threading import Lock
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from urllib3.exceptions import HTTPError

from circle.config import Settings

# The last are of bodies that are read piece by piece.
FAILURES = (BotoCoreError, ClientError, boto3.exceptions.Boto3Error, HTTPError)
__all__ = ["CONFIG", "FAILURES", "ClientError", "Config", "HTTPClientError", "TransferConfig", "make_client"]

_CONNECT_SECONDS = 2
# For each piece of an answer; with one call a request, a dead storage is told within six seconds.
_READ_SECONDS = 4
CONFIG = Config(
    signature_version="s3v4",
    connect_timeout=_CONNECT_SECONDS,
    read_timeout=_READ_SECONDS,
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    # Storages other than Amazon's don't know the newer checksums.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)
_SESSION = boto3.session.Session()
_MAKING = Lock()  # clients may be shared by threads, a session may not


def make_client(settings: Settings, endpoint: str) -> Any:
    """Return a client that signs for this address. It connects when it is first called."""
    with _MAKING:
        return _SESSION.client(
            "s3",
            endpoint_url=endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key,
            config=CONFIG,
        )


# The session reads its description of S3 for its first client. Read now, processes that are forked share it.
_SESSION.client("s3", endpoint_url="http://none", region_name="none", aws_access_key_id="", aws_secret_access_key="")
