"""A session in another process: the driver asks in JSON lines, an agent answers.

The lines are those of ``apps/agent.py``.
Every answer is waited for with an end, so an agent that hangs is an error and no standstill.
"""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

from faultplan.system import End, Unacknowledged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from faultplan.system import Job

__all__ = ["AgentError", "PeerSession"]

#: Seconds in which an agent must answer.
PATIENCE: Final = 60.0
#: Tasks that are asked after in one line.
_PAGE: Final = 500
#: How many agents are tried, one after the other: after the server's death the client of a peer
#: may be of no use any more.
_AGENTS: Final = 3


class AgentError(RuntimeError):
    """An agent failed, ended or did not answer; the message has its words."""


class PeerSession:
    """The session; see `faultplan.system.Session`.

    Args:
        command: runs an agent.
        environment: its whole environment.
        log: the file for what it writes beside its answers.
        patience: seconds in which it must answer.

    Raises:
        AgentError: it does not start.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        patience: float = PATIENCE,
    ) -> None:
        self._command = command
        self._environment = environment
        self._log = log
        self._patience = patience
        self._start()

    def enqueue(self, jobs: Sequence[Job]) -> list[str]:
        """Adds tasks one by one."""
        asked = {"add": [[job.number, *job.arguments] for job in jobs]}
        try:
            ids: list[str] = self._ask(asked)["ids"]
        except AgentError as error:
            raise Unacknowledged(str(error)) from error
        return ids

    def ends(self, ids: Sequence[str]) -> dict[str, End]:
        """Asks the peer's result store; what has no result there counts as waiting."""
        found: dict[str, End] = {}
        for start in range(0, len(ids), _PAGE):
            page = ids[start : start + _PAGE]
            answers = self._ask_surely({"ends": page})["ends"]
            found |= {task_id: _end(told) for task_id, told in zip(page, answers, strict=True)}
        return found

    def watch(self, ids: Sequence[str], seconds: float) -> NoReturn:
        """Is not offered."""
        _refuse("waiters")

    def unfinished(self) -> NoReturn:
        """Is not offered."""
        _refuse("counts of tasks")

    def recorded(self) -> NoReturn:
        """Is not offered."""
        _refuse("counts of tasks")

    def cancel(self, task_id: str) -> NoReturn:
        """Is not offered."""
        _refuse("cancellation")

    def close(self) -> None:
        """Ends the agent."""
        self._agent.kill()
        self._agent.wait()
        self._reader.join()
        for stream in (self._agent.stdin, self._agent.stdout):
            assert stream is not None, "both are pipes"
            with contextlib.suppress(OSError):
                stream.close()

    def _start(self) -> None:
        with self._log.open("ab") as log:
            self._agent = subprocess.Popen(
                self._command,
                env=dict(self._environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(
            target=_forward, args=(self._agent, self._answers), name="agent", daemon=True
        )
        self._reader.start()
        try:
            self._answer()
        except AgentError:
            self.close()
            raise

    def _ask_surely(self, request: dict[str, Any]) -> dict[str, Any]:
        """Asks what changes nothing, if need be a fresh agent."""
        for _ in range(_AGENTS - 1):
            with contextlib.suppress(AgentError):
                return self._ask(request)
            self.close()
            self._start()
        return self._ask(request)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._agent.stdin is not None, "it is a pipe"
        with contextlib.suppress(OSError):  # it has ended; the answer says so
            self._agent.stdin.write(f"{json.dumps(request)}\n".encode())
            self._agent.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=self._patience)
        except queue.Empty:
            self._agent.kill()  # its answer must not be taken for that of the next question
            msg = f"the agent has not answered in {self._patience:g} s"
            raise AgentError(msg) from None
        if not line:
            msg = f"the agent has ended; its last words: {_last_words(self._log)}"
            raise AgentError(msg)
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise AgentError(answer["error"])
        return answer


def _forward(agent: subprocess.Popen[bytes], answers: queue.SimpleQueue[bytes]) -> None:
    """Passes lines on until the agent ends, which an empty one tells, again and again."""
    assert agent.stdout is not None, "it is a pipe"
    for line in agent.stdout:
        answers.put(line)
    for _ in range(_AGENTS):
        answers.put(b"")


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "none"


def _end(told: list[Any] | None) -> End:
    return End("waiting") if told is None else End(told[0], told[1])


def _refuse(what: str) -> NoReturn:
    msg = f"the agents of peers offer no {what}: drive them through F1, F3 and F7 alone"
    raise NotImplementedError(msg)
