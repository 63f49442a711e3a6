"""Typed messages over bytes."""

from __future__ import annotations

import logging
import os
import threading

import msgspec
import pytest

from qtasks._runtime.channel import Channel, ChannelError, write_all


class Count(msgspec.Struct):
    """A message."""

    number: int


class Name(msgspec.Struct):
    """Another message."""

    text: str


class Pair:
    """Two ends; what one writes, the other is fed."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.one = Channel(self.sent.append)
        self.other = Channel(lambda _: None)
        self.got: list[object] = []

    def deliver(self, size: int = 1 << 20) -> None:
        """Hands over all that was sent, in pieces of a size."""
        data = b"".join(self.sent)
        self.sent.clear()
        for start in range(0, len(data), size):
            self.other.feed(data[start : start + size])


@pytest.fixture
def pair() -> Pair:
    return Pair()


@pytest.mark.parametrize("size", [1, 3, 1 << 20])
def test_messages_arrive_by_type_and_in_order_however_the_bytes_are_cut(
    pair: Pair, size: int
) -> None:
    pair.other.on(Count, pair.got.append)
    pair.other.on(Name, pair.got.append)
    sent = [Count(1), Name("ä"), Count(2)]

    for message in sent:
        pair.one.send(message)
    pair.deliver(size)

    assert pair.got == sent


def test_what_nobody_listens_to_is_skipped(pair: Pair) -> None:
    pair.other.on(Count, pair.got.append)

    pair.one.send(Name("x"))
    pair.one.send(Count(1))
    pair.deliver()

    assert pair.got == [Count(1)]


def test_a_handler_that_fails_does_not_stop_the_others(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Name) -> None:
        raise LookupError(message.text)

    pair.other.on(Name, fail)
    pair.other.on(Count, pair.got.append)

    pair.one.send(Name("missing"))
    pair.one.send(Count(1))
    pair.deliver()

    assert pair.got == [Count(1)]
    assert "Name was not handled" in caplog.text
    assert "LookupError: missing" in caplog.text


def test_a_message_of_another_version_is_reported_and_skipped(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    other = msgspec.defstruct("Count", [("number", str)], module=Count.__module__)
    pair.other.on(Count, pair.got.append)

    pair.one.send(other("many"))
    pair.one.send(Count(1))
    pair.deliver()

    assert pair.got == [Count(1)]
    assert "Expected `int`, got `str`" in caplog.text


@pytest.mark.parametrize("garbage", [b"Hello, this is printed", b"\x00\x00\x00\x02{}"])
def test_what_is_no_message_is_an_error(pair: Pair, garbage: bytes) -> None:
    with pytest.raises(ChannelError, match=r"no message"):
        pair.other.feed(garbage)


def test_the_end_of_the_other_end_is_no_error_of_the_sender() -> None:
    def gone(data: bytes) -> None:
        raise BrokenPipeError(len(data))

    channel = Channel(gone)
    channel.send(Count(1))
    channel.send(Count(2))


def test_what_is_too_long_is_refused(pair: Pair) -> None:
    with pytest.raises(ValueError, match=r"a Name of 167772.. bytes is too long for a channel"):
        pair.one.send(Name("x" * (16 * 1024 * 1024)))
    assert pair.sent == []


def test_threads_do_not_mix_their_messages() -> None:
    data = bytearray()

    def write_slowly(frame: bytes) -> None:
        for byte in frame:
            data.append(byte)

    channel, got = Channel(write_slowly), []
    threads = [
        threading.Thread(target=lambda: [channel.send(Count(n)) for n in range(50)])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other = Channel(lambda _: None)
    other.on(Count, lambda message: got.append(message.number))
    other.feed(bytes(data))

    assert sorted(got) == sorted(list(range(50)) * 4)


def test_who_sends_while_a_message_is_written_comes_after_it() -> None:
    """A finalizer may log in the middle of a write, in the same thread."""
    data = bytearray()

    def write(frame: bytes) -> None:
        data.extend(frame[:3])
        if len(data) == 3:
            channel.send(Count(2))
        data.extend(frame[3:])

    channel = Channel(write)
    channel.send(Count(1))
    got: list[int] = []
    other = Channel(lambda _: None)
    other.on(Count, lambda message: got.append(message.number))
    other.feed(bytes(data))

    assert got == [1, 2]


def test_all_is_written_to_a_pipe_however_small_it_is() -> None:
    reader, writer = os.pipe()
    data = bytes(range(256)) * 4096
    thread = threading.Thread(target=write_all, args=(writer, data))
    thread.start()
    read = b""
    while len(read) < len(data):
        read += os.read(reader, 65536)
    thread.join()
    os.close(reader)
    os.close(writer)

    assert read == data


def test_nothing_is_logged_where_logging_may_come_from(caplog: pytest.LogCaptureFixture) -> None:
    def gone(data: bytes) -> None:
        raise BrokenPipeError(len(data))

    with caplog.at_level(logging.DEBUG):
        Channel(gone).send(Count(1))

    assert caplog.text == ""
