"""Values that all processes of an app share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import ConfigError, EncodeError, PayloadTooLargeError, RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness


def test_values_are_kept_by_group_and_key(harness: Harness) -> None:
    config, do = harness.app.global_config, harness.do

    do(config.set("mail", "host", "localhost"))
    do(config.set("mail", "ports", (25, 587)))
    do(config.set("web", "host", None))

    assert do(config.get("mail", "ports")) == (25, 587)
    assert do(config.get("web", "host", "default")) is None
    assert do(config.get("web", "port", "default")) == "default"
    assert do(config.get_all("mail")) == {"host": "localhost", "ports": (25, 587)}
    assert do(config.get_all("mai")) == {}
    assert do(config.get_match("*:host")) == {"mail:host": "localhost", "web:host": None}


def test_a_value_is_replaced_and_removed(harness: Harness) -> None:
    config, do = harness.app.global_config, harness.do

    do(config.set("a", "b:c", 1))
    do(config.set("a", "b:c", 2))
    assert do(config.get_all("a")) == {"b:c": 2}
    do(config.delete("a", "b:c"))
    do(config.delete("a", "b:c"))

    assert do(config.get("a", "b:c")) is None


def test_another_app_sees_them_until_all_is_flushed(
    make_harness: Callable[..., Harness], url: str
) -> None:
    one = make_harness()
    two = one if url == "memory://" else make_harness()  # a queue in memory is one app's own

    one.do(one.app.global_config.set("a", "b", [1]))
    assert two.do(two.app.global_config.get("a", "b")) == [1]
    two.do(two.app.flush_all())

    assert one.do(one.app.global_config.get("a", "b")) is None


def test_a_running_task_reads_them(harness: Harness) -> None:
    app = harness.app

    @app.task(echo=True)
    def read(self: Any) -> Any:
        return self.ctx.get_component("app").global_config.get("a", "b")

    harness.do(app.global_config.set("a", "b", 5))
    handle = harness.do(read.add_task())
    harness.work()

    assert harness.do(handle.result(5)) == 5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (("a b", "c", 1), RegistrationError, "'a b' is not a group name"),
        (("a:b", "c", 1), RegistrationError, "'a:b' is not a group name"),
        (("a", 1, 1), ConfigError, "key=1: the key of a shared value is text"),
        (("a", "b", object()), EncodeError, "the shared value 'a:b'"),
        (("a", "b", b"x" * 2000), PayloadTooLargeError, "the shared value 'a:b' takes"),
    ],
)
@pytest.mark.parametrize("url", ["memory"], indirect=True)
def test_what_cannot_be_kept_is_refused(
    make_harness: Callable[..., Harness], call: Any, error: type[Exception], message: str
) -> None:
    harness = make_harness(max_payload=1024)

    with pytest.raises(error, match=message):
        harness.do(harness.app.global_config.set(*call))
