"""Tasks that are declared before their app is known: in routers, and for every app."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qtasks._runtime.current import current_app, current_delivery
from qtasks.app.declare import declare
from qtasks.exc import DuplicateTaskError, RegistrationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qtasks.app.base import BaseQueueTasks
    from qtasks.schemas import TaskDefinition

__all__ = ["SHARED", "Adoption", "Declaration", "Group", "two_named_alike"]


class _Anything(dict[str, Any]):
    """Knows every keyword: whether plugins declare it is asked by the apps."""

    def __contains__(self, key: object) -> bool:
        return True

    def __getitem__(self, key: str) -> Callable[[Any], object]:
        return lambda _: None


class Declaration:
    """A function that is to be a task.

    Args:
        function: the function.
        name: its name as a task; None takes the function's.
        options: the decorator's keywords.

    Attributes:
        definition: what is known of it without an app.
        options: the keywords.
    """

    def __init__(self, function: Any, name: str | None, options: Mapping[str, Any]) -> None:
        self.definition = declare(function, name, options, _Anything)
        self.options = dict(options)
        self._homes: weakref.WeakKeyDictionary[BaseQueueTasks, list[str]] = (
            weakref.WeakKeyDictionary()
        )

    def settle_in(self, app: BaseQueueTasks, name: str) -> None:
        """Notes that an app has it, under a name."""
        self._homes.setdefault(app, []).append(name)

    def within(self, app: BaseQueueTasks | None = None) -> TaskDefinition:
        """Returns the task as an app knows it, or as it is known without one.

        Args:
            app: the app; None for the one that calls go to.

        Raises:
            RegistrationError: no app was given, and it is not clear which one is meant; or the app
                has it under several names.
        """
        home = (self.home() if app is None else app)._origin  # noqa: SLF001 - one concept in two modules
        names = self._homes.get(home, [self.definition.name])
        name = names[0] if len(names) == 1 else self._meant(home, names)
        return home.tasks.get(name, self.definition)

    def _meant(self, home: BaseQueueTasks, names: list[str]) -> str:
        """Returns the one of several names that has the prefix of the task that calls."""
        running = current_delivery.get()
        if running is not None and current_app.get() is home:
            caller = running.message.task
            near = [one for one in names if caller.startswith(self._prefix(one))]
            if near:
                return max(near, key=len)
        name = self.definition.name
        msg = (
            f"task {name!r} ({self.definition.where}) is in app {home.name!r} under {len(names)}"
            f" names, {', '.join(names)}: say which one by app.add_task({names[0]!r}, ...)"
        )
        raise RegistrationError(msg)

    def _prefix(self, name: str) -> str:
        return name.removesuffix(self.definition.name)

    def home(self) -> BaseQueueTasks:
        """Returns the app that calls go to: the one that runs the calling task, or the only one.

        Raises:
            RegistrationError: no app has it, or several have.
        """
        here: Any = current_app.get()
        if here is not None and here in self._homes:
            return here  # type: ignore[no-any-return]  # only apps are in there
        homes = list(self._homes)
        if len(homes) > 1:
            del homes
            gc.collect()  # some may only wait to be collected
            homes = list(self._homes)
        if len(homes) == 1:
            return homes[0]
        name = self.definition.name
        if not homes:
            msg = (
                f"task {name!r} ({self.definition.where}) belongs to no app yet: make the app, and"
                " include the router of the task, before you add it"
            )
            raise RegistrationError(msg)
        names = ", ".join(sorted(repr(app.name) for app in homes))
        msg = (
            f"task {name!r} ({self.definition.where}) belongs to {len(homes)} apps, {names}: say"
            f" which one by app.add_task({name!r}, ...)"
        )
        raise RegistrationError(msg)


class Adoption:
    """How the tasks of a group are taken: with which names and options.

    Args:
        prefix: stands before their names.
        queue: the queue of those that name none.
        tags: are added to theirs.
    """

    def __init__(self, prefix: Any = "", queue: str | None = None, tags: Any = ()) -> None:
        if not isinstance(prefix, str):
            msg = f"prefix={prefix!r}; use a text such as 'mail.'"
            raise RegistrationError(msg)
        if isinstance(tags, str) or not isinstance(tags, Iterable):
            msg = f"tags={tags!r}; use a list of texts"
            raise RegistrationError(msg)
        self.prefix = prefix
        self.queue = queue
        self.tags = tuple(tags)

    def options(self, declared: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the options of a task that is taken."""
        options = dict(declared)
        if self.queue is not None:
            options.setdefault("queue", self.queue)
        if self.tags:
            options["tags"] = (*options.get("tags", ()), *self.tags)
        return options

    def within(self, outer: Adoption) -> Adoption:
        """Returns how tasks are taken through two groups."""
        queue = outer.queue if self.queue is None else self.queue
        return Adoption(outer.prefix + self.prefix, queue, (*self.tags, *outer.tags))


#: A task, and how it is taken.
_Taken: TypeAlias = tuple[Declaration, Adoption]


class Group:
    """Tasks without an app, and who takes them: apps, and other groups on behalf of apps."""

    def __init__(self) -> None:
        self._declared: list[Declaration] = []
        self._inner: list[tuple[Group, Adoption]] = []
        self._outer: list[tuple[Group, Adoption]] = []
        self._apps: weakref.WeakKeyDictionary[BaseQueueTasks, list[Adoption]] = (
            weakref.WeakKeyDictionary()
        )

    @property
    def definitions(self) -> dict[str, TaskDefinition]:
        """The tasks by name, as they are known without an app."""
        return {one.definition.name: one.definition for one in self._declared}

    def add(self, declaration: Declaration) -> None:
        """Adds a task, also to the apps that have taken the group.

        Raises:
            DuplicateTaskError: a name is taken, in the group or in one of the apps.
            RegistrationError: it does not fit one of the apps.
        """
        definition = declaration.definition
        existing = self.definitions.get(definition.name)
        if existing is not None:
            raise DuplicateTaskError(two_named_alike(existing, definition))
        self._offer([(declaration, Adoption())])
        self._declared.append(declaration)

    def include(self, inner: Group, adoption: Adoption) -> None:
        """Takes the tasks of another group, also those that are added to it later.

        Raises:
            RegistrationError: the other group includes this one, or a task does not fit; none is
                taken then.
        """
        if inner is self or self in inner.all_inner():
            msg = "a router cannot include itself, nor one that includes it"
            raise RegistrationError(msg)
        self._offer([(one, within.within(adoption)) for one, within in inner.everything()])
        self._inner.append((inner, adoption))
        inner._outer.append((self, adoption))

    def join(self, app: BaseQueueTasks, adoption: Adoption) -> None:
        """Gives all tasks to an app, all or none, and later ones as they come.

        Raises:
            RegistrationError: one of them does not fit.
        """
        app._adopt([(one, within.within(adoption)) for one, within in self.everything()])()  # noqa: SLF001 - one concept in two modules
        self._apps.setdefault(app, []).append(adoption)

    def everything(self) -> list[_Taken]:
        """Lists the tasks of this group and of those that it includes."""
        own = [(declaration, Adoption()) for declaration in self._declared]
        return own + [
            (declaration, within.within(adoption))
            for inner, adoption in self._inner
            for declaration, within in inner.everything()
        ]

    def all_inner(self) -> list[Group]:
        """Lists the groups that this one includes, and what those include."""
        return [one for inner, _ in self._inner for one in (inner, *inner.all_inner())]

    def _offer(self, declared: list[_Taken]) -> None:
        """Gives tasks to the apps that have this group: to all of them or to none."""
        for take in [app._adopt(taken) for app, taken in self._takers(declared).items()]:  # noqa: SLF001 - as above
            take()

    def _takers(self, declared: list[_Taken]) -> dict[BaseQueueTasks, list[_Taken]]:
        """Lists what each app takes, by every way that leads to it."""
        takers = {
            app: [(one, within.within(mine)) for mine in adoptions for one, within in declared]
            for app, adoptions in list(self._apps.items())
        }
        for outer, adoption in self._outer:
            through = [(one, within.within(adoption)) for one, within in declared]
            for app, taken in outer._takers(through).items():  # noqa: SLF001 - it is one of us
                takers.setdefault(app, []).extend(taken)
        return takers


def two_named_alike(one: TaskDefinition, other: TaskDefinition) -> str:
    """Says what is wrong with two tasks of the same name."""
    if one.func is other.func:
        told = f"{one.where} is taken twice; include its router once, or with another prefix="
    elif one.where == other.where:
        told = f"{one.where} is declared twice; load its module once, or give another name="
    else:
        told = f"{one.where} and {other.where}; give one of them another name="
    return f"two tasks are named {one.name!r}: {told}"


#: The tasks of ``shared_task``, which every app has.
SHARED: Final = Group()
