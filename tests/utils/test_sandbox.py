"""The sandbox of templates: bombs are stopped before they go off, and ordinary templates are rendered."""

import pytest
from jinja2 import TemplateError

from toolkit.utils.sandbox import Sandbox, TemplateBoundError, bounded


def render(source: str, **variables: object) -> str:
    template = Sandbox().compiled(source)
    with bounded():
        return template.render(**variables)


def doubled(start: str, step: str, times: int = 60) -> str:
    return f"{{% set a = {start} %}}" + f"{{% set a = {step} %}}" * times


MANY = "range(10**5)"

BOMBS = {
    "nested loops": f"{{% for a in {MANY} %}}{{% for b in {MANY} %}}{{% for c in {MANY} %}}{'{% endfor %}' * 3}",
    "rounds left out": f"{{% for a in {MANY} %}}{{% for b in {MANY} if false %}}{{% endfor %}}{{% endfor %}}",
    "a loop in itself": f"{{% for a in {MANY} recursive %}}{{{{ loop({MANY}) }}}}{{% endfor %}}",
    "lists in a loop": f"{{% for a in {MANY} %}}{{% if {MANY}|list|length %}}{{% endif %}}{{% endfor %}}",
    "sums in a loop": f"{{% for a in {MANY} %}}{{% if {MANY}|sum %}}{{% endif %}}{{% endfor %}}",
    "comparisons": f"{{% set r = {MANY}|list %}}{{% for a in {MANY} %}}{{% if r == r[:] %}}{{% endif %}}{{% endfor %}}",
    "searches": f"{{% set s = 'x' * 10**5 %}}{{% for a in {MANY} %}}{{% if 'y' in s %}}{{% endif %}}{{% endfor %}}",
    "words in a loop": f"{{% for a in {MANY} %}}{'x' * 50_000}{{% endfor %}}",
    "words kept in a loop": f"{{% set a %}}{{% for a in {MANY} %}}{'x' * 50_000}{{% endfor %}}{{% endset %}}",
    "a macro in itself": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a macro twice in itself": "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
    "lipsum": "{{ lipsum(10**6) }}",
    "a text times a number": "{{ 'x' * 10**10 }}",
    "a number times a text": "{{ 10**10 * 'x' }}",
    "a list times a number": "{{ [1] * 10**10 }}",
    "powers": "{{ (9**999)**999 }}",
    "products": doubled("9**999", "a * a"),
    "sums of texts": doubled("'x'", "a + a"),
    "texts together": doubled("'x'", "a ~ a"),
    "sums of lists": doubled("[1]", "a + a"),
    "lists in lists": doubled("['x']", "[a, a, a, a]"),
    "tuples in tuples": doubled("('x',)", "(a, a)") + "{{ {a: 1} }}",
    "mappings in mappings": doubled("{'k': 1}", "{'k': a, 'l': a}"),
    "namespaces": doubled("1", "namespace(x=a, y=a)") + "{{ a }}",
    "a width by %": "{{ '%1000000000d' % 3 }}",
    "a width from outside by %": "{{ '%*d' % (10**9, 3) }}",
    "a precision": "{{ '%.1000000000f' % 3 }}",
    "a width by format": "{{ '{:1000000000}'.format(1) }}",
    "a width from outside by format": "{{ '{:{w}}'.format(1, w=10**9) }}",
    "a width by the filter": "{{ '%1000000000d'|format(3) }}",
    "texts by format": "{{ ('{0}' * 1000).format('x' * 10**5) }}",
    "center": "{{ 'x'|center(10**10) }}",
    "center in a block": "{% filter center(10**10) %}x{% endfilter %}",
    "center over a list": "{{ ['x']|map('center', 10**10)|list }}",
    "indent": "{{ ('x\n' * 1000)|indent(10**5) }}",
    "indented JSON": "{{ {'a': [1]}|tojson(indent=10**8) }}",
    "batch": "{{ [1]|batch(10**9, 'x')|list }}",
    "slice": "{{ 'abc'|slice(10**9)|list }}",
    "join": "{{ (['x' * 1000] * 1000)|join('y' * 1000) }}",
    "replace": doubled("'xxxxxxxxxx'", "a|replace('x', a)", 9),
    "wordwrap": "{{ ('a ' * 10**4)|wordwrap(1, wrapstring='y' * 10**5) }}",
    "round": "{{ 3|round(10**9, 'floor') }}",
    "ljust": "{{ 'x'.ljust(10**10) }}",
    "zfill": "{{ 'x'.zfill(10**10) }}",
    "expandtabs": "{{ '\t'.expandtabs(10**10) }}",
    "str.join": "{{ ('y' * 1000).join(['x'] * 10**5) }}",
    "str.replace": doubled("'xxxxxxxxxx'", "a.replace('x', a)", 9),
    "translate": "{{ ('x' * 1000).translate({120: 'y' * 10**5}) }}",
    "bytes": "{{ (5).to_bytes(10**9, 'big') }}",
    "brackets": f"{{{{ {'(' * 3000}1{')' * 3000} }}}}",
    "square brackets": f"{{{{ {'[' * 3000}1{']' * 3000} }}}}",
    "signs": f"{{{{ {'-' * 3000}1 }}}}",
    "negations": f"{{{{ {'not ' * 3000}1 }}}}",
    "filters": f"{{{{ 'x'{'|upper' * 3000} }}}}",
    "attributes": f"{{{{ x{'.y' * 3000} }}}}",
    "sums": f"{{{{ {'+'.join(['1'] * 3000)} }}}}",
    "blocks in blocks": "{% if 1 %}" * 3000 + "{% endif %}" * 3000,
    "statements": "{{ 1 }}" * 12_000,
    "characters": "x" * 200_000,
    "digits": f"{{{{ {'9' * 6000} }}}}",
    "never run, computed when compiled": "{% if true %}{{ 'x'|center(10**10) }}{% endif %}",
}


@pytest.mark.parametrize("source", BOMBS.values(), ids=BOMBS)
def test_bombs_are_stopped(source: str) -> None:
    with pytest.raises(TemplateBoundError):
        render(source)


def test_what_is_never_run_is_never_computed() -> None:
    assert render("{% if false %}{{ 'x' * 10**10 }}{{ 10**10**10**10 }}{{ 'x'|center(10**10) }}{% endif %}") == ""


@pytest.mark.parametrize("source", ["{{ cycler.__init__.__globals__ }}", "{{ ''.__class__.__mro__ }}"])
def test_nothing_of_python_is_within_reach(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ '-' * 40 }}", "-" * 40),
        ("{% for x, y in [(1, 2), (3, 4)] if x > 1 %}{{ loop.last }}{{ x * y }}{% endfor %}", "True12"),
        ("{{ '%.2f'|format(d) }} {{ '{:>4}'.format(3) }} {{ 2024|default(5000000) }}", "2.50    3 2024"),
        ("{% macro m(a) %}<{{ a|upper }}>{% endmacro %}{{ m('x') }}{{ n|join(', ') }}", "<X>a, b"),
        ("{% set s = namespace(n=0) %}{% for a in 'abc' %}{% set s.n = s.n + 1 %}{% endfor %}{{ s.n }}", "3"),
        ("{{ d is defined }}{{ y|default('z') }}{{ 'a,b'.split(',')[1:] }}", "Truez['b']"),
    ],
)
def test_ordinary_templates_are_rendered(source: str, text: str) -> None:
    assert render(source, d=2.5, n=["a", "b"]) == text


def test_each_rendering_has_a_budget_of_its_own() -> None:
    template = Sandbox().compiled("{% for a in range(10**5) %}{% endfor %}")
    for _ in range(8):
        with bounded():
            template.render()
