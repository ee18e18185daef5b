"""Answers on a terminal: the answer first, then what it rests on, and last what to beware of."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich.box import ROUNDED
from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from toolkit.inference.answer import Answer
from toolkit.inference.camera_source import KnownCamera
from toolkit.modeling.uncertainty import COVERAGE
from toolkit.utils.progress import err

Line = tuple[str, Text]
"""What a line is about, and its words."""


_LABEL = 8  # characters of the longest word that says what a line is about


_SQUARE = 0.001  # pixels count as square where the focal lengths differ by a smaller share


def show_answer(answer: Answer, out: Console) -> None:
    """Print an answer: the answer itself to ``out``, all else to stderr."""
    if out.is_terminal:
        _show_large(answer, out)
    else:
        said = answer.said or (answer.text if not answer.task else f"the answer cannot be read: {answer.text!r}")
        out.print(said, soft_wrap=True, markup=False, highlight=False)
    show_lines(_basis(answer, with_range=not out.is_terminal))
    show_warnings(answer.warnings)


def show_many(answers: Sequence[Answer]) -> None:
    """Print the same asked about many points: the table to stdout, all else to stderr."""
    print(as_csv(answers), end="")
    show_lines([("camera", camera_words(answers[0].cameras[0])), ("model", Text(answers[0].model))])
    unread = sum(answer.value is None for answer in answers)
    lost = [f"{unread} of {len(answers)} answers cannot be read; their values are empty"] if unread else []
    show_warnings([*lost, *answers[0].warnings])


def show_lines(lines: Iterable[Line]) -> None:
    """Print to stderr: on a terminal in two columns, else a line each."""
    if not err.is_terminal:
        for about, words in lines:
            err.print(Text.assemble(f"  {about:<{_LABEL}} ", words))
        return
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True, min_width=_LABEL)
    table.add_column(overflow="fold")
    for about, words in lines:
        table.add_row(about, words)
    err.print(Padding(table, (0, 0, 0, 2)))


def show_warnings(warnings: Iterable[str]) -> None:
    """Print warnings to stderr; on a terminal in lines of whole words."""
    table = Table.grid(padding=(0, 1))
    for warning in warnings:
        label = Text("warning:", "bold yellow")
        if err.is_terminal:
            table.add_row(label, Text(_harmless(warning)))
        else:
            err.print(Text.assemble(label, " ", warning))
    if table.row_count:
        err.print(table)


def camera_words(known: KnownCamera) -> Text:
    """A camera as people compare them: by its field of view and focal length."""
    camera = known.camera
    focal = f"{camera.fx:.4g}" if abs(camera.fx / camera.fy - 1) < _SQUARE else f"{camera.fx:.4g} x {camera.fy:.4g}"
    undone = ", distortion undone" if camera.distortion else ""
    source = "assumed" if known.source == "assumed" else f"from {known.source}"
    return Text(
        f"{camera.fov[0]:.1f}° wide, focal length {focal} px{undone}; {camera.width} x {camera.height} px; "
        f"{_harmless(source)}"
    )


def answers_to_json(answers: Sequence[Answer]) -> dict[str, Any]:
    """The same asked about many points: what all share once, then the points."""
    shared = ("schema", "task", "unit", "camera", "coverage", "model", "warnings")
    whole = [answer.to_json() for answer in answers]
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


def _show_large(answer: Answer, out: Console) -> None:
    """The answer on a terminal: framed, or as it is where it is a text of its own."""
    if not answer.task:
        out.print(Padding(Text(_harmless(answer.text) or "(no words)", style="bold"), (1, 2)))
        return
    if answer.said:
        lines, style = [Text(_harmless(answer.said), style="bold green")], "green"
    else:
        words = f"it says: {answer.text}" if answer.text.strip() else "it says nothing"
        lines, style = [Text("the answer cannot be read", style="bold yellow"), Text(_harmless(words))], "yellow"
    if answer.interval:
        lines.append(Text(_range(answer)))
    out.print(Panel(Text("\n").join(lines), ROUNDED, expand=False, padding=(1, 3), border_style=style))


def _range(answer: Answer) -> str:
    """The interval in words."""
    low, high = answer.interval or (0.0, 0.0)
    about = "" if isinstance(answer.value, int | float) else "distance moved: "
    assumed = ", with any usual camera" if any(known.scale != (1.0, 1.0) for known in answer.cameras) else ""
    return f"{about}{low:.2f} to {high:.2f} {answer.unit or 'm'} ({COVERAGE:.0%}, by its own account{assumed})"


def _basis(answer: Answer, with_range: bool) -> Iterator[Line]:
    """What an answer rests on."""
    if answer.interval and with_range:
        yield "between", Text(_range(answer))
    if answer.check is not None:
        yield "check", _checked(answer)
    yield "asked", Text(_harmless(f"{answer.task or 'in your words'}: {answer.prompt}"))
    for name, place in answer.points.items():
        yield "point", Text(f"{name} at ({place.pixel[0]:g}, {place.pixel[1]:g}), from {place.source}")
    for index, known in enumerate(answer.cameras, start=1):
        yield f"camera {index}" if len(answer.cameras) > 1 else "camera", camera_words(known)
    yield "model", Text(_harmless(answer.model))


def _checked(answer: Answer) -> Text:
    check = answer.check
    if check is None or check.implied is None:
        return Text("the answers about depth cannot be read, so this one cannot be checked")
    depths = ", ".join(f"{name} {depth:.2f} m" for name, depth in check.depths.items() if depth is not None)
    verdict, style = {True: ("agrees", "green"), False: ("disagrees", "bold red"), None: ("cannot be told", "")}[
        check.agrees
    ]
    return Text.assemble((verdict, style), f": {check.by} says {depths}, which makes {check.said}")


def _harmless(text: str) -> str:
    """A text without what a terminal would obey: models and names of files may hold escape sequences."""
    return "".join(letter if letter.isprintable() or letter == "\n" else "\N{REPLACEMENT CHARACTER}" for letter in text)
