"""Reading recipes: YAML, dotted overrides, and every fault together with its place."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from toolkit.config.recipe import ManifestSource, Recipe, RoomsSource, ShapesSource, TaskSettings
from toolkit.errors import UserError, did_you_mean, raise_all
from toolkit.utils.resources import folder

Place = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.2 floats: 1e-5 is a number; and a key that comes twice is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping, whose keys are all different."""
        keys = [key.value for key, _ in node.value]
        for key, _ in node.value:
            if keys.count(key.value) > 1:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} comes twice", problem_mark=key.start_mark)
        return super().construct_mapping(node, deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)?\.?\d+([eE][-+]?\d+)$"),
    list("-+.0123456789"),
)


@dataclass(frozen=True)
class _Document:
    """A recipe's values, and where each stands."""

    values: dict[str, Any]
    places: dict[Place, str]


def recipe_names() -> list[str]:
    """Names of the recipes that come with the toolkit, subfolders included."""
    root = folder("recipes")
    return sorted(str(path.relative_to(root).with_suffix("")) for path in root.rglob("*.yaml"))


def find_recipe(name: str | Path) -> Path:
    """The recipe's file: a path, or the name of a recipe that comes with the toolkit.

    Raises:
        UserError: If there is none.
    """
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir() or not path.name:
        raise UserError(
            f"{name}: this is a folder, not a recipe", remedy="give a .yaml file, or a name of `toolkit recipes`"
        )
    inner = path.relative_to("recipes") if path.parts[:1] == ("recipes",) else path
    builtin = (folder("recipes") / inner).with_suffix(".yaml")
    if builtin.is_file():
        return builtin
    raise UserError(f"{name}: there is no such recipe", remedy=did_you_mean(str(inner.with_suffix("")), recipe_names()))


def recipe_summary(name: str) -> str:
    """The first line of a recipe's comment that is not the command that runs it."""
    lines = find_recipe(name).read_text(encoding="utf-8").splitlines()
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    return next((line for line in comments if line and not line.startswith("toolkit ")), "")


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, override and check a recipe.

    Args:
        name: A file, or the name of a recipe that comes with the toolkit.
        overrides: ``key.of.the.recipe=value``; they win over the file.

    Raises:
        UserError: If the file is missing or is no YAML mapping.
        UserErrors: If keys or values are wrong: all of them.
    """
    path = find_recipe(name)
    document = _read(path)
    for override in overrides:
        _apply(document, override)
    return _checked(document, str(path))


def dump_recipe(recipe: Recipe) -> str:
    """The resolved recipe as YAML; reading it gives the same recipe."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def differences(old: Recipe, new: Recipe) -> list[str]:
    """What differs between two recipes, as ``key: old -> new`` lines."""
    before, after = _flat(old.model_dump(mode="json")), _flat(new.model_dump(mode="json"))
    return [
        f"{'.'.join(key)}: {before.get(key)!r} -> {after.get(key)!r}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _flat(values: Mapping[str, Any], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    flat: dict[tuple[str, ...], Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, (*prefix, key))
        else:
            flat[(*prefix, key)] = value
    return flat


def _read(path: Path) -> _Document:
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=_Loader)
        values = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise UserError(f"{path}, line {line}: this is not valid YAML", cause=str(error.problem)) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path}: the recipe cannot be read", str(error), "give a YAML file in UTF-8") from None
    if node is not None and _holds_itself(node):
        raise UserError(f"{path}: an anchor of the recipe holds itself", remedy="write the section out")
    if node is None or not isinstance(values, dict):
        raise UserError(f"{path}: the recipe is empty or no mapping", remedy="start from `toolkit recipes NAME`")
    places = {place: f"{path}, line {line}" for place, line in _lines(node).items()}
    return _Document(_absolute(values, _base(path)), places)


def _base(path: Path) -> Path:
    """Where a recipe's relative paths begin: beside it, or in the current folder if it comes with the toolkit."""
    comes_with_us = path.resolve().is_relative_to(folder("recipes").resolve())
    return Path.cwd() if comes_with_us else path.parent


def _holds_itself(node: yaml.Node, above: tuple[int, ...] = ()) -> bool:
    if id(node) in above:
        return True
    inner: list[yaml.Node] = []
    if isinstance(node, yaml.MappingNode):
        inner = [value for _, value in node.value]
    elif isinstance(node, yaml.SequenceNode):
        inner = node.value
    return any(_holds_itself(each, (*above, id(node))) for each in inner)


def _lines(node: yaml.Node, place: Place = ()) -> dict[Place, int]:
    """The line on which each key stands."""
    lines: dict[Place, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inner = (*place, str(key.value))
            lines[inner] = key.start_mark.line + 1
            lines |= _lines(value, inner)
    return lines


def _absolute(value: Any, base: Path, place: Place = ()) -> Any:
    """Values with relative paths made absolute; a model's name only where it is written as a path."""
    if isinstance(value, dict):
        return {name: _absolute(inner, base, (*place, str(name))) for name, inner in value.items()}
    if isinstance(value, list) and place == ("include",):
        return [_absolute(inner, base, place) for inner in value]
    if isinstance(value, str) and _is_path(place, value):
        return str((base / Path(value.replace("\0", "")).expanduser()).resolve())
    return value


def _is_path(place: Place, value: str) -> bool:
    if place == ("model", "name"):
        return value.startswith((".", "~"))
    return place in (("output",), ("include",)) or (len(place) == 3 and (place[0], place[2]) == ("sources", "path"))


def _apply(document: _Document, override: str) -> None:
    dotted, equals, text = override.partition("=")
    if not equals or not dotted:
        raise UserError(f"{override!r} is not key=value", remedy="write it like trainer.steps=50")
    keys = dotted.split(".")
    try:
        value = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError:
        value = text
    section: Any = document.values
    for key in keys[:-1]:
        if not isinstance(section.get(key), dict):
            inner = section.get(key)
            section[key] = {"weight": inner} if isinstance(inner, int | float) else {}
        section = section[key]
    last = keys[-1]
    if keys[:-1] == ["tasks"] and isinstance(section.get(last), dict) and isinstance(value, int | float):
        value = {**section[last], "weight": value}  # a task's share is short for its weight: its options stay
    section[last] = _absolute(value, Path.cwd(), tuple(keys))
    document.places[tuple(keys)] = f"command line, {override}"


def _checked(document: _Document, where: str) -> Recipe:
    try:
        return Recipe.model_validate(document.values)
    except ValidationError as error:
        raise_all(where, [_fault(document, dict(detail)) for detail in error.errors()])
        raise


def _fault(document: _Document, detail: Mapping[str, Any]) -> UserError:
    place = tuple(detail["loc"])
    if place[:1] == ("sources",):
        place = place[:2] + place[3:]  # pydantic puts the chosen kind after the source's name
    dotted = ".".join(map(str, place))
    at = next((document.places[place[:n]] for n in range(len(place), 0, -1) if place[:n] in document.places), "")
    label = f"{at}: {dotted}" if at else dotted or "the recipe"
    if detail["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _known_keys(place[:-1], document.values)
        return UserError(f"{label}: unknown key", remedy=did_you_mean(str(place[-1]), known))
    if detail["type"] == "missing":
        return UserError(f"{label} is missing", remedy=f"set it in the recipe, or on the command line as {dotted}=…")
    message = str(detail["msg"]).removeprefix("Value error, ")
    given = detail.get("input")
    shown = f" (got {given!r})" if isinstance(given, str | int | float | bool) else ""
    return UserError(f"{label}: {message[0].lower()}{message[1:]}{shown}")


def _known_keys(place: Place, values: Mapping[str, Any]) -> list[str]:
    """The keys that a section of the recipe may have."""
    section: Any = Recipe
    for depth, key in enumerate(place):
        if section is Recipe and key == "sources":
            section = _source_model(values, place)
        elif section is Recipe and key == "tasks":
            section = TaskSettings
        elif depth == 1 and place[0] in ("sources", "tasks"):
            continue  # the name that the recipe gives the source or task
        else:
            section = _annotation(section, str(key))
    if is_dataclass(section):
        return [field.name for field in fields(section)]
    return list(section.model_fields) if isinstance(section, type) and issubclass(section, BaseModel) else []


def _source_model(values: Mapping[str, Any], place: Place) -> type[BaseModel]:
    entry = values["sources"].get(place[1], {}) if len(place) > 1 else {}
    kinds: dict[Any, type[BaseModel]] = {"rooms": RoomsSource, "shapes": ShapesSource}
    return kinds.get(entry.get("kind"), ManifestSource)


def _annotation(section: Any, key: str) -> Any:
    """The type of a field, without its `| None`."""
    field = getattr(section, "model_fields", {}).get(key)
    if field is None:
        return None
    options = [inner for inner in get_args(field.annotation) if inner is not type(None)]
    return options[0] if options and not isinstance(field.annotation, type) else field.annotation
