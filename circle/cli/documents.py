"""`circle openapi`, `circle settings`: documents written from the code, committed and kept fresh."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click

from circle.cli.root import ROOT, circle
from circle.config import Settings

OPENAPI = ROOT / "openapi.json"
SETTINGS = ROOT / "docs" / "settings.md"
_check = click.option("--check", is_flag=True, help="Only compare; fail if the file is out of date.")
_SETTINGS_HEAD = """# Settings

Read from the environment by `circle/config.py`, which this page is written from (`circle settings`). A wrong or missing
one is named at the start of any process. `circle up` sets what its engines need by itself. Secrets never reach a log.

| variable | default | what it is for |
| --- | --- | --- |
"""


@circle.command()
@_check
def openapi(*, check: bool) -> None:
    """Write openapi.json from the routes. Needs no database and no settings."""
    _keep(OPENAPI, document(), check=check)


@circle.command()
@_check
def settings(*, check: bool) -> None:
    """Write docs/settings.md, the table of all settings."""
    _keep(SETTINGS, (_SETTINGS_HEAD + "\n".join(_rows()) + "\n").encode(), check=check)


def _keep(file: Path, fresh: bytes, *, check: bool) -> None:
    if not check:
        file.write_bytes(fresh)
    elif not file.exists() or file.read_bytes() != fresh:
        command = click.get_current_context().info_name
        raise click.ClickException(f"{file.relative_to(ROOT)} is out of date; run `circle {command}` and commit it")


def _rows() -> Iterator[str]:
    for one in fields(Settings):
        secret = " (secret)" if one.metadata["secret"] else ""
        yield f"| `{one.name.upper()}`{secret} | {_shown(one.default)} | {one.metadata['why'].replace('|', '/')} |"


def _shown(default: object) -> str:
    if default is None or default == "":
        return ""
    return f"`{default}`" if not isinstance(default, bool) else f"`{'on' if default else 'off'}`"


def document() -> bytes:
    """Return the document of an installation that is not in test mode, as the file holds it."""
    import orjson

    from circle.app import create_app

    # Made-up addresses: nothing is connected to.
    app = create_app(
        Settings(
            database_url="postgresql+psycopg://127.0.0.1/none",
            redis_url="redis://127.0.0.1/0",
            s3_endpoint="http://127.0.0.1",
            s3_access_key="none",
            s3_secret_key="none",  # noqa: S106 - not a secret
            secret_key="none" * 8,
            rate_limits=False,
        )
    )
    content = app.test_client().get("/v1/openapi.json").get_json()
    return orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)
