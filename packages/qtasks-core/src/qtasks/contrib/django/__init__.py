"""QTasks in a Django project: finds tasks in its apps, and looks after its connections.

Django itself is imported when something here is called, so this module can be imported without it.
"""

from qtasks.contrib.django.connections import DjangoConnections
from qtasks.contrib.django.discovery import autodiscover_tasks

__all__ = ["DjangoConnections", "autodiscover_tasks"]


def __dir__() -> list[str]:
    return __all__
