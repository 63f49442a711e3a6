"""A contract of import-linter that holds for every package beside core, also for new ones."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from importlinter import Contract, ContractCheck, output

sys.path.insert(0, str(Path(__file__).parent))  # import-linter looks in the root alone

from public_names import CORE, allowed

if TYPE_CHECKING:
    from grimp import ImportGraph

__all__ = ["PublicNames"]


class PublicNames(Contract):
    """Every root package but core imports public modules of core, and no other root package."""

    type_name = "public_names"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002, FBT001 - the signature is that of import-linter
        """Looks at every import of every package beside core."""
        roots = set(self.session_options["root_packages"])
        wrong = [
            (module, imported)
            for module in sorted(graph.modules)
            if (root := module.partition(".")[0]) in roots - {CORE}
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if not allowed(root, imported, roots)
        ]
        return ContractCheck(kept=not wrong, metadata={"wrong": wrong})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Says which module imports what it should not."""
        wrong: list[tuple[str, str]] = check.metadata["wrong"]
        for module, imported in wrong:
            output.print_error(f"{module} imports {imported}, which is not public", bold=True)
