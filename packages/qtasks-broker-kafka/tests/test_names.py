"""Names of topics, and what is written in records."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qtasks.exc import ConfigError
from qtasks.schemas import Message
from qtasks_broker_kafka import key
from qtasks_broker_kafka.codec import decode, encode, key_of, stand_in
from qtasks_broker_kafka.names import control_topic, queue_of, topic_of


@pytest.mark.parametrize(
    ("queue", "topic"),
    [
        ("default", "q.default"),
        ("slow-jobs", "q.slow-jobs"),
        ("slow_jobs", "q.slow__jobs"),
        ("a.b", "q.a_2eb"),
        ("очередь"[:1], "q._d0_be"),
    ],
)
def test_topics_are_readable(queue: str, topic: str) -> None:
    assert topic_of("q.", queue) == topic


@given(st.text(min_size=1, max_size=60))
def test_every_queue_has_a_topic_and_comes_back(queue: str) -> None:
    topic = topic_of("q.", queue)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", topic)
    assert queue_of("q.", topic) == queue


@given(st.text("ab._-: ", min_size=1, max_size=8), st.text("ab._-: ", min_size=1, max_size=8))
def test_queues_have_topics_that_kafka_tells_apart(one: str, other: str) -> None:
    first, second = (topic_of("q.", queue).replace(".", "_") for queue in (one, other))
    assert (first == second) is (one == other)


@pytest.mark.parametrize("topic", ["other", "q.", "q.a.b", "q._control", "q._zz", "q._ff", "q._61"])
def test_strange_topics_are_no_queues(topic: str) -> None:
    assert queue_of("q.", topic) is None


def test_the_control_topic_is_no_queue() -> None:
    assert queue_of("q.", control_topic("q.")) is None


@pytest.mark.parametrize("queue", ["", "x" * 300])
def test_a_name_that_kafka_does_not_take_is_refused(queue: str) -> None:
    with pytest.raises(ConfigError, match="Kafka takes 1 to 249"):
        topic_of("q.", queue)


def test_a_message_comes_back() -> None:
    message = Message("i", "t", "q", b"payload", priority=3, headers=key("customer-7"))
    assert decode(encode(message), "q") == message
    assert key_of(message) == b"customer-7"
    assert key_of(Message("i", "t", "q", b"")) is None


def test_the_queue_of_the_topic_counts() -> None:
    assert decode(encode(Message("i", "t", "elsewhere", b"")), "here").queue == "here"


@pytest.mark.parametrize("value", [None, b"", b"\x00\xff", b"\x01\xc1", b"\x01\x90", b'{"a": 1}'])
def test_what_is_no_message_is_told(value: bytes | None) -> None:
    with pytest.raises(ValueError, match=r".+"):
        decode(value, "q")


def test_a_record_without_a_message_has_one_id() -> None:
    one, again, other = stand_in("t", 0, 1, "q"), stand_in("t", 0, 1, "q"), stand_in("t", 0, 2, "q")
    assert one == again
    assert one.id != other.id


@pytest.mark.parametrize("value", ["", None, 7])
def test_a_key_is_a_text(value: object) -> None:
    with pytest.raises(ValueError, match="a key is a text"):
        key(value)
