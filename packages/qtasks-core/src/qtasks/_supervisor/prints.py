"""What the threads of a child print, one line after the other."""

from __future__ import annotations

import io
import sys
import threading
from typing import Any, BinaryIO, Final, cast

__all__ = ["WholeLines", "collect_prints", "flush_prints"]

#: Characters of a line without end that are kept until they are written as they are.
_MAX_LINE: Final = 64 * 1024


class WholeLines(io.TextIOWrapper):
    """Text output that writes each line at once, however many threads print.

    ``print`` writes its arguments and the line break one by one. What a thread has begun waits
    here until it ends the line, or flushes.

    Args:
        buffer: takes the bytes.
        encoding: the encoding.
        errors: what happens to characters that it does not have.
    """

    def __init__(self, buffer: BinaryIO, encoding: str, errors: str | None) -> None:
        super().__init__(buffer, encoding=encoding, errors=errors, line_buffering=True)
        self._begun: dict[int, str] = {}

    def write(self, text: str, /) -> int:
        """Writes the lines that are whole by now, and keeps the rest."""
        me = threading.get_ident()
        whole, end, rest = (self._begun.pop(me, "") + text).rpartition("\n")
        if len(rest) > _MAX_LINE:
            end, rest = end + rest, ""
        if rest:
            self._begun[me] = rest
        if end:
            # One call, so that no other thread's text gets in between.
            super().write(whole + end)
        return len(text)

    def flush(self) -> None:
        """Writes what this thread has begun, too."""
        self._write_begun(threading.get_ident())
        super().flush()

    def flush_all(self) -> None:
        """Writes what all threads have begun."""
        for thread in list(self._begun):
            self._write_begun(thread)
        super().flush()

    def _write_begun(self, thread: int) -> None:
        if text := self._begun.pop(thread, ""):
            super().write(text)


def collect_prints() -> None:
    """Has standard output and standard error of this process write whole lines."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):  # somebody may have replaced it
            encoding, errors = stream.encoding, stream.errors
            lines: Any = WholeLines(cast("BinaryIO", stream.detach()), encoding, errors)
            setattr(sys, name, lines)
            setattr(sys, f"__{name}__", lines)


def flush_prints() -> None:
    """Writes what has been printed and is no whole line; the process ends."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, WholeLines):
            stream.flush_all()
        else:
            stream.flush()
