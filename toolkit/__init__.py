"""A toolkit that fine-tunes one vision-language model to answer metric 3D questions about pictures.

What a file with a task of your own needs is here: ``from toolkit import Query, Task, metrics, task``.
To ask from Python: ``toolkit.load("runs/mine").ask("photo.jpg", "how far is it", points={"red": (320, 240)})``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit import answer, metrics
    from toolkit.abstract_task import Task
    from toolkit.ask import load
    from toolkit.camera import Camera
    from toolkit.query import Query
    from toolkit.registry import task

__all__ = ["Camera", "Query", "Task", "answer", "load", "metrics", "task"]

_HOMES = {
    "Camera": "toolkit.camera",
    "Query": "toolkit.query",
    "Task": "toolkit.abstract_task",
    "load": "toolkit.ask",
    "task": "toolkit.registry",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``toolkit --help`` answers at once."""
    if name not in __all__:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    if name not in _HOMES:
        return import_module(f"toolkit.{name}")
    return getattr(import_module(_HOMES[name]), name)
