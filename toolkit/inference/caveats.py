"""What must be said with the answers of the model that comes with the toolkit: how often they are right."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.utils.resources import TINY, model_folder

_REPORT = Path("evaluation", "report.json")


_WHO = "tiny answers, the model that comes with the toolkit"


_ADVICE = "on photographs it is no better than a constant answer. Train your own: toolkit train --help"


_RIGHT = {"delta1": "within a factor of 1.25"}
"""What counts as right, by headline number, where it is not plain."""


def is_shipped(folder: Path) -> bool:
    """Whether a folder is that of the model that comes with the toolkit."""
    return folder.resolve() == Path(model_folder(TINY)).resolve()


def caveats(folder: Path) -> dict[str, str]:
    """By task, what is to be known of that model's answers; "" holds for tasks that are not named."""
    report: Mapping[str, Any] = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    return {
        "": f"{_WHO}: it has seen synthetic rooms alone; {_ADVICE}",
        **{each["task"]: _caveat(each) for each in report["tasks"]},
    }


def _caveat(measured: Mapping[str, Any]) -> str:
    """One task's accuracy, beside the best constant answer's."""
    key, task = measured["headline"], measured["task"]
    own, floor = measured["metrics"][key], measured["constant"]["metrics"][key]
    right = f"right ({_RIGHT[key]})" if key in _RIGHT else "right"
    said = f"of {measured['count']} {task} questions about synthetic rooms it got {own:.0%} {right}, the best constant"
    return f"{_WHO}: {said} answer {floor:.0%}; {_ADVICE}"
