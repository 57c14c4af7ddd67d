"""Pictures and files for tests, and how a client uploads them: to the real storage, by the signed form."""

from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
from PIL import Image

from circle.jobs import load_job
from circle.kernel.db import Json
from tests.builders.people import People, Person

SOUND = b"ID3\x04\0\0\0\0\0\x23" + b"\0" * 20
FILM = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2"
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\n%%EOF\n"


def picture(width: int = 64, height: int = 48, form: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """A picture whose left half is red and whose right half is blue."""
    image = Image.new("RGB", (width, height), (220, 30, 30))
    image.paste((30, 30, 220), (width // 2, 0, width, height))
    out = BytesIO()
    image.convert(mode).save(out, form, **options)
    return out.getvalue()


def send(form: Json, content: bytes, **overrides: str) -> httpx.Response:
    """Do what a client does with the signed form; `overrides` are fields that it changes."""
    fields = {**form["fields"], **{name.replace("_", "-"): value for name, value in overrides.items()}}
    return httpx.post(form["url"], data=fields, files={"file": ("file", content)})


class Uploads(People):
    def announce(
        self,
        person: Person,
        content: bytes,
        *,
        filename: str = "图.png",
        content_type: str = "image/png",
        purpose: str = "post",
    ) -> Json:
        """The answer to `POST /media`."""
        body = {"filename": filename, "content_type": content_type, "size": len(content), "purpose": purpose}
        answer: Json = person.api.post("/media", body).ok(201)
        return answer

    def uploaded(self, person: Person, content: bytes | None = None, **about: str) -> UUID:
        """An upload that its owner has completed, but no worker has seen."""
        content = content or picture()
        announced = self.announce(person, content, **about)
        assert send(announced["upload"], content).status_code == 201
        person.api.post(f"/media/{announced['media_id']}/complete").ok(200)
        return UUID(announced["media_id"])

    def media(self, person: Person, content: bytes | None = None, **about: str) -> UUID:
        """An upload that can be fetched and attached."""
        media_id = self.uploaded(person, content, **about)
        self.process_media()
        return media_id

    def recording(self, person: Person, **about: str) -> UUID:
        return self.media(person, SOUND, filename="话.mp3", content_type="audio/mpeg", **about)

    def film(self, person: Person, **about: str) -> UUID:
        return self.media(person, FILM, filename="影.mp4", content_type="video/mp4", **about)

    def process_media(self) -> int:
        return load_job("media.process").run(self.units)

    def sweep_media(self) -> int:
        return load_job("media.sweep").run(self.units)

    def fetch(self, person: Person, media_id: UUID, size: str | None = None) -> httpx.Response:
        """The bytes that a reader gets in the end."""
        query = f"?size={size}" if size else ""
        return httpx.get(person.api.get(f"/media/{media_id}{query}").headers["Location"])
