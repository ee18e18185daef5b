"""Where weights are put: words that are unknown or contradict each other are refused before anything is loaded."""

import pytest

from toolkit.errors import UserError
from toolkit.inference.asker import load
from toolkit.modeling.placement import Placement


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"device": "gpu"}, "--device gpu: there is no such device"),
        ({"device": "cuda:"}, "there is no such device"),
        ({"device": "cpu:0"}, "there is no such device"),
        ({"dtype": "bf16"}, "did you mean bfloat16"),
        ({"quantize": "4"}, "--quantize 4 is not known"),
        ({"quantize": "4bit", "device": "cpu"}, "contradict each other"),
    ],
)
def test_unknown_words_are_refused(words: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Placement(**words)


def test_all_known_words_are_taken() -> None:
    assert Placement("cuda:1", "float16", "8bit").words == ["float16", "8bit"]
    assert Placement("mps").words == Placement().words == []


@pytest.mark.parametrize("words", [{"device": "cpu"}, {"dtype": "float32"}, {"quantize": "4bit"}])
def test_a_model_on_a_server_is_put_nowhere(words: dict[str, str]) -> None:
    with pytest.raises(UserError, match=f"--{next(iter(words))} is for models that are loaded on this machine"):
        load("openai:served@http://127.0.0.1:9/v1", **words)
