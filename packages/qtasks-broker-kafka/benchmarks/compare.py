"""Measures Kafka queues beside each other: speed, and what a kill loses or repeats.

Each has an environment of its own, and an empty server for each run::

    python compare.py qtasks=PYTHON taskiq=PYTHON faststream=PYTHON --storage sqlite

taskiq needs ``kafka-python==2.0.6`` beside it.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "tests"))

from servers.kafka import KafkaServer  # noqa: E402 - the path is set above
from servers.process import Server  # noqa: E402 - likewise
from servers.programs import find_programs  # noqa: E402 - likewise

PATIENCE = 120.0


class Bench:
    """One queue on an empty server."""

    def __init__(self, name: str, python: str, storage: str, **settings: object) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="qtasks-bench-"))
        self.server = KafkaServer()
        self.server.start()
        self.redis = Server(find_programs()["valkey-9"]) if storage == "redis" else None
        if self.redis is not None:
            self.redis.start()
        self.runs = self.folder / "runs"
        self.runs.touch()
        self.command = [python, "-W", "ignore", str(HERE / "peers" / f"{name}_peer.py")]
        self.environment = {
            **os.environ,
            "BOOTSTRAP": self.server.address,
            "PYTHONPATH": str(HERE / "peers"),
            "RUNS": str(self.runs),
            "STORAGE": self.redis.url if self.redis else f"sqlite:///{self.folder / 'tasks.db'}",
            **{key: str(value) for key, value in settings.items()},
        }

    def produce(self, count: int, *how: str) -> float:
        """Adds tasks; returns the seconds that this took by the producer's clock."""
        command = [*self.command, "produce", str(count), *how]
        answer = subprocess.run(
            command, env=self.environment, check=True, cwd=self.folder, stdout=subprocess.PIPE
        )
        return float(answer.stdout.split()[-1])

    def work(self) -> subprocess.Popen[bytes]:
        """Starts a worker in a group of processes of its own."""
        return subprocess.Popen(
            [*self.command, "work"],
            env=self.environment,
            cwd=self.folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "log").open("ab"),
        )

    def seen(self) -> list[tuple[int, float]]:
        """Returns numbers and times of the runs."""
        lines = (line.split() for line in self.runs.read_text().splitlines())
        return [(int(line[0]), float(line[1])) for line in lines if len(line) == 2]

    def until(self, count: int, patience: float = PATIENCE) -> bool:
        """Waits until so many tasks ran."""
        deadline = time.monotonic() + patience
        while len({number for number, _ in self.seen()}) < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
        return True

    def close(self) -> None:
        """Ends the servers."""
        self.server.close()
        if self.redis is not None:
            self.redis.close()


def end(worker: subprocess.Popen[bytes]) -> None:
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()


def drain(name: str, python: str, storage: str, count: int) -> dict[str, float]:
    bench = Bench(name, python, storage)
    bench.produce(100)  # makes what has to be made
    taken = bench.produce(count)
    started = time.time()
    worker = bench.work()
    complete = bench.until(count, 60)
    end(worker)
    times = sorted(moment for _, moment in bench.seen())
    bench.close()
    assert complete, (name, len(times))
    return {
        "enqueue": count / taken,
        "drain": len(times) / (times[-1] - times[0]),
        "first": times[0] - started,
    }


def many(name: str, python: str, storage: str, count: int) -> float:
    bench = Bench(name, python, storage)
    bench.produce(100, "many")
    taken = bench.produce(count, "many")
    bench.close()
    return count / taken


def kill(name: str, python: str, storage: str, count: int, sleep: float) -> str:
    """Kills the only worker three times in the midst of its work."""
    bench = Bench(name, python, storage, SLEEP=sleep, SLOTS=4)
    bench.produce(count)
    for part in (4, 2, 1.3):
        worker = bench.work()
        bench.until(int(count / part))
        end(worker)
    worker = bench.work()
    bench.until(count, 60)
    time.sleep(8)
    end(worker)
    runs = Counter(number for number, _ in bench.seen())
    bench.close()
    lost = count - len(runs)
    return f"{lost} lost, {sum(runs.values()) - len(runs)} twice, at most {max(runs.values())} runs"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("peers", nargs="+")
    parser.add_argument("--storage", default="sqlite", choices=["sqlite", "redis"])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["drain", "kill"])
    options = parser.parse_args()
    peers = dict(peer.split("=", 1) for peer in options.peers)
    if options.only != "kill":
        found: dict[str, list[dict[str, float]]] = {name: [] for name in peers}
        for _ in range(options.rounds):
            for name, python in peers.items():
                found[name].append(drain(name, python, options.storage, options.tasks))
        for name, rounds in found.items():
            shown = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
            print(name, {key: round(value, 1) for key, value in shown.items()}, flush=True)
        if "qtasks" in peers:
            rate = many("qtasks", peers["qtasks"], options.storage, 5 * options.tasks)
            print("qtasks, 1,000 in a call:", round(rate), flush=True)
    if options.only != "drain":
        for name, python in peers.items():
            print(name, kill(name, python, options.storage, 1000, 0.005), flush=True)


if __name__ == "__main__":
    main()
