"""What can be told of an app: its tasks as they are declared, its queues and its workers."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from qtasks._version import __version__
from qtasks.contracts.secrets import mask_url
from qtasks.exc import UnknownTaskError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qtasks.app.base import BaseQueueTasks
    from qtasks.schemas import Presence, QueueStats, TaskDefinition

__all__ = ["InspectStats"]

#: Fields of a definition that are for the engine alone, or shown in other words.
_HIDDEN: Final = frozenset({"func", "arity", "signature", "extra", "types"})


class InspectStats:
    """A look at an app, as it was when ``inspect()`` was called.

    Every method returns text for people, or a JSON document.

    Args:
        app: the app.
        queues: how its queues stand.
        workers: the workers that are alive.
    """

    def __init__(
        self, app: BaseQueueTasks, queues: Sequence[QueueStats], workers: Sequence[Presence]
    ) -> None:
        self._app = app
        self.queues = tuple(queues)
        self.workers = tuple(workers)

    def app(self, json: bool = False) -> str:  # noqa: FBT001, FBT002 - the predecessor's signature
        """Tells of the app: its parts, queues, workers, and the names of its tasks.

        Args:
            json: whether to return JSON.
        """
        document = self.app_document()
        return _json(document) if json else _app_text(document)

    def task(self, name: str, json: bool = False) -> str:  # noqa: FBT001, FBT002 - as above
        """Tells how a task is declared.

        Args:
            name: its name.
            json: whether to return a JSON object.

        Raises:
            UnknownTaskError: the app has no such task.
        """
        document = self.task_document(name)
        return _json(document) if json else _task_text(document)

    def tasks(self, *names: str, json: bool = False) -> str:
        """Tells how tasks are declared.

        Args:
            *names: their names; none for all of them.
            json: whether to return a JSON array.

        Raises:
            UnknownTaskError: the app has no such task.
        """
        documents = [self.task_document(name) for name in names or sorted(self._app.tasks)]
        return _json(documents) if json else "\n\n".join(map(_task_text, documents))

    def app_document(self) -> dict[str, Any]:
        """Returns what :meth:`app` tells, as plain values."""
        app, tasks = self._app, self._app.tasks
        return {
            "name": app.name,
            "method": app.method,
            "version": __version__,
            "broker": mask_url(app.broker.url),
            "storage": mask_url(app.storage.url),
            "plugins": list(app.plugins),
            "tasks": {name: tasks[name].description for name in sorted(tasks)},
            "queues": [msgspec.structs.asdict(queue) for queue in self.queues],
            "workers": [msgspec.to_builtins(worker) for worker in self.workers],
        }

    def task_document(self, name: str) -> dict[str, Any]:
        """Returns what :meth:`task` tells, as plain values.

        Raises:
            UnknownTaskError: the app has no such task.
        """
        task = self._app.tasks.get(name)
        if task is None:
            known = sorted(self._app.tasks)
            close = difflib.get_close_matches(str(name), known, n=1)
            hint = f", did you mean {close[0]!r}?" if close else f"; it has {', '.join(known)}"
            msg = f"the app {self._app.name!r} has no task {name!r}{hint if known else ''}"
            raise UnknownTaskError(msg)
        return _declared(task)


def _declared(task: TaskDefinition) -> dict[str, Any]:
    fields = [name for name in task.__struct_fields__ if name not in _HIDDEN]
    return {
        "name": task.name,
        "signature": f"{task.name}{task.signature}",
        **{name: _plain(getattr(task, name)) for name in fields},
        "extra": {key: _plain(value) for key, value in task.extra.items()},
    }


def _plain(value: Any) -> Any:
    """Returns what JSON can say of a value; functions and classes by their names."""
    try:
        plain = msgspec.to_builtins(value, enc_hook=_named, str_keys=True)
        msgspec.json.encode(plain)
    except Exception:  # noqa: BLE001 - users declare what they like
        return repr(value)
    return plain


def _named(value: Any) -> str:
    name = getattr(value, "__qualname__", None)
    return f"{value.__module__}.{name}" if isinstance(name, str) else repr(value)


def _json(document: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def _app_text(document: Mapping[str, Any]) -> str:
    workers = [
        f"{worker['worker']}: {worker['running']} of {worker['slots']} tasks run,"
        f" takes from {', '.join(worker['queues'])}"
        for worker in document["workers"]
    ]
    tasks = document["tasks"].items()
    shown = {
        **document,
        "plugins": ", ".join(document["plugins"]),
        "tasks": [f"{name}: {text}" if text else name for name, text in tasks],
        "queues": [_queue_text(queue) for queue in document["queues"]],
        "workers": workers or "none is alive",
    }
    return _lines(shown)


def _queue_text(queue: Mapping[str, Any]) -> str:
    words = {"ready": "ready", "delayed": "delayed", "leased": "running"}
    words |= {"dead": "dead", "finished": "finished"}
    counts = ", ".join(f"{queue[key]:,} {word}" for key, word in words.items())
    return f"{queue['queue']}: {counts}{', paused' if queue['paused'] else ''}"


def _task_text(document: Mapping[str, Any]) -> str:
    extra = {f"extra {key}": value for key, value in document["extra"].items()}
    return _lines({**document, "extra": None, **extra})


def _lines(shown: Mapping[str, Any]) -> str:
    """Writes labels and values below each other; what says nothing is left out."""
    told = {label: value for label, value in shown.items() if value not in (None, "", [], (), {})}
    width = max(map(len, told), default=0)
    lines = []
    for label, value in told.items():
        texts = value if isinstance(value, list | tuple) else [value]
        for number, text in enumerate(texts):
            name = "" if number else label.replace("_", " ").capitalize()
            lines.append(f"{name:<{width}}  {_word(text)}")
    return "\n".join(lines)


def _word(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
