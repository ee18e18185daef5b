"""Reading recipes: YAML files, dotted overrides, and all faults together, each with its place."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from toolkit.config.plain_yaml import MOST_BYTES, MalformedYaml, dump_yaml, parse_yaml
from toolkit.config.recipe import ManifestSource, Recipe, RoomsSource, ShapesSource, TaskSettings
from toolkit.errors import UserError, did_you_mean, raise_all
from toolkit.qa.tasks.trust import name_files
from toolkit.utils.bounded_file import read_bounded
from toolkit.utils.progress import err, is_first_process
from toolkit.utils.resources import RECIPES

KeyPath = tuple[str | int, ...]
"""The keys that lead to a value of a recipe, from the outermost to the innermost."""

_INCLUDE = "include"

_RETIRED = {("trainer", "liger"): False}
"""Settings that recipes do not have any more, each with the value that changed nothing. Old recipes may name them."""

_EXPLAINED = 20  # faults that are told in full; the others are only counted
_DEEPEST_KEY = 30  # sections inside one another
_SHOWN = 200  # characters of a key, a value or an override that a message shows


@dataclass(frozen=True)
class _Document:
    """The values of a recipe, and the place of each key: a file and line, or the command line."""

    values: dict[str, Any]
    places: dict[KeyPath, str]


def recipe_names() -> list[str]:
    """The names of the recipes that come with the toolkit, including those in subfolders."""
    root = RECIPES
    return sorted(str(path.relative_to(root).with_suffix("")) for path in root.rglob("*.yaml"))


def find_recipe(name: str | Path) -> Path:
    """Find the file of a recipe.

    Args:
        name: The path of a file, or the name of a recipe that comes with the toolkit.

    Raises:
        UserError: If there is no such recipe.
    """
    path = Path(name)
    inner = path.relative_to("recipes") if path.parts[:1] == ("recipes",) else path
    if os.path.isdir(path) or not inner.name:  # unlike those of Path, these two take names of any length
        raise UserError(
            f"{name}: this is a folder, not a recipe", remedy="give a .yaml file, or a name of `toolkit recipes`"
        )
    if os.path.exists(path):
        return path
    builtin = (RECIPES / inner).with_suffix(".yaml")
    if os.path.exists(builtin):
        return builtin
    known = did_you_mean(str(inner.with_suffix("")), recipe_names())
    raise UserError(f"{_cut(str(name))}: there is no such recipe", remedy=known)


def read_recipe(name: str | Path) -> str:
    """The text of a recipe's file.

    Args:
        name: The path of a file, or the name of a recipe that comes with the toolkit.

    Raises:
        UserError: If there is no such recipe, or it cannot be read, or is too large to be one.
    """
    path = find_recipe(name)
    try:
        return read_bounded(path, MOST_BYTES).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: the recipe cannot be read", str(error), "give a YAML file in UTF-8") from None


def recipe_summary(name: str) -> str:
    """The first line of a recipe's comment that is not the command that runs it."""
    lines = read_recipe(name).splitlines()
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    return next((line for line in comments if line and not line.startswith("toolkit ")), "")


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, override and check a recipe.

    Python files that the recipe's file includes need the user's trust to run (``toolkit.qa.tasks.trust``). Those that
    an override includes do not: the user has named them.

    Args:
        name: The path of a file, or the name of a recipe that comes with the toolkit.
        overrides: Words like ``key.of.the.recipe=value``, which replace values of the file.

    Raises:
        UserError: If the file is missing or does not hold a YAML mapping.
        UserErrors: If keys or values are wrong. It holds all these faults.
    """
    path = find_recipe(name)
    document = _read_document(path)
    for override in overrides:
        _apply_override(document, override)
    _drop_retired(document)
    recipe = _validate(document, str(path))
    if any(override.partition("=")[0] == _INCLUDE for override in overrides):
        name_files(recipe.include)
    return recipe


def dump_recipe(recipe: Recipe) -> str:
    """Write all values of a recipe as YAML. Reading it gives the same recipe."""
    return dump_yaml(recipe.model_dump(mode="json"))


@dataclass(frozen=True)
class RecipeDifference:
    """A setting that differs between two recipes.

    Attributes:
        key: The setting with its section, such as ``trainer.steps``.
        old: Its value in the first recipe, as JSON can hold it; None if that recipe does not have it.
        new: Its value in the second recipe.
    """

    key: str
    old: Any
    new: Any

    def to_text(self) -> str:
        """The setting with both values, as text for people."""
        return f"{self.key}: {self.old!r} -> {self.new!r}"


def differences(old: Recipe, new: Recipe) -> list[RecipeDifference]:
    """The settings that differ between two recipes, in the order of their keys."""
    before, after = _flatten(old.model_dump(mode="json")), _flatten(new.model_dump(mode="json"))
    return [
        RecipeDifference(".".join(key), before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _flatten(values: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Turn nested mappings into one mapping, from the keys that lead to a value to the value."""
    flat: dict[tuple[str, ...], Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flatten(value, (*prefix, key))
        else:
            flat[(*prefix, key)] = value
    return flat


def _read_document(path: Path) -> _Document:
    node, values = parse_yaml(read_recipe(path), str(path))
    if node is None or not isinstance(values, dict):
        raise UserError(f"{path}: the recipe is empty or no mapping", remedy="start from `toolkit recipes NAME`")
    places = {place: f"{path}, line {line}" for place, line in _key_lines(node).items()}
    return _Document(_make_paths_absolute(values, _base_folder(path)), places)


def _base_folder(path: Path) -> Path:
    """The folder that relative paths refer to: that of the recipe, or the current one if it comes with the toolkit."""
    comes_with_us = path.resolve().is_relative_to(RECIPES.resolve())
    return Path.cwd() if comes_with_us else path.parent


def _key_lines(node: yaml.Node, place: KeyPath = ()) -> dict[KeyPath, int]:
    """The number of the line on which each key stands."""
    lines: dict[KeyPath, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            lines[inner] = key.start_mark.line + 1
            lines |= _key_lines(value, inner)
    return lines


def _make_paths_absolute(value: Any, base: Path, place: KeyPath = ()) -> Any:
    """Make relative paths absolute. The name of a model counts as a path only if it begins with "." or "~"."""
    if isinstance(value, dict):
        return {name: _make_paths_absolute(inner, base, (*place, str(name))) for name, inner in value.items()}
    if isinstance(value, list) and place == (_INCLUDE,):
        return [_make_paths_absolute(inner, base, place) for inner in value]
    if isinstance(value, str) and _is_path(place, value):
        return _absolute(value, base)
    return value


def _absolute(value: str, base: Path) -> str:
    """A path made absolute. One that cannot be a path stays, and is refused by the check of its key."""
    try:
        return str((base / Path(value).expanduser()).resolve())
    except (RuntimeError, ValueError):
        return value


def _is_path(place: KeyPath, value: str) -> bool:
    if place == ("model", "name"):
        return value.startswith((".", "~"))
    return place in (("output",), (_INCLUDE,)) or (len(place) == 3 and (place[0], place[2]) == ("sources", "path"))


def _apply_override(document: _Document, override: str) -> None:
    """Put the value of an override like ``trainer.steps=50`` into a document."""
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise UserError(f"{_cut(override)!r} is not key=value", remedy="write it like trainer.steps=50")
    keys = dotted.split(".")
    where = f"command line, {_cut(override)}"
    if len(keys) > _DEEPEST_KEY:
        raise UserError(f"{where}: no recipe has sections this deep", remedy="write it like trainer.steps=50")
    try:
        value = parse_yaml(text, where)[1]
    except MalformedYaml:
        value = text
    section: Any = document.values
    for key in keys[:-1]:
        if not isinstance(section.get(key), dict):
            inner = section.get(key)
            section[key] = {"weight": inner} if isinstance(inner, int | float) else {}
        section = section[key]
    last = keys[-1]
    if keys[:-1] == ["tasks"] and isinstance(section.get(last), dict) and isinstance(value, int | float):
        value = {**section[last], "weight": value}  # a bare number replaces the weight alone; the options stay
    section[last] = _make_paths_absolute(value, Path.cwd(), tuple(keys))
    replaced = [place for place in document.places if place[: len(keys)] == tuple(keys)]
    for place in replaced:
        del document.places[place]
    document.places[tuple(keys)] = where


def _drop_retired(document: _Document) -> None:
    """Take out settings that do not exist any more, and print which of them had an effect."""
    for (section, name), idle in _RETIRED.items():
        settings = document.values.get(section)
        if isinstance(settings, dict) and name in settings and settings.pop(name) != idle and is_first_process():
            at = _place_to_text(document.places, (section, name))
            err.note(f"{at}: {section}.{name} is not used any more")


def _validate(document: _Document, where: str) -> Recipe:
    try:
        return Recipe.model_validate(document.values)
    except ValidationError as error:
        details = error.errors()
        told = [_to_user_error(document, dict(detail)) for detail in details[:_EXPLAINED]]
        raise_all(where, [*told, *(UserError(str(detail["msg"])) for detail in details[_EXPLAINED:])])
        raise


def _to_user_error(document: _Document, detail: Mapping[str, Any]) -> UserError:
    """Turn one fault that pydantic found into a UserError with its place in the recipe."""
    place = tuple(detail["loc"])
    if place[:1] == ("sources",):
        place = place[:2] + place[3:]  # pydantic puts the chosen kind after the source's name
    dotted = _cut(".".join(map(str, place)))
    at = _place_to_text(document.places, place)
    label = f"{at}: {dotted}" if at else dotted or "the recipe"
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(place[:-1], document.values)
        return UserError(f"{label}: unknown key", remedy=did_you_mean(str(place[-1]), known))
    if detail["type"] == "missing":
        return UserError(f"{label} is missing", remedy=f"set it in the recipe, or on the command line as {dotted}=…")
    message = str(detail["msg"]).removeprefix("Value error, ")
    given = detail.get("input")
    got = f" (got {_cut(repr(given))})" if isinstance(given, str | int | float | bool) else ""
    return UserError(f"{label}: {message[0].lower()}{message[1:]}{got}")


def _cut(text: str) -> str:
    """A text from outside, as long as a message can bear."""
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _place_to_text(places: Mapping[KeyPath, str], place: KeyPath) -> str:
    """Where a key was given. If it was not, where its section was given, or else the only key below it; or ""."""
    above = (places[place[:n]] for n in range(len(place), 0, -1) if place[:n] in places)
    below = [where for key, where in places.items() if key[: len(place)] == place]
    return next(above, below[0] if len(below) == 1 else "")


def _known_keys(place: KeyPath, values: Mapping[str, Any]) -> list[str]:
    """The keys that a section of the recipe may have."""
    section: Any = Recipe
    for depth, key in enumerate(place):
        if section is Recipe and key == "sources":
            section = _source_class(values, place)
        elif section is Recipe and key == "tasks":
            section = TaskSettings
        elif depth == 1 and place[0] in ("sources", "tasks"):
            continue  # the name that the recipe gives the source or task
        else:
            section = _field_type(section, str(key))
    if is_dataclass(section):
        return [field.name for field in fields(section)]
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []


def _source_class(values: Mapping[str, Any], place: KeyPath) -> type[BaseModel]:
    """The class of the source that a key belongs to, by the kind that the recipe gives."""
    entry = values["sources"].get(place[1], {}) if len(place) > 1 else {}
    kinds: dict[Any, type[BaseModel]] = {"rooms": RoomsSource, "shapes": ShapesSource}
    return kinds.get(entry.get("kind"), ManifestSource)


def _field_type(section: Any, key: str) -> Any:
    """The type of a field, without ``| None``; None if the section has no such field."""
    annotation = get_type_hints(section).get(key) if isinstance(section, type) else None
    options = [inner for inner in get_args(annotation) if inner is not type(None)]
    return options[0] if options and not isinstance(annotation, type) else annotation
