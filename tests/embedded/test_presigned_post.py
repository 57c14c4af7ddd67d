"""The embedded S3 honours upload policies: what media relies on, and what it must not rely on."""

from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.client import Config

from circle.embedded import Engines

KEY = "uploads/picture.png"
SIZE = ["content-length-range", 10, 1000]


@pytest.fixture(scope="module")
def store(shared_engines: Engines) -> Iterator[Any]:
    client = boto3.client(
        "s3",
        endpoint_url=shared_engines.s3_endpoint,
        aws_access_key_id=shared_engines.s3_access_key,
        aws_secret_access_key=shared_engines.s3_secret_key,
        region_name="us-east-1",
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    yield client
    client.close()


def upload(
    store: Any, *, size: int = 100, seconds: int = 60, fields: dict[str, str] | None = None, **changed: str
) -> httpx.Response:
    """Upload by a policy for KEY, 10 to 1,000 bytes; `changed` are form fields altered after signing."""
    fields = fields or {}
    conditions = [SIZE, *({name: value} for name, value in fields.items())]
    post = store.generate_presigned_post("circle", KEY, Fields=fields, Conditions=conditions, ExpiresIn=seconds)
    form = post["fields"] | changed
    return httpx.post(post["url"], data=form, files={"file": ("a.png", b"x" * size, "image/png")})


def test_an_upload_within_its_policy_is_stored(store: Any) -> None:
    assert upload(store, size=1000, fields={"Content-Type": "image/png"}).status_code == 204
    head = store.head_object(Bucket="circle", Key=KEY)
    assert (head["ContentLength"], head["ContentType"]) == (1000, "image/png")


@pytest.mark.parametrize(
    ("situation", "status", "code"),
    [
        ({"size": 1001}, 400, "EntityTooLarge"),
        ({"size": 3_000_000}, 400, "EntityTooLarge"),
        ({"size": 9}, 400, "EntityTooSmall"),
        ({"key": "uploads/other.png"}, 403, "AccessDenied"),
        ({"seconds": -5}, 403, "AccessDenied"),
        ({"x-amz-signature": "0" * 64}, 403, "SignatureDoesNotMatch"),
        ({"policy": ""}, 403, "SignatureDoesNotMatch"),
        ({"x-amz-meta-more": "1"}, 403, "AccessDenied"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_an_upload_outside_its_policy_is_refused(store: Any, situation: dict[str, Any], status: int, code: str) -> None:
    response = upload(store, **situation)
    assert (response.status_code, f"<Code>{code}</Code>" in response.text) == (status, True)


def test_a_signed_content_type_can_not_be_changed(store: Any) -> None:
    changed: Any = {"Content-Type": "text/html"}
    response = upload(store, fields={"Content-Type": "image/png"}, **changed)
    assert response.status_code == 403


def test_an_object_is_never_public_whatever_the_uploader_asks(store: Any) -> None:
    # Unlike Amazon's, this S3 takes an `acl` field that the policy does not name.
    upload(store, acl="public-read")
    assert httpx.get(f"{store.meta.endpoint_url}/circle/{KEY}").status_code == 403
