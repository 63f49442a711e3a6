"""Executors of users' documents work, and those that would not are refused with the reason."""

from __future__ import annotations

import threading
from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import pytest

from qtasks.exc import RegistrationError
from qtasks.executors import AsyncTaskExecutor, BaseTaskExecutor, SyncTaskExecutor

if TYPE_CHECKING:
    from conftest import Harness


class MySyncTaskExecutor(SyncTaskExecutor):
    """As it was written for QTasks 1.7."""

    def __init__(
        self, task_func: Any, task_broker: Any, log: Any = None, plugins: Any = None
    ) -> None:
        super().__init__(task_func, task_broker, log, plugins)
        self.unit = "items"

    def before_execute(self) -> None:
        self.args = (*self.args, self.unit)

    def after_execute(self) -> None:
        self.result = f"{self.task_func.name}: {self.result}"


class MyAsyncTaskExecutor(AsyncTaskExecutor):
    """As it was written for QTasks 1.6, which had no plugins there."""

    def __init__(self, task_func: Any, task_broker: Any, log: Any = None) -> None:
        super().__init__(task_func=task_func, task_broker=task_broker, log=log)

    async def before_execute(self) -> None:
        self.args = (*self.args, "items")

    async def after_execute(self) -> None:
        self.result = f"{self.task_func.name}: {self.result}"


def test_s27_executors_written_for_the_predecessor_work(harness: Harness) -> None:
    @harness.app.task(executor=MySyncTaskExecutor)
    def plain(number: int, unit: str = "") -> str:
        return f"{number} {unit}"

    @harness.app.task(executor=MyAsyncTaskExecutor)
    async def coroutine(number: int, unit: str = "") -> str:
        return f"{number} {unit}"

    handles = [harness.do(task.add_task(5)) for task in (plain, coroutine)]
    harness.work()

    results = [harness.do(handle.result(30)) for handle in handles]
    assert results == ["plain: 5 items", "coroutine: 5 items"]


class InMemory:
    """What does not depend on the broker."""

    @pytest.fixture
    def url(self) -> str:
        return "memory://"


class TestSteps(InMemory):
    def test_all_steps_of_a_run_share_a_thread(self, harness: Harness) -> None:
        local = threading.local()

        class Connected(SyncTaskExecutor):
            def before_execute(self) -> None:
                local.connection = "open"

            def after_execute(self) -> None:
                local.connection += ", used"

            def decode(self) -> Any:
                return (self.result, local.connection)

        @harness.app.task(executor=Connected)
        def use() -> str:
            return f"function saw {local.connection}"

        handle = harness.do(use.add_task())
        harness.work()
        assert harness.do(handle.result(30)) == ("function saw open", "open, used")

    @pytest.mark.parametrize("kind", ["coroutine", "thread", "loop", "process"])
    @pytest.mark.parametrize("decode", ["plain", "awaited"])
    def test_decode_of_either_colour_gives_the_value_that_is_stored(
        self, harness: Harness, kind: str, decode: str
    ) -> None:
        async def awaited(result: Any) -> tuple[str, Any]:
            return decode, result

        def plain(result: Any) -> tuple[str, Any]:
            return decode, result

        async def upper(text: str) -> str:
            return text.upper()

        options: dict[str, Any] = {"decode": awaited if decode == "awaited" else plain}
        if kind != "coroutine":
            options["pool"] = kind
        # A function that the child of a pool can find.
        function = upper if kind == "coroutine" else str.upper
        if kind == "process":
            import textwrap

            function = textwrap.dedent
        task = harness.app.task(name="task", **options)(function)

        handle = harness.do(task.add_task("A"))
        harness.work()

        assert harness.do(handle.result(60)) == (decode, "A")

    @pytest.mark.parametrize("pool", ["thread", "loop"])
    def test_an_error_in_decode_fails_the_attempt(self, harness: Harness, pool: str) -> None:
        @harness.app.task(decode=int, pool=pool)
        def word() -> str:
            return "five"

        @harness.app.task(decode=lambda _: object())
        async def odd() -> None:
            """Returns nothing."""

        handles = [harness.do(task.add_task()) for task in (word, odd)]
        harness.work()

        errors = [harness.do(handle.wait(30)).error for handle in handles]
        assert [error.type for error in errors] == ["builtins.ValueError", "qtasks.exc.EncodeError"]
        assert errors[0].message == "invalid literal for int() with base 10: 'five'"

    def test_a_step_may_use_what_an_async_decode_gave(self, harness: Harness) -> None:
        class Wrapping(AsyncTaskExecutor):
            async def decode(self) -> Any:
                return [await super().decode()]

        async def double(result: int) -> int:
            return 2 * result

        @harness.app.task(executor=Wrapping, decode=double)
        async def number() -> int:
            return 4

        handle = harness.do(number.add_task())
        harness.work()
        assert harness.do(handle.result(30)) == [8]


class Colourless(BaseTaskExecutor):
    """Of neither colour."""


class Abstract(SyncTaskExecutor):
    @abstractmethod
    def connect(self) -> None:
        """Is missing."""


class WithExecute(SyncTaskExecutor):
    def execute(self) -> Any:
        """Would never be called."""


class WithTemplate(SyncTaskExecutor):
    def _build_args_info(self) -> Any:
        """Would never be called."""


class NeedsMore(SyncTaskExecutor):
    def __init__(self, task_func: Any, task_broker: Any, connection: Any) -> None:
        super().__init__(task_func, task_broker)
        self.connection = connection


class ArgumentsInDecode(SyncTaskExecutor):
    def decode(self, result: Any) -> Any:  # type: ignore[override]
        return result


class Awaiting(SyncTaskExecutor):
    async def before_execute(self) -> None:  # type: ignore[override]
        """Is of the wrong colour."""


class NoMethod(SyncTaskExecutor):
    after_execute = 5  # type: ignore[assignment]


class OwnDecode(SyncTaskExecutor):
    def decode(self) -> Any:
        return [super().decode()]


async def decode(result: Any) -> Any:
    return result


class TestRefused(InMemory):
    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"executor": Colourless}, "a function needs a subclass of qtasks.executors.Sync"),
            ({"executor": AsyncTaskExecutor}, "a function needs a subclass of"),
            ({"executor": SyncTaskExecutor(None, None)}, "an instance is no class"),  # type: ignore[arg-type]
            ({"executor": Abstract}, "Abstract is abstract, it lacks connect"),
            ({"executor": NeedsMore}, "missing a required argument: 'connection'"),
            ({"executor": WithExecute}, "WithExecute.execute would never be called"),
            ({"executor": WithTemplate}, "WithTemplate._build_args_info would never be called"),
            ({"executor": ArgumentsInDecode}, "read self.args, self.kwargs and self.result"),
            ({"executor": Awaiting}, "Awaiting.before_execute must be `def` in this executor"),
            ({"executor": NoMethod}, "NoMethod.after_execute must be a method"),
            ({"executor": OwnDecode, "decode": decode}, "cannot await the asynchronous decode="),
        ],
    )
    def test_an_executor_that_does_not_fit(
        self, harness: Harness, options: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(RegistrationError) as raised:
            harness.app.task(name="mine", **options)(print)
        assert str(raised.value).startswith("task 'mine': ")
        assert why in str(raised.value)
        assert not harness.app.tasks

    def test_what_is_no_step_is_refused_with_the_steps(self, harness: Harness) -> None:
        with pytest.raises(
            RegistrationError,
            match="to override are before_execute, run_task, run_task_gen, after_execute, decode",
        ):
            harness.app.task(name="mine", executor=WithExecute)(print)

    def test_a_coroutine_takes_no_executor_of_threads(self, harness: Harness) -> None:
        with pytest.raises(RegistrationError, match=r"a coroutine needs a subclass of .*Async"):
            harness.app.task(executor=SyncTaskExecutor)(decode)

    @pytest.mark.parametrize(
        ("options", "why"),
        [
            ({"max_time": True}, "max_time=True; use seconds above 0"),
            ({"max_time": float("nan")}, "max_time=nan"),
            ({"max_time": float("inf")}, "max_time=inf"),
            ({"priority": True}, "priority=True; use a whole number"),
            ({"decode": "json"}, "decode='json'; use a function that takes the result"),
            ({"tags": "mail"}, "tags='mail'; use a list of texts"),
            ({"tags": [1]}, "tags=[1]"),
            ({"description": 5}, "description=5; use text"),
            ({"decod": str}, "unknown option 'decod', did you mean 'decode'?"),
        ],
    )
    def test_an_option_that_does_not_fit(
        self, harness: Harness, options: dict[str, Any], why: str
    ) -> None:
        with pytest.raises(RegistrationError) as raised:
            harness.app.task(name="mine", **options)(print)
        assert why in str(raised.value)


class TestKept(InMemory):
    def test_words_and_extras_of_a_declaration(self, harness: Harness) -> None:
        def send(to: str) -> None:
            """Sends a letter.

            In detail.
            """

        kept = harness.app.task(tags=["mail", "slow"], team="billing", cost=3)(send).definition
        other = harness.app.task(name="other", description="Other words.")(send).definition

        assert (kept.tags, kept.description) == (("mail", "slow"), "Sends a letter.")
        assert kept.extra == {"team": "billing", "cost": 3}
        assert (other.tags, other.description, other.extra) == ((), "Other words.", {})
