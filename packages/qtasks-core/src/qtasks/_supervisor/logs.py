"""Logs and stray output of children, as one stream in which no line is broken."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any, Final

from qtasks._supervisor.messages import LogLine

if TYPE_CHECKING:
    from qtasks._runtime.channel import Channel
    from qtasks._supervisor.messages import Order

__all__ = ["ChannelHandler", "StrayLines", "log_here", "set_up_child_logging"]

#: What every record has; anything else was given as ``extra``.
_USUAL: Final = frozenset(
    vars(logging.makeLogRecord({})).keys() | {"message", "asctime", "taskName"}
)
#: Characters of a record's text and of a line of output that are passed on.
_MAX_TEXT: Final = 256 * 1024


class ChannelHandler(logging.Handler):
    """Sends the records of a child to its supervisor.

    Args:
        channel: the way there.
    """

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel
        self._formatter = logging.Formatter()

    def emit(self, record: logging.LogRecord) -> None:
        """Sends one record."""
        try:
            self._channel.send(self._line(record))
        except Exception:  # noqa: BLE001 - as every handler of logging
            self.handleError(record)

    def _line(self, record: logging.LogRecord) -> LogLine:
        trace = record.exc_text or ""
        if record.exc_info and not trace:
            trace = self._formatter.formatException(record.exc_info)
        if record.stack_info:
            trace = f"{trace}\n{record.stack_info}".lstrip()
        return LogLine(
            name=record.name,
            level=record.levelno,
            message=_sendable(record.getMessage()),
            created=record.created,
            where=(_sendable(record.pathname), record.lineno, record.funcName or ""),
            thread=record.threadName or "",
            trace=_sendable(trace),
            extra=_plain(record),
        )


def _plain(record: logging.LogRecord) -> dict[str, str | int | float | bool | None]:
    """Returns what a record has beyond the usual, as far as it can be sent."""
    extra: dict[str, str | int | float | bool | None] = {}
    for name, value in vars(record).items():
        if name not in _USUAL and (value is None or isinstance(value, str | int | float)):
            extra[name] = _sendable(value) if isinstance(value, str) else value
    return extra


def _sendable(text: str) -> str:
    """Returns text that msgspec can encode, lone surrogates being escaped."""
    return text[:_MAX_TEXT].encode("utf-8", "backslashreplace").decode()


def set_up_child_logging(channel: Channel, order: Order) -> None:
    """Has the records of this process go to the supervisor, unless the app has set up logging."""
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(ChannelHandler(channel))
        root.setLevel(order.log_level)
    elif order.log_always:
        root.setLevel(order.log_level)


def log_here(line: LogLine, number: int, pid: int) -> None:
    """Logs a child's record in this process, with the number of the child in front.

    Args:
        line: the record.
        number: the child's number; also the attribute ``child`` of the record.
        pid: its process id.
    """
    path, row, function = line.where
    attributes: dict[str, Any] = {
        **line.extra,
        "name": line.name,
        "levelno": line.level,
        "levelname": logging.getLevelName(line.level),
        "msg": f"[{number}] {line.message}",
        "args": (),
        "created": line.created,
        "msecs": line.created % 1 * 1000,
        "process": pid,
        "processName": f"worker-{number}",
        "threadName": line.thread,
        "pathname": path,
        "filename": path.rpartition("/")[2],
        "lineno": row,
        "funcName": function,
        "exc_text": line.trace or None,
        "child": number,
    }
    logging.getLogger(line.name).handle(logging.makeLogRecord(attributes))


class StrayLines:
    """Writes what a child prints to standard error, line by line.

    Args:
        number: the child's number, which stands in front of each line.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Takes output as it came; what follows the last line break waits for the next one."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _MAX_TEXT:
            lines.append(self._rest)
            self._rest = b""
        self._write(lines)

    def close(self) -> None:
        """Writes a last line that has no line break."""
        if self._rest:
            self._write([self._rest])
            self._rest = b""

    def _write(self, lines: list[bytes]) -> None:
        shown = (line.decode("utf-8", "backslashreplace").rstrip("\r") for line in lines)
        text = "".join(f"[{self._number}] {line}\n" for line in shown)
        if text:
            sys.stderr.write(text)
            sys.stderr.flush()
