"""What the doctor says of signing, and of tasks that nothing ends."""

from __future__ import annotations

import pytest

from qtasks import QueueTasks
from qtasks.cli.exposure import endless, signing
from qtasks.signing import Keys

KEY = "key-" * 8


@pytest.mark.parametrize(
    "url", ["redis://db.example/0", "rediss://me:pw@10.0.0.7:1/0", "kafka://a:1,b:2"]
)
def test_an_unsigned_queue_that_others_reach_is_a_warning(url: str) -> None:
    (found,) = signing(None, [url])
    assert found.level == "warning"
    assert "QTASKS_SIGNING_KEYS" in found.fix
    assert "pw" not in found.message


@pytest.mark.parametrize(
    "url",
    ["sqlite:///q.db", "memory://", "unix:///s", "redis://localhost/0", "redis://[::1]:1/0"],
)
def test_an_unsigned_queue_of_this_machine_is_none(url: str) -> None:
    assert signing(None, [url]) == []


def test_signing_is_told_and_no_key_shown() -> None:
    (found,) = signing(Keys(KEY), ["redis://db.example/0"])
    assert found.level == "ok"
    assert KEY not in repr(found)


def test_accepting_what_is_unsigned_is_a_warning() -> None:
    (found,) = signing(Keys(KEY, require=False), ["memory://"])
    assert found.level == "warning"
    assert "require=False" in found.fix


def test_tasks_without_a_time_limit_are_a_warning() -> None:
    def work() -> None:
        """Does nothing."""

    app = QueueTasks(broker_url="memory://", plugins=())
    app.task("limited", max_time=5)(work)
    assert endless(app.tasks.values()) == []

    for number in range(7):
        app.task(f"endless{number}")(work)
    (found,) = endless(app.tasks.values())
    assert found.level == "warning"
    assert "endless0, endless1, endless2, endless3, endless4 and 2 more" in found.message
    assert "limited" not in found.message
    assert "max_time=" in found.fix
