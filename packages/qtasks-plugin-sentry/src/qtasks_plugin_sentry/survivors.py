"""What those report who are left: of tasks and processes that can say nothing any more."""

from __future__ import annotations

import signal
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from qtasks_plugin_sentry.about import context_of, record_context, tags_of
from qtasks_plugin_sentry.scopes import inside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.schemas import Delivery, Record
    from qtasks_plugin_sentry.events import Sender

__all__ = ["Survivors", "find_records"]

#: Ids of one round that are looked up and named.
_MANY: Final = 100
_NAMED: Final = 10


class Survivors:
    """Sends events about what others left behind.

    Args:
        sender: makes and sends events.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    def convicted(self, record: Record) -> None:
        """Reports a task that is set aside because it took its workers down.

        Args:
            record: what the storage knows of it.
        """
        text = f"{record.task} took its worker down {record.lost or 'too many'} times in a row"
        self._of_record(record, text, "error", ["qtasks", "worker_lost", record.task])

    def taken_back(self, records: Sequence[Record]) -> None:
        """Reports tasks whose leases ran out, because their workers are gone or stood still.

        Args:
            records: what the storage knows of them.
        """
        by_queue: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_queue[record.queue].append(record)
        for queue, several in by_queue.items():
            names = sorted({record.task for record in several})
            many = f"{len(several)} task{'s' if len(several) > 1 else ''}"
            facts = {
                "message": f"The leases of {many} in {queue} ran out; they run again",
                "level": "warning",
                "fingerprint": ["qtasks", "lease_lost", queue],
                "tags": {"qtasks.queue": queue, "qtasks.final": "false"},
                "contexts": {
                    "qtasks": {
                        "queue": queue,
                        "tasks": names[:_NAMED],
                        "ids": [record.id for record in several[:_NAMED]],
                        "workers": sorted({record.worker for record in several})[:_NAMED],
                    }
                },
            }
            if len(names) == 1:
                facts["transaction"] = names[0]
                facts["tags"] = {**facts["tags"], "qtasks.task": names[0]}  # type: ignore[dict-item]  # it is a dict
            self._send(facts)

    def lease_lost(self, delivery: Delivery, worker: Any, now: float) -> None:
        """Reports a run that belongs to somebody else by now.

        Args:
            delivery: what was run.
            worker: the worker that lost it.
            now: seconds since the epoch.
        """
        message = delivery.message
        tags = tags_of(message.task, message.queue, message.id, message.headers, delivery.attempts)
        facts = {
            "message": f"The lease of {message.task} was lost while it ran; its result is dropped",
            "level": "warning",
            "transaction": message.task,
            "fingerprint": ["qtasks", "lease_lost", message.queue],
            "tags": {**tags, "qtasks.final": "false"},
            "contexts": {"qtasks": context_of(delivery, None, worker, now)},
        }
        self._send(facts)

    def process_ended(
        self,
        child: Any,
        worker_id: str | None,
        pid: int,
        code: int | None,
        held: Sequence[Record],
        *,
        hung: bool,
    ) -> None:
        """Reports a worker process that ended as none should.

        Args:
            child: the process, as its supervisor knows it.
            worker_id: the id of its worker, if it said so.
            pid: its process id.
            code: its exit code.
            held: the tasks that its worker held, as far as the broker could tell.
            hung: whether its supervisor killed it, because it did not stop or stood still.
        """
        how = "did not stop and was killed" if hung else _how(code)
        names = sorted({record.task for record in held})
        facts: dict[str, Any] = {
            "message": f"A worker process {how}{_holding(held, names)}",
            "level": "error",
            "fingerprint": ["qtasks", "worker_killed"] if hung else ["qtasks", "worker_lost", how],
            "tags": {"qtasks.exit": _how(code)},
            "contexts": {
                "qtasks": {
                    "worker": worker_id,
                    "pid": pid,
                    "code": code,
                    "tasks": names[:_NAMED],
                    "ids": [record.id for record in held[:_NAMED]],
                    "settled": child.state.settled,
                }
            },
        }
        if len(names) == 1:
            facts["transaction"] = facts["tags"]["qtasks.task"] = names[0]
        self._send(facts)

    def _of_record(self, record: Record, text: str, level: str, fingerprint: list[str]) -> None:
        tags = tags_of(record.task, record.queue, record.id, record.headers, record.attempts)
        facts = {
            "message": text,
            "level": level,
            "transaction": record.task,
            "fingerprint": fingerprint,
            "tags": {**tags, "qtasks.final": "true"},
            "contexts": {"qtasks": {**record_context(record), "reason": record.reason}},
        }
        self._send(facts)

    def _send(self, facts: dict[str, Any]) -> None:
        with inside(None):
            self._sender.message(facts)


async def find_records(worker: Any, ids: Sequence[str]) -> list[Record]:
    """Returns the records of tasks, as far as there are any.

    Args:
        worker: the worker.
        ids: the ids of the tasks; of very many only the first are looked up.
    """
    found = await worker.broker.storage.get(list(ids[:_MANY]))
    return [record for record in found if record is not None]


def _holding(held: Sequence[Record], names: Sequence[str]) -> str:
    """Says which tasks a worker held; nothing if that is not known."""
    if not held:
        return ""
    if len(held) == 1:
        return f" while it held {names[0]}"
    more = ", …" if len(names) > _NAMED else ""
    return f" while it held {len(held)} tasks: {', '.join(names[:_NAMED])}{more}"


def _how(code: int | None) -> str:
    """Says how a process ended."""
    if code is None or code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
