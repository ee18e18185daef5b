"""Printing answers: first the answer, then what it is based on, and last the warnings."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.box import ROUNDED
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from toolkit.cli.options import say
from toolkit.foreign_text import one_line, visible
from toolkit.geometry.plausibility import CameraSource
from toolkit.inference.answer import Answer
from toolkit.inference.camera_source import KnownCamera
from toolkit.modeling.confidence.consistency import ConsistencyCheck
from toolkit.modeling.confidence.uncertainty import COVERAGE
from toolkit.utils.progress import err

LabelledLine = tuple[str, Text]
"""A label, such as "camera", and the text that belongs to it."""

_LABEL_WIDTH = 8  # characters of the longest label
_LONGEST_PROMPT = 5000  # characters; the longest question is shown whole
_SQUARE = 0.001  # pixels count as square if fx and fy differ by a smaller share than this


def print_answer(answer: Answer, out: Console) -> None:
    """Print an answer: the answer itself to ``out``, and everything else to stderr."""
    if out.is_terminal:
        _print_on_terminal(answer, out)
    else:
        text = answer.said or (f"{_unread(answer)}: {answer.text!r}" if answer.task else answer.text)
        out.print(text, soft_wrap=True, highlight=False)
    print_lines(_basis(answer, with_interval=not out.is_terminal))
    print_warnings(answer.warnings)


def print_answers(answers: Sequence[Answer]) -> None:
    """Print the answers to one question about many points: a table to stdout, and everything else to stderr."""
    say(answers_to_csv(answers), end="")
    print_lines([("camera", camera_to_text(answers[0].cameras[0])), ("model", Text(one_line(answers[0].model)))])
    print_warnings([*_unread_notes(answers), *answers[0].warnings])


def _unread_notes(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield how many answers cannot be read, and of how many of these it is known why."""
    unread = [answer for answer in answers if answer.value is None]
    if unread:
        yield f"{len(unread)} of {len(answers)} answers cannot be read; their values are empty"
    for ending, count in Counter(answer.ending for answer in unread).items():
        if ending.why_unread:
            yield f"{count} of {len(answers)}: {ending.why_unread}"


def print_lines(lines: Iterable[LabelledLine]) -> None:
    """Print labelled lines to stderr, on a terminal as a table with two columns."""
    if not err.is_terminal:
        for label, text in lines:
            err.print(Text.assemble(f"  {label:<{_LABEL_WIDTH}} ", text))
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True, min_width=_LABEL_WIDTH)
    table.add_column(overflow="fold")
    for label, text in lines:
        table.add_row(label, text)
    err.print(Padding(table, (0, 0, 0, 2)))


def print_warnings(warnings: Iterable[str]) -> None:
    """Print warnings to stderr, on a terminal wrapped between words."""
    table = Table.grid(padding=(0, 1))
    for warning in map(one_line, warnings):
        label = Text("warning:", "bold yellow")
        if err.is_terminal:
            table.add_row(label, Text(warning))
        else:
            err.print(Text.assemble(label, " ", warning))
    if table.row_count:
        err.print(table)


def camera_to_text(known: KnownCamera) -> Text:
    """A camera for people: its field of view, its focal length, the size of the picture, and where it comes from."""
    camera = known.camera
    focal = f"{camera.fx:.4g}" if abs(camera.fx / camera.fy - 1) < _SQUARE else f"{camera.fx:.4g} x {camera.fy:.4g}"
    undone = ", distortion undone" if camera.distortion else ""
    source = "assumed" if known.source is CameraSource.ASSUMED else f"from {known.origin}"
    return Text(
        f"{camera.fov[0]:.1f}° wide, focal length {focal} px{undone}; {camera.width} x {camera.height} px; "
        f"{one_line(source)}"
    )


def answers_to_json(answers: Sequence[Answer]) -> dict[str, Any]:
    """The answers to one question about many points as JSON: first what they share, then the answer for each point."""
    shared = ("schema", "task", "unit", "camera", "coverage", "model", "warnings")
    whole = [answer.to_json() for answer in answers]
    own = ("value", "said", "interval", "probability", "text", "ending", "prompt")
    return {
        **{name: whole[0][name] for name in shared},
        "answers": [
            {"pixel": list(_pixel(answer)), **{name: row[name] for name in own}}
            for answer, row in zip(answers, whole, strict=True)
        ],
    }


def answers_to_csv(answers: Sequence[Answer]) -> str:
    """The answers to one question about many points as CSV, with an empty value where an answer cannot be read."""
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
    """The pixel (u, v) [px] of the one point that an answer is about."""
    (point,) = answer.points.values()
    return point.pixel


def _print_on_terminal(answer: Answer, out: Console) -> None:
    """Print an answer on a terminal: in a frame, or as it is if it answers the user's own words."""
    if not answer.task:
        out.print(Padding(Text(visible(answer.text) or "(no words)", style="bold"), (1, 2)))
        return
    if answer.said:
        lines, style = [Text(visible(answer.said), style="bold green")], "green"
    else:
        words = f"it says: {answer.text}" if answer.text.strip() else "it says nothing"
        lines, style = [Text(_unread(answer), style="bold yellow"), Text(visible(words))], "yellow"
    if answer.interval:
        lines.append(Text(_interval_to_text(answer)))
    out.print(Panel(Text("\n").join(lines), ROUNDED, expand=False, padding=(1, 3), border_style=style))


def _unread(answer: Answer) -> str:
    """That an answer cannot be read, and why, as far as it is known."""
    why = answer.ending.why_unread
    return "the answer cannot be read" + (f" ({why})" if why else "")


def _interval_to_text(answer: Answer) -> str:
    """The interval of an answer for people, and where it comes from."""
    low, high = answer.interval or (0.0, 0.0)
    about = "" if isinstance(answer.value, int | float) else "distance moved: "
    unsure = [known for known in answer.cameras if known.scale != (1.0, 1.0)]
    assumed = any(known.source is CameraSource.ASSUMED for known in unsure)
    widened = (", with any usual camera" if assumed else ", with any camera that the tags allow") if unsure else ""
    return f"{about}{low:.2f} to {high:.2f} {answer.unit or 'm'} ({COVERAGE:.0%}, by its own account{widened})"


def _basis(answer: Answer, with_interval: bool) -> Iterator[LabelledLine]:
    """Yield lines that say what an answer is based on."""
    if answer.interval and with_interval:
        yield "between", Text(_interval_to_text(answer))
    if answer.check is not None:
        yield "check", _check_to_text(answer.check)
    yield "asked", Text(one_line(f"{answer.task or 'in your words'}: {answer.prompt}", _LONGEST_PROMPT))
    for name, point in answer.points.items():
        yield "point", Text(f"{name} at ({point.pixel[0]:g}, {point.pixel[1]:g}), from {one_line(point.source)}")
    for index, known in enumerate(answer.cameras, start=1):
        yield f"camera {index}" if len(answer.cameras) > 1 else "camera", camera_to_text(known)
    yield "model", Text(one_line(answer.model))


def _check_to_text(check: ConsistencyCheck) -> Text:
    """The result of comparing an answer with the model's own depths, for people."""
    if check.implied is None:
        return Text("the answers about depth cannot be read, so this one cannot be checked")
    depths = ", ".join(f"{name} {depth:.2f} m" for name, depth in check.depths.items() if depth is not None)
    verdict, style = {True: ("agrees", "green"), False: ("disagrees", "bold red"), None: ("cannot be told", "")}[
        check.agrees
    ]
    return Text.assemble((verdict, style), f": {check.by} says {depths}, which makes {check.said}")
