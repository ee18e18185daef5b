"""Asking a server, which behaves and misbehaves in every way: a real one, in a thread."""

import base64
import io
import logging
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.server import Answer, Body, Server
from toolkit.errors import UserError
from toolkit.modeling.predictor import Reply
from toolkit.modeling.remote.address import RemoteModel, RemoteSettings
from toolkit.modeling.remote.remote_predictor import OpenAiPredictor
from toolkit.modeling.remote.unanswered_questions import QuestionFault, ServerFault, Unanswered
from toolkit.qa.query import Query
from toolkit.qa.sample import Sample, Turn

pytest.importorskip("openai", reason="the extra `remote` is not installed")

pytestmark = pytest.mark.slow

SECRET = "sk-test-51c0ffee"
QUICK = RemoteSettings(timeout=5.0, first_wait=0.001)


def said(text: str | None, **choice: Any) -> Answer:
    return Answer({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop", **choice}]})


def failed(status: int, message: str, **more: Any) -> Answer:
    headers = more.pop("headers", {})
    return Answer({"error": {"message": message, **more}}, status, headers)


def asked(body: Body) -> str:
    """The words of a question."""
    return str(body["messages"][0]["content"][-1]["text"])


Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[Server] = []

    def start(answer: Callable[[Body, int], Answer], models: Answer | None = None) -> Server:
        servers.append(Server(answer, models))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "TOOLKIT_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def sample(prompt: str, *pictures: np.ndarray) -> Sample:
    images = pictures or (np.zeros((4, 6, 3), np.uint8),)
    return Sample(images, (Turn(prompt, "", "metric_depth", None, Query(())),))


def questions(count: int) -> list[Sample]:
    return [sample(f"question {index}") for index in range(count)]


def ask(server: Server, samples: Sequence[Sample], settings: RemoteSettings = QUICK) -> list[str]:
    return [reply.text for reply in OpenAiPredictor(server.remote, settings, lambda: 0.0).answer(samples)]


def fault(server: Server, settings: RemoteSettings = QUICK, count: int = 1) -> Unanswered:
    with pytest.raises(Unanswered) as caught:
        ask(server, questions(count), settings)
    return caught.value


def test_pictures_arrive_to_the_bit_before_the_words(serve: Serve) -> None:
    server = serve(lambda body, _: said("1 m"))
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (5, 7, 3), dtype=np.uint8) for _ in range(2)]
    assert ask(server, [sample("how far?", *pictures)]) == ["1 m"]
    (body,) = server.bodies
    assert body["model"] == "tiny"
    assert (body["temperature"], body["max_tokens"], body["frequency_penalty"]) == (0, 64, 0)
    (message,) = body["messages"]
    *shown, words = message["content"]
    assert message["role"] == "user" and words == {"type": "text", "text": "how far?"}
    for part, picture in zip(shown, pictures, strict=True):
        head, _, data = part["image_url"]["url"].partition(",")
        assert (part["type"], head) == ("image_url", "data:image/png;base64")
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))), picture)


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_answers_come_in_order_for_any_number_of_workers(serve: Serve, workers: int) -> None:
    def answer(body: Body, index: int) -> Answer:
        time.sleep(0.02 * (index % 3))  # later questions overtake earlier ones
        return said(f"to {asked(body)}")

    server = serve(answer)
    wanted = [f"to question {index}" for index in range(20)]
    assert ask(server, questions(20), RemoteSettings(workers=workers)) == wanted
    assert server.most <= workers
    assert (server.most > 1) == (workers > 1)


def test_only_the_very_first_question_is_asked_alone(serve: Serve) -> None:
    both = threading.Barrier(2, timeout=3)

    def answer(body: Body, index: int) -> Answer:
        if index > 0:
            both.wait()
        return said("1 m")

    predictor = OpenAiPredictor(serve(answer).remote, QUICK)
    assert len(predictor.answer(questions(1)) + predictor.answer(questions(2))) == 3


def test_no_question_is_no_request(serve: Serve) -> None:
    server = serve(lambda body, _: said("1 m"))
    assert ask(server, []) == []
    assert server.bodies == []


def test_a_limit_that_passes(serve: Serve) -> None:
    busy = failed(429, "slow down", headers={"Retry-After": "0.15"})
    server = serve(lambda body, index: busy if index == 0 else said("1 m"))
    start = time.monotonic()
    assert ask(server, questions(1), RemoteSettings(first_wait=30.0)) == ["1 m"]
    assert 0.15 <= time.monotonic() - start < 5
    assert len(server.bodies) == 2


def test_a_limit_that_does_not_pass(serve: Serve) -> None:
    server = serve(lambda body, _: failed(429, "slow down"))
    error = fault(server)
    assert len(server.bodies) == 7
    assert "takes no more questions now (429), even after 7 tries" in error.problem
    assert error.cause == "slow down"
    assert "fewer questions at once (now 8)" in error.remedy


def test_a_server_that_asks_for_an_hour_is_given_up_at_once(serve: Serve) -> None:
    server = serve(lambda body, _: failed(429, "come back", headers={"Retry-After": "3600"}))
    assert "even after one try" in fault(server).problem
    assert len(server.bodies) == 1


def test_no_credit_is_not_asked_again(serve: Serve) -> None:
    server = serve(lambda body, _: failed(429, "You exceeded your quota", code="insufficient_quota"))
    error = fault(server)
    assert "no credit left" in error.problem and error.cause == "You exceeded your quota"
    assert len(server.bodies) == 1


def test_a_server_that_fails_for_ever(serve: Serve) -> None:
    server = serve(lambda body, _: failed(500, "out of memory\x1b[2J"))
    error = fault(server)
    assert len(server.bodies) == 4
    assert "the server failed (500), 4 tries" in error.problem
    assert error.cause == "out of memory [2J"
    assert "log" in error.remedy


@pytest.mark.parametrize("answer", [Answer("<html>Welcome</html>"), Answer({"choices": []}), said(None)])
def test_nonsense(serve: Serve, answer: Answer) -> None:
    server = serve(lambda body, _: answer)
    error = fault(server)
    assert len(server.bodies) == 3
    assert "not the answer of a chat model" in error.problem
    assert any(words in error.cause for words in ("Welcome", "at least 1 item", "no text"))
    assert "/v1" in error.remedy


def test_nonsense_that_passes(serve: Serve) -> None:
    server = serve(lambda body, index: Answer("starting…") if index < 2 else said("1 m"))
    assert ask(server, questions(1)) == ["1 m"]


def test_a_server_that_hangs(serve: Serve) -> None:
    free = threading.Event()
    server = serve(lambda body, _: said("late") if free.wait(20) else said("later"))
    error = fault(server, RemoteSettings(timeout=0.2, first_wait=0.001))
    free.set()
    assert len(server.bodies) == 2
    assert "no answer within 0.2 s, 2 times" in error.problem
    assert "loading its model" in error.cause


def test_a_server_that_is_down() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        remote = RemoteModel("tiny", f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        with pytest.raises(Unanswered) as caught:
            OpenAiPredictor(remote, QUICK).answer(questions(3))
    assert (
        caught.value.problem
        == f"{remote.url}: the server cannot be reached, or hangs up (0 of 3 questions were answered)"
    )
    assert "refused" in caught.value.cause
    assert "start the server" in caught.value.remedy
    assert list(caught.value.faults) == [0]


@pytest.mark.parametrize("status", [401, 403])
def test_a_missing_key(serve: Serve, status: int) -> None:
    server = serve(lambda body, _: failed(status, "who are you?"))
    error = fault(server)
    assert f"does not let us in ({status})" in error.problem
    assert "OPENAI_API_KEY is not set" in error.cause
    assert len(server.bodies) == 1


@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "TOOLKIT_API_KEY"])
def test_a_wrong_key(serve: Serve, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, SECRET)
    server = serve(lambda body, _: failed(401, f"Incorrect API key provided: {SECRET}"))
    error = fault(server)
    assert server.keys == [f"Bearer {SECRET}"]
    assert error.cause == f"the key in {variable} was refused: Incorrect API key provided: [key]"
    assert variable in error.remedy


def test_a_key_that_is_not_sent_in_the_clear(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", f"Authorization: Bearer {SECRET}")
    monkeypatch.setattr(RemoteModel, "is_here", property(lambda _: False))
    server = serve(lambda body, _: failed(401, "who are you?"))
    error = fault(server)
    assert server.keys == ["Bearer none"]
    assert "OPENAI_API_KEY was not sent" in error.cause
    assert "https" in error.remedy and "TOOLKIT_API_KEY" in error.remedy


def test_an_unknown_model(serve: Serve) -> None:
    models = Answer({"data": [{"id": "tinny"}, {"id": "large"}]})
    server = serve(lambda body, _: failed(404, "no such model"), models)
    error = fault(server)
    assert "the server knows no model tiny" in error.problem
    assert error.cause == "it offers large, tinny"
    assert "did you mean tinny" in error.remedy
    assert len(server.bodies) == 1


@pytest.mark.parametrize("models", [Answer("<h1>404</h1>", 404), Answer("hello"), Answer({"data": 3}), Answer([1])])
def test_an_address_where_nothing_is(serve: Serve, models: Answer) -> None:
    server = serve(lambda body, _: Answer("<h1>404 not found</h1>", 404), models)
    error = fault(server)
    assert "nothing that answers like OpenAI's servers (404)" in error.problem
    assert str(server.remote) in error.remedy


def test_what_is_refused_is_said_in_the_servers_words(serve: Serve) -> None:
    server = serve(lambda body, _: failed(400, "the context is 128 tokens long"))
    error = fault(server)
    assert "refused the question (400)" in error.problem
    assert error.cause == "the context is 128 tokens long"
    assert len(server.bodies) == 1


def test_without_logprobs_it_goes_on(serve: Serve) -> None:
    def answer(body: Body, _: int) -> Answer:
        return failed(400, "logprobs are not supported") if "logprobs" in body else said("1 m")

    server = serve(answer)
    predictor = OpenAiPredictor(server.remote, QUICK)
    replies = predictor.answer(questions(5)) + predictor.answer(questions(5))
    assert [(reply.text, reply.pieces) for reply in replies] == [("1 m", ())] * 10
    assert [body.get("top_logprobs") for body in server.bodies] == [20, 5] + [None] * 10


def test_few_logprobs_are_better_than_none(serve: Serve) -> None:
    steps = [{"token": "1", "logprob": 0.0, "top_logprobs": [{"token": "1", "logprob": 0.0}]}]

    def answer(body: Body, _: int) -> Answer:
        if body["top_logprobs"] > 5:
            return failed(422, "Input should be less than or equal to 5", param="top_logprobs")
        return said("1", logprobs={"content": steps})

    (reply,) = OpenAiPredictor(serve(answer).remote, QUICK).answer(questions(1))
    assert [(piece.text, piece.probability, dict(piece.numerals)) for piece in reply.pieces] == [("1", 1.0, {"1": 1.0})]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (403, "You are not allowed to request logprobs from this model"),
        (404, "No endpoints found that support the parameter: logprobs"),
        (500, "top_logprobs 20 exceeds the maximum"),
        (400, "Log probabilities are not available"),
    ],
)
def test_probabilities_that_are_refused_in_any_way_are_done_without(serve: Serve, status: int, words: str) -> None:
    server = serve(lambda body, _: failed(status, words) if "logprobs" in body else said("1 m"))
    assert ask(server, questions(2)) == ["1 m"] * 2
    assert ["logprobs" in body for body in server.bodies] == [True, True, False, False]


def test_an_option_that_an_error_inside_a_200_names_is_left_out(serve: Serve) -> None:
    refusal = Answer({"error": {"message": "repetition_penalty is not supported", "code": 400}})
    server = serve(lambda body, _: refusal if "repetition_penalty" in body else said("1 m"))
    assert ask(server, questions(1)) == ["1 m"]


@pytest.mark.parametrize(
    "refusal",
    [
        failed(400, "Unknown field: messages[0].content[0].image_url.detail"),
        Answer(
            {"detail": [{"loc": ["messages", 0, "image_url", "detail"], "msg": "Extra inputs are not permitted"}]}, 422
        ),
    ],
)
def test_a_server_that_does_not_know_detail_is_asked_without(serve: Serve, refusal: Answer) -> None:
    def pictures(body: Body) -> list[dict[str, Any]]:
        return [part["image_url"] for part in body["messages"][0]["content"] if part["type"] == "image_url"]

    server = serve(lambda body, _: refusal if "detail" in pictures(body)[0] else said("1 m"))
    assert ask(server, questions(3)) == ["1 m"] * 3
    assert ["detail" in picture for body in server.bodies for picture in pictures(body)] == [True, False, False, False]
    assert all(picture["url"].startswith("data:") for body in server.bodies for picture in pictures(body))
    assert "detail" not in server.bodies[0]


def test_the_word_detail_as_a_key_names_no_option(serve: Serve) -> None:
    server = serve(lambda body, _: Answer({"detail": "the picture is too large"}, 400))
    assert fault(server).cause == "the picture is too large"
    assert len(server.bodies) == 1


def test_a_limit_that_names_an_option_is_a_limit(serve: Serve) -> None:
    server = serve(lambda body, index: failed(429, "max_tokens per minute reached") if index == 0 else said("1 m"))
    assert ask(server, questions(1)) == ["1 m"]
    assert "max_tokens" in server.bodies[1]


@pytest.mark.parametrize(
    ("answer", "problem", "cause"),
    [
        (said(None, finish_reason="content_filter"), "a content filter withheld the answer", "content_filter"),
        (
            Answer({"choices": [{"message": {"content": None, "reasoning_content": "2 m"}, "finish_reason": "stop"}]}),
            "reasoning in what came back, and no answer",
            "thoughts",
        ),
        (
            Answer({"choices": [{"message": {"content": None, "tool_calls": [{"function": {"name": "ruler"}}]}}]}),
            "called a tool",
            "ruler",
        ),
        (Answer({"error": {"message": "the picture is unsafe", "code": 400}}), "refused the question (400)", "unsafe"),
    ],
)
def test_what_is_no_answer_is_told_as_what_it_is(serve: Serve, answer: Answer, problem: str, cause: str) -> None:
    server = serve(lambda body, _: answer)
    error = fault(server)
    assert problem in error.problem and cause in error.cause
    assert "/v1" not in error.remedy
    assert isinstance(error.faults[0], QuestionFault)
    assert len(server.bodies) == 1


def test_an_error_inside_a_200_is_tried_again_like_its_status(serve: Serve) -> None:
    broken = Answer({"error": {"message": "Upstream failure", "code": 502}})
    server = serve(lambda body, index: broken if index < 2 else said("1 m"))
    assert ask(server, questions(1)) == ["1 m"]
    error = fault(serve(lambda body, _: broken))
    assert "the server failed (502), 4 tries" in error.problem and error.cause == "Upstream failure"


def test_a_server_that_leads_to_another_host_gets_nothing_more(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    other = serve(lambda body, _: said("1 m"))
    away = other.remote.url.replace("127.0.0.1", "localhost") + "/chat/completions"
    server = serve(lambda body, _: Answer("", 307, {"Location": away}))
    error = fault(server, count=3)
    assert "redirects to another host" in error.problem and away in error.cause
    assert isinstance(error.faults[0], ServerFault)
    assert (len(server.bodies), other.bodies) == (1, [])


def test_an_answer_without_end_is_one_that_is_too_large(serve: Serve) -> None:
    server = serve(lambda body, _: Answer("x" * 10_000_001))
    assert "larger than 10 MB" in fault(server).cause


def test_answers_are_told_as_they_come(serve: Serve) -> None:
    late = threading.Event()

    def answer(body: Body, index: int) -> Answer:
        if asked(body) == "question 1":
            assert late.wait(20)
        return said(asked(body))

    heard: list[tuple[int, str]] = []

    def hear(index: int, reply: Reply) -> None:
        heard.append((index, reply.text))
        if len(heard) == 5:
            late.set()

    predictor = OpenAiPredictor(serve(answer).remote, QUICK, lambda: 0.0)
    replies = predictor.answer_each(questions(6), hear)
    assert [reply.text for reply in replies] == [f"question {index}" for index in range(6)]
    assert sorted(heard) == [(index, f"question {index}") for index in range(6)]
    assert heard[-1][0] == 1


def test_probabilities_of_something_else_are_said_to_be_missing(serve: Serve) -> None:
    steps = [{"token": "7", "logprob": 0.0, "top_logprobs": []}]
    predictor = OpenAiPredictor(serve(lambda body, _: said("1 m", logprobs={"content": steps})).remote, QUICK)
    (reply,) = predictor.answer(questions(1))
    assert reply.pieces == ()
    (note,) = predictor.notes
    assert "do not spell the answer" in note


def test_what_newer_models_call_otherwise_or_do_not_take(serve: Serve) -> None:
    refusals = {
        "max_tokens": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
        "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
        "repetition_penalty": "Unrecognized request argument supplied: repetition_penalty",
    }

    def answer(body: Body, _: int) -> Answer:
        for name, words in refusals.items():
            if name in body:
                return failed(400, words)
        return said("1 m")

    server = serve(answer)
    predictor = OpenAiPredictor(server.remote, QUICK)
    assert predictor.notes == ()
    assert [reply.text for reply in predictor.answer(questions(4))] == ["1 m"] * 4
    assert len(server.bodies) == 3 + 4
    assert all(body["max_completion_tokens"] == 64 for body in server.bodies[3:])
    (note,) = predictor.notes
    assert "temperature" in note


def test_one_refused_question_does_not_lose_the_others(serve: Serve) -> None:
    server = serve(lambda body, _: failed(400, "unsafe") if asked(body) == "question 0" else said(asked(body)))
    error = fault(server, count=6)
    assert "(5 of 6 questions were answered)" in error.problem
    assert [reply and reply.text for reply in error.replies] == [None, *(f"question {index}" for index in range(1, 6))]
    assert isinstance(error.faults[0], QuestionFault)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.replies) == (str(error), error.replies)


def test_what_every_question_meets_is_said_first(serve: Serve) -> None:
    server = serve(lambda body, index: failed(400, "unsafe") if index == 0 else failed(401, "who are you?"))
    error = fault(server, RemoteSettings(workers=1), count=3)
    assert "does not let us in (401) (0 of 3 questions were answered)" in error.problem
    assert sorted(error.faults) == [0, 1]


def test_a_server_that_dies_is_not_asked_on(serve: Serve) -> None:
    def answer(body: Body, index: int) -> Answer:
        if index < 10:
            return said(asked(body))
        return failed(401, "gone") if index == 10 else failed(503, "busy", headers={"Retry-After": "60"})

    server = serve(answer)
    start = time.monotonic()
    error = fault(server, RemoteSettings(workers=4), count=200)
    assert time.monotonic() - start < 10  # whoever waits for the busy server is called off
    assert len(server.bodies) <= 10 + 4
    assert [reply is not None for reply in error.replies[:8]] == [True] * 8
    assert "does not let us in" in error.problem
    assert any(isinstance(each, ServerFault) for each in error.faults.values())


def test_the_key_is_nowhere(
    serve: Serve,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in a message, a log, a pickle, a file or what a report is made of, even where the server repeats it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    seen = []
    for status in (400, 401, 402, 403, 404, 418, 429, 500, 503):
        server = serve(lambda body, _, status=status: failed(status, f"your key {SECRET} is bad"))
        error = fault(server)
        seen += [str(error), repr(error), pickle.dumps(error).decode("latin-1")]
    for answer in (Answer(f"<p>{SECRET}</p>"), Answer({"key": SECRET}), said(None, key=SECRET)):
        seen.append(str(fault(serve(lambda body, _, answer=answer: answer))))
    assert all("[key]" in text for text in seen[::3])

    predictor = OpenAiPredictor(serve(lambda body, _: said("2 m")).remote, QUICK)
    seen += [repr(predictor.answer(questions(3))), repr(vars(predictor)), predictor.name, *predictor.notes]
    assert list(tmp_path.iterdir()) == []
    seen += [caplog.text, *capfd.readouterr()]
    assert not any(SECRET in text for text in seen)


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [
        name
        for name in sys.modules
        if name in ("toolkit.modeling.remote.client", "toolkit.modeling.remote.server_errors")
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(UserError, match="package openai") as caught:
        OpenAiPredictor(RemoteModel("tiny", "http://localhost/v1"))
    assert "pip install '3dqa-toolkit[remote]'" in caught.value.remedy
