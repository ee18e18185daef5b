"""The contracts of published models: each file, and what a model of the same architecture is asked."""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.support.queries import one_point
from tests.support.real_vocabularies import pixtral_tokenizer, qwen3_encoding, qwen3_tokenizer, tekken_file
from tests.support.tiny_architectures import twin_with
from toolkit.errors import UserError
from toolkit.geometry.camera import Camera
from toolkit.inference.asker import Asker
from toolkit.modeling.predictor import Reply
from toolkit.modeling.published_contract import (
    load_published,
    published_file,
    published_name_of,
    published_names,
    read_published,
    similar_published_name,
)
from toolkit.modeling.vlm.vlm import Vlm, encode
from toolkit.qa.sample import Sample
from toolkit.utils.colors import COLORS
from toolkit.utils.resources import CONTRACTS

DEPTHLM, VLM3 = "facebook/DepthLM", "facebook/VLM3-depth"
TAGS = (
    "Output the thinking process in <think> </think> and final answer (the meter number only, without the unit) in "
    "<answer> </answer> tags."
)
ASKED = {
    DEPTHLM: f"Given this image, how far is the point pointed by the red arrow from the camera? {TAGS}",
    VLM3: "Given this image, how far is the point at coordinates ({u}, {v}) from the camera? The coordinates are in "
    f"normalised [0, 2000] format relative to image width and height. {TAGS}",
}


def test_all_five_are_known() -> None:
    short = ("DepthLM", "VLM3-corr", "VLM3-depth", "VLM3-object", "VLM3-pose")
    assert published_names() == [f"facebook/{name}" for name in short]
    assert {name for name in published_names() if load_published(name).status == "now"} == {DEPTHLM, VLM3}


@pytest.mark.parametrize("path", sorted(CONTRACTS.glob("*")), ids=lambda path: path.name)
def test_each_file_is_sound(path: Path) -> None:
    model = read_published(path)
    assert published_file(model.name) == path
    assert model.research_only and "non-commercial" in model.licence
    assert model.command.endswith(f"--model {model.name}") == (model.status == "now")
    if model.status == "now":
        for name, task in model.contract().tasks.items():
            said = model.tasks[name]
            assert said.example and said.value is not None
            assert task.read(said.example, one_point()) == said.value
    else:
        with pytest.raises(UserError, match=f"{model.name} cannot be asked yet"):
            model.contract()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"marker": {"shape": "thin_arow", "colors": ["red"]}}, "marker.shape: .*arrow"),
        ({"marker": None}, "reference: marker and the section marker belong together"),
        ({"grid": 2000}, "reference: text and grid belong together"),
        ({"picture": {"focal": 750, "longest_side": 900, "multiple": 16}}, "picture: give either focal"),
        ({"picture": {"longest_side": 900, "multiple": 16}}, "only models with a focal length can be asked now"),
        ({"picture": {"focal": -1, "multiple": 16}}, "picture.focal: "),
        ({"tasks": {"metric_depth": {"answer": "m"}}}, "tasks.metric_depth.question: field required"),
        ({"processor": {"do_resize": "perhaps"}}, "processor.do_resize: "),
        ({"prompt": "How far?"}, "prompt: extra inputs"),
    ],
)
def test_a_fault_is_named_with_its_file_and_key(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    values = yaml.safe_load(published_file(DEPTHLM).read_text(encoding="utf-8")) | change
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(UserError) as caught:
        read_published(tmp_path / "broken.yaml")
    assert str(tmp_path / "broken.yaml") in str(caught.value)
    assert re.search(said, str(caught.value)), caught.value


def test_models_are_recognised_only_where_it_is_certain(tmp_path: Path) -> None:
    cached = tmp_path / "models--facebook--DepthLM" / "snapshots" / "0a1b"
    for name in (DEPTHLM, f"{DEPTHLM}@main", Path(DEPTHLM), cached):
        assert published_name_of(name) == DEPTHLM
    for name in ("DepthLM", "someone/DepthLM", tmp_path / "DepthLM", tmp_path / "models--someone--DepthLM"):
        assert published_name_of(name) is None
    assert similar_published_name(tmp_path / "my-depthlm-copy") == DEPTHLM
    assert similar_published_name(tmp_path / "qwen") is None
    with pytest.raises(UserError, match="did you mean facebook/DepthLM"):
        load_published("facebook/DepthLN")


class Recorder:
    """A predictor that keeps what it is asked, and answers as the published model does."""

    name, notes = "recorder", ()

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: list[Sample] = []

    def answer(self, samples: Sequence[Sample]) -> list[Reply]:
        self.samples += samples
        return [Reply(self.text) for _ in samples]


PIXEL, SIZE = (300, 200), (914, 686)  # of a picture that is 857 x 643 px at a focal length of 750 px
CAMERA = Camera(800.0, 800.0, 457.0, 343.0, *SIZE)


def asked(name: str, pixel: tuple[int, int] = PIXEL, called: str = "red") -> tuple[Sample, float]:
    """What a published model is asked about a pixel of a noisy picture, and the value that is read."""
    model = load_published(name)
    contract = model.contract()
    recorder = Recorder(model.tasks["metric_depth"].example or "")
    picture = np.random.default_rng(0).integers(0, 200, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    answer = Asker(recorder, contract.presenter, contract.tasks).ask(
        picture, f"how far is the {called} point", points={called: pixel}, camera=CAMERA
    )
    assert not [warning for warning in answer.warnings if "trained" in warning]
    return recorder.samples[0], answer.value


@pytest.mark.parametrize("called", ["red", "blue"])
def test_depthlm_is_shown_its_own_arrow_in_a_picture_of_whole_patches(called: str) -> None:
    sample, value = asked(DEPTHLM, called=called)
    assert sample.prompt == ASKED[DEPTHLM] and value == 2.31
    (view,) = sample.query.views
    assert (view.camera.fx, view.camera.fy) == (750, 750)
    assert (view.camera.width, view.camera.height) == (848, 640)  # 857 x 643, cut to patches of 16 px
    assert view.mask.all(), "nothing is padded"
    u, v = np.rint(sample.query.points[0].pixel).astype(int)
    np.testing.assert_allclose(sample.query.points[0].pixel, (np.array(PIXEL) + 0.5) * 750 / 800 - 0.5, atol=1e-9)
    painted = np.argwhere((sample.images[0] != view.pixels).any(axis=-1))
    arrow = {(-x, 0) for x in range(1, 6)} | {(-2, 1), (-2, -1), (-3, 2), (-3, -2)}
    assert {(x - u, y - v) for y, x in painted.tolist()} == arrow
    assert all(tuple(sample.images[0][y, x]) == COLORS["red"] for y, x in painted)


def test_vlm3_is_told_coordinates_on_its_grid() -> None:
    sample, value = asked(VLM3)
    (view,) = sample.query.views
    assert (view.camera.fx, view.camera.width, view.camera.height) == (1000, 1120, 832)  # 1142 x 858, of 32 px
    assert view.mask.all() and (sample.images[0] == view.pixels).all()
    u, v = (300.5 * 1.25 / 1120 * 2000, 200.5 * 1.25 / 832 * 2000)
    assert sample.prompt == ASKED[VLM3].format(u=round(u), v=round(v)) and value == 2.31


def test_a_point_in_the_rest_that_is_cut_off_can_be_asked_about() -> None:
    sample, _ = asked(DEPTHLM, (913, 685))
    (view,) = sample.query.views
    assert (view.camera.width, view.camera.height) == (848, 640) and view.mask.all()
    assert view.camera.contains(sample.query.points[0].pixel)


@cache
def pixtral() -> Vlm:
    tokenizer = pixtral_tokenizer()
    return twin_with("Pixtral", tokenizer, str(tokenizer.chat_template))


@pytest.mark.slow
def test_the_tokens_of_depthlm_are_those_of_mistral_common() -> None:
    vlm = pixtral()
    from mistral_common.protocol.instruct.chunk import ImageChunk, TextChunk
    from mistral_common.protocol.instruct.messages import UserMessage
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    sample, _ = asked(DEPTHLM)
    image = Image.fromarray(sample.images[0])
    said = UserMessage(content=[ImageChunk(image=image), TextChunk(text=ASKED[DEPTHLM])])
    wanted = MistralTokenizer.from_file(str(tekken_file())).encode_chat_completion(
        ChatCompletionRequest(messages=[said])
    )
    batch = encode(vlm, [sample.prompt], [sample.images])
    assert batch["input_ids"][0].tolist() == wanted.tokens
    assert (batch["input_ids"] == vlm.processor.image_token_id).sum() == 2120


@pytest.mark.slow
def test_the_tokens_of_vlm3_are_those_of_its_vocabulary() -> None:
    import trl

    template = Path(trl.__file__).parent / "chat_templates" / "qwen3_vl.jinja"
    vlm = twin_with("Qwen3-VL", qwen3_tokenizer(), template.read_text(encoding="utf-8"))
    sample, _ = asked(VLM3)
    patches = "<|image_pad|>" * (1120 // 32 * (832 // 32))
    text = (
        f"<|im_start|>user\n<|vision_start|>{patches}<|vision_end|>{sample.prompt}<|im_end|>\n<|im_start|>assistant\n"
    )
    wanted = qwen3_encoding().encode(text, allowed_special="all")
    batch = encode(vlm, [sample.prompt], [sample.images])
    assert batch["input_ids"][0].tolist() == wanted
    assert {151644, 151645, 151655, 151667, 151668} <= set(wanted)  # <|im_start|> … <think>, as in the published files


@pytest.mark.slow
@pytest.mark.parametrize(("name", "tokenizer"), [(DEPTHLM, pixtral_tokenizer), (VLM3, qwen3_tokenizer)])
def test_answers_fit_and_their_digits_stand_alone(name: str, tokenizer: Any) -> None:
    model = load_published(name)
    example = model.tasks["metric_depth"].example or ""
    words = tokenizer()
    tokens = words(example, add_special_tokens=False)["input_ids"]
    assert len(tokens) < model.max_new_tokens / 2
    pieces = [words.decode([token]) for token in tokens]
    assert "".join(pieces) == example == words.decode(tokens, skip_special_tokens=True)
    assert pieces[pieces.index("2") :][:4] == ["2", ".", "3", "1"]
