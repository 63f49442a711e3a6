"""The environment of these tests: one in which the distributions beside this file are installed.

``nox -s dists`` makes it. Anywhere else the tests are not collected: who would want an environment
in which every app meets a plugin that raises?
"""

from __future__ import annotations

from importlib.metadata import entry_points

#: Names of the plugins that are installed here and nowhere else.
installed = {entry.name for entry in entry_points(group="qtasks")}

collect_ignore = [] if "missing-requirement" in installed else ["test_dists.py"]
