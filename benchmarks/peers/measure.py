"""One round of one peer, on a server of its own."""

from __future__ import annotations

import collections
import contextlib
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from peers.environment import SERVER_CPU, pinned
from peers.processes import cpu_seconds, resident_mb
from servers import Proxy, Server
from servers.patience import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from subprocess import Popen

    from peers.environment import Environment
    from redis import Redis
    from servers import Program

#: Most tasks of the phases that cost a round trip or more for each.
ONE_BY_ONE = 2000
TOGETHER = 5000
THROUGH_PROXY = 2000
LATENCY = 500
#: Tasks at the beginning of the latency phase that do not count.
WARM_UP = 50
#: Seconds that an idle worker is watched.
IDLE = 5.0
#: Seconds between two looks at a server that may still get outcomes.
LOOK = 0.005
#: For so many ns a worker that has settled everything sends no more than so many commands.
QUIET, NOISE = 1_000_000_000, 30
#: Seconds a phase may take.
PATIENCE = 600.0


def measure(
    environment: Environment, program: Program, tasks: int, measures: list[str]
) -> dict[str, Any]:
    """Returns what one round found.

    Raises:
        RuntimeError: a task was lost, ran twice or returned something else.
    """
    found: dict[str, Any] = {
        "peer": environment.peer.name,
        "server": f"{program.name} ({program.version})",
        "tasks": tasks,
    }
    with tempfile.TemporaryDirectory() as folder, _fresh(program) as server:
        bench = Bench(environment, server, Path(folder))
        for name in measures:
            found |= MEASURES[name](bench, tasks)
    return found


@contextlib.contextmanager
def _fresh(program: Program) -> Iterator[Server]:
    server = Server(program)
    try:
        with pinned(SERVER_CPU):
            server.start()
        yield server
    finally:
        server.close()


class Settled(NamedTuple):
    """When the last outcome was recorded, and how many commands had run by then."""

    time: int  # ns
    commands: int


class Bench:
    """The phases of a round.

    Args:
        environment: the peer's.
        server: an empty server.
        folder: where files may be left.
    """

    def __init__(self, environment: Environment, server: Server, folder: Path) -> None:
        self._environment = environment
        self._server = server
        self._ledger = folder / "ledger.json"
        self._log = folder / "worker.log"

    def enqueue(self, tasks: int) -> dict[str, Any]:
        """Adds tasks in three ways, each to an empty server."""
        rates = {}
        sizes = {"one": min(tasks, ONE_BY_ONE), "together": min(tasks, TOGETHER), "bulk": tasks}
        for mode, size in sizes.items():
            rates[f"enqueue_{mode}_per_s"] = self._produce(mode, size)["rate"]
        return rates

    def drain(self, tasks: int) -> dict[str, Any]:
        """Runs tasks that were all there before the worker started."""
        ids = self._fill(tasks)
        commands = self._commands()
        before = self._server_cpu()
        launched = time.monotonic_ns()
        with self._worker(tasks) as worker:
            starts = self._starts()
            settled = self._settled()
            busy = cpu_seconds(worker.pid)
            served = self._server_cpu() - before
            resident = resident_mb(worker.pid)
            idle = self._idle_commands()
            checked = self._environment.produce(self._server.url, "check", ids=ids)
        self._verify(self._starts(), tasks)
        if checked["wrong"]:
            msg = f"{self._environment.peer.name}: wrong or missing results {checked['wrong'][:10]}"
            raise RuntimeError(msg)
        return {
            "drain_per_s": tasks / (settled.time - min(starts.values())) * 1e9,
            "drain_with_start_per_s": tasks / (settled.time - launched) * 1e9,
            "commands_per_task": (settled.commands - commands) / tasks,
            "idle_commands_per_s": idle,
            "worker_cpu_us_per_task": busy / tasks * 1e6,
            "server_cpu_us_per_task": served / tasks * 1e6,
            "rss_mb": resident,
            "results_checked": checked["checked"],
        }

    def latency(self) -> dict[str, Any]:
        """Adds one task after the other to a worker that waits for them."""
        self._server.execute("FLUSHALL")
        tasks = LATENCY + WARM_UP
        with self._worker(tasks):
            times = self._environment.produce(self._server.url, "latency", tasks)
            starts = self._starts()
        self._verify(starts, tasks)
        counted = range(WARM_UP, tasks)
        to_start = [(starts[n] - times["added"][n]) / 1e6 for n in counted]
        to_result = [(times["seen"][n] - times["added"][n]) / 1e6 for n in counted]
        return {**_percentiles("start", to_start), **_percentiles("result", to_result)}

    def delay(self, tasks: int) -> dict[str, Any]:
        """Runs tasks behind a wire that holds every request back by 1 and by 2 ms."""
        found = {}
        for milliseconds in (1, 2):
            self._fill(tasks)
            with Proxy(self._server) as proxy:
                proxy.delay(milliseconds / 1000)
                with self._worker(tasks, proxy.url):
                    starts = self._starts()
                    settled = self._settled()
            self._verify(starts, tasks)
            seconds = (settled.time - min(starts.values())) / 1e9
            found[f"delay_{milliseconds}ms_drain_per_s"] = tasks / seconds
        return found

    def round_trips(self, tasks: int) -> dict[str, Any]:
        """Counts what a worker that is busy sends; a proxy slows it, so nothing is timed."""
        self._fill(tasks)
        with Proxy(self._server) as proxy, self._worker(tasks, proxy.url):
            self._verify(self._starts(), tasks)
            self._settled()
            traffic = proxy.reset()
            time.sleep(IDLE)
            idle = proxy.reset()
        return {
            "round_trips_per_task": traffic.round_trips / tasks,
            "worker_bytes_per_task": (traffic.sent + traffic.received) / tasks,
            "idle_round_trips_per_s": idle.round_trips / IDLE,
        }

    def _fill(self, tasks: int) -> list[str]:
        """Adds tasks to an empty server and returns their ids."""
        filled = self._produce("bulk", tasks)
        if filled["rate"] is None:
            filled = self._produce("together", tasks)
        ids: list[str] = filled["ids"]
        return ids

    def _produce(self, mode: str, tasks: int) -> dict[str, Any]:
        self._server.execute("FLUSHALL")
        return self._environment.produce(self._server.url, mode, tasks)

    @contextlib.contextmanager
    def _worker(self, tasks: int, url: str | None = None) -> Iterator[Popen[bytes]]:
        self._ledger.unlink(missing_ok=True)
        url = url or self._server.url
        with self._environment.worker(url, self._ledger, tasks, self._log) as self._running:
            yield self._running

    def _starts(self) -> dict[int, int]:
        """Waits for the ledger, and returns when each task ran.

        Raises:
            RuntimeError: a task ran twice, or the worker has ended.
        """
        name = self._environment.peer.name
        wait_until(
            lambda: self._ledger.exists() or self._running.poll() is not None,
            f"{name}: the worker did not run all tasks in {PATIENCE:.0f} s",
            PATIENCE,
        )
        if not self._ledger.exists():
            said = self._log.read_text(errors="replace")[-2000:]
            msg = f"{name}: the worker ended with {self._running.returncode}:\n{said}"
            raise RuntimeError(msg)
        runs = json.loads(self._ledger.read_text())
        twice = [number for number, n in collections.Counter(n for n, _ in runs).items() if n > 1]
        if twice:
            msg = f"{name}: {len(twice)} tasks ran more than once, such as {twice[:10]}"
            raise RuntimeError(msg)
        return dict(runs)

    def _verify(self, starts: dict[int, int], tasks: int) -> None:
        """Raises RuntimeError unless exactly the tasks that were added have run."""
        if starts.keys() != set(range(tasks)):
            lost = sorted(set(range(tasks)) - starts.keys())
            msg = f"{self._environment.peer.name}: {len(lost)} tasks did not run: {lost[:10]}"
            raise RuntimeError(msg)

    def _server_cpu(self) -> float:
        """Returns the seconds of processor time that the server has used."""
        used = self._server.execute("INFO", "cpu")
        return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])

    def _commands(self) -> int:
        """Returns how many commands the server has run, those inside scripts included."""
        return int(self._server.execute("INFO", "stats")["total_commands_processed"])

    def _settled(self) -> Settled:
        """Waits until the worker has no more to say than an idle one, and returns since when."""
        looks: list[Settled] = []
        asked = 0
        with self._server.client() as client:
            while not looks or time.monotonic_ns() - looks[0].time < QUIET:
                # The question is one of the commands of the next answer.
                looks.append(Settled(time.monotonic_ns(), _total(client) - asked))
                asked += 1
                while looks[-1].commands - looks[0].commands > NOISE:
                    del looks[0]
                time.sleep(LOOK)
        return looks[0]

    def _idle_commands(self) -> float:
        """Returns the commands a second of a worker that has nothing to do."""
        with self._server.client() as client:
            before = _total(client)
            time.sleep(IDLE)
            return (_total(client) - before - 1) / IDLE


def _total(client: Redis) -> int:
    """Returns how many commands the server has run; the question is one of the next answer."""
    stats: Any = client.info("stats")
    return int(stats["total_commands_processed"])


def _percentiles(name: str, values: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {f"{name}_p50_ms": cuts[49], f"{name}_p99_ms": cuts[98]}


#: What can be measured, by the names of the command line.
MEASURES: dict[str, Callable[[Bench, int], dict[str, Any]]] = {
    "enqueue": Bench.enqueue,
    "drain": Bench.drain,
    "latency": lambda bench, _: bench.latency(),
    "round_trips": lambda bench, tasks: bench.round_trips(min(tasks, THROUGH_PROXY)),
    "delay": lambda bench, tasks: bench.delay(min(tasks, THROUGH_PROXY)),
}
