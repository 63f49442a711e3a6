"""What exceptions say of the time to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.message import Message
from types import SimpleNamespace
from typing import Any

import pytest

from qtasks_plugin_retry.retry_after import retry_after

NOW = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


class Said(Exception):  # noqa: N818 - it stands for those of any client
    def __init__(self, **attributes: Any) -> None:
        super().__init__()
        self.__dict__.update(attributes)


class Property(Exception):  # noqa: N818 - as above
    @property
    def retry_after(self) -> float:
        raise RuntimeError


def message(value: str) -> Message:
    """Returns headers whose names are compared without regard to case."""
    made = Message()
    made["RETRY-AFTER"] = value
    return made


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Said(retry_after=5), 5),
        (Said(retry_after=0), 0),
        (Said(retry_after=0.25), 0.25),
        (Said(retry_after="12"), 12),
        (Said(retry_after=b" 1.5 "), 1.5),
        (Said(retry_after=timedelta(minutes=1)), 60),
        (Said(retry_after=datetime.fromtimestamp(NOW + 30, UTC)), 30),
        (Said(retry_after="Thu, 01 Jan 2026 00:02:00 GMT"), 120),
        (Said(retry_after="Thu, 01 Jan 2026 00:02:00"), 120),
        (Said(retry_after="Wed, 31 Dec 2025 23:59:00 GMT"), 0),
        (Said(retry_after=-5), 0),
        (Said(headers={"Retry-After": "7"}), 7),
        (Said(headers={"retry-after": "7"}), 7),
        (Said(headers=message("7")), 7),
        (Said(response=SimpleNamespace(headers={"Retry-After": "8"})), 8),
        (Said(retry_after="later", headers={"Retry-After": "9"}), 9),
        (Said(), None),
        (Said(retry_after=True), None),
        (Said(retry_after=None), None),
        (Said(retry_after=[5]), None),
        (Said(retry_after="soon"), None),
        (Said(retry_after=""), None),
        (Said(retry_after=float("nan")), None),
        (Said(retry_after=float("inf")), None),
        (Said(retry_after=10**400), None),
        (Said(retry_after="9" * 500), None),
        (Said(headers="Retry-After: 5"), None),
        (Said(headers=SimpleNamespace(get=None)), None),
        (Property(), None),
    ],
)
def test_what_an_exception_says(error: BaseException, seconds: float | None) -> None:
    assert retry_after(error, NOW) == seconds


def test_the_causes_of_an_exception_are_asked_too() -> None:
    error = ValueError()
    error.__cause__ = KeyError()
    error.__cause__.__cause__ = Said(retry_after=3)

    assert retry_after(error, NOW) == 3


def test_a_circle_of_causes_ends() -> None:
    error = ValueError()
    error.__cause__ = KeyError()
    error.__cause__.__cause__ = error

    assert retry_after(error, NOW) is None
