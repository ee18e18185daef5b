"""What must be said with the answers of the model that comes with the toolkit: how often they are right."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.resources import TINY, model_folder

ORIGIN = "the tiny model that comes with the toolkit, trained on drawn rooms alone, answers"
"""What it is, in words."""

_REPORT = Path("evaluation", "report.json")
_REMEDY = "pictures of other scenes it knows less well. Better: toolkit train recipes/depth_plus_distance.yaml"


def is_shipped(folder: Path) -> bool:
    """Whether a folder is that of the model that comes with the toolkit."""
    return folder.resolve() == Path(model_folder(TINY)).resolve()


def caveats(folder: Path) -> dict[str, str]:
    """By task, what is to be known of that model's answers; "" holds for tasks that are not named."""
    report: Mapping[str, Any] = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    return {"": f"{ORIGIN}; {_REMEDY}", **{each["task"]: _caveat(each) for each in report["tasks"]}}


def _caveat(measured: Mapping[str, Any]) -> str:
    """One task's accuracy, beside the best constant answer's."""
    key = measured["headline"]
    own, floor = measured["metrics"][key], measured["constant"]["metrics"][key]
    said = f"on {measured['count']} questions about rooms that it had not seen, its {key} is {own:.2f}"
    return f"{ORIGIN}: {said} (best constant answer {floor:.2f}); {_REMEDY}"
