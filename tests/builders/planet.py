"""Pages as crawlers of Knowledge Planet write them: made here, after the description of the format."""

import json
from collections.abc import Sequence
from typing import Any

CREATED = "2021-03-04T12:34:56.789+0800"


def topic(topic_id: int, text: str = "一句话", *, by: str = "星主", **more: Any) -> dict[str, Any]:
    """A talk."""
    talk = {"owner": {"user_id": 1, "name": by}, "text": text, **more.pop("talk", {})}
    return {"topic_id": topic_id, "type": "talk", "create_time": CREATED, "talk": talk, **more}


def asked(topic_id: int, text: str, answer: str | None, **more: Any) -> dict[str, Any]:
    """A question, with its answer by the circle's owner if there is one."""
    said = {} if answer is None else {"answered": True, "answer": {"owner": {"name": "星主"}, "text": answer}}
    question = {"owner": {"name": "小同"}, "questionee": {"name": "星主"}, "text": text}
    return {"topic_id": topic_id, "type": "q&a", "create_time": CREATED, "question": question, **said, **more}


def page(topics: Sequence[Any]) -> bytes:
    """An answer of the web API as it is saved."""
    return json.dumps({"succeeded": True, "resp_data": {"topics": list(topics)}}, ensure_ascii=False, indent=1).encode()
