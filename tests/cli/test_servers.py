"""On servers the engines and what they need are not installed: every command but those of `circle up` goes without."""

import subprocess
import sys

# As if nothing of requirements/embedded.txt were there.
_WITHOUT = """
import sys
for name in ("circle.embedded", "psutil"):
    sys.modules[name] = None
from circle.cli.root import settings_here
print(settings_here().database_url)
"""
_SETTINGS = {
    "DATABASE_URL": "postgresql+psycopg://circle@db.internal/circle",
    "REDIS_URL": "redis://kv.internal/0",
    "S3_ENDPOINT": "https://s3.internal",
    "S3_ACCESS_KEY": "key",
    "S3_SECRET_KEY": "secret",
    "SECRET_KEY": "s" * 40,
}


def test_a_command_looks_after_a_server_without_the_engines() -> None:
    command = [sys.executable, "-c", _WITHOUT]
    run = subprocess.run(command, env=_SETTINGS, capture_output=True, check=False)  # noqa: S603

    assert (run.stdout.decode().strip(), run.stderr.decode()) == (_SETTINGS["DATABASE_URL"], "")
