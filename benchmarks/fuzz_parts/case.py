"""A case of the fuzzer: one command, and the files that differ from the sound ones."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

_LONG_RUN = re.compile(r"(.{1,16}?)\1{19,}", re.DOTALL)
_SHOWN = 600  # characters of a file, or of a word, that a report shows


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        words: The words of the command, which runs in the folder of the case. ``{server}`` stands for the address of a
            server that answers with the file ``reply.body`` and the status in ``reply.status``.
        files: The content of the files that are not as in the sound folder of the kind, by path.
    """

    words: tuple[str, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The name of the command, such as "data stats"."""
        return " ".join(self.words[: 2 if self.words[:1] == ("data",) else 1])

    def to_text(self) -> str:
        """The case for people: the command, and the files that were changed."""
        files = [f"{name} = {_shortened(repr(content)[1:])}" for name, content in sorted(self.files.items())]
        return "\n".join(["toolkit " + " ".join(map(_quoted, self.words)), *files])


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        name: The name in tables and on the command line.
        prepare: Writes the sound files of the kind into an empty folder, which is the current one.
        draw: Draws a case, given the sound folder.
        sound: Commands that must succeed on the sound files.
        judge: Says what is wrong with what a command has accepted, given the folder in which it ran, or "".
    """

    name: str
    prepare: Callable[[], None]
    draw: Callable[[Path, Random], Case]
    sound: tuple[tuple[str, ...], ...]
    judge: Callable[[Case, Path], str] = lambda case, folder: ""


def _quoted(word: str) -> str:
    shown = _shortened(word)
    return shlex.quote(shown) if shown.isprintable() else "$" + repr(shown)


def _shortened(text: str) -> str:
    """A text in which what repeats many times is written as one piece and a count, and the middle may be left out."""
    text = _LONG_RUN.sub(lambda run: f"{run[1]}⟨{run[1]!r} {len(run[0]) // len(run[1])} times in all⟩", text)
    if len(text) <= _SHOWN:
        return text
    half = _SHOWN // 2
    return f"{text[:half]}⟨{len(text) - 2 * half} characters⟩{text[-half:]}"
