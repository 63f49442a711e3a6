"""What happened in a simulation, to be read by people if something is wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

from simulation.virtual import PROCESS

if TYPE_CHECKING:
    from simulation.virtual import VirtualLoop

__all__ = ["Trace", "Violation", "violate"]

#: What the engine logs where it does not know what to do.
_ALARMS = ("The engine failed", "The keeper failed", "Waiting for work failed")


class Violation(AssertionError):  # noqa: N818 - it is what the oracle says, and no error of its own
    """An invariant that does not hold.

    Args:
        name: of the invariant.
        what: what was seen.
    """

    def __init__(self, name: str, what: str) -> None:
        super().__init__(f"{name}: {what}")
        self.name = name


def violate(name: str, what: str) -> NoReturn:
    """Says that an invariant does not hold.

    Args:
        name: of the invariant.
        what: what was seen.

    Raises:
        Violation: always.
    """
    raise Violation(name, what)


class Trace(logging.Handler):
    """Collects lines, those that the engine logs included.

    Args:
        loop: whose time the lines bear.

    Attributes:
        alarm: the first thing that the engine logged and never should.
        steps: how many calls the broker has carried out.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(logging.INFO)
        self._loop = loop
        self._lines: list[tuple[float, str, str, tuple[object, ...]]] = []
        self.alarm: str | None = None
        self.steps = 0

    def add(self, who: str, text: str, *about: object) -> None:
        """Adds a line; it is put together only if somebody reads it.

        What the dead do when they are buried is no part of the story, and comes in any order.
        """
        if self._loop.burying:
            return
        self._lines.append((self._loop.time(), who, text, about))

    def emit(self, record: logging.LogRecord) -> None:
        """Adds what the engine logs."""
        process = PROCESS.get()
        message = record.getMessage()
        self.add("" if process is None else process.name, "log: %s", message.partition("\n")[0])
        if message.startswith(_ALARMS) and self.alarm is None and not self._loop.burying:
            error = record.exc_info[1] if record.exc_info else None
            self.alarm = f"{message}: {error!r}"

    def lines(self) -> list[str]:
        """Returns the lines, in order."""
        return [
            f"{at:9.3f}  {who:<6}  {text % about if about else text}"
            for at, who, text, about in self._lines
        ]
