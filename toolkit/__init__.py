"""A toolkit that fine-tunes one vision-language model to answer metric 3D questions about pictures.

What a file with a task of your own needs is here: ``from toolkit import Query, Task, metrics, task``.
To ask from Python: ``toolkit.load("runs/mine").ask("photo.jpg", "how far is it", points={"red": (320, 240)})``.
These names are the public API (``docs/api.md``); everything else may move between versions.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.geometry.camera import Camera
    from toolkit.inference.asker import load
    from toolkit.qa import metrics
    from toolkit.qa.parsing import answer
    from toolkit.qa.query import Query
    from toolkit.qa.tasks.registry import task
    from toolkit.qa.tasks.task import Task

__all__ = ["Camera", "Query", "Task", "answer", "load", "metrics", "task"]

_MODULES = {"answer": "toolkit.qa.parsing.answer", "metrics": "toolkit.qa.metrics"}
_HOMES = {
    "Camera": "toolkit.geometry.camera",
    "Query": "toolkit.qa.query",
    "Task": "toolkit.qa.tasks.task",
    "load": "toolkit.inference.asker",
    "task": "toolkit.qa.tasks.registry",
}
"""The module that defines each public name which is no module itself."""


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that ``toolkit --help`` answers at once."""
    if name in _MODULES:
        return _import_module(_MODULES[name])
    if name in _HOMES:
        return getattr(_import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'toolkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)
