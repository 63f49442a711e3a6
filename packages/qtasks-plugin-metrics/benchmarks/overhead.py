"""What the metrics cost: of a task, and of a scrape; compared within one run.

    python packages/qtasks-plugin-metrics/benchmarks/overhead.py

No-ops run through a worker in this process, alternately without and with all metrics; the figures
are of this machine, their ratio is what counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from qtasks.asyncio import QueueTasks
from qtasks.plugins import on
from qtasks_plugin_metrics import MetricsPlugin, Options
from qtasks_plugin_metrics.book import Book
from qtasks_plugin_metrics.ledger import Ledger
from qtasks_plugin_metrics.serving import MetricsServer
from qtasks_plugin_metrics.writing import of_book

#: A call that settles fewer tasks says little of what one costs.
MANY = 20


class Timed(MetricsPlugin):
    """Notes how long it takes to count what calls have settled and claimed.

    Attributes:
        took: microseconds for each task, of calls that settled many.
    """

    def __init__(self) -> None:
        super().__init__(registry=CollectorRegistry())
        self.took: list[float] = []

    @on("worker_exchanged")
    def exchanged(self, **about: Any) -> None:
        begun = time.perf_counter_ns()
        super().exchanged(**about)
        if len(about["runs"]) >= MANY:
            self.took.append((time.perf_counter_ns() - begun) / 1e3 / len(about["runs"]))


async def drain(url: str, tasks: int, plugins: list[Any]) -> dict[str, float]:
    """Returns microseconds for each task: to add it, and to run it, of the clock and the CPU."""
    app = QueueTasks(broker_url=url, plugins=plugins)

    @app.task
    async def noop(number: int) -> int:
        return number

    one_by_one = tasks // 10
    added = time.process_time()
    for number in range(one_by_one):
        await noop.add_task(number)
    added = time.process_time() - added
    for begin in range(one_by_one, tasks, 1000):
        await app.add_tasks([noop.build(n) for n in range(begin, min(tasks, begin + 1000))])
    worker = app.worker(burst=True)
    wall, cpu = time.perf_counter(), time.process_time()
    await worker.run()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await app.flush_all()
    await app.close()
    return {
        "add_cpu": added / one_by_one * 1e6,
        "run_cpu": cpu / tasks * 1e6,
        "run_wall": wall / tasks * 1e6,
    }


def compare(url: str, tasks: int, rounds: int) -> dict[str, Any]:
    """Drains in turns, without and with metrics, and returns the least of each figure.

    The least is what the machine can do when nobody else is at work on it. Where others are, even
    that moves by some percent; the time in the plugin, ``counting``, moves less.
    """
    found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    took: list[float] = []
    asyncio.run(drain(url, tasks // 4, []))
    for number in range(rounds):
        for kind in ("without", "with") if number % 2 else ("with", "without"):
            plugins = [Timed()] if kind == "with" else []
            found[kind].append(asyncio.run(drain(url, tasks, plugins)))
            took += [one for plugin in plugins for one in plugin.took]
    answer: dict[str, Any] = {"broker": url.partition(":")[0], "unit": "us per task"}
    tenths = statistics.quantiles(took, n=10)
    answer["counting"] = {"p10": round(tenths[0], 2), "p50": round(tenths[4], 2)}
    for figure in ("add_cpu", "run_cpu", "run_wall"):
        without = min(one[figure] for one in found["without"])
        more = min(one[figure] for one in found["with"])
        answer[figure] = {
            "without": round(without, 2),
            "with": round(more, 2),
            "more": f"{100 * (more - without) / without:+.1f} %",
        }
    return answer


def scrape(series: int, times: int) -> dict[str, Any]:
    """Fills a book with series, and asks its server for them."""
    book, ledger = Book(10 * series), Ledger()
    book.open(ledger)
    for number in range(series // 19 // 2):
        for outcome in ("success", "error"):
            labels = ("default", f"task-{number}", outcome)
            ledger.histogram("task_duration_seconds", *labels).observe(0.1)
    server = MetricsServer(Options(port=0), of_book(book), str, str)
    server.start()
    request = urllib.request.Request(server.url, headers={"Accept-Encoding": "gzip"})
    took, size = [], 0
    for _ in range(times):
        begun = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            size = len(answer.read())
        took.append((time.perf_counter() - begun) * 1e3)
    server.stop()
    took.sort()
    return {
        "series": book.series,
        "ms_p50": round(took[times // 2], 1),
        "ms_p99": round(took[int(times * 0.99)], 1),
        "bytes": size,
    }


def main() -> None:
    """Measures, and prints one JSON document a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--url", action="append", help="a broker; default memory and SQLite")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        default = ["memory://", f"sqlite:///{Path(folder) / 'overhead.db'}"]
        for url in asked.url or default:
            sys.stdout.write(json.dumps(compare(url, asked.tasks, asked.rounds)) + "\n")
            sys.stdout.flush()
    sys.stdout.write(json.dumps(scrape(5000, 200)) + "\n")


if __name__ == "__main__":
    main()
