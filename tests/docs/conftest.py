"""What the tests of the documentation share."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from servers import Server
    from servers.kafka import KafkaServer

RUN_PAGE = Path(__file__).with_name("run_page.py")
PAGE_TIMEOUT = 170  # seconds


class RunPage(Protocol):
    def __call__(self, page: Path) -> subprocess.CompletedProcess[str]:
        """Runs the blocks of a page and returns how that went."""
        ...


#: Variables that a page may use in its commands: each is the URL of a server for this page alone.
SERVERS = {"REDIS_URL", "OTHER_REDIS_URL", "KAFKA_URL"}


@pytest.fixture
def run_page(
    tmp_path: Path, make_server: Callable[[], Server], make_kafka: Callable[[], KafkaServer]
) -> RunPage:
    """Runs pages in an empty directory, with warnings as errors and no settings of ours."""
    directory = tmp_path / "reader"
    directory.mkdir()
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("QTASKS_") and name not in SERVERS
    }
    env |= {
        "COLUMNS": "120",
        "NO_COLOR": "1",
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "error",
        "TERM": "dumb",
    }

    def run(page: Path) -> subprocess.CompletedProcess[str]:
        words = set(re.findall(r"\w+", page.read_text(encoding="utf-8")))
        urls = {
            name: make_kafka().url if name == "KAFKA_URL" else make_server().url
            for name in SERVERS & words
        }
        return subprocess.run(
            [sys.executable, RUN_PAGE, page],
            cwd=directory,
            env={**env, **urls},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=PAGE_TIMEOUT,
            check=False,
        )

    return run
