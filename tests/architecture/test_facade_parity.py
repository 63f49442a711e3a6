"""The async and the sync façade differ in colour and in nothing else.

Both are written by hand, so that signatures, types and docstrings are real.
This test is what keeps the two from drifting apart.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterator

#: Each async class and its sync twin.
PAIRS = [
    ("qtasks.asyncio:QueueTasks", "qtasks:QueueTasks"),
    ("qtasks:AsyncTask", "qtasks:SyncTask"),
    ("qtasks.asyncio:AsyncTaskHandle", "qtasks:TaskHandle"),
    ("qtasks.stats:AsyncStats", "qtasks.stats:SyncStats"),
    ("qtasks.app.global_config:AsyncGlobalConfig", "qtasks.app.global_config:GlobalConfig"),
    ("qtasks.app.inline:AsyncInline", "qtasks.app.inline:Inline"),
    ("qtasks.contexts:AsyncContext", "qtasks.contexts:SyncContext"),
]

#: What a word of the async façade is called in the sync one.
SYNC_WORDS = {
    "AbstractAsyncContextManager": "AbstractContextManager",
    "AsyncBoundTask": "BoundTask",
    "AsyncContext": "SyncContext",
    "AsyncGenerator": "Generator",
    "AsyncGlobalConfig": "GlobalConfig",
    "AsyncInline": "Inline",
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    "AsyncSkippingTask": "SkippingTask",
    "AsyncStats": "SyncStats",
    "AsyncTask": "SyncTask",
    "AsyncTaskHandle": "TaskHandle",
    "AwaitableUpkeep": "BlockingUpkeep",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "asynccontextmanager": "contextmanager",
}

#: Special methods that belong to the façade as much as its named ones.
SPECIAL = {"__init__", "__call__", *SYNC_WORDS, *SYNC_WORDS.values()}


@dataclass(frozen=True, slots=True)
class Member:
    """What a caller sees of a public attribute, in the words of the sync façade."""

    kind: str
    parameters: list[tuple[str, str, str, str]]
    returns: str
    docstring: str | None


def in_sync_words(text: str) -> str:
    """Replaces the words of the async façade by those of the sync one."""
    return re.sub(r"\w+", lambda match: SYNC_WORDS.get(match[0], match[0]), text)


def annotation_text(annotation: object) -> str:
    """Returns an annotation as text, without modules, and as the sync façade writes it."""
    text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
    text = in_sync_words(re.sub(r"\b(?:\w+\.)+(?=\w)", "", text).replace("'", ""))
    awaited = re.fullmatch(r"Awaitable\[(.*)\]|Coroutine\[Any, Any, (.*)\]", text)
    return (awaited[1] or awaited[2]) if awaited else text


def describe(value: object) -> Member:
    """Describes a static attribute of a class."""
    kind = "method"
    match value:
        case staticmethod() | classmethod():
            kind, value = type(value).__name__, value.__func__
        case property():
            kind, value = "property", value.fget
    if not inspect.isfunction(value):
        return Member(type(value).__name__, [], "", None)
    signature = inspect.signature(value)
    parameters = [
        (p.name, p.kind.description, annotation_text(p.annotation), repr(p.default))
        for p in signature.parameters.values()
    ]
    doc = inspect.getdoc(value)
    returns = annotation_text(signature.return_annotation)
    return Member(kind, parameters, returns, doc and in_sync_words(doc))


def facade(cls: type) -> dict[str, Member]:
    """Describes every public attribute of a class."""
    return {
        in_sync_words(name): describe(value)
        for name, value in inspect.getmembers_static(cls)
        if not name.startswith("_") or name in SPECIAL
    }


def differences(async_class: type, sync_class: type) -> list[str]:
    """Returns a line for everything in which two façades differ."""
    ours, theirs = facade(async_class), facade(sync_class)
    lines = [f"{name} is missing in the sync façade" for name in sorted(ours.keys() - theirs)]
    lines += [f"{name} is missing in the async façade" for name in sorted(theirs.keys() - ours)]
    for name in sorted(ours.keys() & theirs):
        for field in fields(Member):
            was, now = getattr(ours[name], field.name), getattr(theirs[name], field.name)
            if was != now:
                lines.append(f"{name}: {field.name} of the async façade {was}, of the sync {now}")
    return lines


def load(path: str) -> type:
    """Imports ``module:name``."""
    module, _, name = path.partition(":")
    found: type = getattr(import_module(module), name)
    return found


@pytest.mark.parametrize(("async_class", "sync_class"), PAIRS)
def test_the_facades_differ_in_colour_only(async_class: str, sync_class: str) -> None:
    assert differences(load(async_class), load(sync_class)) == []


class AsyncFacade:
    async def get(self, key: str, *, timeout: float = 1.5) -> list[int]:
        """Returns the AsyncTask."""
        raise NotImplementedError

    def later(self) -> Coroutine[Any, Any, dict[str, int]]:
        raise NotImplementedError

    def soon(self) -> Awaitable[int]:
        raise NotImplementedError

    def each(self) -> AsyncIterator[int]:
        raise NotImplementedError

    @property
    def name(self) -> str:
        raise NotImplementedError

    async def __aenter__(self) -> None:
        raise NotImplementedError


class SyncFacade:
    def get(self, key: str, *, timeout: float = 1.5) -> list[int]:
        """Returns the SyncTask."""
        raise NotImplementedError

    def later(self) -> dict[str, int]:
        raise NotImplementedError

    def soon(self) -> int:
        raise NotImplementedError

    def each(self) -> Iterator[int]:
        raise NotImplementedError

    @property
    def name(self) -> str:
        raise NotImplementedError

    def __enter__(self) -> None:
        raise NotImplementedError


def test_colour_alone_is_no_difference() -> None:
    assert differences(AsyncFacade, SyncFacade) == []


class Renamed(SyncFacade):
    def get(self, name: str, *, timeout: float = 1.5) -> list[int]:
        """Returns the SyncTask."""
        raise NotImplementedError


class OtherDefault(SyncFacade):
    def get(self, key: str, *, timeout: float = 2) -> list[int]:
        """Returns the SyncTask."""
        raise NotImplementedError


class OtherKind(SyncFacade):
    def get(self, key: str, timeout: float = 1.5) -> list[int]:
        """Returns the SyncTask."""
        raise NotImplementedError


class OtherAnnotation(SyncFacade):
    def get(self, key: object, *, timeout: float = 1.5) -> list[int]:
        """Returns the SyncTask."""
        raise NotImplementedError


class OtherReturn(SyncFacade):
    def later(self) -> dict[str, bool]:  # type: ignore[override]  # the drift is what is under test
        raise NotImplementedError


class OtherDocstring(SyncFacade):
    def get(self, key: str, *, timeout: float = 1.5) -> list[int]:
        """Returns something."""
        raise NotImplementedError


class NoProperty(SyncFacade):
    def name(self) -> str:  # type: ignore[override]  # the drift is what is under test
        raise NotImplementedError


class OneMore(SyncFacade):
    def ping(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("drifted", "line"),
    [
        (Renamed, "get: parameters"),
        (OtherDefault, "get: parameters"),
        (OtherKind, "get: parameters"),
        (OtherAnnotation, "get: parameters"),
        (OtherReturn, "later: returns"),
        (OtherDocstring, "get: docstring"),
        (NoProperty, "name: kind"),
        (OneMore, "ping is missing in the async façade"),
    ],
)
def test_a_drifted_twin_is_found(drifted: type, line: str) -> None:
    (found, *more) = differences(AsyncFacade, drifted)

    assert found.startswith(line)
    assert not more


def test_a_missing_twin_is_found() -> None:
    lines = differences(AsyncFacade, object)

    assert "get is missing in the sync façade" in lines
