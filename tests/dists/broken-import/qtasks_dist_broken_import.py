"""A plugin whose module cannot be imported."""

from __future__ import annotations

import a_module_that_nobody_has


class Never(a_module_that_nobody_has.Plugin):
    plugin_api = "1.0"
