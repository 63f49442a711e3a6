"""What a look at an app returns."""

from qtasks.app.inspection import InspectStats

__all__ = ["InspectStats"]


def __dir__() -> list[str]:
    return __all__
