"""Free ports of the loopback interface."""

from __future__ import annotations

import random
import socket

#: A member of a cluster also listens on its port plus this.
BUS_OFFSET = 10_000

#: Below the ports that the system gives to clients, on Linux and macOS.
_RANGE = range(10_000, 22_000)


def free_port() -> int:
    """Returns a port that is free together with its cluster bus port.

    Another process may take it before it is used, so callers try again.
    """
    for port in random.sample(_RANGE, 1000):
        if _is_free(port) and _is_free(port + BUS_OFFSET):
            return port
    msg = f"no free port in {_RANGE}; end what listens on 127.0.0.1"
    raise RuntimeError(msg)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: what lingers of an ended connection is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
