"""The app and its one task: what a worker process imports."""

from __future__ import annotations

import ast
import os
import warnings
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from qtasks import QueueTasks
from qtasks.configs import QueueConfig

HERE = Path(__file__).resolve().parent
#: Where the queue, its results and the logs of the workers are, unless main.py is told otherwise.
STATE = HERE / ".state"

# Old code has escapes such as "\d", about which the parser warns; that is not what is counted.
warnings.filterwarnings("ignore", category=SyntaxWarning)
warnings.filterwarnings("ignore", category=DeprecationWarning)


class Counts(TypedDict):
    """What is counted in one file."""

    lines: int
    functions: int
    classes: int
    imports: int
    names: list[str]


def file_url(state: Path) -> str:
    """Returns the URL of the queue in a directory."""
    return f"sqlite:///{quote(str(state / 'inventory.db'))}"


app = QueueTasks(
    "inventory",
    # This line is all there is to moving to another broker.
    broker_url=os.environ.get("QTASKS_BROKER_URL") or file_url(STATE),
    # Parsing keeps a processor busy, and in some Pythons two threads cannot parse at a time: each
    # process takes one file after the other, and holds the next ones ready.
    config=QueueConfig(max_tasks_process=1, prefetch=32),
)


@app.task(max_time=120)
def count_file(path: str) -> Counts:
    """Counts what is in a Python file."""
    source = Path(path).read_bytes()
    tree = ast.parse(source, filename=path)
    functions = classes = imports = 0
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                functions += 1
            case ast.ClassDef():
                classes += 1
            case ast.Import():
                imports += 1
                names.update(alias.name.partition(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                imports += 1
                names.add(module.partition(".")[0])
            case ast.ImportFrom():
                imports += 1
    return {
        "lines": len(source.splitlines()),
        "functions": functions,
        "classes": classes,
        "imports": imports,
        "names": sorted(names),
    }
