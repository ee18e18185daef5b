"""Models on other servers: names, keys, waits, and what comes back."""

import json
import math
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.errors import UserError
from toolkit.modeling.remote.address import Key, Remote, find_key, parse_remote
from toolkit.modeling.remote.completion import CutShort, Nonsense, read_completion
from toolkit.modeling.remote.retry import LONGEST, TRIES, Trouble, asked_wait, wait

SECRET = "sk-test-51c0ffee"
OPENAI = Remote("gpt", "https://api.openai.com/v1")
HERE = Remote("tiny", "http://localhost:8000/v1")
FAR = Remote("tiny", "http://node7.example:8000/v1")


@pytest.mark.parametrize(
    ("text", "name", "url"),
    [
        ("openai:gpt-4o@https://api.openai.com/v1", "gpt-4o", "https://api.openai.com/v1"),
        (
            "openai:Qwen/Qwen2.5-VL-3B-Instruct@http://localhost:8000/v1/",
            "Qwen/Qwen2.5-VL-3B-Instruct",
            "http://localhost:8000/v1",
        ),
        ("openai:qwen2.5vl:3b@http://127.0.0.1:11434/v1", "qwen2.5vl:3b", "http://127.0.0.1:11434/v1"),
        ("openai:/runs/mine@main@http://[::1]:8000/v1", "/runs/mine@main", "http://[::1]:8000/v1"),
        ("openai:a@HTTPS://host/deep/path", "a", "HTTPS://host/deep/path"),
    ],
)
def test_a_name_and_an_address(text: str, name: str, url: str) -> None:
    remote = parse_remote(text)
    assert remote == Remote(name, url)
    assert parse_remote(str(remote)) == remote


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("openai:gpt-4o", "address of the server is missing"),
        ("openai:gpt-4o@localhost:8000/v1", "begin with http"),
        ("openai:@http://localhost:8000/v1", "NAME"),
        ("openai:http://localhost:8000/v1", "NAME"),
        ("openai:a b@http://localhost/v1", "white space"),
        ("gpt-4o@http://localhost/v1", "begin with openai:"),
        ("openai:a@http:///v1", ""),
        ("openai:a@http://host:99999/v1", ""),
        ("openai:a@http://[1/v1", ""),
        ("openai:a@http://a..b/v1", ""),
        ("openai:a@http://./v1", ""),
        (f"openai:a@http://{'a' * 64}/v1", ""),
        ("openai:a@http://localhost/v1\x7f", ""),
    ],
)
def test_what_is_no_remote_model(text: str, cause: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_remote(text)
    assert cause in caught.value.cause
    assert "openai:Qwen/Qwen2.5-VL-3B-Instruct@http://localhost:8000/v1" in caught.value.remedy


@pytest.mark.parametrize(
    "text",
    [
        f"openai:a@http://me:{SECRET}@host/v1",
        f"openai:a@http://{SECRET}@host/v1",
        f"openai:a@https://host/v1?key={SECRET}",
        f"openai:a@https://host/v1#{SECRET}",
        f"openai:http://me:{SECRET}@host/v1",
        f"openai:a@me:{SECRET}@host/v1",
        f"openai:a@http://me:{SECRET}@host:99999/v1",
    ],
)
def test_secrets_in_an_address_are_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_remote(text)
    assert SECRET not in str(caught.value) + repr(caught.value)


@pytest.mark.parametrize(
    ("own", "shared", "remote", "sent", "withheld"),
    [
        (None, SECRET, OPENAI, SECRET, False),
        (None, SECRET, HERE, SECRET, False),
        (None, SECRET, Remote("tiny", "http://127.0.0.1:1/v1"), SECRET, False),
        (None, SECRET, Remote("tiny", "http://[::1]:1/v1"), SECRET, False),
        (None, SECRET, Remote("tiny", "http://0.0.0.0:8000/v1"), SECRET, False),
        (None, SECRET, FAR, "", True),
        (None, SECRET, Remote("tiny", "http://localhost.example/v1"), "", True),
        (None, SECRET, Remote("tiny", "http://10.0.0.7/v1"), "", True),
        ("mine", SECRET, FAR, "mine", False),
        ("mine", SECRET, OPENAI, "mine", False),
        ("", f"{SECRET}\n", OPENAI, SECRET, False),
        (None, None, OPENAI, "", False),
        (None, None, FAR, "", False),
    ],
)
def test_which_key_is_sent(
    monkeypatch: pytest.MonkeyPatch, own: str | None, shared: str | None, remote: Remote, sent: str, withheld: bool
) -> None:
    for name, value in (("TOOLKIT_API_KEY", own), ("OPENAI_API_KEY", shared)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    key = find_key(remote)
    assert key.value.get_secret_value() == sent
    assert key.withheld == withheld
    assert not sent or sent not in repr(key) + str(key)


@pytest.mark.parametrize("value", [f"{SECRET}\nX", f"{SECRET}é", f"{SECRET}\x00"])
def test_a_key_that_is_none_is_not_repeated(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    if "\x00" in value:
        monkeypatch.setattr("os.environ", {"OPENAI_API_KEY": value})
    else:
        monkeypatch.setenv("OPENAI_API_KEY", value)
    with pytest.raises(UserError, match="OPENAI_API_KEY holds no key") as caught:
        find_key(OPENAI)
    assert SECRET not in str(caught.value)


def test_a_text_without_the_key() -> None:
    from pydantic import SecretStr

    assert Key(SecretStr(SECRET)).hide(f"Incorrect API key: {SECRET}.") == "Incorrect API key: [key]."
    assert Key().hide("as it is") == "as it is"


def test_waits_double_and_end() -> None:
    waits = [wait("busy", tries, 1.0, None, 0.0) for tries in range(1, 8)]
    assert waits == [1, 2, 4, 8, 16, 32, None]
    assert wait("busy", 3, 1.0, None, 1.0) == 5.0
    assert [wait("slow", tries, 1.0, None, 0.0) for tries in (1, 2)] == [1, None]
    assert wait("down", 3, 0.5, None, 0.0) == 2.0
    assert wait("key", 1, 1.0, None, 0.0) is None


@given(st.sampled_from(sorted(TRIES)), st.integers(1, 50), st.floats(0, 1), st.none() | st.floats(0, 1e9))
def test_no_server_is_asked_for_ever(trouble: Trouble, tries: int, chance: float, asked: float | None) -> None:
    pause = wait(trouble, tries, 1.0, asked, chance)
    if tries >= TRIES[trouble] or (asked is not None and asked > LONGEST):
        assert pause is None
    else:
        assert pause is not None and 0 <= pause <= LONGEST


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 GMT"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 12:00:30 -0000"}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "inf"}, math.inf),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_what_a_server_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_wait(headers, datetime(2026, 11, 22, 12, tzinfo=UTC)) == seconds


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
