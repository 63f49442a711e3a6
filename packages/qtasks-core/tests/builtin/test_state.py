"""State of both colours: what it keeps, for whom, for how long, and what is refused."""

from __future__ import annotations

import datetime as dt
import enum
import re
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qtasks.exc import EncodeError, PayloadTooLargeError, RegistrationError
from qtasks.plugins import AsyncState, State, StateKey, SyncState

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Harness

in_memory = pytest.mark.parametrize("url", ["memory"], indirect=True)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.uuids(),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(timezones=st.sampled_from([None, dt.UTC])),
    st.timedeltas(),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner, inner),
        st.dictionaries(st.text(), inner, max_size=3),
    ),
    max_leaves=6,
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: int = 0


class Struct(msgspec.Struct):
    name: str


class Base(State):
    seen: ClassVar[int] = 0
    _private: int = 0
    colour: Colour = Colour.RED


class Typed(Base):
    point: Point
    struct: Struct
    names: set[str]
    count: int | None = 7


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(kept=st.dictionaries(st.text(), values, max_size=4))
@pytest.mark.parametrize("url", ["memory", "sqlite", "redis"], indirect=True)
def test_what_is_set_comes_back_with_its_types_and_in_order(
    harness: Harness, kept: dict[str, Any]
) -> None:
    class MyState(SyncState):
        pass

    found: list[Any] = []

    def keep(state: MyState) -> None:
        state.clear()
        assert state.update(kept) == kept
        for key, value in kept.items():
            assert state.get(key, "nothing") == value
        found[:] = [state.get_all()]

    name = f"keep-{uuid.uuid4().hex}"
    MyState.declared.bucket = name
    harness.do(harness.app.task(name=name)(keep).add_task())
    harness.work()

    assert found == [kept]
    assert list(found[0]) == list(kept)
    assert [type(value) for value in found[0].values()] == [type(v) for v in kept.values()]


def test_fields_come_back_as_they_are_declared(harness: Harness, run: Any) -> None:
    looked: list[Any] = []

    @harness.app.task
    async def keep(state: Typed) -> None:
        assert await state.get("colour") is Colour.RED
        assert await state.get("count") == 7
        assert await state.get("point") is None
        await state.update(colour=Colour.BLUE, point=Point(1, 2), count=None)
        await state.update({"struct": Struct("a"), "names": {"b"}})
        looked.append(await state.get_all())
        looked.append(await state.get("point"))

    @harness.app.task
    def look(state: Typed) -> Any:
        looked.append(state.get())
        return state.get("count", "default")

    assert run(keep).status == "success"
    assert run(look).returning is None
    whole = {
        "colour": Colour.BLUE,
        "point": Point(1, 2),
        "count": None,
        "struct": Struct("a"),
        "names": {"b"},
    }
    assert looked == [whole, Point(1, 2), whole]
    assert list(looked[2]) == list(whole)


@in_memory
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": "7"}, "Typed.count is declared as int | None, not str: Expected `int | null`"),
        ({"colour": "green"}, "Typed.colour is declared as Colour, not str: Invalid enum value"),
        ({"point": 5}, "Typed.point is declared as Point, not int"),
        ({"cuont": 5}, "Typed declares no field 'cuont', did you mean 'count'?"),
        ({"other": 5}, "Typed declares no field 'other'; it has colour, point, struct, names"),
        ({"count": 1, "struct": None}, "Typed.struct is declared as Struct, not NoneType"),
        ({5: 5}, "Typed: the key 5 is no text"),
    ],
)
def test_what_does_not_fit_changes_nothing(
    harness: Harness, changes: dict[Any, Any], message: str
) -> None:
    @harness.app.task
    async def keep(state: Typed) -> Any:
        with pytest.raises(TypeError, match=re.escape(message)):
            await state.update(changes)
        return await state.get_all()

    handle = harness.do(keep.add_task())
    harness.work()
    assert harness.do(handle.result(timeout=10)) == {}


@in_memory
def test_values_that_cannot_be_kept_are_named(harness: Harness, run: Any) -> None:
    class MyState(SyncState):
        pass

    @harness.app.task
    def keep(state: MyState) -> None:
        with pytest.raises(EncodeError, match=r"^MyState\.a cannot be encoded"):
            state.set("a", object())
        with pytest.raises(PayloadTooLargeError, match=r"^MyState\.a takes .* over the limit"):
            state.set("a", b"x" * (harness.app.config.max_payload + 1))

    assert run(keep).error is None


def test_a_state_is_forgotten_after_its_time(
    colour: str, url: str, tmp_path: Any, harness: Harness
) -> None:
    del colour, url, tmp_path

    class MyState(AsyncState, ttl=dt.timedelta(hours=1)):
        pass

    assert MyState.declared.ttl == 3600.0

    class Brief(AsyncState, ttl=0.05):
        pass

    @harness.app.task
    async def keep(state: Brief, lasting: MyState) -> list[Any]:
        from asyncio import sleep

        await state.set("a", 1)
        await lasting.set("a", 1)
        while await state.get("a") is not None:
            await sleep(0.02)
        return [await state.get_all(), await lasting.get_all()]

    handle = harness.do(keep.add_task())
    harness.work()
    assert harness.do(handle.result(timeout=30)) == [{}, {"a": 1}]


KEYS = [
    *("a", "a:b", "a%3Ab", "ключ", "", " "),
    *(7, -7, uuid.UUID(int=7), dt.date(2026, 1, 2), Colour.RED),
]


@in_memory
def test_every_key_is_a_state_of_its_own(harness: Harness) -> None:
    class MyState(State):
        pass

    @harness.app.task(validate=False)
    def keep(key: Any, state: Annotated[MyState, StateKey("key")], other: Any = 0) -> Any:
        before = state.get_all()
        state.set("other", other)
        return before

    for number, key in enumerate(KEYS):
        handle = harness.do(keep.add_task(key, other=number))
        harness.work()
        assert harness.do(handle.result(timeout=10)) == {}
    for number, key in enumerate(KEYS):
        handle = harness.do(keep.add_task(key=key))
        harness.work()
        assert harness.do(handle.result(timeout=10)) == {"other": number}


@in_memory
@pytest.mark.parametrize("key", [None, True, 1.5, b"a", ["a"], Decimal(1)])
def test_what_cannot_be_a_key_fails_the_task(harness: Harness, key: Any) -> None:
    class MyState(State):
        pass

    @harness.app.task
    def keep(key: Any, state: Annotated[MyState, StateKey("key")]) -> None: ...

    handle = harness.do(keep.add_task(key))
    harness.work()
    error = harness.do(handle.wait(timeout=10)).error
    assert error.type == "qtasks.exc.TaskArgumentsError"
    assert error.message.startswith(f"keep: key={key!r} says which state is used")


@in_memory
def test_two_keys_and_a_default(harness: Harness, run: Any) -> None:
    class MyState(State):
        pass

    @harness.app.task
    def keep(
        state: Annotated[MyState | None, StateKey("a", "b")], a: str, b: str = "z"
    ) -> dict[str, str]:
        found: dict[str, str] = state.update({a + b: "x"})
        return found

    assert run(keep, "x", "yz").returning == {"xyz": "x"}
    assert run(keep, "xy").returning == {"xyz": "x"}
    assert run(keep, "xy", "q").returning == {"xyq": "x"}
    assert run(keep, "xy").returning == {"xyz": "x"}


class Awaited(AsyncState):
    pass


class Blocking(SyncState):
    pass


class Follows(State):
    pass


class Hides(State):
    clear: bool


class HidesMore(State):
    update: int = 0  # type: ignore[assignment]  # this is the mistake


async def awaits_blocking(state: Blocking) -> None: ...
def blocks_awaited(state: Awaited) -> None: ...
def keyed(state: Annotated[Follows, StateKey("user")], user_id: int) -> None: ...
def unkeyed(state: Annotated[Follows, StateKey], user_id: int) -> None: ...
def keyed_number(state: Annotated[int, StateKey("user_id")], user_id: int) -> None: ...
def many(*state: Follows) -> None: ...
def hiding(state: Hides) -> None: ...
def hiding_more(state: HidesMore) -> None: ...
def plain(state: Follows) -> None: ...


REFUSED: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (awaits_blocking, {}, "parameter 'state': Blocking blocks, and the task awaits"),
    (blocks_awaited, {}, "parameter 'state': Awaited has to be awaited"),
    (keyed, {}, "StateKey('user') names no parameter that calls give; they give user_id"),
    (unkeyed, {}, "parameter 'state': StateKey without a parameter: write StateKey('user_id')"),
    (
        keyed_number,
        {},
        "StateKey('user_id') stands beside <class 'int'>, which is no class of state: derive it",
    ),
    (hiding, {}, "Hides.clear hides what every state has: give the field another name"),
    (hiding_more, {}, "HidesMore.update hides what every state has"),
    (many, {}, "takes many values, and a state is one"),
    (plain, {"pool": "loop"}, "Follows blocks, and pool='loop' runs on the loop"),
    (plain, {"pool": "process"}, "Follows cannot cross to another process: use pool='thread'"),
]


@in_memory
@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[2])
def test_what_does_not_go_together_is_refused(harness: Harness, row: Any) -> None:
    function, options, message = row
    with pytest.raises(RegistrationError, match=re.escape(message)):
        harness.app.task(**options)(function)


@in_memory
def test_two_classes_of_one_name_are_refused_unless_they_say_so(harness: Harness) -> None:
    def make(**options: Any) -> Any:
        class Same(State, **options):
            pass

        return Same

    one, two, named, other = make(), make(), make(bucket="b"), make(bucket="b")

    def declare(name: str, kind: Any) -> None:
        def task(state: Any) -> None: ...

        task.__annotations__["state"] = kind
        harness.app.task(name)(task)

    declare("first", one)
    declare("again", one)
    with pytest.raises(RegistrationError, match="would be one state, because both"):
        declare("second", two)
    declare("third", named)
    declare("fourth", other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ttl": 0}, "ttl=0): use seconds above 0"),
        ({"ttl": "soon"}, "ttl='soon'): use seconds above 0"),
        ({"ttl": True}, "ttl=True): use seconds above 0"),
        ({"bucket": ""}, "bucket=''): use text without blanks and colons"),
        ({"bucket": "a:b"}, "bucket='a:b'): use text without blanks and colons"),
    ],
)
def test_what_a_class_cannot_say(options: dict[str, Any], message: str) -> None:
    with pytest.raises(RegistrationError, match=re.escape(message)):
        type("Mine", (State,), {}, **options)


@pytest.mark.parametrize(("names", "shown"), [((), ""), ((["a"],), "['a']"), ((3,), "3")])
def test_a_key_that_names_nothing_is_refused(names: Any, shown: str) -> None:
    with pytest.raises(RegistrationError, match=re.escape(f"StateKey({shown}): give the names")):
        StateKey(*names)


@in_memory
def test_an_annotation_may_be_quoted_though_all_are_text(harness: Harness, run: Any) -> None:
    def keep(state: "Follows") -> str:  # noqa: UP037 - it is what is tested
        state.set("a", "b")
        return str(state.get("a"))

    assert run(harness.app.task(keep)).returning == "b"


class Basket(State, ttl=60):
    items: list[int] = []  # noqa: RUF012 - what this is about
    owner: str


class Larger(Basket):
    size: int = 1


class Later(State, bucket="Larger"):
    items: int
    owner: str
    size: int = 0


def test_a_derived_class_has_the_fields_and_the_time_of_its_base() -> None:
    assert list(Larger.declared.fields) == ["items", "owner", "size"]
    assert (Larger.declared.ttl, Larger.declared.bucket) == (60, "Larger")


@in_memory
def test_the_default_of_a_field_is_each_callers_own(harness: Harness, run: Any) -> None:
    @harness.app.task
    def add(state: Basket) -> list[int]:
        items: list[int] = state.get("items")
        items.append(1)
        return items

    assert [run(add).returning for _ in range(2)] == [[1], [1]]


@in_memory
@pytest.mark.parametrize(
    ("key", "message"),
    [
        (5, "Basket: the key 5 is no text"),
        ("\ud800", "Basket: the key '\\ud800' is no text"),
        ("item", "Basket declares no field 'item', did you mean 'items'?"),
    ],
)
def test_a_key_that_cannot_be_is_no_missing_value(
    harness: Harness, run: Any, key: Any, message: str
) -> None:
    @harness.app.task
    def look(state: Basket) -> str:
        return str(state.get(key, "none"))

    assert run(look).error.message == message


@in_memory
def test_what_a_class_knows_no_more_does_not_hinder_what_it_knows(
    harness: Harness, run: Any
) -> None:
    def before(state: Larger) -> None:
        state.update(items=[1], size=2, owner="Ann")

    def after(state: Later) -> list[Any]:
        state.set("size", state.get("size") + 1)
        state.delete("items")
        return [state.get("size"), state.get_all()]

    run(harness.app.task(before))
    # The program was changed, and started anew.
    harness.app.plugins["state"]._classes.clear()

    assert run(harness.app.task(after)).returning == [3, {"size": 3, "owner": "Ann"}]


@in_memory
def test_a_blocking_state_refuses_to_block_the_loop(harness: Harness, run: Any) -> None:
    kept: list[Any] = []

    @harness.app.task
    def give(state: Blocking) -> None:
        kept.append(state)

    @harness.app.task
    async def take() -> None:
        with pytest.raises(RuntimeError, match="use AsyncState there"):
            kept[0].get("a")

    run(give)
    assert run(take).error is None
