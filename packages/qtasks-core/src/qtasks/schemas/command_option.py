"""An option that a plugin adds to a command of the command line."""

from __future__ import annotations

import msgspec

__all__ = ["CommandOption"]


class CommandOption(msgspec.Struct, frozen=True):
    """A flag that gives one of the plugin's own options.

    Attributes:
        flag: as it is typed, ``--metrics-port``.
        option: the field of the plugin's ``Options`` that it gives.
        help: one sentence for ``--help``.
        metavar: what stands for its value there.
        commands: the commands that take it, such as ``run`` or ``tasks list``.
    """

    flag: str
    option: str
    help: str = ""
    metavar: str = "VALUE"
    commands: tuple[str, ...] = ("run",)
