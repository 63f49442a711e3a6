"""``autodiscover_tasks``: what it imports, and what it says of what cannot be imported."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

import qtasks
from qtasks.contrib.django import autodiscover_tasks
from qtasks.exc import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Install = Callable[..., AbstractContextManager[None]]
    Write = Callable[..., None]

SHARED = "from qtasks import shared_task\n@shared_task(name={name!r})\ndef f(): ...\n"


def test_tasks_of_every_installed_app_exist_afterwards(installed: Install, write: Write) -> None:
    write("blog/tasks.py", SHARED.format(name="blog.publish"))
    write("shop/tasks.py", SHARED.format(name="shop.order"))
    write("plain/models.py")
    app = qtasks.QueueTasks(broker_url="memory://")

    with installed("shop", "plain", "blog"):
        found = autodiscover_tasks(app)

    assert found == ["shop.tasks", "blog.tasks"]
    assert {"blog.publish", "shop.order"} <= app.tasks.keys()


def test_an_app_given_by_its_config_is_found(installed: Install, write: Write) -> None:
    config = "from django.apps import AppConfig\nclass Config(AppConfig):\n    name = 'blog'\n"
    write("blog/apps.py", config)
    write("blog/tasks.py")

    with installed("blog.apps.Config"):
        assert autodiscover_tasks() == ["blog.tasks"]


def test_it_works_in_ready_of_an_app(installed: Install, write: Write) -> None:
    write(
        "blog/apps.py",
        """
        from django.apps import AppConfig
        from qtasks.contrib.django import autodiscover_tasks

        class Config(AppConfig):
            name = "blog"

            def ready(self):
                self.found = autodiscover_tasks()
        """,
    )
    write("blog/tasks.py")

    with installed("blog.apps.Config"):
        from django.apps import apps

        config: Any = apps.get_app_config("blog")
        assert config.found == ["blog.tasks"]


def test_a_second_call_does_no_harm(installed: Install, write: Write) -> None:
    write("blog/tasks.py", SHARED.format(name="blog.again"))

    with installed("blog"):
        assert autodiscover_tasks() == autodiscover_tasks() == ["blog.tasks"]


def test_several_names_are_looked_for_in_their_order(installed: Install, write: Write) -> None:
    write("blog/tasks.py")
    write("blog/jobs/mail.py")

    with installed("blog"):
        assert autodiscover_tasks(related_name="jobs.mail") == ["blog.jobs.mail"]
        found = autodiscover_tasks(related_name=["jobs.mail", "jobs.none", "none.mail", "tasks"])
        assert found == ["blog.jobs.mail", "blog.tasks"]


def test_an_app_that_is_a_single_module_has_no_tasks(write: Write) -> None:
    write("alone.py")

    assert autodiscover_tasks(packages=["alone"], related_name=["tasks", "a.b"]) == []


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("import does_not_exist", "ModuleNotFoundError: No module named 'does_not_exist'"),
        ("import blog.tasks.more", "ModuleNotFoundError: No module named 'blog.tasks.more'"),
        ("from blog import missing", "ImportError: cannot import name 'missing' from 'blog'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("x = (", "SyntaxError: '(' was never closed"),
    ],
)
def test_a_module_that_fails_is_no_missing_one(
    installed: Install, write: Write, text: str, cause: str
) -> None:
    write("blog/tasks.py", text)

    with installed("blog"), pytest.raises(ImportError) as caught:
        autodiscover_tasks()

    start = "module 'blog.tasks' of the Django app 'blog' (blog) cannot be imported: "
    assert str(caught.value).startswith(start + cause)
    assert caught.value.name == "blog.tasks"
    assert caught.value.__cause__ is not None


def test_a_package_on_the_way_that_fails_is_no_missing_one(write: Write) -> None:
    write("blog/jobs/mail.py")
    write("blog/jobs/__init__.py", "import does_not_exist")

    with pytest.raises(ImportError, match=r"'blog\.jobs\.mail' of package 'blog' .*does_not_exist"):
        autodiscover_tasks(packages=["blog"], related_name="jobs.mail")


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(ImportError, match="of package 'nowhere' cannot be imported: "):
        autodiscover_tasks(packages=["nowhere"])


def test_before_django_is_set_up_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.apps import apps

    monkeypatch.setattr(apps, "models_ready", False)

    with pytest.raises(ConfigError, match=r"call it in AppConfig\.ready\(\), or after django\.set"):
        autodiscover_tasks()


def test_without_django_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, write: Write
) -> None:
    write("blog/tasks.py")
    monkeypatch.setitem(sys.modules, "django.apps", None)

    with pytest.raises(ConfigError, match=r"needs Django: pip install django, or name packages="):
        autodiscover_tasks()
    assert autodiscover_tasks(packages=["blog"]) == ["blog.tasks"]


def test_the_module_itself_imports_no_django() -> None:
    code = "import sys, qtasks.contrib.django; assert 'django' not in sys.modules"

    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"app": ["tasks"]},
            r"autodiscover_tasks\(\['tasks'\]\): the first argument is the",
        ),
        ({"related_name": "my tasks"}, "'my tasks' is no name of a module"),
        ({"related_name": ".tasks"}, "'.tasks' is no name of a module"),
        ({"related_name": [1]}, "1 is no name of a module"),
        ({"packages": "blog"}, r"write packages=\['blog'\]"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        autodiscover_tasks(**arguments)
