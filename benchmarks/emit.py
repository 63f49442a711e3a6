"""What a trigger costs: with 0, 1, 3 and 5 listeners, beside pluggy and the predecessor's way.

    python benchmarks/emit.py [--drains 7] [--tasks 20000]

The figures are nanoseconds of one call, the best of many rounds. The drain at the end runs no-op
tasks in memory, with no plugins: once as the engine is, and once with the places where it fires
triggers taken out of its source. Both take turns, each in a process of its own.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import importlib.abc
import importlib.machinery
import importlib.util
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from listeners import NAME, Predecessor, of_pluggy, ours

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

COUNTS = (0, 1, 3, 5)
ARGUMENTS = dict.fromkeys(("worker", "task_broker", "outcome", "final", "fenced"))
ROUNDS, CALLS = 30, 2000


# Timing


async def best(make: Callable[[], Coroutine[Any, Any, None]]) -> float:
    """Returns nanoseconds of one call of what ``make`` returns ``CALLS`` of."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await make()
        times.append(time.perf_counter() - began)
    return min(times) / CALLS * 1e9


async def of_table(table: Any) -> float:
    from qtasks._triggers import emit

    async def calls() -> None:
        for _ in range(CALLS):
            if subscribers := table.worker_outcome:
                await emit.notify(NAME, subscribers, {**ARGUMENTS})

    return await best(calls)


async def of_hook(hook: Any, *, coloured: bool) -> float:
    async def calls() -> None:
        for _ in range(CALLS):
            for answer in hook(**ARGUMENTS):
                if coloured:
                    await answer

    return await best(calls)


async def of_predecessor(trigger: Callable[..., Awaitable[Any]]) -> float:
    async def calls() -> None:
        for _ in range(CALLS):
            await trigger(NAME, **ARGUMENTS)

    return await best(calls)


async def nothing() -> float:
    async def calls() -> None:
        for _ in range(CALLS):
            pass

    return await best(calls)


async def emits() -> None:
    loop = await nothing()
    rows: dict[str, list[float]] = {}
    for words, options in {
        "marked method, `def`": {"coloured": False, "spelled": True},
        "marked method, `async def`": {"coloured": True, "spelled": True},
        "`trigger()`, `def`": {"coloured": False, "spelled": False},
        "`trigger()`, `async def`": {"coloured": True, "spelled": False},
    }.items():
        rows[words] = [await of_table(ours(count, **options)) - loop for count in COUNTS]
    for coloured in (False, True):
        words = f"pluggy's call, `{'async ' * coloured}def`"
        rows[words] = [
            await of_hook(of_pluggy(count, coloured=coloured), coloured=coloured) - loop
            for count in COUNTS
        ]
    rows["the predecessor's way"] = [
        await of_predecessor(Predecessor(count).trigger) - loop for count in COUNTS
    ]
    print("| ns of one call | 0 | 1 | 3 | 5 | at 3, × marked `def` |")
    print("|---|---|---|---|---|---|")
    reference = rows["marked method, `def`"][2]
    for words, figures in rows.items():
        cells = " | ".join(f"{figure:,.0f}" for figure in figures)
        print(f"| {words} | {cells} | {figures[2] / reference:.1f} |")


# The drain


class Silence(ast.NodeTransformer):
    """Takes out of the engine what fires triggers."""

    def __init__(self) -> None:
        # Read, not imported: the modules are to be loaded once, without their triggers.
        found = importlib.util.find_spec("qtasks")
        assert found is not None
        assert found.origin is not None
        table = Path(found.origin).parent / "_triggers" / "table.py"
        self.triggers = {
            node.target.id
            for node in ast.walk(ast.parse(table.read_text(encoding="utf-8")))
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        }
        # What the engine looks up once for several triggers; see qtasks._worker.firing.running.
        self.triggers |= {"arrives", "begins", "ends"}
        self.taken = 0

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        named = {part.attr for part in ast.walk(node.test) if isinstance(part, ast.Attribute)}
        if not named & self.triggers:
            return node
        self.taken += 1
        return node.orelse or ast.copy_location(ast.Pass(), node)


class SilentFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads the engine's modules without what fires triggers."""

    def __init__(self) -> None:
        self.silence = Silence()

    def find_spec(self, name: str, path: Any, _: Any = None) -> Any:
        if not name.startswith(("qtasks._core.", "qtasks._worker.", "qtasks.app.")):
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        if spec is not None and spec.origin and not spec.submodule_search_locations:
            spec.loader = self
            return spec
        return None

    def exec_module(self, module: Any) -> None:
        origin = module.__spec__.origin
        tree = self.silence.visit(ast.parse(Path(origin).read_text(encoding="utf-8")))
        exec(compile(ast.fix_missing_locations(tree), origin, "exec"), vars(module))


def drain(tasks: int, *, silent: bool) -> None:
    """Prints how many no-op tasks a second a worker runs."""
    finder = SilentFinder()
    if silent:
        sys.meta_path.insert(0, finder)
    from qtasks.asyncio import QueueTasks

    app = QueueTasks(broker_url="memory://", plugins=[])

    @app.task
    async def nothing() -> None:
        """Does nothing."""

    async def run() -> float:
        await app.add_tasks(nothing.build() for _ in range(tasks))
        began = time.perf_counter()
        await app.worker(burst=True).run()
        return time.perf_counter() - began

    assert not silent or finder.silence.taken > 10, "nothing was taken out"
    print(tasks / asyncio.run(run()))


def drains(count: int, tasks: int) -> None:
    found: dict[str, list[float]] = {"as it is": [], "silent": []}
    for _ in range(count):
        for words, figures in found.items():
            command = [sys.executable, __file__, "--tasks", str(tasks), "--drain", words]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            figures.append(float(done.stdout))
    print("\n| no-op drain in memory, no plugins | tasks/s, median (extremes) |\n|---|---|")
    for words, figures in found.items():
        middle = statistics.median(figures)
        print(f"| {words} | {middle:,.0f} ({min(figures):,.0f} to {max(figures):,.0f}) |")
    # The fastest of each: whatever else the machine does makes drains slower, and none faster.
    as_it_is, silent = map(max, found.values())
    print(
        f"\nWithout what fires triggers the fastest drain changes by {silent / as_it_is - 1:+.1%}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drains", type=int, default=7)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--drain", choices=["as it is", "silent"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drain:
        drain(options.tasks, silent=options.drain == "silent")
        return
    asyncio.run(emits())
    if options.drains:
        drains(options.drains, options.tasks)


if __name__ == "__main__":
    main()
