"""Options and arguments of all commands."""

import shlex
from pathlib import Path
from random import Random

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import write_evaluation, write_folder
from benchmarks.fuzz_parts.mutations import mutate_text, repeatedly

_COMMANDS = tuple(
    tuple(shlex.split(line))
    for line in (
        "ask 0.png 'how far is the red point' --point red=20,15 --focal 40 --model tiny --json",
        "ask 0.png 'how far is it' --grid 2x2 --intrinsics 40,40,23.5,17.5 --model tiny --json",
        "ask 0.png 'how far is the red point' --point red=20,15 --fov 60 --model tiny --task metric_depth --check",
        "ask 0.png 'how far is the red point' --point red=20,15 --fov 60 --model tiny --raw --save shown.png",
        "cloud 0.png -o cloud.ply --focal 40 --depth depth.png --depth-type z --depth-scale 0.001 --every 2",
        "cloud 0.png -o cloud.ply --fov 60 --model tiny --columns 2 --levels 1 --questions 9 --ratio 1.25",
        "data audit manifest.jsonl --frames 2 --seed 1 --output audit --json",
        "data stats manifest.jsonl --pictures 2 --json",
        "data split manifest.jsonl --share 0.5 --output parts --seed 1",
        "data mix recipe.yaml --count 2 --processes 1 --json",
        "data preview recipe.yaml --count 1 --held-out --output shown",
        "data validate manifest.jsonl",
        "data formats folder",
        "data convert folder source dest --points 5 --seed 1 --edge-margin 1 --images copy --limit 1 --shard 1/2",
        "data merge dest --skip-bad",
        "train recipe.yaml --dry-run --output out --resume auto",
        "eval - recipe.yaml --predictor constant --tasks metric_depth --limit 2 --output out --json",
        "eval - recipe.yaml --predictor constant:2.4 --output out --allow-overlap",
        "rescore evaluation --json",
        "compare evaluation evaluation --number abs_rel --json",
        "tasks metric_depth --json",
        "recipes all_tasks --json",
        "export tiny exported",
    )
)

_WORDS = (
    *("", "-", "--", "-h", "--help", "--json", "--output", "--model", "--x", "-o", "=", "-1", "0", "1e9", "1e400"),
    *("nan", "inf", "9" * 400, "9" * 5000, "x" * 5000, "\x1b[31m", "\n", "\ud800", ".", "..", "/proc"),
    *("/dev/null", "0.png"),
    *("source", "manifest.jsonl", "recipe.yaml", "evaluation", "tiny", "none", "0.png/x", "~", "%", "[red]x[/red]"),
    *("[/]", "²", "١", "openai:x@http://127.0.0.1:9/v1", "openai:", "file:", "file:0.png", "depth:x"),
    *("constant:", "0/0", "2/1", "-1/2"),
)


def _prepare() -> None:
    write_evaluation("evaluation")
    write_folder("source")


def _mutate(words: tuple[str, ...], rng: Random) -> tuple[str, ...]:
    """Replace, drop, double, insert, swap or mutate one word of a command."""
    begin = 2 if words[0] == "data" else 1
    at = rng.randrange(begin, len(words) + 1)
    kind = rng.randrange(6)
    if kind == 0 or at == len(words):
        return (*words[:at], rng.choice(_WORDS), *words[at:])
    if kind == 1:
        return (*words[:at], *words[at + 1 :])
    if kind == 2:
        return (*words[:at], words[at], *words[at:])
    if kind == 3:
        other = rng.randrange(begin, len(words))
        changed = list(words)
        changed[at], changed[other] = changed[other], changed[at]
        return tuple(changed)
    word = rng.choice(_WORDS) if kind == 4 else mutate_text(words[at], rng, _WORDS)
    return (*words[:at], word, *words[at + 1 :])


def _draw(sound: Path, rng: Random) -> Case:
    words = repeatedly(_mutate, rng.choice(_COMMANDS), rng)
    if words[:2] == ("data", "convert"):
        words = (*words, "--workers", "1")  # no machine takes as many processes as could be asked for
    if words[0] == "train" and "--dry-run" not in words:
        words = (*words, "--dry-run")
    return Case(tuple(word.replace("\x00", "") for word in words))


_UNSOUND = (("data", "merge", "dest", "--skip-bad"),)  # there is nothing to merge

KIND = Kind("options", _prepare, _draw, tuple(words for words in _COMMANDS if words not in _UNSOUND))
