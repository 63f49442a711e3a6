"""The language of the server: in Python and in C it is the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import InvalidResponse, MovedError, ResponseError

from qtasks.adapters.redis import RedisBroker, resp
from qtasks.adapters.redis.resp import PART, Reader, make_reader, pack
from qtasks.schemas import Claim, Message, Success
from qtasks.testing.conformance.lines import settlement

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = st.binary(max_size=20).filter(lambda text: b"\r" not in text and b"\n" not in text)
ANSWERS = st.recursive(
    TEXTS.map(lambda text: b"+%b\r\n" % text)
    | st.integers(-(2**63), 2**63 - 1).map(lambda number: b":%d\r\n" % number)
    | st.binary(max_size=40).map(lambda blob: b"$%d\r\n%b\r\n" % (len(blob), blob))
    | st.just(b"$-1\r\n")
    | st.just(b"*-1\r\n"),
    lambda inner: st.lists(inner, max_size=5).map(
        lambda items: b"*%d\r\n%b" % (len(items), b"".join(items))
    ),
)


def read(reader: Any, pieces: list[bytes]) -> list[Any]:
    """Returns all answers in some bytes."""
    answers = []
    for piece in pieces:
        reader.feed(piece)
        while (answer := reader.gets()) is not PART:
            answers.append(answer)
    return answers


@given(st.lists(ANSWERS, max_size=5), st.integers(1, 30))
def test_answers_read_the_same_in_any_pieces(answers: list[bytes], size: int) -> None:
    said = b"".join(answers)
    pieces = [said[start : start + size] for start in range(0, len(said), size)]

    found = read(Reader(), pieces)

    assert found == read(make_reader(), [said])
    assert len(found) == len(answers)


@pytest.mark.parametrize("reader", [Reader, make_reader])
def test_errors_are_answers(reader: Any) -> None:
    found = read(reader(), [b"-MOVED 5 host:1\r\n*2\r\n-ERR no\r\n:1\r\n+OK\r\n"])

    assert isinstance(found[0], MovedError)
    assert isinstance(found[1][0], ResponseError)
    assert str(found[1][0]) == "no"
    assert found[1][1:] == [1]
    assert found[2] == b"OK"


@pytest.mark.parametrize("said", [b"HTTP/1.1 400\r\n", b"$x\r\n", b":\r\n", b"?1\r\n", b"*1x\r\n"])
@pytest.mark.parametrize("reader", [Reader, make_reader])
def test_what_is_no_answer_is_refused(reader: Any, said: bytes) -> None:
    one = reader()
    one.feed(said)

    with pytest.raises(InvalidResponse):
        one.gets()


@given(st.lists(st.binary(max_size=40) | st.text(max_size=20) | st.integers(), min_size=1))
def test_commands_are_packed_the_same(command: list[bytes | str | int]) -> None:
    packed = hiredis.pack_command(tuple(command))  # type: ignore[arg-type]  # it means any number

    assert pack(tuple(command)) == packed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resp, "_hiredis", None)
        assert pack(tuple(command)) == packed


@pytest.fixture
def without_hiredis() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resp, "_hiredis", None)
        yield


@pytest.mark.usefixtures("without_hiredis")
async def test_without_hiredis_all_goes_on(valkey: str) -> None:
    broker = RedisBroker(valkey)
    await broker.start()
    await broker.publish([Message("id", "t", "q", b"p" * 100_000)])
    (delivery,) = await broker.claim(Claim(queues=("q",), limit=1, lease=30.0, worker="w"))
    refused = await broker.settle([settlement(delivery, Success(b"7"))])
    told = await broker.storage.wait(["id"], 60.0)
    await broker.stop()

    assert delivery.message.payload == b"p" * 100_000
    assert refused == []
    assert told["id"] is not None
