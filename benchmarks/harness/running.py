"""The processes of a queue: who adds tasks, and the worker."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.environment import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.environment import Environment

#: Seconds that one phase may take.
PATIENCE = 120.0

#: Processors: the server has the first, and everything else the last.
_CPUS = sorted(os.sched_getaffinity(0))
SERVER_CPU, PEER_CPU = _CPUS[0], _CPUS[-1]


class FailedError(RuntimeError):
    """A queue did not do what was measured; the message says why."""


def produce(
    environment: Environment, url: str, mode: str, stdin: object = None, **options: object
) -> dict[str, Any]:
    """Runs one phase of the producer and returns what it wrote.

    Raises:
        FailedError: it ended with an error, or took too long.
    """
    flags = [f"--{name}={value}" for name, value in options.items()]
    module = environment.peer.module
    command = [environment.command("python"), "-m", "peers.produce", module, mode, *flags]
    try:
        with tempfile.NamedTemporaryFile() as file, pinned(PEER_CPU):
            subprocess.run(
                [*command, f"--out={file.name}"],
                cwd=HERE,
                env=_variables(environment, url),
                input=json.dumps(stdin),
                capture_output=True,
                text=True,
                check=True,
                timeout=PATIENCE,
            )
            found: dict[str, Any] = json.loads(Path(file.name).read_text())
    except subprocess.TimeoutExpired as error:
        msg = f"`{mode}` of the producer took more than {PATIENCE:.0f} s"
        raise FailedError(msg) from error
    except subprocess.CalledProcessError as error:
        msg = f"`{mode}` of the producer ended with {error.returncode}: {error.stderr[-300:]}"
        raise FailedError(msg) from error
    return found


@contextlib.contextmanager
def worker(
    environment: Environment, url: str, ledger: Path, slots: int, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs one worker, and ends it with all its children."""
    name, *arguments = environment.peer.command(slots)
    variables = _variables(environment, url)
    variables |= {"BENCH_LEDGER": str(ledger), "BENCH_SLOTS": str(slots)}
    with pinned(PEER_CPU), log.open("wb") as output:
        process = subprocess.Popen(
            [environment.command(name), *arguments],
            cwd=HERE,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        # Nothing that it could still do counts, and some take seconds to say goodbye.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextlib.contextmanager
def pinned(cpu: int) -> Iterator[None]:
    """Starts processes on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _variables(environment: Environment, url: str) -> dict[str, str]:
    """Returns the variables of a process, without those that set up Python or QTasks here."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BENCH_", "PYTHON", "QTASKS_"))
    }
    mine = {"BENCH_URL": url, "PYTHONPATH": str(HERE), **environment.peer.variables}
    return {**kept, **mine}
