"""A broker and a storage on different servers, made to look like one.

The storage holds records, tokens and the schedule; the broker only moves messages. A task is
written to the storage first and published second, so nothing is published that has no record.
On the worker every delivery begins in the storage, which skips what is finished and gives the
token; that is the fencing. Whatever ends, the broker's message is acknowledged: a task that runs
again waits on the storage's schedule and is published anew when it is due.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from qtasks._core.refusals import settle_refusal
from qtasks._core.stranded import stranded, unfinished
from qtasks.contracts.broker import BaseBroker
from qtasks.exc import ServerError, UnsupportedError
from qtasks.schemas import (
    Capabilities,
    Claim,
    Delivery,
    Extension,
    Finding,
    Held,
    Message,
    Page,
    Presence,
    QueueStats,
    Receipt,
    RecordQuery,
    Release,
    Retry,
    Settlement,
    Success,
    Swept,
    TaskStatusEnum,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qtasks.contracts.storage import BaseStorage
    from qtasks.typing import Clock

__all__ = ["SplitBroker"]

#: Seconds between two looks at the schedule.
_SCHEDULE_INTERVAL: Final = 0.25
#: How many due tasks are published at a time, and how long they may take to arrive.
_DUE_LIMIT: Final = 200
_DUE_LEASE: Final = 30.0
#: Seconds for which what has ended is known at least: a broker that has not heard of the end, as
#: its worker died, delivers the task once more.
_REMEMBERED: Final = 600.0
#: Seconds for which one claim passes over what is done already; outcomes wait meanwhile.
_PASSING_OVER: Final = 1.0
#: How many records are cancelled at a time.
_PAGE: Final = 1000


class SplitBroker(BaseBroker):
    """Presents a broker beside a storage elsewhere as one broker with a storage.

    Args:
        broker: moves the messages.
        storage: keeps the records.
        clock: the time.
        held: the storage's token and the broker's own delivery by task id; shared with twins.
    """

    def __init__(
        self,
        broker: BaseBroker,
        storage: BaseStorage,
        clock: Clock,
        held: dict[str, tuple[int, Delivery]] | None = None,
    ) -> None:
        super().__init__(broker.url)
        self._broker = broker
        self._records = storage
        self._clock = clock
        self._held: dict[str, tuple[int, Delivery]] = {} if held is None else held
        self._look_at = 0.0
        self._early: dict[str, tuple[Message, float]] = {}
        # An instance's own value: what the pair can do depends on the two.
        self.capabilities: Capabilities = msgspec.structs.replace(  # type: ignore[misc]  # see above
            broker.capabilities,
            blocking=broker.capabilities.blocking and storage.capabilities.blocking,
            delay=True,
            purge=True,
            unique=storage.capabilities.unique,
            overlap=False,
        )

    @property
    def storage(self) -> BaseStorage:
        """The storage elsewhere."""
        return self._records

    async def start(self) -> None:
        """Connects both."""
        await self._records.start()
        await self._broker.start()

    async def stop(self) -> None:
        """Disconnects both."""
        await self._broker.stop()
        await self._records.stop()

    def client(self) -> Self | None:
        """Returns a blocking twin if both servers have one."""
        broker, storage = self._broker.client(), self._records.client()
        if broker is None or storage is None:
            return None
        return type(self)(broker, storage, self._clock, self._held)

    async def publish(self, messages: Sequence[Message]) -> list[Receipt]:
        """Writes the records, then publishes; a repeated call publishes again, and is skipped.

        Of what the broker certainly does not have, the new records are taken back.
        """
        if not self.capabilities.priority:
            self._refuse_priorities(messages)
        now = self._clock.time()
        later = [self._waits(message, now) for message in messages]
        receipts: dict[str, Receipt] = {}
        for scheduled in (False, True):
            part = [m for m, waits in zip(messages, later, strict=True) if waits is scheduled]
            if not part:
                continue
            for message, receipt in zip(
                part, await self._records.put(part, scheduled=scheduled), strict=True
            ):
                receipts[message.id] = receipt
            if not scheduled:
                known = [m for m in part if receipts[m.id].id == m.id]
                try:
                    await self._broker.publish(known)
                except ServerError as error:
                    new = [m for m in known if receipts[m.id].created]
                    await settle_refusal(self._records, new, error)
                    raise
        return [receipts[message.id] for message in messages]

    async def claim(self, request: Claim) -> list[Delivery]:
        """Claims from the broker and begins in the storage.

        A log that is read anew has much that is done already; it is passed over at once.
        """
        await self._publish_due()
        until = self._clock.monotonic() + _PASSING_OVER
        while found := await self._broker.claim(request):
            deliveries, passed_over = await self._begin(found, request)
            if deliveries or not passed_over or self._clock.monotonic() >= until:
                return deliveries
        return []

    async def _begin(
        self, found: Sequence[Delivery], request: Claim
    ) -> tuple[list[Delivery], bool]:
        """Begins what the broker delivered; returns what is to run, and whether some is over."""
        by_id: dict[str, Delivery] = {}
        copies = [d for d in found if by_id.setdefault(d.id, d) is not d]
        begun = await self._records.begin([*by_id.values()], request.worker, request.lease)
        await self._acknowledge([by_id[task_id] for task_id in begun.skip])
        if busy := [*(by_id[task_id] for task_id in begun.busy), *copies]:
            again = Retry(request.lease, counted=False) if self._broker.capabilities.delay else None
            await self._broker.settle([_settlement(d, again or Release()) for d in busy])
        deliveries = begun.deliveries
        if any(delivery.malformed is not None for delivery in found):
            # What cannot be read got a record from what stands in for it; it only fails.
            deliveries = tuple(
                msgspec.structs.replace(d, malformed=by_id[d.id].malformed) for d in deliveries
            )
        stale = [self._held.pop(d.id)[1] for d in deliveries if d.id in self._held]
        for delivery in deliveries:
            self._held[delivery.id] = delivery.token, by_id[delivery.id]
        await self._acknowledge(stale)  # taken back, and begun anew from another copy
        return list(deliveries), bool(begun.skip)

    async def settle(self, settlements: Sequence[Settlement]) -> list[str]:
        """Writes the outcomes, then acknowledges the broker's messages."""
        if self._broker.capabilities.processes:  # else it dies with this process, and forgets too
            settlements = [*map(_remembered, settlements)]
        refused = list(await self._records.finish(settlements))
        held = [self._held.pop(s.id)[1] for s in settlements if s.id in self._held]
        await self._acknowledge(held)
        return refused

    async def ready(self, queues: Sequence[str], timeout: float) -> bool:
        """Waits at the broker, and looks at the schedule in between."""
        await self._publish_due()
        return await self._broker.ready(queues, min(timeout, _SCHEDULE_INTERVAL))

    async def extend(self, held: Sequence[Held], lease: float) -> Extension:
        """Renews both leases; the storage's answer counts."""
        inner = [Held(d.id, d.token, d.message.queue) for _, d in self._held.copy().values()]
        if inner:
            await self._broker.extend(inner, lease)
        extension = await self._records.extend(held, lease)
        if extension.lost:
            await self._let_go(held, frozenset(extension.lost))
        return extension

    async def sweep(self, limit: int = 100) -> Swept:
        """Does the housekeeping of both, and publishes what is due."""
        broker = await self._broker.sweep(limit)
        swept = await self._records.sweep(limit)
        self._look_at = 0.0
        await self._publish_due()
        ends = [one.next_lease_end for one in (swept, broker) if one.next_lease_end is not None]
        return msgspec.structs.replace(
            swept, more=swept.more or broker.more, next_lease_end=min(ends, default=None)
        )

    async def expire(self, worker: str) -> int:
        """Takes back in the storage what a dead worker held; the schedule hands it out again."""
        await self._broker.expire(worker)
        return await self._records.expire(worker)

    async def stats(self, queue: str) -> QueueStats:
        """Counts what waits at the broker and on the schedule, and what the storage keeps."""
        # The storage first: what moves on to the broker meanwhile is counted twice, not missed.
        kept = await self._records.stats(queue)
        waiting = await self._broker.stats(queue)
        # A log does not know who runs what it has delivered, and takes it for ready.
        elsewhere = max(0, kept.leased - waiting.leased)
        ready = max(0, waiting.ready - elsewhere)
        if ready and waiting.paused and not self._broker.capabilities.purge:
            # Nobody passes over what was cancelled, so it is still at the broker.
            known = await unfinished(self._records, queue)
            ready = ready if known is None else min(ready, known)
            waiting = waiting if ready else msgspec.structs.replace(waiting, oldest_ready_age=None)
        return msgspec.structs.replace(
            waiting,
            ready=ready + kept.ready,
            leased=waiting.leased + elsewhere,
            delayed=waiting.delayed + kept.delayed,
            dead=kept.dead,
            finished=kept.finished,
        )

    async def queues(self) -> list[str]:
        """Lists the broker's queues."""
        return await self._broker.queues()

    async def pause(self, queue: str) -> None:
        """Pauses at the broker."""
        await self._broker.pause(queue)

    async def resume(self, queue: str) -> None:
        """Resumes at the broker."""
        await self._broker.resume(queue)

    async def purge(self, queue: str) -> int:
        """Empties the broker's queue, and cancels what the storage has waiting for it.

        A broker that cannot be emptied delivers what was cancelled, and nobody begins with it.
        Without that the records would wait for ever, and those on the schedule would still run.
        """
        if self._broker.capabilities.purge:
            await self._broker.purge(queue)
        cancelled = 0
        for status in (TaskStatusEnum.NEW, TaskStatusEnum.RETRY):
            query: RecordQuery | None = RecordQuery(status=status, queue=queue, limit=_PAGE)
            while query is not None:
                page = await self._records.list(query)
                ids = [record.id for record in page.records]
                answers = await self._records.cancel(ids, "purged") if ids else {}
                cancelled += sum(answer == "cancelled" for answer in answers.values())
                query = _after(query, page)
        return cancelled

    async def flush(self) -> None:
        """Removes everything from both."""
        await self._broker.flush()
        await self._records.flush()

    async def report(self, presence: Presence, ttl: float) -> None:
        """Reports at the broker."""
        await self._broker.report(presence, ttl)

    async def workers(self) -> list[Presence]:
        """Lists the broker's workers."""
        return await self._broker.workers()

    async def diagnose(self) -> list[Finding]:
        """Looks at both servers, where each subject says whose it is, and compares them."""
        found = await stranded(self._records, self.stats, self._clock.time())
        return found + [
            msgspec.structs.replace(finding, subject=f"{whose} {finding.subject}")
            for whose, server in (("broker", self._broker), ("storage", self._records))
            for finding in await server.diagnose()
        ]

    def _refuse_priorities(self, messages: Sequence[Message]) -> None:
        for message in messages:
            if message.priority:
                msg = (
                    f"priority={message.priority} of task {message.task!r}:"
                    f" {type(self._broker).__name__} knows no priorities; leave it out, and add"
                    " urgent tasks to a queue of their own, such as queue='urgent'"
                )
                raise UnsupportedError(msg)

    async def _let_go(self, held: Sequence[Held], lost: frozenset[str]) -> None:
        """Acknowledges what was taken back: the schedule brings it again, and nobody settles it."""
        ours = self._held.copy()
        gone = [one.id for one in held if one.id in lost and ours.get(one.id, (0,))[0] == one.token]
        stale = [entry[1] for task_id in gone if (entry := self._held.pop(task_id, None))]
        await self._acknowledge(stale)

    def _waits(self, message: Message, now: float) -> bool:
        if self._broker.capabilities.delay:
            return False
        return message.delay > 0 or (message.eta or 0.0) > now

    async def _publish_due(self) -> None:
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        self._look_at = now + _SCHEDULE_INTERVAL
        due = await self._records.due(_DUE_LIMIT, _DUE_LEASE)
        early = [message for message, until in self._early.values() if now < until]
        at_once = [*early, *(msgspec.structs.replace(m, delay=0.0, eta=None) for m in due)]
        self._early.clear()
        if not at_once:
            return
        receipts = await self._broker.publish(at_once)
        for message, receipt in zip(at_once, receipts, strict=True):
            if not receipt.created:
                # Its last run is written, but the broker has yet to hear of that, from us or from
                # another worker, and takes this for the message of then.
                self._early[message.id] = message, now + _DUE_LEASE
        await self._records.dispatched([m.id for m in at_once if m.id not in self._early])

    async def _acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        if deliveries:
            await self._broker.settle([_settlement(d, Success()) for d in deliveries])


def _after(query: RecordQuery, page: Page) -> RecordQuery | None:
    if page.cursor is None:
        return None
    return msgspec.structs.replace(query, cursor=page.cursor)


def _remembered(settlement: Settlement) -> Settlement:
    if settlement.ttl >= _REMEMBERED:
        return settlement
    return msgspec.structs.replace(settlement, ttl=_REMEMBERED)


def _settlement(delivery: Delivery, outcome: Any) -> Settlement:
    return Settlement(delivery.id, delivery.token, outcome, ttl=0.0, receipt=delivery.receipt)
