"""What is read from the answer of a server."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.any_json import ANY_JSON
from toolkit.modeling.predictor import Ending, Reply
from toolkit.modeling.remote.parse_completion import (
    CutShort,
    ErrorBody,
    Filtered,
    NoAnswer,
    Nonsense,
    OnlyThoughts,
    ToolCalled,
    read_completion,
)


def body(content: object, finish: object = "stop", logprobs: object = None, **more: object) -> str:
    message = {"role": "assistant", "content": content, **more}
    return json.dumps({"choices": [{"message": message, "finish_reason": finish, "logprobs": logprobs}]})


def step(token: str, probability: float, *others: tuple[str, float], **more: object) -> dict[str, object]:
    told = [{"token": other, "logprob": math.log(share)} for other, share in others]
    return {"token": token, "logprob": math.log(probability), "top_logprobs": told, **more}


def test_text_alone() -> None:
    reply = read_completion(body(" 2.4 m\n"))
    assert (reply.text, reply.pieces, reply.probability) == ("2.4 m", (), None)
    assert read_completion(body("")).text == ""
    assert read_completion(body("", "length")).text == ""
    assert read_completion(body(None, refusal="I will not.")).text == "I will not."


def test_how_sure_the_model_was() -> None:
    steps = [
        step("2", 0.5, ("2", 0.5), (" 2", 0.125), ("3", 0.25), ("٣", 0.01), ("two", 0.0625), ("2nd", 0.03125)),
        step(".", 1.0, (".", 1.0)),
        step("4", 0.5, ("5", 0.25)),  # the chosen token need not be among the likeliest
        step(" m", 1.0, ("\n", 0.25), ("07", 0.125)),
    ]
    reply = read_completion(body("2.4 m", logprobs={"content": steps}))
    assert [piece.text for piece in reply.pieces] == ["2", ".", "4", " m"]
    assert reply.probability == pytest.approx(0.25)
    assert reply.pieces[0].numerals == pytest.approx({"2": 0.625, "3": 0.25})
    assert reply.pieces[1].numerals == pytest.approx({".": 1.0})
    assert reply.pieces[2].numerals == pytest.approx({"4": 0.5, "5": 0.25})
    assert reply.pieces[3].numerals == pytest.approx({"07": 0.125})


def test_a_token_that_ends_the_answer_has_no_characters() -> None:
    steps = [step("2", 0.5), step(" m", 0.5), step("<|im_end|>", 0.5)]
    reply = read_completion(body("2 m", logprobs={"content": steps}))
    assert [piece.text for piece in reply.pieces] == ["2", " m", ""]
    assert reply.probability == pytest.approx(0.125)


def test_characters_in_several_tokens() -> None:
    euro = list("€".encode())
    steps = [step("\\xe2", 0.5, bytes=euro[:1]), step("\\x82\\xac", 0.5, bytes=euro[1:]), step("5", 1.0, bytes=[53])]
    reply = read_completion(body("€5", logprobs={"content": steps}))
    assert [piece.text for piece in reply.pieces] == ["", "€", "5"]


@pytest.mark.parametrize(
    "logprobs",
    [
        None,
        {},
        {"content": None},
        {"content": []},
        {"content": [{"token": "2"}]},
        {"content": [{"token": "2", "logprob": None}]},
        {"content": [{"token": "2", "logprob": -0.1, "bytes": [999]}]},
        {"tokens": ["2"], "token_logprobs": [-0.1]},
        {"content": [{"token": "token_id:17", "logprob": -0.1}]},
        "none",
    ],
)
def test_probabilities_that_do_not_fit_the_text_are_left_out(logprobs: object) -> None:
    reply = read_completion(body("2", logprobs=logprobs))
    assert (reply.text, reply.pieces) == ("2", ())


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ("<html>It works!</html>", "not JSON: '<html>It works!</html>'"),
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "all of it"),
        ('{"choices": []}', "choices: List should have at least 1 item"),
        ('{"choice": "no"}', "choices: Field required"),
        ('{"choices": [{"message": {"content": 7}}]}', "choices.0.message.content"),
        (body(None), "there is no text in it"),
    ],
)
def test_nonsense(answer: str, cause: str) -> None:
    with pytest.raises(Nonsense) as caught:
        read_completion(answer)
    assert cause in str(caught.value)
    assert len(str(caught.value)) < 300


def test_thoughts_that_used_up_the_answer() -> None:
    counted = json.loads(body("", "length")) | {"usage": {"completion_tokens_details": {"reasoning_tokens": 64}}}
    for answer in (
        json.dumps(counted),
        body(None, "length", reasoning="Hm."),
        body("", "length", reasoning_content="Hm."),
    ):
        with pytest.raises(CutShort):
            read_completion(answer)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "3.5 "}, {"type": "text", "text": "m"}], "3.5 m"),
        ([{"type": "output_text", "text": "3.5 m"}], "3.5 m"),
        (["3.5", " m"], "3.5 m"),
        ({"type": "text", "text": "3.5 m"}, "3.5 m"),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "2 m"}]}, {"type": "text", "text": "3.5 m"}],
            "3.5 m",
        ),
        ([{"type": "reasoning", "text": "2 m"}, {"type": "text", "text": "3.5 m"}], "3.5 m"),
        ([{"type": "text", "text": ""}], ""),
    ],
)
def test_content_in_parts_is_joined_without_thoughts(content: object, text: str) -> None:
    assert read_completion(body(content)).text == text


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("stop", Ending.COMPLETE),
        (None, Ending.COMPLETE),
        ("end_turn", Ending.COMPLETE),
        ("length", Ending.CUT),
        ("MAX_TOKENS", Ending.CUT),
        ("model_length", Ending.CUT),
        ({"type": "length", "length": 64}, Ending.CUT),
        ("abort", Ending.CUT),
        ("content_filter", Ending.WITHHELD),
        ("SAFETY", Ending.WITHHELD),
        ("refusal", Ending.REFUSED),
    ],
)
def test_how_a_text_ended(reason: object, ending: Ending) -> None:
    reply = read_completion(body("It is 3.5 m", reason))
    assert (reply.text, reply.ending) == ("It is 3.5 m", ending)
    assert bool(reply.readable) == (ending is Ending.COMPLETE)


def test_a_refusal_is_told_from_an_answer() -> None:
    parts = [{"type": "refusal", "refusal": "I will not look 2 m away."}]
    for answer in (
        body(None, refusal="I will not look 2 m away."),
        body(parts),
        body("", refusal="I will not look 2 m away."),
    ):
        reply = read_completion(answer)
        assert (reply.text, reply.ending, reply.readable) == ("I will not look 2 m away.", Ending.REFUSED, "")


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (body(None, "content_filter"), Filtered, "content_filter"),
        (body("", "safety"), Filtered, "safety"),
        ('{"choices": [{"finish_reason": "content_filter: PROHIBITED", "index": 0}]}', Filtered, "PROHIBITED"),
        (body(None, reasoning_content="3.5 m"), OnlyThoughts, ""),
        (body("", reasoning="3.5 m"), OnlyThoughts, ""),
        (body([{"type": "thinking", "thinking": "3.5 m"}]), OnlyThoughts, ""),
        (body(None, "max_tokens", reasoning_details=[{"text": "3.5 m"}]), CutShort, ""),
        (
            body(None, "tool_calls", tool_calls=[{"function": {"name": "ruler", "arguments": "{}"}}]),
            ToolCalled,
            "ruler",
        ),
    ],
)
def test_what_stands_in_place_of_an_answer(answer: str, kind: type[NoAnswer], words: str) -> None:
    with pytest.raises(kind) as caught:
        read_completion(answer)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "message", "status"),
    [
        ({"error": {"message": "the provider failed", "code": 503}}, "the provider failed", 503),
        ({"error": {"message": "slow down", "code": "429"}, "choices": []}, "slow down", 429),
        ({"error": {"message": "odd", "code": "server_error"}}, "odd", 500),
        ({"error": "no model"}, "no model", 500),
        ({"object": "error", "message": "too long", "code": 400}, "too long", 400),
        ({"detail": "Not authenticated", "status": 401}, "Not authenticated", 401),
        ({"choices": [{"error": {"message": "the provider failed", "code": 502}}]}, "the provider failed", 502),
    ],
)
def test_an_error_with_the_status_of_success(answer: dict[str, object], message: str, status: int) -> None:
    with pytest.raises(ErrorBody) as caught:
        read_completion(json.dumps(answer))
    assert (str(caught.value), caught.value.status) == (message, status)


def test_an_error_that_is_null_is_none() -> None:
    answer = {**json.loads(body("3.5 m")), "error": None, "detail": None}
    assert read_completion(json.dumps(answer)).text == "3.5 m"


def test_probabilities_that_do_not_spell_the_answer_are_told() -> None:
    steps = [step("7", 0.5), step(" m", 1.0)]
    assert read_completion(body("3 m", logprobs={"content": steps})).unaligned
    assert not read_completion(body("7 m", logprobs={"content": steps})).unaligned
    assert not read_completion(body("3 m", logprobs={"content": []})).unaligned


LOGPROBS = st.floats(-9, 0) | st.floats() | ANY_JSON
OTHERS = st.lists(st.fixed_dictionaries({"token": st.sampled_from(["3", " m"]) | ANY_JSON, "logprob": LOGPROBS}))
SPELLING = st.tuples(
    *(st.fixed_dictionaries({"token": st.just(token), "logprob": LOGPROBS, "top_logprobs": OTHERS}) for token in "2.4")
)
STEPS = SPELLING.map(list) | st.lists(
    st.fixed_dictionaries({"token": ANY_JSON, "logprob": LOGPROBS}, optional={"top_logprobs": ANY_JSON | OTHERS})
)


@given(
    st.text(max_size=40)
    | ANY_JSON.map(json.dumps)
    | st.builds(body, ANY_JSON, ANY_JSON, ANY_JSON | st.fixed_dictionaries({"content": ANY_JSON | STEPS}))
    | st.builds(lambda steps: body("2.4", "stop", {"content": steps}), STEPS)
)
def test_every_body_is_a_reply_or_is_said_not_to_be_one(text: str) -> None:
    try:
        reply = read_completion(text)
    except (Nonsense, NoAnswer, ErrorBody):
        return
    assert isinstance(reply, Reply)
    assert reply.text == reply.text.strip()
    assert reply.probability is None or 0 <= reply.probability <= 1
