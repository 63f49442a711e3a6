"""Runs the code blocks of one Markdown page in the current directory, in order.

Every test starts it in a process and a directory of its own::

    python run_page.py PAGE

- ``python`` blocks share one namespace, as if they were typed into one session.
- A block with ``title="NAME"`` is a file: it is written under that name.
  A Python file is imported, unless a later command of the page runs it, or ``later`` says
  that another file of the page imports it.
- ``pycon`` blocks are doctests in the same namespace.
- ``console`` and ``bash`` blocks are run by the shell, line by line.
  In ``console`` blocks commands start with ``$``; what follows a command is
  its output, where ``...`` stands for anything.
  ``exit=N`` expects that exit code of every command.
  ``background`` leaves the command running until the page ends.
- ``toml`` and ``json`` blocks are parsed.
- Blocks of the languages in `NOT_RUN` are left alone; all others are errors.
- A page whose commands need a server names it by ``REDIS_URL``, and a second one by
  ``OTHER_REDIS_URL``: the tests start them, empty, and set the variables.
  ``KAFKA_URL`` names one that speaks Kafka's protocol.
"""

from __future__ import annotations

import doctest
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tomllib
import types
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_blocks import Block, BlockError, find_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Languages whose blocks are not run, and why.
NOT_RUN = {
    "text": "a drawing or a quotation",
}

#: Commands that are not run, and why.
NOT_RUN_COMMANDS = {
    r"(python3?|py( -3)?) -m venv \S+": "the page already runs in an environment",
    r"(\S*python3? -m )?pip (un)?install .+": "the build session has installed the wheels",
    r"(\S*/)?nox( .*)?": "would start these tests again",
    r"(pre-commit|git|cd) .+": "needs the clone of the reader",
    r"uvicorn .+": "serves on a port of the machine until it is stopped",
    r"(\S*python3? -m )?(build|twine upload .+)": "publishes a package of the reader",
}

COMMAND_TIMEOUT = 60  # seconds
STOP_TIMEOUT = 30  # seconds


def main(page: Path) -> None:
    """Runs every block of ``page``."""
    sys.dont_write_bytecode = True
    sys.path[0] = os.getcwd()  # noqa: PTH109 - the blocks import their own files, as a shell would
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    blocks = list(find_blocks(page.read_text(encoding="utf-8")))
    with ExitStack() as background:
        for index, block in enumerate(blocks):
            try:
                run(block, blocks[index + 1 :], page, module.__dict__, background)
            except BaseException as error:
                error.add_note(f"in the block at {page}:{block.line}")
                raise


def run(
    block: Block,
    later: list[Block],
    page: Path,
    namespace: dict[str, object],
    background: ExitStack,
) -> None:
    """Runs one block."""
    if title := block.attributes.get("title"):
        Path(title).parent.mkdir(parents=True, exist_ok=True)
        Path(title).write_text(block.body, encoding="utf-8")
    match block.language:
        case "python":
            run_python(block, later, page, namespace)
        case "pycon":
            run_doctest(block, page, namespace)
        case "console" | "bash" | "sh":
            for command, expected, line in commands(block):
                if is_run(command):
                    run_command(command, expected, line, block, background)
        case "toml":
            tomllib.loads(block.body)
        case "json":
            json.loads(block.body)
        case language if language not in NOT_RUN:
            msg = f"no rule says what to do with a block of language {language!r}"
            raise BlockError(msg)


def run_python(block: Block, later: list[Block], page: Path, namespace: dict[str, object]) -> None:
    """Runs a Python block, or imports it if it is a file that no later command runs."""
    if title := block.attributes.get("title"):
        run_by_command = any(title in command for b in later for command, _, _ in commands(b))
        if not run_by_command and "later" not in block.attributes:
            namespace.update(import_file(title))
        return
    source = "\n" * (block.line - 1) + block.body  # tracebacks show the line of the page
    exec(compile(source, page, "exec", dont_inherit=True), namespace)


def import_file(title: str) -> dict[str, object]:
    """Imports the file ``title`` anew and returns its public names."""
    name = title.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    importlib.invalidate_caches()
    sys.modules.pop(name, None)
    module = importlib.import_module(name)
    return {key: value for key, value in vars(module).items() if not key.startswith("__")}


def run_doctest(block: Block, page: Path, namespace: dict[str, object]) -> None:
    """Runs a block of interpreter prompts.

    Raises:
        BlockError: An example gave something else.
    """
    test = doctest.DocTestParser().get_doctest(
        block.body, namespace, page.name, str(page), block.line - 1
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    runner.run(test, out=report.append, clear_globs=False)
    namespace.update(test.globs)  # the examples worked on a copy
    if runner.failures:
        raise BlockError("".join(report))


def commands(block: Block) -> Iterator[tuple[str, str, int]]:
    """Yields each command of a shell block, the output written below it, and its line.

    Raises:
        BlockError: A console block starts with output.
    """
    if block.language not in ("bash", "console", "sh"):
        return
    body = re.sub(r"\\\n\s*(> )?", "", block.body)
    command, expected, start = "", "", block.line
    for number, line in enumerate(body.splitlines(), start=block.line):
        is_output = block.language == "console" and not line.startswith("$ ")
        if is_output and not command:
            msg = f"line {number}: output without a command; commands start with '$ '"
            raise BlockError(msg)
        if is_output:
            expected += f"{line}\n"
            continue
        if command:
            yield command, expected, start
        command, expected, start = line.removeprefix("$ ").strip(), "", number
    if command:
        yield command, expected, start


def is_run(command: str) -> bool:
    """Tells whether a command is run; set-up commands are not.

    Raises:
        BlockError: A line mixes both.
    """
    known = [
        any(re.fullmatch(pattern, part.strip()) for pattern in NOT_RUN_COMMANDS)
        for part in re.sub(r"(^|\s)#.*", "", command).split("&&")
    ]
    if any(known) and not all(known):
        msg = f"write set-up and other commands on separate lines: {command}"
        raise BlockError(msg)
    return not any(known)


def run_command(
    command: str, expected: str, line: int, block: Block, background: ExitStack
) -> None:
    """Runs one command and compares its output with what the page shows.

    Raises:
        BlockError: The output or the exit code differs, or the command does not end.
    """
    in_background = "background" in block.attributes
    process = subprocess.Popen(
        # A background command takes the place of its shell, so that it gets the signal to stop.
        f"exec env {command}" if in_background and sys.platform != "win32" else command,
        shell=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )
    if in_background:
        background.callback(stop, process)
        return
    try:
        output, _ = process.communicate(timeout=COMMAND_TIMEOUT)
    except subprocess.TimeoutExpired:
        kill(process)
        output, _ = process.communicate()
        msg = f"line {line}: {command!r} ran longer than {COMMAND_TIMEOUT} seconds:\n{output}"
        raise BlockError(msg) from None
    code = int(block.attributes.get("exit", "0"))
    if process.returncode != code:
        msg = f"line {line}: {command!r} exited with {process.returncode}, not {code}:\n{output}"
        raise BlockError(msg)
    output = "".join(f"{row.rstrip()}\n" for row in output.splitlines())
    if expected and not doctest.OutputChecker().check_output(expected, output, doctest.ELLIPSIS):
        msg = f"line {line}: {command!r} printed:\n{output}\nThe page says:\n{expected}"
        raise BlockError(msg)


def stop(process: subprocess.Popen[str]) -> None:
    """Ends a background command as a supervisor would.

    Raises:
        BlockError: The command failed, or did not stop.
    """
    process.terminate()
    try:
        output, _ = process.communicate(timeout=STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        kill(process)
        output, _ = process.communicate()
    if process.returncode not in (0, -signal.SIGTERM):
        msg = f"{process.args!r} exited with {process.returncode}:\n{output}"
        raise BlockError(msg)


def kill(process: subprocess.Popen[str]) -> None:
    """Kills a command and, where sessions exist, all that it started."""
    if sys.platform == "win32":
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
