"""Warnings that belong to every answer of the model that comes with the toolkit: how often its answers are right."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.utils.resources import MODELS, TINY

_REPORT = Path("evaluation", "report.json")
_WHO = "the answer is from tiny, the model that comes with the toolkit"
_ADVICE = "on photographs it is no better than a constant answer. Train your own: toolkit train --help"

_RIGHT_MEANS = {"delta1": "within a factor of 1.25"}
"""What counts as a right answer, by the name of the headline number, if the name does not say it."""


def is_shipped(folder: Path) -> bool:
    """Whether a folder is the one of the model that comes with the toolkit."""
    return folder.resolve() == (MODELS / TINY).resolve()


def caveats(folder: Path) -> dict[str, str]:
    """The warning for each task of that model, by the name of the task. The one under "" is for all other tasks."""
    report: Mapping[str, Any] = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    return {
        "": f"{_WHO}: it has seen synthetic rooms alone; {_ADVICE}",
        **{each["task"]: _caveat_to_text(each) for each in report["tasks"]},
    }


def _caveat_to_text(measured: Mapping[str, Any]) -> str:
    """The accuracy of one task, compared with that of the best constant answer, as text for people."""
    key, task = measured["headline"], measured["task"]
    own, floor = measured["metrics"][key], measured["constant"]["metrics"][key]
    right = f"right ({_RIGHT_MEANS[key]})" if key in _RIGHT_MEANS else "right"
    accuracy = (
        f"of {measured['count']} {task} questions about synthetic rooms it got {own:.0%} {right}, the best constant"
    )
    return f"{_WHO}: {accuracy} answer {floor:.0%}; {_ADVICE}"
