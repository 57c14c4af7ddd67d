"""What tests of members share."""

from typing import Any

import pytest

from circle.kernel.uow import UnitOfWork


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every event emitted during the test, in order; handlers run as ever."""
    events: list[Any] = []
    emit = UnitOfWork.emit

    def listening(uow: UnitOfWork, event: object) -> None:
        events.append(event)
        emit(uow, event)

    monkeypatch.setattr(UnitOfWork, "emit", listening)
    return events
