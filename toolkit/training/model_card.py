"""The model card: what a checkpoint is, how it was made, and how well it answers."""

import shlex
from collections.abc import Sequence

from jinja2 import Environment, StrictUndefined

from toolkit.config.build import RunPlan
from toolkit.config.recipe import Recipe
from toolkit.evaluation.reports.report import Report
from toolkit.foreign_text import one_line, to_markdown
from toolkit.utils.versions import versions

_CARD = """\
---
library_name: transformers
pipeline_tag: image-text-to-text
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

Licences of the data: {{ licenses | map("markdown") | join("; ") }}.

## Held-out results

{% if report -%}
| task | questions | measure | this model | best constant answer | unread answers |
|---|---|---|---|---|---|
{% for task in report.tasks -%}
| {{ task.task | markdown }} | {{ task.count }} | {{ task.headline | markdown }} \
| {{ "%.3f" | format(task.metrics[task.headline]) }} \
| {{ "%.3f" | format(task.constant.metrics[task.headline]) }} ({{ task.constant.answer | markdown }}) \
| {{ "%.1f" | format(100 * task.unread) }} % |
{% endfor %}
Answers that cannot be read and impossible answers count as wrong. The best constant is chosen on the same questions.
{% else -%}
Not measured.
{% endif %}
## Versions

{{ versions }}
"""


def model_card(name: str, recipe: Recipe, plan: RunPlan, report: Report | None, effort: str) -> str:
    """The text of a checkpoint's README.md.

    Args:
        name: The name of the checkpoint's folder.
        recipe: The recipe that the model was trained by.
        plan: The data that the model was trained on.
        report: The held-out results; None if the model was not evaluated.
        effort: A sentence that says on what hardware the model was trained and for how long.
    """
    tasks: Sequence[str] = [task.name for task, _ in plan.train.tasks]
    listed = ", ".join(f"{package} {number}" for package, number in versions().items())
    environment = Environment(undefined=StrictUndefined, autoescape=False)
    environment.filters["markdown"] = to_markdown
    return environment.from_string(_CARD).render(
        name=name,
        folder=one_line(shlex.quote(name)),
        recipe=recipe,
        tasks=tasks,
        licenses=plan.licenses,
        report=report,
        effort=effort,
        versions=listed,
    )
