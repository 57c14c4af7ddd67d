"""`circle openapi`: the API document as a file that is committed and kept fresh."""

import click

from circle.cli.root import ROOT, circle

FILE = ROOT / "openapi.json"


@circle.command()
@click.option("--check", is_flag=True, help="Only compare; fail if the file is out of date.")
def openapi(*, check: bool) -> None:
    """Write openapi.json from the routes. Needs no database and no settings."""
    fresh = document()
    if not check:
        FILE.write_bytes(fresh)
    elif not FILE.exists() or FILE.read_bytes() != fresh:
        raise click.ClickException("openapi.json is out of date; run `circle openapi` and commit it")


def document() -> bytes:
    """Return the document of an installation that is not in test mode, as the file holds it."""
    import orjson

    from circle.app import create_app
    from circle.config import Settings

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
