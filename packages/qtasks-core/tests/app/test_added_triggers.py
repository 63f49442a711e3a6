"""Triggers of others: declared in a module, fired by its author, heard by any plugin."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
from qtasks.exc import RegistrationError
from qtasks.plugins import BasePlugin, Kind, Plugin, hookimpl, on, trigger_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness, Site


@pytest.fixture
def url() -> str:
    """No server has a part in this."""
    return "memory://"


def module(*declared: Callable[..., Any], name: str = "acme_shop.triggers") -> ModuleType:
    made = ModuleType(name)
    vars(made).update({function.__name__: function for function in declared})
    return made


@trigger_spec(Kind.NOTIFY, since="2.1")
def acme_paid(order_id: int, total: float) -> None:
    """Fires when an order is paid."""


@trigger_spec(Kind.FILTER, returns=("price", "currency"), since="2.1")
def acme_price(price: float, currency: str) -> Any:
    """Fires before a price is shown."""


@trigger_spec(Kind.FIRST, returns=("shop",), since="2.1")
def acme_route(order_id: int) -> Any:
    """Fires to find out which shop delivers."""


@trigger_spec(Kind.LAST, returns=("shop",), since="2.1")
def acme_reroute(order_id: int) -> Any:
    """Fires when it was the wrong one."""


ACME = module(acme_paid, acme_price, acme_route, acme_reroute)


class Listener(Plugin):
    """Listens to what may not be there."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.heard: list[Any] = []

    @on("acme_paid", optional=True)
    def paid(self, order_id: int) -> None:
        self.heard.append(order_id)

    @on("acme_price", optional=True)
    async def price(self, price: float) -> Any:
        return {"price": price * 2}

    @on("acme_route", optional=True)
    @on("acme_reroute", optional=True)
    def route(self, order_id: int) -> Any:
        return f"{self.name} {order_id}"


@pytest.mark.parametrize("first", ["plugins", "triggers"])
def test_they_are_fired_by_hand_and_heard_by_both_spellings(harness: Harness, first: str) -> None:
    class Everything(BasePlugin):
        names: list[str] = []  # noqa: RUF012 - of this test

        def start(self, *args: Any, **kwargs: Any) -> None: ...

        def stop(self, *args: Any, **kwargs: Any) -> None: ...

        def trigger(self, name: str, *args: Any, **kwargs: Any) -> None:
            self.names.append(name)

    one, two, every = Listener("one"), Listener("two"), Everything("every")
    app = harness.app
    if first == "triggers":
        app.add_triggers(ACME)
    app.add_plugin(one)
    app.add_plugin(two)
    app.add_plugin(every)
    if first == "plugins":
        app.add_triggers(ACME)
    app.add_triggers(ACME)  # once more is not too often

    def fire(name: str, **arguments: Any) -> Any:
        return harness.do(app.emit(name, **arguments))

    assert fire("acme_paid", order_id=7, total=1.5) is None
    assert (one.heard, two.heard, every.names) == ([7], [7], ["acme_paid"])
    assert fire("acme_price", price=3, currency="EUR") == {"price": 12, "currency": "EUR"}
    assert fire("acme_route", order_id=8) == "one 8"
    assert fire("acme_reroute", order_id=8) == "two 8"
    with pytest.raises(TypeError, match="'acme_paid' takes order_id, total; it was given order_id"):
        fire("acme_paid", order_id=7)
    with pytest.raises(RegistrationError, match="did you mean 'acme_paid'"):
        fire("acme_payd", order_id=7)
    with pytest.raises(RegistrationError, match="'worker_start' is fired by QTasks alone"):
        fire("worker_start", worker=None)


def test_the_prefix_is_a_component(harness: Harness) -> None:
    harness.app.add_triggers(ACME)
    plugin = Listener()
    harness.app.add_plugin(plugin, component="acme")
    harness.do(harness.app.emit("acme_paid", order_id=1, total=0))
    assert plugin.heard == [1]
    with pytest.raises(RegistrationError, match="did you mean 'acme'"):
        harness.app.add_plugin(Listener("x"), component="acmee")


def test_a_plugin_declares_and_fires_its_own_while_tasks_run(harness: Harness) -> None:
    class Shop(Plugin):
        @hookimpl
        def qtasks_add_triggers(self) -> Any:
            return [ACME]

        @on("worker_outcome")
        async def paid(self, task_broker: Any) -> None:
            await self.emit("acme_paid", order_id=len(task_broker.message.task), total=0)

        @on("acme_route")
        def own(self) -> None: ...

    listener = Listener()
    harness.app.add_plugin(listener)
    harness.app.add_plugin(Shop())
    harness.do(harness.app.task(name="pay")(lambda: 1).add_task())
    harness.work()
    assert listener.heard == [3]
    assert not harness.app.plugin_errors


def test_plugins_that_fail_in_them_are_named(harness: Harness) -> None:
    class Broken(Plugin):
        @on("acme_price")
        def price(self) -> Any:
            return {"prize": 1}

    harness.app.add_triggers(ACME)
    harness.app.add_plugin(Broken())
    values = {"price": 3, "currency": "EUR"}
    assert harness.do(harness.app.emit("acme_price", **values)) == values
    assert harness.app.plugin_errors == {("Broken", "acme_price"): 1}


async def test_a_plugin_of_no_app_or_of_two_cannot_fire() -> None:
    plugin = Listener()
    with pytest.raises(RegistrationError, match="was added to no app"):
        await plugin.emit("acme_paid", order_id=1, total=0)
    for _ in range(2):
        qtasks.QueueTasks(broker_url="memory://").add_plugin(plugin)
    with pytest.raises(RegistrationError, match="was added to 2 apps: give each an instance"):
        await plugin.emit("acme_paid", order_id=1, total=0)


def declared(name: str, kind: Kind = Kind.NOTIFY, **options: Any) -> ModuleType:
    def function(order_id: int) -> None:
        """Fires at times."""

    function.__name__ = name
    return module(trigger_spec(kind, since="1", **options)(function), name="shop")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (declared("paid"), "'paid' of shop has no prefix: call it after your package, such as"),
        (declared("qtasks_paid"), "begins with qtasks_, as those of QTasks"),
        (declared("task_paid"), "begins with task_, as those of QTasks"),
        (declared("acme_paid"), "is declared already, by another module"),
        (declared("shop_paid", Kind.AROUND), "is of the kind around, which is for the engine"),
        (declared("shop_paid", Kind.FILTER), "returns= names some of its arguments"),
        (declared("shop_paid", Kind.FILTER, returns=("x",)), "names some of its arguments"),
        (declared("shop_paid", Kind.FIRST), "returns= names exactly one value"),
        (ModuleType("empty"), "empty declares no triggers"),
        ("acme_shop.triggers", "triggers are declared in a module, not in 'acme_shop.triggers'"),
    ],
)
def test_what_cannot_be_added_is_refused(given: Any, message: str) -> None:
    app = qtasks.QueueTasks(broker_url="memory://")
    app.add_triggers(ACME)
    with pytest.raises(RegistrationError, match=message):
        app.add_triggers(given)


def test_a_method_that_does_not_fit_is_found_as_soon_as_the_trigger_is_there() -> None:
    class Misfit(Plugin):
        @on("acme_paid", optional=True)
        def paid(self, order: int) -> None: ...

    app = qtasks.QueueTasks(broker_url="memory://")
    app.add_plugin(Misfit())
    with pytest.raises(RegistrationError, match=r"Misfit.paid\(order\): acme_paid has no argument"):
        app.add_triggers(ACME)
    with pytest.raises(RegistrationError, match="is not declared"):
        app.emit("acme_paid", order_id=1, total=0)


#: What brings a trigger, as a module of hooks; another installed plugin listens to it.
BRINGS = """
import sys
from qtasks.plugins import Kind, hookimpl, trigger_spec

@trigger_spec(Kind.NOTIFY, since="1")
def zoo_fed(animal):
    '''Fires when an animal is fed.'''

@hookimpl
def qtasks_add_triggers():
    return sys.modules[__name__]
"""
HEARS = """
from qtasks.plugins import BasePlugin

class Plugin(BasePlugin):
    TRIGGERS = ("zoo_fed",)
    heard = []

    def start(self, *args, **kwargs): ...

    def stop(self, *args, **kwargs): ...

    def trigger(self, name, **kwargs):
        self.heard.append(kwargs)
"""


def test_installed_plugins_hear_each_other_whatever_their_names(site: Site) -> None:
    site.add("ant", HEARS)
    site.add("zoo", BRINGS, entry="")
    app = qtasks.QueueTasks(broker_url="memory://")
    found = {report.name: report for report in app.plugin_reports()}
    assert {name: report.state for name, report in found.items()} == dict.fromkeys(
        ("ant", "zoo"), "active"
    )
    assert found["ant"].triggers == ("zoo_fed",)
    app.emit("zoo_fed", animal="bear")
    plugin: Any = app.plugins["ant"]
    assert plugin.heard == [{"animal": "bear"}]


def test_an_installed_plugin_whose_triggers_cannot_be_added_is_refused(site: Site) -> None:
    site.add("ant", HEARS)
    site.add("zoo", BRINGS.replace("zoo_fed", "worker_fed"), entry="")
    app = qtasks.QueueTasks(broker_url="memory://")
    found = {report.name: report for report in app.plugin_reports()}
    assert {report.state for report in found.values()} == {"refused"}
    assert "begins with worker_, as those of QTasks" in found["zoo"].reason
    assert "unknown trigger 'zoo_fed'" in found["ant"].reason
