"""A real Django, set up once for the tests that need it."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.conf import settings
from django.test.utils import override_settings

from qtasks.app import groups

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


@pytest.fixture(scope="session", autouse=True)
def django_is_set_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Sets Django up with a database in a file, which every thread opens for itself."""
    database = tmp_path_factory.mktemp("django") / "db.sqlite3"
    settings.configure(
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}}
    )
    django.setup()


@pytest.fixture(autouse=True)
def no_shared_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the shared tasks of one test from the apps of others."""
    fresh = groups.Group()
    monkeypatch.setattr("qtasks.app.base.SHARED", fresh)
    monkeypatch.setattr("qtasks.app.shared.SHARED", fresh)


@pytest.fixture
def installed() -> Callable[..., AbstractContextManager[None]]:
    """Has Django believe that these are its apps."""

    def install(*apps: str) -> AbstractContextManager[None]:
        overridden: AbstractContextManager[None] = override_settings(INSTALLED_APPS=apps)
        return overridden

    return install


@pytest.fixture
def write(site: Any) -> Callable[..., None]:
    """Writes modules that can be imported while the test runs."""

    def write_module(path: str, text: str = "") -> None:
        file = Path(site.path) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        for package in file.relative_to(site.path).parents[:-1]:
            (site.path / package / "__init__.py").touch()
        file.write_text(textwrap.dedent(text), encoding="utf-8")

    return write_module
