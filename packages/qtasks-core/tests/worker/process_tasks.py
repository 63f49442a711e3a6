"""Functions that run in pool processes in the tests."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any

from qtasks import INJECTED
from qtasks.exc import Reject, RetryLater, TaskCancelError


def add(x: int, y: int = 1) -> int:
    return x + y


def pid(*_: Any) -> int:
    print("this goes to standard error")  # noqa: T201 - the output is under test
    return os.getpid()


def fail() -> None:
    msg = "in the child"
    raise ValueError(msg)


def crash(code: int) -> None:
    os._exit(code)


def segfault() -> None:
    os.kill(os.getpid(), 11)


def forever() -> None:
    while True:
        time.sleep(0.01)


def steer(how: str) -> None:
    raise {
        "retry": RetryLater(7, "busy"),
        "reject": Reject("bad"),
        "cancel": TaskCancelError("enough"),
    }[how]


def unencodable() -> object:
    return object()


def read_input() -> str:
    return sys.stdin.read()


def log_from_child(path: str) -> str:
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(task_name)s %(task_id)s: %(message)s"))
    logging.getLogger("shop").addHandler(handler)
    return "ready"


def log_more(_: str) -> None:
    logging.getLogger("shop").warning("hello")


def wants_session(x: int, session: Any = INJECTED) -> int:
    return x + int(session)
