"""The suites themselves: every test can fail, none hides another, and the gates work."""

from __future__ import annotations

import ast
import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest

from qtasks.adapters.memory import MemoryBroker, MemoryStorage
from qtasks.schemas import Capabilities
from qtasks.testing.conformance import (
    BrokerConformance,
    PluginConformance,
    StorageConformance,
    needs,
    since,
)
from qtasks.testing.conformance.base import complete, has, suite_tests, version

pytest_plugins = ["pytester"]

SUITES = [BrokerConformance, StorageConformance, PluginConformance]
ALL = sorted({name for suite in SUITES for name in suite_tests(suite)})


def caught() -> set[str]:
    """Returns the names of the tests that some broken server is known to fail."""
    names: set[str] = set()
    for path in Path(__file__).parent.glob("test_catches_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "CATCHES":
                constants = [
                    n.value for n in ast.walk(node.value or node) if isinstance(n, ast.Constant)
                ]
                words = " ".join(text for text in constants if isinstance(text, str)).split()
                names |= {f"test_{word}" for word in words}
    return names


def test_every_test_of_the_suites_is_known_to_fail_for_somebody() -> None:
    assert set(ALL) - caught() == {"test_no_test_is_overridden"}  # see below
    assert caught() - set(ALL) == set()


@pytest.mark.parametrize("suite", SUITES)
def test_no_test_hides_another(suite: type) -> None:
    for name in suite_tests(suite):
        owners = [base.__name__ for base in suite.__mro__ if name in vars(base)]
        assert len(owners) == 1, name


@pytest.mark.parametrize("suite", SUITES)
def test_every_test_says_what_to_look_at(suite: type) -> None:
    for name in suite_tests(suite):
        doc = inspect.getdoc(getattr(suite, name)) or ""
        first, _, rest = doc.partition("\n\n")
        assert first.endswith("."), name
        assert rest.startswith("If this fails: "), name


THIRD_PARTY = """
from __future__ import annotations

import pytest
from qtasks.adapters.memory import MemoryBroker
from qtasks.schemas import Capabilities
from qtasks.testing.conformance import BrokerConformance, needs, since

class TestMine(BrokerConformance):
    @pytest.fixture
    async def broker(self, clock):
        return MemoryBroker(clock=clock)
"""

INI = """
[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@pytest.fixture
def third_party(pytester: pytest.Pytester) -> Any:
    """Runs the file of a third party and returns the counts of its outcomes."""

    def run(
        more: str = "", *options: str, ini: str = INI, file: str = THIRD_PARTY
    ) -> dict[str, int]:
        pytester.makeini(ini)
        pytester.makepyfile(test_mine=file + more)
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-q", *options)
        return result.parseoutcomes()

    return run


def test_one_class_and_one_fixture_are_enough(third_party: Any) -> None:
    assert third_party() == {"passed": len(suite_tests(BrokerConformance))}


PLUGIN = """
import pytest
from qtasks.testing import RaisingPlugin
from qtasks.testing.conformance import PluginConformance

class TestMine(PluginConformance):
    MODIFIES = True

    @pytest.fixture
    def plugin(self):
        return lambda: RaisingPlugin(on=())
"""


def test_a_plugin_needs_no_more_either(third_party: Any) -> None:
    counts = third_party(file=PLUGIN)
    assert set(counts) == {"passed", "skipped"}
    assert counts["skipped"] == 2  # for it says that it changes results, in both colours
    assert counts["passed"] > len(suite_tests(PluginConformance))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (("def plugin", "def plug"), "*define a fixture named 'plugin' that returns the plugin's*"),
        (("lambda: ", ""), "*return the class, or a function that makes a plugin*"),
    ],
)
def test_a_wrong_fixture_of_a_plugin_is_explained(
    pytester: pytest.Pytester, changed: tuple[str, str], message: str
) -> None:
    pytester.makeini(INI)
    pytester.makepyfile(test_mine=PLUGIN.replace(*changed))
    result = pytester.runpytest_inprocess("-k", "it_can_be_made")
    result.stdout.fnmatch_lines([message])


def test_the_strict_mode_of_asyncio_needs_its_own_fixture(third_party: Any) -> None:
    file = THIRD_PARTY.replace("@pytest.fixture", "@pytest_asyncio.fixture").replace(
        "import pytest\n", "import pytest, pytest_asyncio\n"
    )
    ini = INI.replace("asyncio_mode = auto\n", "")
    assert third_party("", "-k", "start_may_be_repeated", ini=ini, file=file)["passed"] == 1


def test_a_fixture_that_is_missing_is_named(pytester: pytest.Pytester, third_party: Any) -> None:
    file = THIRD_PARTY.replace("async def broker", "async def brother")
    pytester.makeini(INI)
    pytester.makepyfile(test_mine=file)
    result = pytester.runpytest_inprocess("-k", "start_may_be_repeated")
    result.stdout.fnmatch_lines(["*define a fixture named 'broker' that returns a fresh broker*"])


@pytest.mark.parametrize(
    "override",
    [
        "    test_the_limit_holds = None\n",
        "    async def test_the_limit_holds(self): pass\n",
        "    @pytest.mark.xfail\n    async def test_the_limit_holds(self): assert False\n",
    ],
)
def test_a_test_may_not_be_overridden(third_party: Any, override: str) -> None:
    assert third_party("\n" + override, "-k", "no_test_is_overridden") == {
        "failed": 1,
        "deselected": third_party("", "-k", "no_test_is_overridden")["deselected"]
        - ("None" in override),
    }


def test_a_gap_may_be_admitted(third_party: Any) -> None:
    override = """
    @pytest.mark.xfail(reason="the server has no limits")
    async def test_the_limit_holds(self): assert False
"""
    counts = third_party(override, "-k", "no_test_is_overridden or the_limit_holds")
    assert (counts["passed"], counts["xfailed"]) == (1, 1)


def test_tests_of_missing_capabilities_are_skipped(third_party: Any) -> None:
    more = """

class Poor(MemoryBroker):
    capabilities = Capabilities(
        blocking=False, delay=False, priority=False, pause=False, purge=False, unique=False
    )
    storage = None

    def client(self):
        return None

class TestPoor(BrokerConformance):
    @pytest.fixture
    def broker(self, clock):
        broker = Poor(clock=clock)
        return broker
"""
    counts = third_party(more, "-k", "TestPoor")
    assert set(counts) == {"passed", "skipped", "deselected"}
    assert counts["passed"] > 30
    assert counts["skipped"] > 100


def test_later_rules_are_skipped_for_older_servers(third_party: Any) -> None:
    more = """
    @since("1.1")
    async def test_something_new(self): assert False

class TestNewer(TestMine):
    CONTRACT = "1.1"
"""
    counts = third_party(more, "-k", "something_new")
    assert (counts["skipped"], counts["failed"]) == (1, 1)


def test_versions_are_numbers() -> None:
    assert version("1.10") > version("1.9")


def test_the_marks_leave_the_test_alone() -> None:
    async def test() -> None:
        """Does nothing."""

    assert since("1.1")(needs("delay")(test)) is test


def test_what_a_server_has() -> None:
    class Poor(MemoryBroker):
        capabilities = Capabilities(delay=False)

    assert has(Poor(), "delay") is False
    assert has(MemoryBroker(), "delay") is True
    assert has(MemoryBroker(), "records") is True
    assert has(MemoryStorage(), "records") is True


def test_a_twin_that_suspends_is_noticed() -> None:
    with pytest.raises(pytest.fail.Exception, match="the twin suspended"):
        complete(asyncio.sleep(0))
