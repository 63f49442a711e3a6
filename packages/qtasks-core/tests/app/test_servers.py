"""What a URL needs installed: nothing is imported for servers that nobody named."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

#: What makes the driver look as if it were not installed.
WITHOUT_DRIVER = """
    import sys
    sys.modules["redis"] = None
    """


def python(code: str) -> str:
    """Runs code in a fresh interpreter and returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code)],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize("kind", ["qtasks", "qtasks.asyncio"])
@pytest.mark.parametrize(
    "options",
    [
        "broker_url='redis://user:secret@localhost'",
        "broker_url='rediss://:secret@localhost'",
        "broker_url='unix:///run/redis.sock?db=1'",
        "broker_url='memory://', storage_url='redis://:secret@localhost'",
    ],
)
def test_without_the_driver_the_error_says_what_to_install(kind: str, options: str) -> None:
    said = python(f"""{WITHOUT_DRIVER}
    from {kind} import QueueTasks
    from qtasks.exc import UnknownSchemeError
    try:
        QueueTasks({options})
    except UnknownSchemeError as error:
        print(error)
    """)

    scheme = options.rpartition("='")[2].partition(":")[0]
    assert said == f"{scheme}:// needs redis. Install it: pip install 'qtasks-core[redis]'.\n"


def test_without_the_driver_the_command_line_says_what_to_install() -> None:
    said = python(f"""{WITHOUT_DRIVER}
    import os
    os.environ["QTASKS_BROKER_URL"] = "redis://:secret@localhost"
    from qtasks.cli import main
    sys.stderr = sys.stdout
    sys.argv = ["qtasks", "-A", "qtasks:QueueTasks", "stats"]
    try:
        main()
    except SystemExit as end:
        print(end.code)
    """)

    assert "pip install 'qtasks-core[redis]'" in said
    assert "Traceback" not in said
    assert "secret" not in said
    assert said.endswith("\n2\n")


@pytest.mark.parametrize(
    ("options", "imported"),
    [
        ("broker_url='memory://'", False),
        ("broker_url='sqlite:///q.db'", False),
        ("broker_url='redis://localhost'", True),
    ],
)
def test_the_driver_is_imported_only_for_its_urls(options: str, imported: bool) -> None:
    said = python(f"""
    import sys
    import qtasks, qtasks.asyncio, qtasks.brokers, qtasks.storages, qtasks.cli
    assert "redis" not in sys.modules
    qtasks.QueueTasks({options})
    print("redis" in sys.modules)
    """)

    assert said == f"{imported}\n"
