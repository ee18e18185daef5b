"""Scoring an evaluation again from its ``samples.jsonl``: no model is needed."""

import json
from pathlib import Path

from toolkit.errors import UserError
from toolkit.evaluation.report import REPORT, Report, make_report
from toolkit.evaluation.sample_record import read_records, rescored
from toolkit.qa.registry import get_task, task_names


def rescore(folder: Path) -> Report:
    """Read and score all answers of an evaluation by the tasks as they are now, and write its report anew.

    Args:
        folder: What ``toolkit eval`` wrote.

    Raises:
        UserError: If it is no evaluation, or its samples cannot be read.
    """
    try:
        saved = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        predictor, middles = saved["predictor"], saved["central"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder}: this is no evaluation", cause=str(error), remedy="name a folder that toolkit eval wrote"
        ) from None
    tasks = {name: get_task(name) for name in task_names()}
    records = rescored(read_records(folder / "samples.jsonl", tasks), tasks)
    central = {name: tasks[name].metric.restore(value) for name, value in middles.items() if name in tasks}
    about = {key: saved[key] for key in ("recipe", "versions", "notes") if key in saved}
    report = make_report(predictor, records, tasks, central, about)
    report.save(folder)
    return report
