"""Threads of a child print whole lines."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pytest

from qtasks._supervisor import prints
from qtasks._supervisor.prints import WholeLines

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def out() -> Iterator[WholeLines]:
    made = WholeLines(io.BytesIO(), "utf-8", "strict")
    yield made
    made.close()


def shown(out: WholeLines) -> str:
    """Returns what has reached the bytes below."""
    assert isinstance(out.buffer, io.BytesIO)
    return out.buffer.getvalue().decode()


def elsewhere(out: WholeLines, text: str) -> None:
    """Writes in another thread, which lives at the same time."""
    thread = threading.Thread(target=out.write, args=(text,))
    thread.start()
    thread.join()


def test_a_line_is_written_when_it_is_whole(out: WholeLines) -> None:
    assert out.write("did") == 3
    out.write(" ")
    assert shown(out) == ""

    out.write("7\nand")

    assert shown(out) == "did 7\n"


def test_another_thread_does_not_get_into_a_line(out: WholeLines) -> None:
    out.write("did ")
    elsewhere(out, "something else\n")
    out.write("7\n")

    assert shown(out) == "something else\ndid 7\n"


def test_a_flush_writes_what_this_thread_has_begun(out: WholeLines) -> None:
    elsewhere(out, "theirs")

    print("mine", end="", file=out, flush=True)

    assert shown(out) == "mine"


def test_the_end_writes_what_all_threads_have_begun(out: WholeLines) -> None:
    elsewhere(out, "theirs")
    out.flush_all()

    assert shown(out) == "theirs"


def test_a_line_without_end_is_not_kept_for_ever(
    out: WholeLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prints, "_MAX_LINE", 10)

    out.write("0123456789")
    assert out._begun
    out.write("a")

    assert not out._begun
    out.flush()
    assert shown(out) == "0123456789a"


def test_what_is_no_text_is_refused_as_ever(out: WholeLines) -> None:
    with pytest.raises(TypeError, match="str"):
        out.write(b"bytes")  # type: ignore[arg-type]  # that is what is tried
