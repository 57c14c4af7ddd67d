"""Exports for tests: asked for over HTTP, built by the worker, fetched by the link."""

import json
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import httpx

from circle.jobs import load_job
from tests.builders.circles import BuiltCircle, Circles
from tests.builders.people import Person


@dataclass(frozen=True)
class Taken:
    """A file that somebody took along."""

    content: bytes
    told: Any

    @property
    def zip(self) -> ZipFile:
        return ZipFile(BytesIO(self.content))

    @property
    def names(self) -> list[str]:
        return self.zip.namelist()

    def text(self, path: str) -> str:
        """A file of it; `path` may be the beginning of its name."""
        name = next(name for name in self.names if name.startswith(path))
        return self.zip.read(name).decode()

    @property
    def all_text(self) -> str:
        """Everything that is text, one after the other."""
        return "\n".join(self.text(name) for name in self.names if name.endswith((".md", ".xhtml", ".jsonl", ".csv")))

    def rows(self, table: str) -> list[Any]:
        return [json.loads(line) for line in self.text(f"data/{table}.jsonl").splitlines()]


class Exports(Circles):
    def ask_export(self, person: Person, circle: BuiltCircle, scope: str = "mine", form: str = "markdown") -> Any:
        return person.api.post(f"{circle.path}/exports", {"scope": scope, "format": form}).ok(202)

    def build_exports(self) -> int:
        return load_job("exports.build").run(self.units)

    def export(self, person: Person, circle: BuiltCircle, scope: str = "mine", form: str = "markdown") -> Taken:
        """What somebody takes along."""
        asked = self.ask_export(person, circle, scope, form)
        self.build_exports()
        told = person.api.get(f"/exports/{asked['id']}").ok()
        assert told["status"] == "ready", told
        return Taken(httpx.get(told["download"]["url"]).raise_for_status().content, told)
