"""``toolkit models``: the published models of this method, and what one can ask each."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from toolkit.cli.options import Json, print_json, say

if TYPE_CHECKING:
    from toolkit.modeling.published_contract import PublishedModel


def models(
    name: Annotated[str | None, typer.Argument(help="Print all that is known of one model.")] = None,
    to_json: Json = False,
) -> None:
    """List the published models of this method: what one can ask them, their licence and size, and the command."""
    from toolkit.modeling.published_contract import load_published, published_file, published_names

    found = [load_published(each) for each in ([name] if name else published_names())]
    if to_json:
        print_json([_model_to_json(each) for each in found])
    elif name:
        say(published_file(name).read_text(encoding="utf-8"), end="")
    else:
        for each in found:
            _print_model(each)


def _model_to_json(model: "PublishedModel") -> dict[str, Any]:
    """What is known of a model as JSON values."""
    return {**model.model_dump(mode="json"), "command": model.command}


def _print_model(model: "PublishedModel") -> None:
    """Print a model in a few lines."""
    asked = ", ".join(model.tasks) + ("" if model.status == "now" else f" ({model.status})")
    say(f"{model.name:<24}{asked}")
    say(f"{'':<24}{model.base}, {model.memory} GB of weights; {model.licence_notice}; {model.paper}")
    if model.command:
        say(f"{'':<24}{model.command}")
