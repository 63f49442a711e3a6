"""The words of the command line: spans of time, places, and what JSON can say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from qtasks import QueueTasks
from qtasks._runtime.errors import printable
from qtasks.cli.durations import parse_span, span_text
from qtasks.cli.output import json_safe
from qtasks.cli.places import place_of
from qtasks.exc import ConfigError
from qtasks.schemas import TaskStatusEnum


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("0", 0),
        ("30s", 30),
        ("1.5m", 90),
        ("1h30m", 5400),
        ("2D", 172800),
        ("1w", 604800),
    ],
)
def test_spans_are_read(text: str, seconds: float) -> None:
    assert parse_span("--since", text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1h", "1y", "h", "1h later", "9" * 20 + "w"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--since"):
        parse_span("--since", text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (-1, "0ms"),
        (0.0123, "12ms"),
        (1.25, "1.2s"),
        (59, "59s"),
        (119, "119s"),
        (120, "2m"),
        (7300, "2h"),
        (200000, "2d"),
        (2000000, "3w"),
    ],
)
def test_spans_are_written(seconds: float | None, text: str) -> None:
    assert span_text(seconds) == text


def test_a_place_may_be_two() -> None:
    app = QueueTasks(broker_url="memory://one", storage_url="memory://two")

    assert place_of(app) == "memory://one, records in memory://two"


def test_every_value_becomes_json() -> None:
    value = {
        1: (True, None, 1.5, "text"),
        "bytes": b"\x00\xff",
        "set": {3, 1, 2},
        "moment": datetime(2026, 1, 2, tzinfo=UTC),
        "span": timedelta(minutes=1),
        "id": UUID(int=1),
        "number": Decimal("1.10"),
        "status": TaskStatusEnum.SUCCESS,
        "infinite": float("inf"),
    }

    assert json.loads(json.dumps(json_safe(value), allow_nan=False)) == {
        "1": [True, None, 1.5, "text"],
        "bytes": "AP8=",
        "set": [1, 2, 3],
        "moment": "2026-01-02T00:00:00+00:00",
        "span": 60.0,
        "id": "00000000-0000-0000-0000-000000000001",
        "number": "1.10",
        "status": "success",
        "infinite": "inf",
    }


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\x1b[2J\nb\u202e") == "a\\x1b[2J\\nb\\u202e"
    assert printable("a\n\tb\x07", lines=True) == "a\n\tb\\x07"
