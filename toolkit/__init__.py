"""A toolkit that fine-tunes one vision-language model to answer metric 3D questions about pictures.

What a file with a task of your own needs is here: ``from toolkit import Query, Task, metrics, task``.
To ask from Python: ``toolkit.load("runs/mine").ask("photo.jpg", "how far is it", points={"red": (320, 240)})``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.geometry.camera import Camera
    from toolkit.inference.asker import load
    from toolkit.qa import metrics
    from toolkit.qa.parsing import answer
    from toolkit.qa.query import Query
    from toolkit.qa.registry import task
    from toolkit.qa.task import Task

__all__ = ["Camera", "Query", "Task", "answer", "load", "metrics", "task"]


_HOMES = {
    "Camera": "toolkit.geometry.camera",
    "Query": "toolkit.qa.query",
    "Task": "toolkit.qa.task",
    "load": "toolkit.inference.asker",
    "task": "toolkit.qa.registry",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``toolkit --help`` answers at once."""
    if name not in __all__:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    if name not in _HOMES:
        return import_module({"metrics": "toolkit.qa.metrics", "answer": "toolkit.qa.parsing.answer"}[name])
    return getattr(import_module(_HOMES[name]), name)
