"""What the plugin costs a task that does nothing, beside none, and with the other plugins.

    python packages/qtasks-plugin-sentry/benchmarks/overhead.py --tasks 20000 --rounds 7

All ways take turns in one run, and what counts is the ratio of their medians. It is the time of
processors that is measured, of all threads, because the machine may be busy with something else.
The queue in memory is the hardest case, because it is the fastest one.
"""

from __future__ import annotations

import argparse
import importlib
import statistics
import tempfile
import time
from collections import defaultdict
from typing import Any

import sentry_sdk
from sentry_sdk.transport import Transport

from qtasks import QueueTasks
from qtasks_plugin_sentry import SentryPlugin


class Nowhere(Transport):
    """Drops what is sent, so that no network is measured."""

    def capture_envelope(self, envelope: Any) -> None: ...

    def flush(self, *args: Any, **kwargs: Any) -> None: ...


def others() -> list[Any]:
    """Returns the other default plugins that are installed."""
    found = []
    for module, name in (
        ("qtasks_plugin_retry", "RetryPlugin"),
        ("qtasks_plugin_metrics", "MetricsPlugin"),
    ):
        try:
            found.append(getattr(importlib.import_module(module), name)())
        except ImportError:
            continue
    return found


def client(**options: Any) -> None:
    """Makes a client that sends nowhere."""
    sentry_sdk.init(
        dsn="http://key@127.0.0.1:1/1",
        transport=Nowhere,
        auto_enabling_integrations=False,
        **options,
    )


def ways() -> dict[str, tuple[dict[str, Any] | None, Any]]:
    """Returns the ways that are compared: options of a client or None, and who makes plugins."""
    return {
        "no plugin": (None, list),
        "sentry, no client": (None, lambda: [SentryPlugin()]),
        "the others": (None, others),
        "the others and sentry, no client": (None, lambda: [*others(), SentryPlugin()]),
        "sentry, errors alone": ({}, lambda: [SentryPlugin()]),
        "sentry, 1 % of the traces": ({"traces_sample_rate": 0.01}, lambda: [SentryPlugin()]),
        "sentry, all traces": ({"traces_sample_rate": 1.0}, lambda: [SentryPlugin()]),
    }


async def nothing() -> None:
    """Does nothing."""


def measure(url: str, options: dict[str, Any] | None, plugins: Any, tasks: int) -> float:
    """Returns the microseconds of processor time that one task takes in a worker."""
    sentry_sdk.get_global_scope().set_client(None)
    if options is not None:
        client(**options)
    app = QueueTasks(broker_url=url, plugins=plugins())
    task = app.task(name="nothing", store_result=False)(nothing)
    app.flush_all()
    app.add_tasks([task.build() for _ in range(tasks)])
    begun = time.process_time()
    app.run_forever(burst=True)
    took = time.process_time() - begun
    app.close()
    return took / tasks * 1e6


def main() -> None:
    """Measures, and prints a table for each broker."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--redis")
    given = parser.parse_args()
    print(f"sentry-sdk {sentry_sdk.VERSION}, {given.tasks} tasks, {given.rounds} rounds")
    print("the others:", ", ".join(type(one).__name__ for one in others()) or "none")
    with tempfile.TemporaryDirectory() as folder:
        urls = ["memory://", f"sqlite:///{folder}/q.db", *([given.redis] if given.redis else [])]
        for url in urls:
            found: dict[str, list[float]] = defaultdict(list)
            for _ in range(given.rounds):
                for name, (options, plugins) in ways().items():
                    found[name].append(measure(url, options, plugins, given.tasks))
            base = statistics.median(found["no plugin"])
            print(f"\n{url.partition(':')[0]}")
            for name, times in found.items():
                median = statistics.median(times)
                print(f"  {name:34} {median:7.1f} us  {median / base:5.2f}")


if __name__ == "__main__":
    main()
