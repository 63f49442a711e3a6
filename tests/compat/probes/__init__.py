"""What each package of ours brings to the app that all of them share, and how that shows.

A package has a probe in a file that is called like its import package.
The file is only loaded where the package is installed.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Probe", "load_probe"]


class Probe:
    """One package in the shared app; each test makes a new one.

    Args:
        folder: an empty folder of the test.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def environment(self) -> dict[str, str]:
        """Returns what is set in the environment before the app is made."""
        return {}

    def declare(self, app: Any) -> dict[str, object]:
        """Declares tasks without arguments.

        Returns:
            What each task returns, by its name.
        """
        return {}

    def check(self, app: Any, records: Mapping[str, Any]) -> None:
        """Checks what the package has left when everything has run.

        Args:
            app: the app.
            records: the record of every task that ran, by its id.
        """


def load_probe(import_name: str, folder: Path) -> Probe:
    """Returns the probe of a package.

    Raises:
        FileNotFoundError: it has none.
    """
    path = Path(__file__).with_name(f"{import_name}.py")
    if not path.exists():
        msg = f"{import_name} has no probe: write {path}"
        raise FileNotFoundError(msg)
    spec = importlib.util.spec_from_file_location(f"probe_of_{import_name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Probe", module.Mine(folder))
