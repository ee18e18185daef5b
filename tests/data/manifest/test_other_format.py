"""Files of other formats are called by their names, and not blamed line by line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.walls import line, write_manifest
from toolkit.data.manifest.manifest import load_manifest
from toolkit.errors import UserError, UserErrors

COCO = {"info": {}, "images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": []}
NERF = {"camera_angle_x": 0.6, "frames": [{"file_path": "a.png", "transform_matrix": []}]}
CHAT = {"id": 1, "image": "a.png", "conversations": [{"from": "human", "value": "how far"}]}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (COCO, "COCO annotations"),
        (NERF, "a transforms.json of NeRF"),
        (CHAT, "conversations as LLaVA"),
        ([CHAT], "conversations as LLaVA"),
        ({"shapes": [], "imagePath": "a.png"}, "labels of LabelMe"),
        ({"type": "FeatureCollection", "features": []}, "keys type, features"),
        ([{"image": "a.png", "intrinsics": [1]}], "one JSON list, not a manifest"),
    ],
)
def test_it_says_what_the_file_is(content: Any, said: str, indent: int | None, tmp_path: Path) -> None:
    path = tmp_path / "given.json"
    path.write_text(json.dumps(content, indent=indent))
    with pytest.raises(UserError, match="manifest") as error:
        load_manifest(path)
    assert said in str(error.value) and "did you mean" not in str(error.value)


def test_one_object_on_many_lines_is_told(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"image": "a.png", "intrinsics": [1, 1, 0, 0, 1, 1]}, indent=1))
    with pytest.raises(UserError, match="one JSON object is on 11 lines here"):
        load_manifest(path)


def test_faulty_lines_of_a_manifest_are_still_told(tmp_path: Path) -> None:
    for wrong in ({"images": "a.png", "intrinsic": [1]}, {**line(0), "depths": 1}, {}):
        with pytest.raises(UserErrors):
            load_manifest(write_manifest(tmp_path, [line(1), wrong, line(2)]))
    (tmp_path / "one.jsonl").write_text(json.dumps({"img": "a.png", "intrinsic": [1], "depths": [2]}) + "\n")
    with pytest.raises(UserErrors, match="did you mean intrinsics"):
        load_manifest(tmp_path / "one.jsonl")
