"""Tests of ``toolkit.foreign_text``: nothing of a foreign text has an effect, and a reader sees that it is there."""

import ast
import json

import pytest
from markdown_it import MarkdownIt

from docs.draw_layers import module_files
from tests.support.hostile_text import HOSTILE, hidden_in
from toolkit.foreign_text import json_escaped, one_line, to_html, to_markdown, visible


def test_hidden_characters_are_shown() -> None:
    assert visible("a\x1b[31m\x9b\u202e\u200b\udc80\U000e0041\r\nb") == (
        "a\\x1b[31m\\x9b\\u202e\\u200b\\udc80\\U000e0041\\r\nb"
    )
    assert hidden_in(HOSTILE) and not hidden_in(visible(HOSTILE))


@pytest.mark.parametrize("plain", ["", "Länge 3 m", "2,4\u202fm", "日本語 🙂 ∎", "two\nlines"])
def test_readable_text_stays(plain: str) -> None:
    assert visible(plain) == plain


def test_one_line_has_no_breaks_and_loses_its_middle() -> None:
    assert one_line("a\nb") == "a\\nb"
    assert one_line("abcdefghij", 5) == "ab…ij"
    assert one_line("abcde", 5) == "abcde"
    assert len(one_line("\x1b" * 100, 50)) == 50
    assert len(one_line("x" * 10**7)) == 300
    assert "\n" not in one_line(HOSTILE) and not hidden_in(one_line(HOSTILE))


def test_html_shows_every_letter() -> None:
    assert to_html("<b> \"'&\n") == "&lt;b&gt; &quot;&#x27;&amp;\\n"


@pytest.mark.parametrize(
    "text",
    [
        HOSTILE,
        "| a | b |",
        "# head",
        "---",
        "- item",
        "+ item",
        "1. item",
        "=",
        "![x](y) <https://evil> [a]: b",
        "``` code",
        "_a_ __b__ a_b ~~c~~ **d**",
        "&lt;b&gt; &amp;",
        "\\| \\",
        "CC BY 4.0",
        "-0.5 m",
        "2.0 m",
    ],
)
def test_markdown_shows_the_text_and_nothing_else(text: str) -> None:
    written = to_markdown(text)
    page = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    for before, after, kinds in (
        ("", "", ["paragraph_open", "inline", "paragraph_close"]),
        ("# ", "", ["heading_open", "inline", "heading_close"]),
    ):
        tokens = page.parse(f"{before}{written}{after}")
        assert [token.type for token in tokens] == kinds
        assert {part.type for part in tokens[1].children or ()} <= {"text", "text_special"}
        assert "".join(part.content for part in tokens[1].children or ()) == one_line(text).strip()
    cells = [token for token in page.parse(f"| a |\n|---|\n| {written} |") if token.type == "td_open"]
    assert len(cells) == 1


def test_a_name_of_words_joined_by_underscores_stays_readable() -> None:
    assert to_markdown("metric_depth") == "metric_depth"


def test_json_stays_json() -> None:
    value = {"é": [HOSTILE, "日本語"]}
    text = json_escaped(json.dumps(value, indent=1, ensure_ascii=False))
    assert json.loads(text) == value
    assert not hidden_in(text) and "é" in text and "日本語" in text


def test_everything_is_printed_through_the_functions_that_show_it() -> None:
    printing = {
        name
        for name, path in module_files().items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "Console")
    }
    assert printing == {f"toolkit.cli.{name}" for name in ("main", "last_net", "options", "interrupted")}
