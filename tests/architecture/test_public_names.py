"""What is public is said by `__all__`, exists, and is all that `dir()` shows."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

#: The modules whose names live elsewhere and are imported on use.
DOORS = [
    "qtasks",
    "qtasks.asyncio",
    "qtasks.brokers",
    "qtasks.configs",
    "qtasks.contexts",
    "qtasks.enums",
    "qtasks.events",
    "qtasks.executors",
    "qtasks.logs",
    "qtasks.middlewares",
    "qtasks.plugins",
    "qtasks.registries",
    "qtasks.stats",
    "qtasks.stats.inspect",
    "qtasks.storages",
]

#: Imports that users' documents rely on.
DOCUMENTED = {
    "qtasks": ["INJECTED", "AsyncTask", "QueueTasks", "SyncTask"],
    "qtasks.asyncio": ["QueueTasks"],
    "qtasks.configs": ["QueueConfig"],
    "qtasks.contexts": ["AsyncContext", "SyncContext"],
    "qtasks.enums": ["TaskStatusEnum"],
    "qtasks.exc": ["TaskCancelError", "TaskPluginTriggerError"],
    "qtasks.executors": ["AsyncTaskExecutor", "BaseTaskExecutor", "SyncTaskExecutor"],
    "qtasks.middlewares": ["TaskMiddleware"],
    "qtasks.plugins": ["BasePlugin"],
    "qtasks.plugins.base": ["BasePlugin"],
    "qtasks.stats": ["AsyncStats", "SyncStats"],
    "qtasks.stats.inspect": ["InspectStats"],
    "qtasks.events": ["AsyncEvents", "SyncEvents"],
    "qtasks.registries": ["AsyncTask", "SyncTask"],
}

#: What `import qtasks` leaves alone: it must be quick, and work without any extra.
NOT_IMPORTED = [
    "click",
    "hypothesis",
    "pydantic",
    "pytest",
    "qtasks.adapters.redis",
    "qtasks.adapters.sqlite",
    "qtasks.cli",
    "qtasks.testing",
    "redis",
    "rich",
    "typer",
]


@pytest.mark.parametrize("module", ["qtasks.exc", "qtasks.schemas", "qtasks.typing", *DOORS])
def test_a_module_for_users_says_what_is_public(module: str) -> None:
    assert hasattr(import_module(module), "__all__")


def test_every_public_name_imports(public_module: str) -> None:
    module = import_module(public_module)

    missing = [name for name in module.__all__ if not hasattr(module, name)]

    assert not missing


def test_no_public_name_is_listed_twice(public_module: str) -> None:
    names = list(import_module(public_module).__all__)

    assert len(names) == len(set(names))


@pytest.mark.parametrize("door", DOORS)
def test_a_door_shows_its_public_names_and_no_others(door: str) -> None:
    module = import_module(door)

    assert dir(module) == sorted(module.__all__)


@pytest.mark.parametrize("door", DOORS)
def test_a_door_refuses_other_names_as_any_module(door: str) -> None:
    module = import_module(door)

    with pytest.raises(AttributeError, match=r"has no attribute 'no_such_name'"):
        module.no_such_name  # noqa: B018


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in DOCUMENTED.items() for name in names]
)
def test_a_documented_import_works(module: str, name: str) -> None:
    assert name in import_module(module).__all__
    assert hasattr(import_module(module), name)


def test_import_qtasks_is_light() -> None:
    code = "import sys, qtasks; print(*sys.modules, sep='\\n')"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    ).stdout

    assert not set(NOT_IMPORTED) & set(output.split())
