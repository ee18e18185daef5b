"""What is read from the answer of a server."""

import json
import math

import pytest

from toolkit.modeling.remote.parse_completion import CutShort, Nonsense, read_completion


def body(content: object, finish: str = "stop", logprobs: object = None, **more: object) -> str:
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
        ('{"error": "no"}', "choices: Field required"),
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
