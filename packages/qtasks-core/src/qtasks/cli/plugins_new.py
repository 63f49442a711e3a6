"""``qtasks plugins new``: the package of a plugin, broker or storage, to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from qtasks.cli.invocation import AsJson, invocation
from qtasks.cli.scaffold.names import Kind, Names
from qtasks.cli.scaffold.writing import render, write

__all__ = ["new"]


def new(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The plugin's name, or the scheme of the URLs.")
    ],
    *,
    kind: Annotated[Kind, typer.Option(help="What it is.")] = "plugin",
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            metavar="FOLDER",
            help="Where to write it; by default the package's name, in the working directory.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a package to begin with: code, tests, types, lint, changelog, nox and CI.

    Its checks pass as it stands. Nothing that exists is changed, and nothing
    is written by halves.

    Examples:
    qtasks plugins new audit
    qtasks plugins new nats --kind broker
    """
    asked = invocation(ctx, as_json=as_json)
    names = Names.of(name, kind)
    folder = into or Path(names.distribution)
    texts = render(names)
    write(texts, folder)
    if asked.as_json:
        asked.output.document(
            {
                "folder": str(folder.absolute()),
                "kind": names.kind,
                "name": names.name,
                "distribution": names.distribution,
                "package": names.package,
                "class": names.class_name,
                "files": list(texts),
            }
        )
        return
    out = asked.output
    out.line(f"{folder} holds {names.distribution}:")
    for path in texts:
        out.line(f"  {path}")
    out.line()
    out.line(f"cd {folder} && nox  runs its checks;  pip install -e {folder}  makes it known here")
