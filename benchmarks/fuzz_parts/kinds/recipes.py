"""Recipes, as files and as settings on the command line."""

import math
from pathlib import Path
from random import Random
from typing import Any

import yaml

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import write_recipe
from benchmarks.fuzz_parts.mutations import NONSENSE, TEXTS, dump_json, mutate_json, mutate_text, repeatedly
from benchmarks.fuzz_parts.nonsense import numbers_in

_FILE = "recipe.yaml"
_COMMANDS = (
    ("data", "validate", _FILE),
    ("data", "validate", _FILE),
    ("data", "mix", _FILE, "--count", "2", "--json"),
    ("data", "stats", _FILE, "--json"),
    ("data", "preview", _FILE, "--count", "1"),
    ("train", _FILE, "--dry-run"),
    ("eval", "-", _FILE, "--predictor", "constant", "--json", "--output", "out"),
)

_SETTINGS = (
    *("canonical.focal", "canonical.canvas", "marker.size", "marker.colors", "tasks.metric_depth", "seed", "output"),
    *("trainer.steps", "trainer.learning_rate", "trainer.weight_decay", "trainer.batch_size", "trainer.precision"),
    *("evaluation.samples", "evaluation.max_new_tokens", "model.name", "model.dtype", "model.tiny.width", "model.lora"),
    *("sources.rooms.settings.rooms", "sources.rooms.settings.width", "sources.walls.path", "sources.walls.weight"),
    *("tasks.metric_depth.options.name", "tasks.metric_depth.weight", "reference", "sampling", "include", "phases"),
)

_YAML = (
    *("&a [*a]", "!!python/object:os.system {}", "<<: *x", "? [1]\n: 2\n", "---\n", "\t", "2024-13-45", "190:20:30"),
    *("0x" + "f" * 5000, "!!timestamp 1", "!!set {a}", "!!binary x", "%YAML 9.9\n", "- " * 3000, "{" * 3000, *TEXTS),
)

_LARGEST = 1e9
_ANY_SIZE = ("seed", "steps", "save_every", "log_every", "samples")


def _mutate_yaml(text: str, rng: Random) -> str:
    return mutate_text(text, rng, _YAML)


def _draw(sound: Path, rng: Random) -> Case:
    text = (sound / _FILE).read_text()
    words = rng.choice(_COMMANDS)
    kind = rng.randrange(3)
    if kind == 0:
        return Case((*words[:2], *words[2:], *repeatedly(_add_setting, (), rng)))
    if kind == 1:
        text = dump_json(repeatedly(mutate_json, yaml.safe_load(text), rng))
    else:
        text = repeatedly(_mutate_yaml, text, rng)
    return Case(words, {_FILE: text.encode("utf-8", "surrogatepass")})


def _add_setting(words: tuple[str, ...], rng: Random) -> tuple[str, ...]:
    value = dump_json(rng.choice(NONSENSE)) if rng.random() < 0.5 else rng.choice(_YAML)
    key = rng.choice(_SETTINGS)
    return (*words, (mutate_text(key, rng) if rng.random() < 0.2 else key) + "=" + value.replace("\x00", ""))


def _judge(case: Case, folder: Path) -> str:
    """Say which number of a recipe cannot be meant, if the recipe was found to be sound."""
    from toolkit.config.load import load_recipe

    overrides = [word for word in case.words[3:] if "=" in word]
    settings: dict[str, Any] = load_recipe(folder / _FILE, overrides).model_dump(mode="json")
    for key, number in numbers_in(settings):
        if not math.isfinite(number) or (abs(number) > _LARGEST and key not in _ANY_SIZE):
            return f"`{key}`: {number:g} is taken for sound"
    return ""


KIND = Kind("recipes", write_recipe, _draw, _COMMANDS, _judge)
