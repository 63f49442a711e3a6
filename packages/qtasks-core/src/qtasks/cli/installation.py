"""What is installed here, and what that means."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Final

from qtasks._version import __version__
from qtasks.schemas import Finding

__all__ = ["accelerators", "installation"]

_REDIS: Final = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")


def installation(urls: tuple[str, ...]) -> list[Finding]:
    """Looks at Python and at the packages beside qtasks-core.

    Args:
        urls: where the app's servers are; their schemes say which accelerators matter.
    """
    package = Path(__file__).resolve().parent.parent
    system = f"{platform.python_implementation()} {platform.python_version()}"
    return [
        Finding("ok", "qtasks-core", f"{__version__} from {package}."),
        _predecessor(),
        Finding("ok", "Python", f"{system} on {platform.system()}."),
        *accelerators(urls),
    ]


def _predecessor() -> Finding:
    """Looks for the package of the same import name; its files and ours overwrite each other."""
    version = _version("qtasks")
    if version is None or version.partition(".")[0] not in {"0", "1"}:
        return Finding("ok", "predecessor", "The package qtasks 1.x is not installed.")
    return Finding(
        "error",
        "predecessor",
        f"The package qtasks {version} is installed too: it has the same import name, and its"
        " files and those of qtasks-core overwrite each other.",
        "Run pip uninstall qtasks, then pip install --force-reinstall --no-deps qtasks-core.",
    )


def accelerators(urls: tuple[str, ...]) -> list[Finding]:
    """Says which packages that only make things faster are there; none of them is needed."""
    found = []
    if any(url.partition("://")[0].lower().startswith(_REDIS) for url in urls):
        found.append(_accelerator("hiredis", "replies of Redis are read by Python code", "redis"))
    if sys.platform != "win32":
        found.append(_accelerator("uvloop", "workers run on the loop of asyncio", "uvloop"))
    return found


def _accelerator(name: str, without: str, extra: str) -> Finding:
    version = _version(name)
    if version is not None:
        return Finding("ok", name, f"{version} is installed.")
    fix = f"pip install 'qtasks-core[{extra}]' makes that faster."
    return Finding("ok", name, f"It is not installed: {without}.", fix)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
