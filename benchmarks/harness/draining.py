"""Measurements of a queue that works off what is there, and of who adds tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from peers.bodies import NAP

from harness.running import FailedError, produce
from harness.sizes import fit

if TYPE_CHECKING:
    from harness.bench import Bench
    from harness.scale import Scale

__all__ = ["cpu", "drain", "enqueue", "plain", "sleepers"]

#: Tasks that sleep at the same time.
CONCURRENT = 100
#: Seconds that one task takes which computes, more or less: only for how many of them there are.
COMPUTING = 0.002


def enqueue(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Adds tasks in three ways, each to an empty place, while no worker runs.

    Raises:
        FailedError: two tasks got the same id.
    """
    found: dict[str, float | None] = {}
    sizes = {"one": scale.enqueue, "together": 2 * scale.enqueue, "bulk": scale.drain}
    for mode, tasks in sizes.items():
        bench.place.clear()
        added: dict[str, Any] = produce(
            bench.environment, bench.place.url, mode, tasks=tasks, seconds=scale.enqueue_seconds
        )
        count = added["added"]
        found[f"enqueue_{mode}_per_s"] = count / added["seconds"] if count else None
        found[f"client_cpu_{mode}_us"] = added["cpu_seconds"] / count * 1e6 if count else None
        if count and len(set(added["ids"])) != count:
            msg = f"{count} tasks were added and got {len(set(added['ids']))} ids"
            raise FailedError(msg)
    return found


def drain(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Runs tasks that do nothing."""
    tasks = fit(bench.pace.drain, scale.drain, scale.drain_seconds, least=500)
    done = bench.drain(tasks)
    return {
        "drain_tasks": tasks,
        "drain_per_s": done.rate,
        "commands_per_task": None if bench.environment.peer.embedded else done.commands / tasks,
        "worker_cpu_us": done.worker_cpu / tasks * 1e6,
        "server_cpu_us": None if done.server_cpu is None else done.server_cpu / tasks * 1e6,
        "memory_mb": done.memory,
        "left_bytes_per_task": done.left / tasks,
    }


def sleepers(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Runs tasks that sleep 10 ms, 100 of them at a time."""
    slots = bench.environment.peer.slots or CONCURRENT
    pace = bench.pace.running(NAP, slots)
    done = bench.drain(fit(pace, scale.sleepers, scale.body_seconds), "nap", CONCURRENT)
    return {
        "sleepers_per_s": done.rate,
        "sleepers_percent": done.rate / (CONCURRENT / NAP) * 100,
    }


def plain(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Runs plain functions that do nothing, in threads where the queue is asynchronous."""
    tasks = fit(bench.pace.drain, scale.plain, scale.body_seconds)
    return {"plain_per_s": bench.drain(tasks, "plain").rate}


def cpu(bench: Bench, scale: Scale) -> dict[str, float | None]:
    """Runs tasks that compute, in one process."""
    pace = bench.pace.running(COMPUTING, 1)
    return {"cpu_per_s": bench.drain(fit(pace, scale.cpu, scale.body_seconds), "cpu").rate}
