"""Templates: those of tasks, and the chat templates of models."""

from pathlib import Path
from random import Random

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import ASK, RUN, write_run
from benchmarks.fuzz_parts.mutations import TEXTS, mutate_bytes, mutate_text, repeatedly

_TASK = '''\
from toolkit import Query, Task, metrics, task


@task("own_depth")
class OwnDepth(Task):
    """How far the point is along the axis [m]."""

    points = 1
    unit = "m"
    metric = metrics.RelativeAccuracy()

    def label(self, query: Query) -> float:
        return query.points[0].xyz[2]
'''
_WORDS = """\
{% block question %}How far is the {{ points[0] }} point?{% endblock %}
{% block question_2 %}{% if points %}Depth of {{ points[0] }}{% endif %}{% endblock %}
{% block think %}{% for point in points %}{{ loop.index }} {{ point }}{% endfor %}{% endblock %}
{% block answer %}{{ answer }}{% endblock %}
"""
_JINJA = (
    *("{{ 'x' * 10**10 }}", "{{ lipsum(10**6) }}", "{{ lipsum(5) }}", "{{ range(10**9) | list }}", "{{ 2 ** 10**8 }}"),
    *("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "{{ 10**5000 }}", "{{ 1/0 }}"),
    *("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ self.question() }}", "{{ self.answer() }}", "{{ x.y.z }}"),
    *("{% include 'x' %}", "{% extends 'x' %}", "{% import 'os' as os %}", "{{ ''.__class__.__mro__ }}"),
    *("{{ [] | first }}", "{" * 3000, "(" * 3000, "{{ " + "(" * 3000),
    *("{{ " + "[" * 300 + "]" * 300 + " }}", "{% raw %}"),
    *("{% set x = x %}", "{{ '%s' * 9 % 1 }}", "{{ '{0.__class__}'.format(1) }}", "{{ cycler }}", "{% endblock %}"),
    *("{{ namespace(a=1).a }}", "{{ raise_exception('no') }}", "{{ strftime_now('%Y') }}"),
    *("{{ messages[99] }}", "{{ 'a' | center(10**9) }}"),
    *("{{ points | join('x' * 10**8) }}", "{{ answer * 10**9 }}", "{{ dict(a=1) | tojson(indent=10**9) }}", *TEXTS),
)
_OWN, _CHAT = "own_depth.jinja", f"{RUN}/chat_template.jinja"
_OWN_TASK = ("tasks={own_depth: 1}", "--include", "own_depth.py")
_OWN_COMMANDS = (
    ("tasks", "own_depth", "--include", "own_depth.py", "--json"),
    ("tasks", "own_depth", "--include", "own_depth.py"),
    ("data", "mix", "recipe.yaml", *_OWN_TASK, "--count", "2", "--json"),
    ("data", "preview", "recipe.yaml", *_OWN_TASK, "think=true", "--count", "2"),
    ("eval", "-", "recipe.yaml", *_OWN_TASK, "--predictor", "constant", "--output", "out"),
)
_CHAT_COMMANDS = (
    (*ASK, "--json", "--model", RUN),
    ("eval", RUN, "recipe.yaml", "--output", "out", "--json"),
    ("data", "preview", "recipe.yaml", f"model.name={RUN}", "--count", "1"),
)


def _prepare() -> None:
    write_run()
    Path("own_depth.py").write_text(_TASK)
    Path(_OWN).write_text(_WORDS)


def _mutate(text: str, rng: Random) -> str:
    return mutate_text(text, rng, _JINJA)


def _draw(sound: Path, rng: Random) -> Case:
    name, commands = rng.choice([(_OWN, _OWN_COMMANDS), (_CHAT, _CHAT_COMMANDS)])
    content = (sound / name).read_bytes()
    if rng.random() < 0.85:
        content = repeatedly(_mutate, content.decode(), rng).encode("utf-8", "surrogatepass")
    else:
        content = repeatedly(mutate_bytes, content, rng)
    return Case(rng.choice(commands), {name: content})


KIND = Kind("templates", _prepare, _draw, (*_OWN_COMMANDS, *_CHAT_COMMANDS))
