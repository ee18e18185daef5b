"""Answers: what models write, what servers send, and files of answers."""

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.fuzz_parts.case import Case, Kind
from benchmarks.fuzz_parts.kinds.sound import ASK, write_evaluation
from benchmarks.fuzz_parts.mutations import dump_json, mutate_bytes, mutate_json, mutate_text, repeatedly

_ANSWERS = (
    *("2.4 m", "about 7 ft 3 in", "<think>3 m wide, so</think> <answer>2.4 m</answer>", "red", "240 cm (2.4 m)"),
    *("0.52 m, 12.3 deg, right 0.10, down -0.02, forward 0.99", '{"distance": 2.4, "unit": "m"}', "between 2 and 3 m"),
    *("**2.4** meters", "\\boxed{2.4}", "7.23 m / 4.0 s = 1.81 m/s", "I cannot tell.", "2,4 metros"),
    *("1.250,0 m", "three"),
)
_WORDS = (
    *("1e400", "1e308", "9" * 400, "nan m", "infinity", "-", "½", "٣", "²", "=", "the answer is", "<think>"),
    *("</think>", '{"answer":', "```json", "[" * 3000, "(" * 500, "\\frac{" * 200, "m " * 500, "2-" * 500, "1/0 m"),
    *("1/" * 300, "%", "\u202e", "\x1b[2J", "\ud800", "5 ft " * 400, "1,000" * 200),
    *("0." + "0" * 400 + "1 m", "one " * 300),
    *("not " * 300, "\x00"),
)
_STATUSES = (200, 200, 200, 200, 200, 400, 401, 403, 404, 429, 500, 503)
_ERROR = {"error": {"message": "top_logprobs is not supported", "type": "invalid", "param": "logprobs", "code": 400}}

_TOKENS = [
    {
        "token": token,
        "logprob": -0.1,
        "bytes": list(token.encode()),
        "top_logprobs": [{"token": token, "logprob": -0.1, "bytes": None}, {"token": "3", "logprob": -2.5}],
    }
    for token in ("2", ".", "4", " m")
]
_COMPLETION = {
    "id": "1",
    "object": "chat.completion",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "2.4 m", "refusal": None, "reasoning_content": None},
            "logprobs": {"content": _TOKENS},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 9, "completion_tokens": 4, "completion_tokens_details": {"reasoning_tokens": 0}},
}


_SERVER = (*ASK, "--json", "--model", "openai:x@{server}", "--like", "tiny")
_CONSTANT = ("eval", "-", "recipe.yaml", "--output", "out", "--json", "--predictor")
_REPLAYED = (*_CONSTANT, "file:answers.jsonl")
_EVALUATED = (("rescore", "evaluation", "--json"), ("compare", "evaluation", "evaluation", "--json"))


def _prepare() -> None:
    write_evaluation("evaluation")
    shutil.copy("evaluation/samples.jsonl", "answers.jsonl")
    Path("reply.body").write_text(json.dumps(_COMPLETION))
    Path("reply.status").write_text("200")


def _answer(rng: Random) -> str:
    answer = rng.choice(_ANSWERS)
    for _ in range(rng.choice([1, 1, 2, 3])):
        answer = mutate_text(answer, rng, (*_WORDS, *_ANSWERS))
    return answer


def _draw(sound: Path, rng: Random) -> Case:
    return rng.choice([_from_server, _from_server, _constant, _replayed, _evaluated])(sound, rng)


def _constant(sound: Path, rng: Random) -> Case:
    """A model that always writes the same."""
    return Case((*_CONSTANT, "constant:" + _answer(rng).replace("\x00", "")))


def _replayed(sound: Path, rng: Random) -> Case:
    """A file of answers."""
    return Case(_REPLAYED, {"answers.jsonl": _samples(sound, rng)})


def _evaluated(sound: Path, rng: Random) -> Case:
    """The answers of an evaluation, which are read again."""
    words = rng.choice(_EVALUATED)
    if rng.random() < 0.7:
        return Case(words, {"evaluation/samples.jsonl": _samples(sound, rng)})
    report = json.loads((sound / "evaluation/report.json").read_text())
    return Case(words, {"evaluation/report.json": _encoded(repeatedly(mutate_json, report, rng))})


def _samples(sound: Path, rng: Random) -> bytes:
    """The lines of an evaluation, one of them mutated."""
    lines = (sound / "evaluation/samples.jsonl").read_text().splitlines()
    index = rng.randrange(len(lines))
    row = json.loads(lines[index])
    kind = rng.randrange(4)
    if kind == 0:
        lines[index] = dump_json({**row, "answer": _answer(rng)})
    elif kind == 1:
        lines[index] = mutate_text(lines[index], rng)
    elif kind == 2:
        lines[index] = dump_json(repeatedly(mutate_json, row, rng))
    else:
        return repeatedly(mutate_bytes, "\n".join(lines).encode(), rng)
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


def _from_server(sound: Path, rng: Random) -> Case:
    """What a server sends."""
    status = rng.choice(_STATUSES)
    completion: Any = json.loads(json.dumps(_COMPLETION if status == 200 or rng.random() < 0.3 else _ERROR))
    if rng.random() < 0.4 and "choices" in completion:
        completion["choices"][0]["message"]["content"] = _answer(rng)
    else:
        completion = repeatedly(mutate_json, completion, rng)
    body = _encoded(completion)
    if rng.random() < 0.15:
        body = mutate_bytes(body, rng)
    return Case(_SERVER, {"reply.body": body, "reply.status": str(status).encode()})


def _encoded(value: Any) -> bytes:
    return dump_json(value).encode("utf-8", "surrogatepass")


KIND = Kind("replies", _prepare, _draw, (_SERVER, *_EVALUATED, _REPLAYED, (*_CONSTANT, "constant:2.4 m")))
