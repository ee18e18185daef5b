"""Loss on the answers alone: for every architecture, one picture and two, one question and several."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support.architecture_batches import ANSWERS, PROMPTS, every_architecture, one_and_two
from tests.support.tiny_architectures import TWINS, build_twin
from toolkit.data.synthetic.rooms import Rooms, RoomSettings
from toolkit.errors import UserError
from toolkit.geometry.canonical import Canonicalisation, Canvas
from toolkit.modeling.vlm.architectures import PictureSizeError
from toolkit.modeling.vlm.vlm import Vlm, chat_text, conversation, encode
from toolkit.qa.mixture import Feed, Mixture, Phase
from toolkit.qa.sample import Hints, Presenter
from toolkit.qa.tasks.registry import get_task
from toolkit.training import collator
from toolkit.training.auxiliary_words import patch_words, point_words
from toolkit.training.collator import IGNORED, PATCHES, POINTS, Collator, make_row

MORE = [("How far is the blue one?", "12.05 m"), ("And which is closer?", "red")]


def learnt(vlm: Vlm, labels: torch.Tensor) -> list[str]:
    """Each unbroken run of tokens with loss, decoded."""
    marks = (labels != IGNORED).int().tolist()
    starts = [i for i, on in enumerate(marks) if on and (i == 0 or not marks[i - 1])]
    ends = [i + 1 for i, on in enumerate(marks) if on and (i + 1 == len(marks) or not marks[i + 1])]
    return [vlm.processor.tokenizer.decode(labels[a:b]) for a, b in zip(starts, ends, strict=True)]


def row(images: list[np.ndarray], more: list[tuple[str, str]]) -> dict[str, Any]:
    return conversation(PROMPTS[0], images, ANSWERS[0], more)


@every_architecture
@pytest.mark.parametrize("more", [[], MORE], ids=["one question", "three questions"])
def test_loss_is_on_the_answers_alone(name: str, more: list[tuple[str, str]]) -> None:
    vlm, twin = build_twin(name), TWINS[name]
    one, two = one_and_two(vlm)
    batch = Collator(vlm)([row(list(one), more), row(list(two), more)])
    answers = [ANSWERS[0], *(answer for _, answer in more)]
    for labels in batch["labels"]:
        assert "".join(learnt(vlm, labels)) == "".join(twin.lead + text + twin.end + twin.tail for text in answers)
        assert len(learnt(vlm, labels)) == len(answers)


@every_architecture
def test_the_sequence_is_the_chat_template_itself(name: str) -> None:
    vlm = build_twin(name)
    (image,) = one_and_two(vlm)[0]
    batch = Collator(vlm)([row([image], MORE)])
    said = [PROMPTS[0], ANSWERS[0], *(text for pair in MORE for text in pair)]
    whole = chat_text(vlm, said, 1)
    start = len(chat_text(vlm, said[:1], 1))
    asked = encode(vlm, PROMPTS[:1], [[image]])["input_ids"][0].tolist()
    rest = vlm.processor.tokenizer(whole[start:], add_special_tokens=False)["input_ids"]
    assert batch["input_ids"][0].tolist() == asked + rest


@every_architecture
def test_image_tokens_are_taught_the_words_of_their_patches(name: str) -> None:
    vlm = build_twin(name)
    images = list(one_and_two(vlm)[1])
    plain = Collator(vlm)([row(images, [])])
    places = torch.nonzero(plain["input_ids"][0] == vlm.model.config.image_token_id).flatten()
    words = ["a", "", *["b"] * (len(places) - 2)]
    batch = Collator(vlm)([{**row(images, []), PATCHES: words}])
    taught = torch.nonzero(batch["labels"][0] != plain["labels"][0]).flatten()
    assert torch.equal(taught, places[[0, *range(2, len(places))]] + 1)
    (a,), (b,) = (vlm.processor.tokenizer(word, add_special_tokens=False)["input_ids"][:1] for word in "ab")
    assert batch["labels"][0, taught].tolist() == [a, *[b] * (len(places) - 2)]
    with pytest.raises(UserError, match="do not match"):
        Collator(vlm)([{**row(images, []), PATCHES: words[1:]}])


@every_architecture
def test_names_of_points_are_taught_where_they_lie(name: str) -> None:
    vlm = build_twin(name)
    images = list(one_and_two(vlm)[0])
    plain = Collator(vlm)([row(images, [])])
    batch = Collator(vlm)([{**row(images, []), POINTS: {"far": ("7", "0", "k")}}])
    taught = torch.nonzero(batch["labels"][0] != plain["labels"][0]).flatten().tolist()
    spelt = vlm.processor.tokenizer(" far", add_special_tokens=False)["input_ids"]
    read = plain["input_ids"][0].tolist()
    start = next(place for place in range(len(read)) if read[place : place + len(spelt)] == spelt)
    last = start + len(spelt)
    assert taught == [last, last + 1, last + 2]
    words = [vlm.processor.tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in "70k"]
    assert batch["labels"][0, taught].tolist() == words
    with pytest.raises(UserError, match="does not name its point 'mauve'"):
        Collator(vlm)([{**row(images, []), POINTS: {"mauve": ("7", "0", "k")}}])


@every_architecture
def test_words_of_points_leave_answers_as_they_are(name: str) -> None:
    vlm = build_twin(name)
    images = list(one_and_two(vlm)[0])
    plain = Collator(vlm)([row(images, [])])["labels"][0]
    taught = Collator(vlm)([{**row(images, []), POINTS: {"far": tuple("1" * 99)}}])["labels"][0]
    assert torch.equal(taught[plain != IGNORED], plain[plain != IGNORED])
    assert (taught != IGNORED).sum() > (plain != IGNORED).sum() + 5


def test_rows_carry_hints_where_the_sample_says_so() -> None:
    tasks = ((get_task("camera_pose"), 1.0), (get_task("two_point_distance"), 1.0))
    feeds = (Feed("rooms", Rooms(RoomSettings(rooms=3, views=2))),)
    presenter = Presenter(Canonicalisation(focal=80, canvas=Canvas(square=96)))
    samples = {
        hints: [Mixture(tasks, feeds, presenter, 0, 9, phases=(Phase(9, tasks, hints),))[i] for i in range(9)]
        for hints in (Hints(), Hints(0.5), Hints(0.5, points=True))
    }
    unmarked = Mixture(tasks, feeds, presenter, 0, 9, phases=(Phase(9, tasks, Hints(1, marked=False)),))[0]
    assert not any(word.startswith(" ") for word in make_row(unmarked, 12)[PATCHES])
    plain, patches, both = ([make_row(sample, 12) for sample in each] for each in samples.values())
    assert all(row[PATCHES] is None and row[POINTS] is None for row in plain)
    assert all(row[PATCHES] is not None and row[POINTS] is None for row in patches)
    for row, sample in zip(both, samples[Hints(0.5, points=True)], strict=True):
        query = sample.query
        assert row[POINTS] == {point.name: point_words(query.views[0], point) for point in query.points}
        first = patch_words(query.views[0], query.points, 12, sample.hints)
        assert row[PATCHES][:64] == first
        for second in query.views[1:]:
            poses = [view.frame.world_from_camera for view in query.views]
            moved = np.linalg.inv(poses[0]) @ poses[1]
            told = replace(sample.hints, seed=sample.hints.seed + 1)
            assert row[PATCHES][64:] == patch_words(second, (), 12, told, moved) != patch_words(second, (), 12, told)
        assert not {PATCHES, POINTS} & set(make_row(sample))
    assert len({sample.hints.seed for sample in samples[Hints(0.5)]}) == 9
    assert {sample.task for sample in samples[Hints(0.5)]} == {"camera_pose", "two_point_distance"}


@every_architecture
def test_lengths(name: str) -> None:
    vlm, twin = build_twin(name), TWINS[name]
    images = list(one_and_two(vlm)[1])
    lengths = Collator(vlm).lengths(row(images, []))
    assert lengths.image == sum(vlm.geometry.image_tokens(i.shape[1], i.shape[0]) for i in images)
    assert lengths.image + lengths.prompt == encode(vlm, PROMPTS[:1], [images])["input_ids"].shape[1]
    answer = twin.lead + ANSWERS[0] + twin.end + twin.tail
    assert lengths.answer == len(vlm.processor.tokenizer(answer, add_special_tokens=False)["input_ids"])


def test_rows_are_not_changed() -> None:
    vlm = build_twin("Qwen3-VL")
    given = row(list(one_and_two(vlm)[0]), MORE)
    Collator(vlm)([given])
    assert given["prompt"] == [{"role": "user", "content": PROMPTS[0]}]
    assert len(given["images"]) == 1


def test_a_batch_of_another_size_is_stopped() -> None:
    vlm = build_twin("Qwen3-VL")
    with pytest.raises(PictureSizeError, match="multiples of"):
        Collator(vlm)([row([np.zeros((33, 47, 3), np.uint8)], [])])


def test_a_template_that_rewrites_the_past_is_refused() -> None:
    vlm = build_twin("Qwen3-VL")
    template = vlm.processor.chat_template
    vlm.processor.chat_template = template + "{% if messages | length > 3 %}{{ 'again' }}{% endif %}"
    images = list(one_and_two(vlm)[0])
    Collator(vlm)([row(images, [])])
    with pytest.raises(UserError, match="does not keep questions and answers apart") as caught:
        Collator(vlm)([row(images, MORE)])
    assert "questions_per_image: 1" in caught.value.remedy


def test_a_batch_that_a_worker_cannot_hand_over_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    left = shutil.disk_usage(Path.cwd())._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: left)
    with pytest.raises(UserError, match="a batch of 400 bytes cannot be handed over"):
        collator._check_shared_memory({"pixels": torch.zeros(100), "count": 3})
    collator._check_shared_memory({"pixels": torch.zeros(25)})
