"""The machinery that runs the blocks of a page: what it runs, and that a wrong block fails."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from conftest import RunPage

    RunText = Callable[[str], CompletedProcess[str]]


@pytest.fixture
def run_text(run_page: RunPage, tmp_path: Path) -> RunText:
    """Runs a page given as text, in which ''' stands for the fence."""

    def run(text: str) -> CompletedProcess[str]:
        page = tmp_path / "page.md"
        page.write_text(textwrap.dedent(text).replace("'''", "```"), encoding="utf-8")
        return run_page(page)

    return run


BACKGROUND = """
    '''console background
    $ WORD=ready sh -c 'trap "exit {code}" TERM; touch $WORD; while :; do sleep 0.05; done'
    '''
    '''python
    import pathlib, time
    deadline = time.monotonic() + 30
    while not pathlib.Path("ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    '''
    """

GOOD = {
    "blocks share a namespace": """
        '''python
        x = 1
        '''
        between
        '''python
        assert x == 1
        assert __name__ == "__main__"
        '''
        """,
    "a block inside a list": """
        - first

          '''python
          if True:
              x = 1
          '''
        """,
    "a longer fence holds a shorter one": """
        ````text
        '''python
        raise SystemExit(1)
        '''
        ````
        """,
    "a titled file is written, imported and shares its names": """
        '''python title="shop/tasks.py"
        name = __name__
        '''
        '''python
        import shop.tasks
        assert name == shop.tasks.name == "shop.tasks"
        '''
        """,
    "a titled file that is replaced is imported anew": """
        '''python title="app.py"
        x = 1
        '''
        '''python title="app.py"
        x = 2
        '''
        '''python
        assert x == 2
        '''
        """,
    "a titled file that a command runs is not imported": """
        '''python title="app.py"
        assert __name__ == "__main__"
        print("hello")
        print("from", object())
        print("app")
        '''
        '''console
        $ python app.py
        hello
        ...
        app
        '''
        """,
    "a titled file that another file imports is written only": """
        '''python title="tasks.py" later
        import app
        assert app.ready
        '''
        '''python title="app.py"
        ready = True
        import tasks
        '''
        """,
    "a titled file of another language is written": """
        '''toml title="pyproject.toml"
        [tool.qtasks]
        '''
        '''bash
        test -f pyproject.toml  # a comment
        # a line of its own

        '''
        """,
    "several commands, continued lines, output that is not shown": """
        '''console
        $ python -c "print(1)" && \\
            python -c "print(2)"
        1
        2
        $ python -c "print(3)"
        '''
        """,
    "an expected exit code": """
        '''console exit=3
        $ python -c "import sys; print('no'); sys.exit(3)"
        no
        '''
        """,
    "a background command lives until the page ends": BACKGROUND.format(code=0),
    "set-up commands are left alone": """
        '''console
        $ python3 -m venv .venv && .venv/bin/python -m pip install --quiet nox && .venv/bin/nox
        '''
        '''bash
        pip install 'qtasks-core[redis]'  # and more
        '''
        """,
    "a doctest shares the namespace": """
        '''python
        x = 20
        '''
        '''pycon
        >>> y = x + 1
        >>> [y] * 3
        [21, ..., 21]
        '''
        '''python
        assert y == 21
        '''
        """,
    "data and quotations": """
        '''toml
        a = 1
        '''
        '''json
        {"a": 1}
        '''
        '''text
        $ false
        '''
        """,
}

WRONG = {
    "an exception": ('page.md", line 5', "'''python\n\nx = 1\n\nx / 0\n'''"),
    "a warning": ("UserWarning", "'''python\nimport warnings\nwarnings.warn('old')\n'''"),
    "a syntax error": ("SyntaxError", "'''python\nx =\n'''"),
    "a titled file that cannot be imported": (
        "ZeroDivisionError",
        "'''python title='app.py'\n1 / 0\n'''",
    ),
    "a name of another page": ("NameError", "'''python\nthumbnail\n'''"),
    "a doctest that gives something else": ("Expected:", "'''pycon\n>>> 1 + 1\n3\n'''"),
    "an exit code": ("exited with 1, not 0", "'''bash\nfalse\n'''"),
    "no exit code": ("exited with 0, not 1", "'''bash exit=1\ntrue\n'''"),
    "an unknown command": ("qtaskz", "'''console\n$ qtaskz run\n'''"),
    "other output": ("The page says:", "'''console\n$ echo one\ntwo\n'''"),
    "less output": ("The page says:", "'''console\n$ echo one\none\ntwo\n'''"),
    "output without a command": ("line 2: output", "'''console\none\n'''"),
    "set-up mixed with a command": ("separate lines", "'''bash\npip install x && echo\n'''"),
    "a background command that fails": (
        "exited with 3",
        BACKGROUND.format(code=3),
    ),
    "broken TOML": ("TOMLDecodeError", "'''toml\na =\n'''"),
    "broken JSON": ("JSONDecodeError", "'''json\n{a: 1}\n'''"),
    "a language nobody knows": ("language 'pyhton'", "'''pyhton\nx\n'''"),
    "a block without a language": ("language ''", "'''\nx\n'''"),
    "a block without an end": ("no end", "'''python\nx = 1\n"),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
def test_a_good_page_passes(text: str, run_text: RunText) -> None:
    done = run_text(text)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("message", "text"), WRONG.values(), ids=WRONG)
def test_a_wrong_page_fails_and_says_why(message: str, text: str, run_text: RunText) -> None:
    done = run_text(text)

    assert done.returncode != 0
    assert message in done.stdout


def test_settings_of_the_machine_do_not_reach_the_page(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("QTASKS_BROKER_URL", "redis://elsewhere")
    run_text: RunText = request.getfixturevalue("run_text")

    done = run_text("'''python\nimport os\nassert 'QTASKS_BROKER_URL' not in os.environ\n'''")

    assert done.returncode == 0, done.stdout


def test_a_page_that_names_servers_gets_empty_ones(run_text: RunText) -> None:
    done = run_text("""
        '''python
        import os
        import redis
        urls = [os.environ[name] for name in ("REDIS_URL", "OTHER_REDIS_URL")]
        assert urls[0] != urls[1]
        for url in urls:
            with redis.Redis.from_url(url) as client:
                assert client.dbsize() == 0
        '''
        '''bash
        test -n "$REDIS_URL" && test -n "$OTHER_REDIS_URL"
        '''
        """)

    assert done.returncode == 0, done.stdout


def test_a_page_that_names_no_server_gets_none(
    monkeypatch: pytest.MonkeyPatch, run_text: RunText
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")

    done = run_text("""
        '''python
        import os
        assert not [name for name in os.environ if name.endswith("REDIS" + "_URL")]
        '''
        """)

    assert done.returncode == 0, done.stdout
