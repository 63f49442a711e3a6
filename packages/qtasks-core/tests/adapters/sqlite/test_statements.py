"""The SQL, as far as it can be wrong on a Python that is not here."""

from __future__ import annotations

import re
from pathlib import Path

from qtasks.adapters import sqlite

#: Python 3.12.0 to 3.12.3 takes a numbered parameter for a named one, and warns of every row.
NUMBERED = re.compile(r"\?\d")


def test_parameters_have_no_numbers() -> None:
    (folder,) = sqlite.__path__
    sources = {path.name: path.read_text("utf-8") for path in Path(folder).glob("*.py")}

    assert "publish.py" in sources
    assert [name for name, text in sources.items() if NUMBERED.search(text)] == []
