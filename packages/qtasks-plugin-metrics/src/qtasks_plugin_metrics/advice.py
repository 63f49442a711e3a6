"""What is said about settings that are allowed and may not be what somebody wants."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from qtasks.schemas import Finding

if TYPE_CHECKING:
    from qtasks_plugin_metrics.options import Options

__all__ = ["warn_of_mode", "who_can_read"]

log = logging.getLogger("qtasks_plugin_metrics")


def who_can_read(options: Options) -> list[Finding]:
    """Says where the metrics are, and whether strangers can read them.

    Args:
        options: what is set.
    """
    if options.port is None:
        return []
    where = f"{options.host}:{options.port}"
    local = options.host in {"127.0.0.1", "::1", "localhost"}
    if local or (options.token and options.certificate):
        return [Finding("ok", "address", f"Workers serve them on {where}.")]
    text = f"Who reaches {where} can read them."
    fix = "Set token, certificate and key, or keep strangers away from that address."
    return [Finding("warning", "address", text, fix)]


def warn_of_mode(options: Options, starter: Any) -> None:
    """Warns once that workers have no metrics in mode ``multiproc``, if some are asked for.

    Programs that add tasks and their workers may share a settings file with a port in it, so that
    both are set is no mistake in the programs.

    Args:
        options: what is set.
        starter: the worker or the supervisor; a worker process leaves it to its supervisor.
    """
    wanted = {"port": options.port, "push_gateway": options.push_gateway or None}
    asked = [f"{name}={value}" for name, value in wanted.items() if value is not None]
    if asked and getattr(starter, "channel", None) is None:
        log.warning(
            "The workers go on without metrics, and %s is not used: mode=multiproc is for programs"
            " that add tasks; give the workers mode=own",
            " and ".join(asked),
        )
