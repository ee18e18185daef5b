"""Score an evaluation again from its ``samples.jsonl``; no model is needed."""

from pathlib import Path
from typing import Any

from toolkit.evaluation.reports.report import REPORT, Report, make_report, read_report, restore_central
from toolkit.evaluation.sample_record import SAMPLES_FILE, read_records, rescored
from toolkit.qa.tasks.registry import get_task, task_names

_KEPT = ("recipe", "contract", "versions", "sources", "placement", "notes")
"""What a report holds that does not follow from its samples."""


def rescore(folder: Path) -> Report:
    """Read and score all answers of an evaluation by the tasks as they are now, and write its report anew.

    Args:
        folder: The folder that ``toolkit eval`` wrote.

    Raises:
        UserError: If the folder holds no evaluation, or its samples cannot be read.
    """
    saved = read_report(folder, ("predictor", "central"))
    tasks = {name: get_task(name) for name in task_names()}
    records = rescored(read_records(folder / SAMPLES_FILE, tasks), tasks)
    central = restore_central(saved["central"], tasks, folder / REPORT)
    about: dict[str, Any] = {key: saved[key] for key in _KEPT if key in saved}
    report = make_report(saved["predictor"], records, tasks, central, about)
    report.save(folder)
    return report
