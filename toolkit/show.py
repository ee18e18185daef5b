"""Answers on a terminal: the answer first, then what it rests on, and what to beware of."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from toolkit.answers import Answer
from toolkit.interval import COVERAGE
from toolkit.progress import err


def show_answer(answer: Answer, out: Console) -> None:
    """Print an answer: the answer itself to ``out``, all else to stderr."""
    said = answer.said or (answer.text if not answer.task else f"the answer cannot be read: {answer.text!r}")
    if out.is_terminal:
        style = "bold green" if answer.said else "bold yellow"
        shown = Group(Text(said, style=style), *([Text(_range(answer), style="dim")] if answer.interval else []))
        out.print(Panel(shown, expand=False, padding=(1, 4)))
    else:
        out.print(said, soft_wrap=True, markup=False, highlight=False)
    err.print(_basis(answer, with_range=not out.is_terminal))
    for warning in answer.warnings:
        err.print(Text.assemble(("warning: ", "bold yellow"), warning))


def many_as_json(answers: Sequence[Answer]) -> dict[str, Any]:
    """The same asked about many points: what all share once, then the points."""
    shared = ("schema", "task", "unit", "camera", "coverage", "model", "warnings")
    whole = [answer.as_json() for answer in answers]
    own = ("value", "said", "interval", "probability", "text", "prompt")
    return {
        **{name: whole[0][name] for name in shared},
        "answers": [
            {"pixel": list(_pixel(answer)), **{name: row[name] for name in own}}
            for answer, row in zip(answers, whole, strict=True)
        ],
    }


def as_csv(answers: Sequence[Answer]) -> str:
    """The same asked about many points, a line each; empty where the answer cannot be read."""
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(["u", "v", "value", "low", "high", "unit"])
    for answer in answers:
        u, v = _pixel(answer)
        numbers = (answer.value, *(answer.interval or ("", "")))
        written = (f"{number:.4g}" if isinstance(number, float) else number for number in numbers)
        table.writerow([f"{u:g}", f"{v:g}", *written, answer.unit])
    return lines.getvalue()


def _pixel(answer: Answer) -> tuple[float, float]:
    """The one point that an answer is about."""
    (place,) = answer.points.values()
    return place.pixel


def _range(answer: Answer) -> str:
    """The interval in words."""
    low, high = answer.interval or (0.0, 0.0)
    return f"{low:.2f} to {high:.2f} {answer.unit or 'm'} with {COVERAGE:.0%} by the model's own account"


def _basis(answer: Answer, with_range: bool) -> Table:
    """What an answer rests on."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    if answer.interval and with_range:
        table.add_row("  between", _range(answer))
    if answer.check is not None:
        table.add_row("  check", _checked(answer))
    table.add_row("  asked", Text(f"{answer.task or 'in your words'}: {answer.prompt}"))
    for name, place in answer.points.items():
        table.add_row("  point", f"{name} at ({place.pixel[0]:g}, {place.pixel[1]:g}), from {place.source}")
    for known in answer.cameras:
        values = ", ".join(f"{value:.6g}" for value in known.camera.intrinsics)
        table.add_row("  camera", Text(f"{values} (fx, fy, cx, cy, width, height), from {known.source}"))
    table.add_row("  model", Text(answer.model))
    return table


def _checked(answer: Answer) -> Text:
    check = answer.check
    if check is None or check.implied is None:
        return Text("the answers about depth cannot be read, so this one cannot be checked")
    depths = ", ".join(f"{name} {depth:.2f} m" for name, depth in check.depths.items() if depth is not None)
    verdict, style = {True: ("agrees", "green"), False: ("disagrees", "bold red"), None: ("cannot be told", "")}[
        check.agrees
    ]
    return Text.assemble((verdict, style), f": {check.by} says {depths}, which makes {check.said}")
