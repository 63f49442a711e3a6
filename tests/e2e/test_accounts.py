"""What the page about accounts says of commands is what real servers allow."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qtasks import QueueTasks
from qtasks.adapters.redis.acl import ROLES, read
from qtasks.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Shop
    from servers import Program, Server

PAGE = (Path(__file__).parents[2] / "docs" / "redis-accounts.md").read_text("utf-8")
OPERATOR = re.findall(r"^ACL SETUSER (shop-operator on >(\S+) .*)$", PAGE, re.MULTILINE)


def promises(account: str) -> dict[str, bool]:
    """Returns what the table of the page says an account may do, by command."""
    lines = PAGE[PAGE.index("| command |") :].split("\n\n")[0].splitlines()
    head, _, *rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    place = head.index(account)
    return {row[0]: row[place] == "yes" for row in rows}


@pytest.fixture
def server(redis_program: Program, make_server: Callable[..., Server]) -> Server:
    operator = f"user {OPERATOR[0][0]}"
    roles = [read(role).strip().replace(" off resetpass", " on >pp") for role in ROLES]
    owner = "user default on nopass ~* &* +@all"
    return make_server(redis_program, aclfile="\n".join([owner, operator, *roles]))


@pytest.fixture(params=[*ROLES, "operator"])
def account(
    request: pytest.FixtureRequest,
    server: Server,
    make_shop: Callable[[str], Shop],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """An account of the page, by which the commands of this process go to the server."""
    name: str = request.param
    user, password = f"qtasks-{name}", "pp"
    if name == "operator":
        user, password = "shop-operator", OPERATOR[0][1]
    shop = make_shop(server.url)
    shop.work()
    monkeypatch.setenv("QTASKS_BROKER_URL", server.url_of(user, password))
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(sys, "path", [str(shop.folder), *sys.path])
    level = logging.getLogger().level
    yield name
    sys.modules.pop("shop", None)
    logging.getLogger().setLevel(level)


def may(command: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> bool:
    """Runs a command and returns whether the server let it."""
    monkeypatch.setattr(sys, "argv", ["qtasks", "-A", "shop:app", *command.split()])
    with pytest.raises(SystemExit) as end:
        main()
    said = "".join(capfd.readouterr())
    refused = "may not do" in said
    assert refused or end.value.code in (0, None, 1), f"{command}: {said}"
    return not refused


def test_accounts_may_do_what_the_page_says(
    account: str, server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    found = {}
    for command in promises(account):
        with QueueTasks(broker_url=server.url) as owner:
            task_id = owner.add_task("hello", delay=3600).id
        words = command.replace("NAME", "hello").replace("ID", task_id)
        found[command] = may(words, monkeypatch, capfd)

    assert found == promises(account)


@pytest.mark.parametrize("account", ["operator"], indirect=True)
@pytest.mark.usefixtures("account")
def test_nothing_is_hidden_from_the_operators_doctor(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["qtasks", "-A", "shop:app", "doctor"])
    with pytest.raises(SystemExit):
        main()
    said = capfd.readouterr().out

    assert "eviction:" in said
    assert "may not ask" not in said
