"""A sandbox for Jinja templates from outside, which bounds what a template may compute.

Jinja's own sandbox keeps templates away from Python's insides, but not from endless loops and enormous texts. Here,
each rendering has a budget. Loops, calls, filters and comparisons pay from it for every round, and for all that the
values hold which they take and make. What could become much larger than its parts, such as a text times a number, is
estimated before it is made. When the budget is spent, or a template nests too deeply, a ``TemplateBoundError`` ends the
rendering.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from types import BuiltinMethodType
from typing import Any

from jinja2 import Template, TemplateError, Undefined, nodes, pass_context
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

MOST_SOURCE = 100_000
"""The greatest length of a template [characters]. Those of the largest models have a third of it."""

_BUDGET = 5_000_000  # characters that one rendering may take and make; about a second
_ROUND = 10  # characters that cost as much as a round of a loop, a call, or a value in a list
_MOST_BITS = 4096  # of a whole number
_MOST_INDENT = 100  # characters of the indentation of JSON
_LONGEST_FORMAT = 20_000  # characters
_MOST_NODES = 10_000  # statements and expressions; the templates of large models have 1,500
_DEEPEST = 100  # statements and expressions inside one another
_WIDE = re.compile(
    r"%(\([^)]*\))?[-#0 +]*(\d*\.)?(\d{4}|\*)"  # a width or precision of 1,000 and more, or from an argument
    r"|\{[^{}]*:[^{}]*(\d{4}|\{)"
)
_BINARY = frozenset(("*", "**", "+", "-", "/", "//", "%"))
_UNBOUNDED = ("default", "d")  # filters whose arguments are no sizes

_left: ContextVar[list[int]] = ContextVar("_left")


class TemplateBoundError(TemplateError):
    """A template computes more than any template needs."""


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment for templates from outside. What it compiles is rendered inside ``bounded``."""

    intercepted_binops = _BINARY

    def __init__(self, **options: Any) -> None:
        super().__init__(optimized=False, cache_size=0, **options)  # optimising computes before there is a budget
        self.globals["lipsum"] = _refuse
        self.guard()

    def guard(self) -> None:
        """Let all filters pay. What adds filters calls it again."""
        for name, function in self.filters.items():
            if not hasattr(function, "pays"):
                self.filters[name] = _paying(name, function)
        self.filters[_charged.__name__] = _charged
        self.filters[_round.__name__] = _round

    def compiled(self, source: str) -> Template:
        """Compile a template.

        Raises:
            TemplateError: If it is no template, or too long or too deep.
        """
        if len(source) > MOST_SOURCE:
            raise TemplateBoundError(f"it has more than {MOST_SOURCE} characters")
        with bounded():
            try:
                return self.from_string(source)
            except SyntaxError:  # of the Python code that Jinja makes
                raise TemplateBoundError("its expressions nest too deeply, or name what Python cannot name") from None
            except ValueError:  # of the Python code, where a number has thousands of digits
                raise TemplateBoundError("a number in it has thousands of digits") from None

    def _generate(self, source: nodes.Template, *args: Any, **options: Any) -> str:
        return super()._generate(_Payments().visit(source), *args, **options)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute an operation of two values, if its result is small."""
        if operator == "**" and isinstance(left, int) and isinstance(right, int):
            _check_bits(left.bit_length() * abs(right))
        elif operator == "*" and not isinstance(left, int | float):
            _check_growth(left, right)
        elif operator == "*" and not isinstance(right, int | float):
            _check_growth(right, left)
        elif operator == "%" and isinstance(left, str):
            _check_format(left, right)
        return _charge(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as in Jinja
        """Call a function or a method, if its result is small."""
        _pay(_ROUND)
        owner = getattr(__obj, "__self__", None) if isinstance(__obj, BuiltinMethodType) else None
        if isinstance(owner, str | bytes | int | list | tuple):
            _check_growth(owner, *args, *kwargs.values())
        return _charge(super().call(__context, __obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """The sandboxed form of ``str.format``; None if ``value`` is another function."""
        function = super().wrap_str_format(value)
        if function is None:
            return None

        def formatted(*args: Any, **kwargs: Any) -> str:
            _check_format(value.__self__, *args, *kwargs.values())
            return function(*args, **kwargs)

        return formatted


@contextmanager
def bounded() -> Iterator[None]:
    """Give what is rendered inside a budget of its own.

    Raises:
        TemplateBoundError: If it is spent, or too much is nested.
    """
    token = _left.set([_BUDGET])
    try:
        yield
    except RecursionError:
        raise TemplateBoundError("it nests too deeply, or calls itself without end") from None
    except MemoryError:
        raise TemplateBoundError("it needs more memory than there is") from None
    finally:
        _left.reset(token)


class _Payments(NodeTransformer):
    """Puts payments into a template: where it loops, writes, compares, and makes lists."""

    def __init__(self) -> None:
        self._depth = self._count = 0

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        """Put payments into a node and all that it holds."""
        self._depth += 1
        self._count += 1
        if self._depth > _DEEPEST:
            raise TemplateBoundError("it nests too deeply")
        if self._count > _MOST_NODES:
            raise TemplateBoundError(f"it has more than {_MOST_NODES} statements and expressions")
        changed = super().visit(node, *args, **kwargs)
        self._depth -= 1
        return changed

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802 - the names of Jinja's nodes
        """What is written pays for its length."""
        self.generic_visit(node)
        node.nodes = [_pays(each) for each in node.nodes]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        """What is put together pays for its length."""
        self.generic_visit(node)
        node.nodes = [_pays(each) for each in node.nodes]
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        """What is compared pays for its length."""
        self.generic_visit(node)
        node.expr = _pays(node.expr)
        for operand in node.ops:
            operand.expr = _pays(operand.expr)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        """What is tested pays for its length."""
        self.generic_visit(node)
        node.node = _pays(node.node)
        return node

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        """Parts of lists and texts pay for their length."""
        self.generic_visit(node)
        return _pays(node) if isinstance(node.arg, nodes.Slice) else node

    def visit_List(self, node: nodes.List | nodes.Dict) -> nodes.Node:  # noqa: N802
        """Lists pay for all that they hold, so that none holds much more than was paid for."""
        self.generic_visit(node)
        return _pays(node)

    visit_Dict = visit_List  # noqa: N815

    def visit_Tuple(self, node: nodes.Tuple) -> nodes.Node:  # noqa: N802
        """Tuples pay as lists do, unless they are the targets of a loop or a `set`."""
        self.generic_visit(node)
        return _pays(node) if node.ctx == "load" else node

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802
        """Every round of a loop pays, including those that its condition leaves out."""
        self.generic_visit(node)
        node.body.insert(0, nodes.ExprStmt(_round_of(node)))
        if node.test is not None:
            node.test = nodes.And(_round_of(node), node.test).set_lineno(node.lineno)
        return node


def _pays(node: nodes.Expr) -> nodes.Filter:
    """An expression that pays for what it is."""
    return nodes.Filter(node, _charged.__name__, [], [], None, None, lineno=node.lineno)


def _round_of(node: nodes.Node) -> nodes.Filter:
    """An expression that pays for a round of a loop, and is true."""
    true = nodes.Const(True, lineno=node.lineno)
    return nodes.Filter(true, _round.__name__, [], [], None, None, lineno=node.lineno)


@pass_context  # filters that take the context are never computed before rendering
def _charged(_: Context, value: Any) -> Any:
    return _charge(value)


@pass_context
def _round(_: Context, value: Any) -> Any:
    _pay(_ROUND)
    return value


def _paying(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that pays for what it takes and makes."""
    place = 1 if hasattr(function, "jinja_pass_arg") else 0  # of the value, behind what Jinja passes

    @wraps(function)
    def paying(*args: Any, **kwargs: Any) -> Any:
        _pay(_ROUND)
        value, more = args[place], (*args[place + 1 :], *kwargs.values())
        if name == "format":
            _check_format(value, *more)
        elif name == "tojson" and any(_extent(each) > _MOST_INDENT for each in more):
            raise TemplateBoundError(f"an indentation of more than {_MOST_INDENT} characters")
        elif name not in _UNBOUNDED:
            _check_growth(value, *more)
        return _charge(function(*args, **kwargs))

    paying.pays = True  # type: ignore[attr-defined]
    return paying


def _refuse(*_: Any, **__: Any) -> str:
    raise TemplateBoundError("no template needs lipsum")


def _pay(cost: int) -> None:
    """Take a cost from the budget of the rendering that is under way."""
    budget = _left.get()
    budget[0] -= cost
    if budget[0] < 0:
        raise TemplateBoundError("its loops, calls and texts are more than any template needs")


def _charge(value: Any) -> Any:
    """Pay for all that a value holds, and return it."""
    waiting = [value]
    while waiting:
        inner = waiting.pop()
        _pay(_ROUND)
        if isinstance(inner, str | bytes | range):
            _pay(len(inner))
        elif isinstance(inner, int):
            _check_bits(inner.bit_length())
        elif isinstance(inner, Namespace):
            waiting.append(object.__getattribute__(inner, "__dict__"))
        elif isinstance(inner, Mapping):
            waiting += [*inner.keys(), *inner.values()]
        elif isinstance(inner, Collection) and not isinstance(inner, Undefined):
            waiting += inner
    return value


def _extent(value: Any) -> int:
    """How long a value can make a part of a text or a list; it pays for the value."""
    before = _left.get()[0]
    _charge(value)
    return abs(value) if isinstance(value, int) else before - _left.get()[0]


def _check_bits(bits: int) -> None:
    if bits > _MOST_BITS:
        raise TemplateBoundError(f"a whole number of more than {_MOST_BITS} bits")


def _check_growth(value: Any, *by: Any) -> None:
    """Check that a value stays small, even if each of its parts grows by the sizes of all other values."""
    parts = 1 if isinstance(value, int) else _extent(value)
    if parts * (1 + sum(map(_extent, by))) > _BUDGET:
        raise TemplateBoundError("a text or a list becomes too long")


def _check_format(text: Any, *values: Any) -> None:
    """Check that a format has no enormous widths."""
    if isinstance(text, str) and (len(text) > _LONGEST_FORMAT or _WIDE.search(text)):
        raise TemplateBoundError("a format with a width of more than 999 characters, or with one from outside")
    _check_growth(text, *values)
