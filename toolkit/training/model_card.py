"""The model card: what a checkpoint is, how it was made, and how well it answers."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from yaml import YAMLError

from toolkit.config.build import RunPlan
from toolkit.config.recipe import Recipe
from toolkit.errors import UserError
from toolkit.foreign_text import one_line, to_markdown
from toolkit.modeling.fetch_model import fetch_model, hub_name, is_hub_id
from toolkit.utils.versions import versions

CARD = "README.md"
"""The name of the file that holds the model card."""

_RESTRICTED = re.compile(r"\bNC\b|non-?commercial|research|academic|education|not stated|no licence", re.IGNORECASE)
"""Words of licences that do not let everybody use and share everything, and of those that are not known."""

_LICENSE_ID = re.compile(r"[a-z0-9][a-z0-9.+-]*")

_UNKNOWN, _OTHER = "not stated", "other"

_CARD = """\
---
library_name: transformers
pipeline_tag: image-text-to-text
{% if base.id %}base_model: {{ base.id }}
{% endif %}license: {{ license }}
tags: [3d, metric-depth, depthlm]
---
# {{ name | markdown }}

A vision-language model, fine-tuned from {{ recipe.model.name | markdown }} to answer metric 3D questions about pictures
with the method of DepthLM (arXiv 2509.25413). Ask it through the toolkit, which prepares pictures as in training:

    toolkit ask picture.jpg "how far is the red point" --point red=320,240 --focal 1100 --model {{ folder }}

{% if recipe.canonical.keep_focal %}Pictures keep their own focal lengths and are scaled to the model's picture size
{%- else %}Pictures must be resampled to a focal length of **{{ recipe.canonical.focal | round(1) }} px**
{%- endif %}
{%- if recipe.reference == "marker" %}, and points must be marked by a {{ recipe.marker.noun }} of \
{{ recipe.marker.size }} px
{%- elif recipe.reference == "text" %}, and points must be given in the text as coordinates from 0 to 2000
{%- else %}, and points are neither marked nor given
{%- endif %}. `toolkit.json` holds this contract.

## Training

{{ recipe.trainer.steps }} steps of {{ recipe.trainer.batch_size * recipe.trainer.accumulate }} samples per process,
learning rate {{ recipe.trainer.learning_rate }}
{%- if recipe.model.lora %}, LoRA of rank {{ recipe.model.lora.rank }} on {{ recipe.model.lora.parts | join(", ") }}
{%- endif %}. Tasks: {% for task in tasks %}{{ task | markdown }}{{ ", " if not loop.last }}{% endfor %}.
{{ effort }} The whole recipe is `recipe.yaml`, seed {{ recipe.seed }}.

Licences of the data: {{ licenses | map("markdown") | join("; ") }}. Licence of the base model: \
{{ base.license | markdown }}.

## Held-out results

{% if report -%}
| task | questions | measure | this model | best constant answer | unread answers |
|---|---|---|---|---|---|
{% for task in report["tasks"] -%}
| {{ task.task | markdown }} | {{ task.count }} | {{ task.headline | markdown }} \
| {{ task.metrics[task.headline] | digits }} \
| {{ task.constant.metrics[task.headline] | digits }} ({{ task.constant.answer | markdown }}) \
| {{ "%.1f" | format(100 * task.unread) }} % |
{% endfor %}
Answers that cannot be read and impossible answers count as wrong. The best constant is chosen on the same questions.
{% else -%}
Not measured.
{% endif %}
## Versions

{{ versions }}
"""


def model_card(name: str, recipe: Recipe, plan: RunPlan, report: Mapping[str, Any] | None, effort: str) -> str:
    """The text of a checkpoint's README.md.

    Args:
        name: The name of the checkpoint's folder, or of its repository on the hub.
        recipe: The recipe that the model was trained by.
        plan: The data that the model was trained on.
        report: The held-out results, as JSON; None if the model was not evaluated.
        effort: A sentence that says on what hardware the model was trained and for how long.
    """
    tasks: Sequence[str] = [task.name for task, _ in plan.train.tasks]
    listed = ", ".join(f"{package} {number}" for package, number in versions().items())
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters |= {"markdown": to_markdown, "digits": _digits}
    base = describe_base(recipe)
    return environment.from_string(_CARD).render(
        name=name,
        folder=one_line(shlex.quote(name)),
        recipe=recipe,
        base=base,
        license=_license_of_all(base, plan.licenses),
        tasks=tasks,
        licenses=plan.licenses,
        report=report,
        effort=effort,
        versions=listed,
    )


@dataclass(frozen=True)
class BaseModel:
    """The model that a checkpoint was trained from.

    Attributes:
        id: Its repository on the hub; "" if it is not known to have one.
        license: Its licence, as its own model card says.
    """

    id: str
    license: str


def describe_base(recipe: Recipe) -> BaseModel:
    """Describe the base model of a recipe, as far as its files say something."""
    name = recipe.model.name
    try:
        folder = fetch_model(name, weights=False)
    except UserError:  # a card is written at the end of a run, which must not fail for it
        folder = Path(name)
    known = name if is_hub_id(name) else hub_name(folder) or ""
    return BaseModel(known.partition("@")[0], _license_in(folder / CARD))


def _license_in(card: Path) -> str:
    """The licence that a model card states in its front matter."""
    from huggingface_hub import ModelCard

    try:
        about = ModelCard.load(card).data.to_dict() if card.is_file() else {}
    except (ValueError, OSError, YAMLError):
        return _UNKNOWN
    names = [about.get("license"), about.get("license_name")]
    stated = [name for name in names if isinstance(name, str) and name != _OTHER]
    return stated[0] if stated else _UNKNOWN


def restricted(licenses: Sequence[str]) -> list[str]:
    """The licences that do not let everybody use and share what they are for, or that are not known."""
    return [license for license in licenses if _RESTRICTED.search(license)]


def _license_of_all(base: BaseModel, data: Sequence[str]) -> str:
    """The licence that a card states: that of the base model, unless the data allow less."""
    return base.license if _LICENSE_ID.fullmatch(base.license) and not restricted([base.license, *data]) else _OTHER


def _digits(value: float | None) -> str:
    """A result with three decimals; JSON has no value for what could not be computed."""
    return "–" if value is None else f"{value:.3f}"
