"""Private Redis and Valkey servers for tests: found, started, hurt and ended here.

Fixtures are in `servers.plugin`, which every test of the repository can use.
"""

from __future__ import annotations

from servers.cluster import Cluster
from servers.process import Server
from servers.programs import Program, find_programs
from servers.proxy import Proxy
from servers.sentinel import Sentinels

__all__ = ["Cluster", "Program", "Proxy", "Sentinels", "Server", "find_programs"]
