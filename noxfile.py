"""Every check of this repository, each under one name; ``nox -l`` lists them.

Plain ``nox`` runs what CI runs.
It needs nox and pip, and uses uv where uv is installed.
The sessions are in tools/sessions.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent / "tools"))

from sessions import (
    building,
    checking,
    compatibility,
    matrix,
    minimal,
    plugging,
    prometheus,
    publishing,
    showing,
    testing,
    versions,
)
from sessions.pythons import NEWEST, OLDEST

#: nox finds the sessions in here.
ROOMS = (
    building,
    checking,
    compatibility,
    matrix,
    minimal,
    plugging,
    prometheus,
    publishing,
    showing,
    testing,
    versions,
)

nox.needs_version = ">=2025.10.16"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_external_run = True
nox.options.reuse_venv = "yes"

nox.options.sessions = [
    "lint",
    "imports",
    "typing",
    *(f"tests-{version}" for version in dict.fromkeys((OLDEST, NEWEST))),
    "docs",
    "scaffold",
    "dists",
    "third_party",
    f"compat-{NEWEST}",
    "prometheus",
    "build",
]
