"""Storage by S3's protocol, through boto3.

boto3 is imported when it is first used. Links for clients are signed for the address that clients
reach (S3_PUBLIC_ENDPOINT), all else goes to the address that the server reaches.
"""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import IO, Any

import structlog

from circle.config import Settings
from circle.kernel.clock import elapsed
from circle.kernel.uow import forbid_inside_unit_of_work
from circle.media.errors import StorageUnavailable
from circle.media.reach import Reach
from circle.media.storage import Peek, PresignedPost

log = structlog.get_logger(__name__)

_PEEK_SECONDS = 3.0
# What fails faster than this is tried once more: a kept connection that was closed, a gateway that restarts.
_QUICK_FAILURE_SECONDS = 1.0
_CHUNK = 256 * 1024
# Held in memory while it is sent; S3 takes ten thousand of them, so that a file may have 78 GiB.
_PART = 8 * 1024 * 1024
_MOST_KEYS = 1000  # of one DeleteObjects call
_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NotFound", "404"})


class S3Storage:
    """One bucket."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bucket = settings.s3_bucket
        self._clients: dict[str, Any] = {}
        self._reach = Reach(settings.web_threads)

    def presign_post(self, key: str, *, content_type: str, size: int, seconds: int) -> PresignedPost:
        fixed = {"Content-Type": content_type, "success_action_status": "201"}
        conditions = [*({name: value} for name, value in fixed.items()), ["content-length-range", size, size]]
        signed = self._public_client().generate_presigned_post(
            self._bucket, key, Fields=fixed, Conditions=conditions, ExpiresIn=seconds
        )
        return PresignedPost(signed["url"], signed["fields"])

    def presign_get(self, key: str, *, seconds: int, content_type: str, disposition: str) -> str:
        parameters = {
            "Bucket": self._bucket,
            "Key": key,
            "ResponseContentType": content_type,
            "ResponseContentDisposition": disposition,
        }
        return str(self._public_client().generate_presigned_url("get_object", parameters, ExpiresIn=seconds))

    def size(self, key: str) -> int | None:
        found = self._call("head_object", Key=key)
        return None if found is None else int(found["ContentLength"])

    def peek(self, key: str, length: int) -> Peek | None:
        with self._reach.waiting():
            deadline = elapsed() + _PEEK_SECONDS
            found = self._call("get_object", Key=key, Range=f"bytes=0-{length - 1}")
            if found is None:
                return None
            head = _read_until(deadline, found["Body"], int(found["ContentLength"]))
        return Peek(int(found["ContentRange"].rpartition("/")[2]), head)

    @contextmanager
    def open(self, key: str) -> Iterator[Iterator[bytes] | None]:
        found = self._call("get_object", Key=key)
        if found is None:
            yield None
            return
        with closing(found["Body"]) as body:
            yield _chunks(body)

    def put(self, key: str, data: bytes, *, content_type: str) -> None:
        self._require("put_object", Key=key, Body=data, ContentType=content_type)

    def upload(self, key: str, stream: IO[bytes], *, content_type: str) -> None:
        transfer = _boto().TransferConfig(multipart_threshold=_PART, multipart_chunksize=_PART, use_threads=False)
        with _translated("upload"):
            self._client(self._settings.s3_endpoint).upload_fileobj(
                stream, self._bucket, key, ExtraArgs={"ContentType": content_type}, Config=transfer
            )

    def delete_many(self, keys: Sequence[str]) -> None:
        for start in range(0, len(keys), _MOST_KEYS):
            named = [{"Key": key} for key in keys[start : start + _MOST_KEYS]]
            answer = self._require("delete_objects", Delete={"Objects": named, "Quiet": True})
            if answer.get("Errors"):
                log.warning("storage_failed", operation="delete_objects", errors=answer["Errors"][:3])
                raise StorageUnavailable

    def abort_uploads(self, prefix: str) -> None:
        answer = self._require("list_multipart_uploads", Prefix=prefix, MaxUploads=_MOST_KEYS)
        for begun in answer.get("Uploads", ()):
            if begun["Key"].startswith(prefix):
                # None: ended meanwhile.
                self._call("abort_multipart_upload", Key=begun["Key"], UploadId=begun["UploadId"])

    def ensure_bucket(self) -> None:
        if self._call("head_bucket") is None:
            self._require("create_bucket")

    def check(self) -> str | None:
        try:
            found = self._call("head_bucket")
        except StorageUnavailable:
            return f"object storage at {self._settings.s3_endpoint} does not answer"
        return None if found is not None else f"there is no bucket {self._bucket}: run `circle release`"

    def _require(self, operation: str, **parameters: Any) -> Any:
        answer = self._call(operation, **parameters)
        if answer is None:
            raise StorageUnavailable
        return answer

    def _call(self, operation: str, **parameters: Any) -> Any:
        """Call the storage; None where the object or bucket is missing. Errors: StorageUnavailable."""
        with _translated(operation):
            call = getattr(self._client(self._settings.s3_endpoint), operation)
            began = elapsed()
            try:
                return self._found(call, parameters)
            except _boto().HTTPClientError:
                if elapsed() - began > _QUICK_FAILURE_SECONDS:
                    raise
            return self._found(call, parameters)

    def _found(self, call: Any, parameters: dict[str, Any]) -> Any:
        try:
            return call(Bucket=self._bucket, **parameters)
        except _boto().ClientError as error:
            if error.response.get("Error", {}).get("Code") in _MISSING:
                return None
            raise

    def _public_client(self) -> Any:
        return self._client(self._settings.s3_public_endpoint or self._settings.s3_endpoint)

    def _client(self, endpoint: str) -> Any:
        if endpoint not in self._clients:
            self._clients[endpoint] = _boto().make_client(self._settings, endpoint)
        return self._clients[endpoint]


def _boto() -> Any:
    return importlib.import_module("circle.media.boto")


@contextmanager
def _translated(operation: str) -> Iterator[None]:
    """Turn boto3's errors into ours, outside of any unit of work."""
    forbid_inside_unit_of_work()
    try:
        yield
    except _boto().FAILURES as error:
        log.warning("storage_failed", operation=operation, kind=type(error).__name__, error=str(error)[:300])
        raise StorageUnavailable from error


def _read_until(deadline: float, body: Any, length: int) -> bytes:
    """Read a whole body before a moment; one that comes drop by drop never lets a read time out."""
    head = bytearray()
    with _translated("get_object"), body as stream:
        while len(head) < length:
            left = deadline - elapsed()
            if left <= 0:
                raise StorageUnavailable
            body.set_socket_timeout(left)
            came = stream.read1(length - len(head))
            if not came:
                raise StorageUnavailable
            head += came
    return bytes(head)


def _chunks(body: Any) -> Iterator[bytes]:
    with _translated("get_object"):
        yield from body.iter_chunks(_CHUNK)
